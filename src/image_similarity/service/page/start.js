/** The start of the search view: some products to begin with, and a search by id or title. */

import { MOST, STEP, go, number } from "./address.js";
import { request } from "./api.js";
import { productCard } from "./card.js";
import { announce, counted, debounce, h, showError } from "./dom.js";

const SAMPLED = 96; // products, from which FIRST are picked at equal distances for variety
const FIRST = 12;

export function start() {
	const debounced = debounce(200);
	const find = () => go({ find: input.value.trim(), number: "" }, true);
	const input = h("input", { type: "search", placeholder: "Id or title", "aria-label": "Look a product up by id or title", oninput: () => debounced(find) });
	const list = h("ul.cards");
	const none = h("p.empty");
	const more = h("button.more", "More products");
	const head = h("div.row", h("h2", { id: "some" }, "Or start from a product"), input);
	const element = h("section.start", { "aria-labelledby": "some" }, head, none, list, more);
	let controller = null;

	return {
		element,
		async update(state) {
			controller?.abort();
			controller = new AbortController();
			if (input.value.trim() !== state.find) input.value = state.find;
			const varied = !state.find && !state.number;
			const given = new URLSearchParams({ prefix: state.find, number: varied ? SAMPLED : number(state) });
			try {
				const { products, next } = await request(`v1/products?${given}`, { signal: controller.signal, keep: true });
				const step = varied ? Math.max(1, products.length / FIRST) : 1;
				const picked = products.filter((_, place) => Math.floor(place / step) !== Math.floor((place - 1) / step));
				list.replaceChildren(...picked.map((product) => productCard(product, product.images[0], state)));
				none.hidden = picked.length > 0;
				none.textContent = state.find ? `No id and no title starts with “${state.find}”.` : "The catalogue has no products yet.";
				more.hidden = (picked.length === products.length && !next) || number(state) >= MOST;
				more.onclick = () => go({ number: String(Math.min(MOST, number(state) + 2 * STEP)) }, true);
				if (state.find) announce(counted(picked.length, "product"));
			} catch (problem) {
				showError(problem, () => this.update(state));
			}
		},
	};
}
