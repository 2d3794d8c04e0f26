/** One product: its pictures, what is known of it, and the products that look most like it. */

import { ask, large, picture } from "./api.js";
import { controls } from "./controls.js";
import { arrive, facts, h, trouble } from "./dom.js";
import { results } from "./results.js";

/** `element` and `update(state, focus)`, for the product that the state names. */
export function productView() {
	const heading = h("h1", { tabindex: "-1" });
	const about = h("div.about");
	const how = controls({ sure: false });
	const found = results();
	const panel = h("div.panel", about, how.element);
	const element = h("div.product.asked", h("div.hero", heading), panel, found.element);
	let shown = null;
	return {
		element,
		async update(state, focus) {
			how.update(state);
			const path = `v1/products/${encodeURIComponent(state.product)}`;
			const product = await ask(path, { keep: true }).catch((problem) => trouble(problem, () => this.update(state, focus)));
			heading.textContent = product?.title || state.product;
			arrive(heading, focus);
			panel.hidden = found.element.hidden = !product;
			if (!product) return;
			if (product !== shown) about.replaceChildren(...pictures(product), h("p", product.description), known(product));
			shown = product;
			await found.update(state);
		},
	};
}

function pictures({ title, product_id: id, images }) {
	if (!images.length) return [h("p.empty", "No images.")];
	const name = (place) => `Image ${place + 1} of ${images.length}`;
	const shown = h("div.tile");
	const small = images.map((image, place) => h("button.tile", { "aria-label": name(place), onclick: () => choose(place) }, picture(image.thumbnail, "")));
	function choose(place) {
		shown.replaceChildren(picture(large(images[place]), `${title || id}. ${name(place)}`));
		small.forEach((button, each) => button.setAttribute("aria-pressed", each === place));
	}
	choose(0);
	return small.length > 1 ? [shown, h("div.thumbnails", small)] : [shown];
}

const known = ({ product_id: id, attributes }) => facts([["id", id], ...Object.entries(attributes).filter(([, value]) => value)]);
