/** Starts the page, shows the view of its address, and searches with photos that are dropped or pasted anywhere. */

import { go, notify, onstate, read } from "./address.js";
import { forget, key } from "./api.js";
import { catalogueView } from "./catalogue.js";
import { $, announce, clearError, showError } from "./dom.js";
import { hidePair } from "./pair.js";
import { imageFile, photo, prepare, upload } from "./photo.js";
import { productView } from "./product.js";
import { searchView } from "./search.js";
import { loadShop, shop } from "./shop.js";

let shown = ""; // the name of the current view
let view = null;

async function show(state, back) {
	const name = state.view === "catalogue" ? "catalogue" : state.product ? `product ${state.product}` : "search";
	const other = name !== shown;
	const focus = other && shown !== "";
	const before = (back && history.state) || {};
	if (other) {
		clearError();
		view = name === "catalogue" ? catalogueView() : state.product ? productView() : searchView(searchWith);
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

/** Shows a photo at once, uploads it and searches with it. After an error, the photo stays. */
async function searchWith(file) {
	clearError();
	if (read().product || read().view) go({ view: "", product: "", photo: "", text: "" });
	const blob = await prepare(file);
	const url = (photo.pending = URL.createObjectURL(blob));
	notify(false);
	announce("Photo received. Searching.");
	try {
		const id = await upload(blob, url);
		if (photo.pending !== url) return; // removed or replaced meanwhile
		photo.pending = "";
		go({ view: "", product: "", photo: id, crop: "", pair: "", number: "", find: "" }) || notify(false);
	} catch (problem) {
		showError(problem, () => searchWith(file));
	}
}

let over = 0; // elements under a dragged file: it enters the next one before it leaves the last

function drag(step, event) {
	if (!event.dataTransfer?.types.includes("Files")) return;
	event.preventDefault();
	over = step === null ? 0 : over + step;
	document.body.classList.toggle("over", over > 0);
	if (step !== null) return;
	const file = imageFile(event.dataTransfer);
	if (file) searchWith(file);
	else showError(new Error("This is not a photo: drop an image file."));
}

for (const [name, step] of Object.entries({ dragenter: 1, dragover: 0, dragleave: -1, drop: null })) addEventListener(name, (event) => drag(step, event));
addEventListener("paste", ({ clipboardData }) => imageFile(clipboardData) && searchWith(imageFile(clipboardData)));
$("forget").addEventListener("click", forget);

async function start() {
	try {
		await loadShop();
	} catch (problem) {
		return showError(problem, start);
	}
	$("shop").textContent = shop.name;
	$("forget").hidden = !key();
	onstate(show);
	notify(true);
}

start();
