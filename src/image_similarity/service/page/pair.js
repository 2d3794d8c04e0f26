/** A dialog with the two images that matched. Open while the state has a product as its `pair`. */

import { crop, go, read } from "./address.js";
import { large, loadImage, setImage } from "./api.js";
import { score } from "./card.js";
import { positionBox } from "./crop.js";
import { h, icon } from "./dom.js";
import { photo } from "./photo.js";

let dialog = null;

/** `match`: the result whose product is the state's `pair`. */
export function showPair(match, state) {
	if (dialog?.match === match.product_id) return;
	hidePair();
	const name = match.title || match.product_id;
	const from = match.query_image;
	const queried = from ? loadImage(large(from), "The image of the query product") : query(state);
	const found = loadImage(large(match.image), `The image of ${name} that matched`);
	const figure = (image, caption) => h("figure", h("span.tile", image), h("figcaption", caption));
	const close = h("button.plain", { "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
	const head = h("div.row", h("h2", { id: "pair" }, "Matching images"), close);
	const sides = h("div.sides", figure(queried, from ? "Query product" : "Query"), figure(found, name));
	dialog = h("dialog.pair", { "aria-labelledby": "pair" }, head, sides, score(match));
	dialog.match = match.product_id;
	dialog.addEventListener("close", onClose);
	document.body.append(dialog);
	dialog.showModal();
}

/** Closes the dialog without a change of the history: the address has changed already. */
export function hidePair() {
	dialog?.removeEventListener("close", onClose);
	dialog?.close();
	dialog?.remove();
	dialog = null;
}

function onClose() {
	if (read().pair && history.state?.inside) history.back();
	else go({ pair: "" }, true);
}

/** The query photo with its crop marked, or the query text where there is no photo. */
function query(state) {
	if (!state.photo) return h("q", state.text);
	const image = h("img", { alt: "The query photo" });
	setImage(image, photo.of(state.photo));
	if (!crop(state)) return image;
	const box = h("span.box");
	positionBox(box, crop(state));
	return h("span.stage.cropped", image, box);
}
