/** Starts the page, shows the view that the address names, and takes photos wherever they are dropped or pasted. */

import { go, onstate, read, tell } from "./address.js";
import { forget, key } from "./api.js";
import { catalogueView } from "./catalogue.js";
import { $, announce, quiet, trouble } from "./dom.js";
import { hidePair } from "./pair.js";
import { keep, photo, picked, prepare } from "./photo.js";
import { productView } from "./product.js";
import { searchView } from "./search.js";
import { open, shop } from "./shop.js";

let shown = ""; // which view, and of what
let view = null;

async function show(state, back) {
	const name = state.view === "catalogue" ? "catalogue" : state.product ? `product ${state.product}` : "search";
	const other = name !== shown;
	const focus = other && shown !== "";
	const before = (back && history.state) || {};
	if (other) {
		quiet();
		view = name === "catalogue" ? catalogueView() : state.product ? productView() : searchView(take);
		$("main").replaceChildren(view.element);
		if (!back) scrollTo(0, 0);
		$("to-search").ariaCurrent = name === "search" ? "page" : null;
		$("to-catalogue").ariaCurrent = name === "catalogue" ? "page" : null;
	}
	shown = name;
	if (!state.pair) hidePair();
	await view.update(state, focus);
	if (!back || shown !== name) return;
	scrollTo(0, before.scroll ?? 0);
	if (focus && before.focus) view.element.querySelector(`[data-key="${CSS.escape(before.focus)}"]`)?.focus({ preventScroll: true });
}

/** Shows a photo at once and asks with it as soon as the service keeps it. What goes wrong leaves it there. */
async function take(file) {
	quiet();
	if (read().product || read().view) go({ view: "", product: "", photo: "", text: "" });
	const blob = await prepare(file);
	const url = (photo.pending = URL.createObjectURL(blob));
	tell(false);
	announce("Photo received. Searching.");
	try {
		const id = await keep(blob, url);
		if (photo.pending !== url) return; // removed, or another one came
		photo.pending = "";
		go({ view: "", product: "", photo: id, crop: "", pair: "", number: "", find: "" }) || tell(false); // the same again
	} catch (problem) {
		trouble(problem, () => take(file));
	}
}

let over = 0; // elements that a dragged file is over: it enters one before it leaves another

function drag(step, event) {
	if (!event.dataTransfer?.types.includes("Files")) return;
	event.preventDefault();
	over = step === null ? 0 : over + step;
	document.body.classList.toggle("over", over > 0);
	if (step !== null) return;
	const file = picked(event.dataTransfer);
	if (file) take(file);
	else trouble(new Error("This is not a photo: drop an image file."));
}

for (const [name, step] of Object.entries({ dragenter: 1, dragover: 0, dragleave: -1, drop: null })) addEventListener(name, (event) => drag(step, event));
addEventListener("paste", ({ clipboardData }) => picked(clipboardData) && take(picked(clipboardData)));
$("forget").addEventListener("click", forget);

async function begin() {
	try {
		await open();
	} catch (problem) {
		return trouble(problem, begin);
	}
	$("shop").textContent = shop.name;
	$("forget").hidden = !key();
	onstate(show);
	tell(true);
}

begin();
