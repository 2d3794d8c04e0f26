/** Results of one model, or of two side by side. A newer query replaces one that is still running. */

import { MOST, STEP, crop, go, number } from "./address.js";
import { request } from "./api.js";
import { matchCard } from "./card.js";
import { announce, clearError, counted, h, showError } from "./dom.js";
import { expression } from "./filters.js";
import { hidePair, showPair } from "./pair.js";
import { isCalibrated, modelsOf } from "./shop.js";

/** `update(state)` ends when all answers are shown. */
export function results() {
	const columns = [column(), column()];
	const title = h("h2", { id: "found" });
	const element = h("section.results", { "aria-labelledby": "found" }, title, h("div.columns", columns.map((each) => each.element)));
	return {
		element,
		async update(state) {
			clearError();
			const models = modelsOf(state);
			const two = models.length > 1;
			element.classList.toggle("two", two);
			title.textContent ||= "Searching";
			if (!two) columns[1].clear();
			const all = await Promise.all(models.map((model, place) => columns[place].show(state, model)));
			const answers = all.filter(Boolean);
			if (!answers.length || !element.isConnected) return;
			title.textContent = two ? "Two models, same query" : found(answers[0]);
			announce(answers.map((answer) => `${two ? `${answer.model}: ` : ""}${found(answer)}. ${first(answer)}`).join(" "));
			const pair = state.pair && answers.flatMap(({ matches }) => matches).find((match) => match.product_id === state.pair);
			if (pair) showPair(pair, state);
			else hidePair();
		},
	};
}

const found = ({ matches }) => (matches.length ? `${counted(matches.length, "product")}, closest first` : "No match");

const first = ({ matches: [match] }) => (match ? `${match.title || match.product_id}: ${match.closeness}.` : "");

function query(state, model) {
	const given = { number: number(state), model: model.name };
	const filter = expression(state.filters);
	if (filter) given.filter = filter;
	if (model.match.includes(state.match)) given.match = state.match;
	if (state.product) return [`v1/products/${encodeURIComponent(state.product)}/similar?${new URLSearchParams(given)}`];
	if (state.photo) given.image = { photo: state.photo };
	if (state.photo && crop(state)) given.crop = crop(state);
	if (state.text) given.text = state.text;
	if (state.min_match && isCalibrated(model, state)) given.min_match = Number(state.min_match);
	return ["v1/search", given];
}

function column() {
	const name = h("h3");
	const note = h("div");
	const list = h("ol.cards");
	const more = h("button.more", "Load more");
	const element = h("div.column", { hidden: "hidden" }, name, note, list, more);
	let controller = null; // aborts the running query
	let firstNew = -1; // the position of the first card that "load more" adds

	function draw({ matches, no_match: none, note: remark }, state) {
		const cards = matches.map((match) => matchCard(match, state));
		list.replaceChildren(...cards);
		const parts = [(none || !cards.length) && emptyMessage(state, none), remark && h("p.small", remark)];
		note.replaceChildren(...parts.filter(Boolean));
		const shown = number(state);
		more.hidden = cards.length < shown || shown >= MOST;
		more.onclick = () => {
			firstNew = cards.length;
			go({ number: String(Math.min(MOST, shown + STEP)) }, true);
		};
		if (firstNew >= 0) cards[firstNew]?.querySelector("a").focus();
		firstNew = -1;
	}

	return {
		element,
		clear() {
			controller?.abort();
			element.hidden = true;
			list.replaceChildren();
		},
		async show(state, model) {
			controller?.abort();
			const mine = (controller = new AbortController());
			element.hidden = false;
			name.textContent = model.name;
			element.ariaBusy = "true";
			const [path, json] = query(state, model);
			const answer = await request(path, { json, signal: mine.signal, keep: true }).catch((problem) => showError(problem, () => this.show(state, model)));
			if (mine !== controller) return null;
			element.ariaBusy = null;
			if (answer) draw(answer, state);
			else element.hidden = true;
			return answer;
		},
	};
}

function emptyMessage({ min_match: least, filters }, none) {
	const button = (label, change) => h("button", { onclick: () => go(change) }, label);
	let parts = ["No match: the catalogue has nothing to compare with."];
	if (none && least) parts = ["No match: no product reaches the minimum probability.", button("Show similar products anyway", { min_match: "" })];
	else if (filters.length) parts = ["No match: no product passes the filters.", button("Show all products", { filters: [] })];
	return h("div.empty", parts);
}
