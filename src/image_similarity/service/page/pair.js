/** The two pictures that matched, large and side by side. Open while the state names a product as its `pair`. */

import { crop, go, read } from "./address.js";
import { large, picture, show } from "./api.js";
import { score } from "./card.js";
import { place } from "./crop.js";
import { h, icon } from "./dom.js";
import { photo } from "./photo.js";

let dialog = null;

/** `match`: the one that the state names. */
export function showPair(match, state) {
	if (dialog?.match === match.product_id) return;
	hidePair();
	const name = match.title || match.product_id;
	const from = match.query_image;
	const asked = from ? picture(large(from), "The image of the query product") : query(state);
	const found = picture(large(match.image), `The image of ${name} that matched`);
	const figure = (image, words) => h("figure", h("span.tile", image), h("figcaption", words));
	const close = h("button.plain", { "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
	const head = h("div.row", h("h2", { id: "pair" }, "Matching images"), close);
	const sides = h("div.sides", figure(asked, from ? "Query product" : "Query"), figure(found, name));
	dialog = h("dialog.pair", { "aria-labelledby": "pair" }, head, sides, score(match));
	dialog.match = match.product_id;
	dialog.addEventListener("close", left);
	document.body.append(dialog);
	dialog.showModal();
}

/** Without a word in the history: the address has said so already. */
export function hidePair() {
	dialog?.removeEventListener("close", left);
	dialog?.close();
	dialog?.remove();
	dialog = null;
}

function left() {
	if (read().pair && history.state?.inside) history.back();
	else go({ pair: "" }, true);
}

/** The photo with its crop marked, or the words where there was no photo. */
function query(state) {
	if (!state.photo) return h("q", state.text);
	const image = h("img", { alt: "The query photo" });
	show(image, photo.of(state.photo));
	if (!crop(state)) return image;
	const box = h("span.box");
	place(box, crop(state));
	return h("span.stage.cropped", image, box);
}
