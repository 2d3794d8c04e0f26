/** One product: its images, description and attributes, and the products most like it. */

import { large, loadImage, request } from "./api.js";
import { controls } from "./controls.js";
import { facts, h, setTitle, showError } from "./dom.js";
import { results } from "./results.js";

export function productView() {
	const heading = h("h1", { tabindex: "-1" });
	const about = h("div.about");
	const how = controls({ minMatch: false });
	const found = results();
	const panel = h("div.panel", about, how.element);
	const element = h("div.product.queried", h("div.hero", heading), panel, found.element);
	let shown = null;
	return {
		element,
		async update(state, focus) {
			how.update(state);
			const path = `v1/products/${encodeURIComponent(state.product)}`;
			const product = await request(path, { keep: true }).catch((problem) => showError(problem, () => this.update(state, focus)));
			heading.textContent = product?.title || state.product;
			setTitle(heading, focus);
			panel.hidden = found.element.hidden = !product;
			if (!product) return;
			if (product !== shown) about.replaceChildren(...imageViewer(product), h("p", product.description), attributeList(product));
			shown = product;
			await found.update(state);
		},
	};
}

function imageViewer({ title, product_id: id, images }) {
	if (!images.length) return [h("p.empty", "No images.")];
	const name = (place) => `Image ${place + 1} of ${images.length}`;
	const shown = h("div.tile");
	const small = images.map((image, place) => h("button.tile", { "aria-label": name(place), onclick: () => choose(place) }, loadImage(image.thumbnail, "")));
	function choose(place) {
		shown.replaceChildren(loadImage(large(images[place]), `${title || id}. ${name(place)}`));
		small.forEach((button, each) => button.setAttribute("aria-pressed", each === place));
	}
	choose(0);
	return small.length > 1 ? [shown, h("div.thumbnails", small)] : [shown];
}

const attributeList = ({ product_id: id, attributes }) => facts([["id", id], ...Object.entries(attributes).filter(([, value]) => value)]);
