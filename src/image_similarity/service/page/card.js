/** A product as a card: image and title; of a result also score, probability and buttons. */

import { go, viewOptions, write } from "./address.js";
import { loadImage } from "./api.js";
import { announce, h, icon, showError } from "./dom.js";
import { queryOf, sendFeedback, verdictOf } from "./feedback.js";

export const productCard = (product, image, state) => h("li.card", productLink(product, image && loadImage(image.thumbnail, ""), state));

export function matchCard(match, state) {
	const name = match.title || match.product_id;
	const probability = match.probability !== null && h("p.small", `${percent(match.probability)} match probability`);
	const tools = h("div.tools", verdicts(match.product_id, name, state), tool("pair", `Compare the images: ${name}`, () => go({ pair: match.product_id })));
	return h("li.card", productLink(match, loadImage(match.image.thumbnail, ""), state), score(match), probability, tools);
}

function productLink({ product_id: id, title }, image, state) {
	const href = write({ ...viewOptions(state), product: id });
	return h("a.open", { href, "data-key": id }, h("span.tile", image || "No image"), h("span.title", title || id), title && h("span.small", id));
}

export function score({ score, closeness }) {
	const bar = h("span.bar", { "aria-hidden": "true" }, h("span"));
	bar.firstChild.style.width = `${Math.max(0, score) * 100}%`;
	return h(`div.score.${closeness.replace(" ", "-")}`, bar, h("span.word", closeness), h("span", h("span.visually-hidden", "score "), score.toFixed(2)));
}

const percent = (share) => (share > 0 && share < 0.01 ? "under 1%" : `${Math.round(share * 100)}%`);

const tool = (name, label, onclick) => h(`button.tool.${name}`, { title: label.split(":")[0], "aria-label": label, onclick }, icon(name));

function verdicts(id, name, state) {
	const query = queryOf(state);
	if (!query) return [];
	const buttons = ["good", "bad"].map((verdict) => tool(verdict, `A ${verdict} result: ${name}`, () => press(verdict)));
	const show = () => buttons.forEach((button) => button.setAttribute("aria-pressed", button.classList.contains(verdictOf(query, id))));
	async function press(verdict) {
		try {
			const { good, bad } = await sendFeedback(query, id, verdict);
			announce(`Marked as ${verdict}. ${good} good and ${bad} bad results marked so far.`);
		} catch (problem) {
			showError(problem, () => press(verdict));
		}
		show();
	}
	show();
	return buttons;
}
