/** A product as a card: its picture, its title, and where it is an answer how close it is and what one may do with it. */

import { go, lens, write } from "./address.js";
import { picture } from "./api.js";
import { announce, h, icon, trouble } from "./dom.js";
import { give, queryOf, verdictOf } from "./feedback.js";

/** `image`: one of the product's pictures, or none. */
export const productCard = (product, image, state) => h("li.card", opener(product, image && picture(image.thumbnail, ""), state));

/** `match`: one of an answer's; `state`: what was asked. */
export function matchCard(match, state) {
	const name = match.title || match.product_id;
	const sure = match.probability !== null && h("p.small", `${percent(match.probability)} match probability`);
	const tools = h("div.tools", verdicts(match.product_id, name, state), tool("pair", `Compare the images: ${name}`, () => go({ pair: match.product_id })));
	return h("li.card", opener(match, picture(match.image.thumbnail, ""), state), score(match), sure, tools);
}

function opener({ product_id: id, title }, image, state) {
	const href = write({ ...lens(state), product: id });
	return h("a.open", { href, "data-key": id }, h("span.tile", image || "No image"), h("span.title", title || id), title && h("span.small", id));
}

export function score({ score, closeness }) {
	const bar = h("span.bar", { "aria-hidden": "true" }, h("span"));
	bar.firstChild.style.width = `${Math.max(0, score) * 100}%`;
	return h(`div.score.${closeness.replace(" ", "-")}`, bar, h("span.word", closeness), h("span", h("span.heard", "score "), score.toFixed(2)));
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
			const { good, bad } = await give(query, id, verdict);
			announce(`Marked as ${verdict}. ${good} good and ${bad} bad results marked so far.`);
		} catch (problem) {
			trouble(problem, () => press(verdict));
		}
		show();
	}
	show();
	return buttons;
}
