/** The search view: a photo, a text or both, and the products most like them. */

import { crop, cropText, go, notify } from "./address.js";
import { setImage } from "./api.js";
import { controls } from "./controls.js";
import { cropper, describe } from "./crop.js";
import { announce, debounce, field, h, icon, setTitle } from "./dom.js";
import { photo } from "./photo.js";
import { results } from "./results.js";
import { shop } from "./shop.js";
import { start } from "./start.js";

/** Calls `onphoto(file)` when a photo was chosen. */
export function searchView(onphoto) {
	const heading = h("h1", { tabindex: "-1" });
	const lead = h("p.lead", "Search with a photo to see the products of this shop that look most like it.");
	const box = photoBox(onphoto);
	const text = textForm();
	const how = controls({ minMatch: true });
	const found = results();
	const first = start();
	const element = h("div", h("div.hero", heading, lead), h("div.panel", box.element, text.element, how.element), first.element, found.element);
	let before = "";
	return {
		element,
		async update(state, focus) {
			const photographed = Boolean(state.photo || photo.pending);
			const now = photographed || state.text ? "queried" : "start";
			element.className = `search ${now}`;
			lead.hidden = first.element.hidden = now !== "start";
			how.element.hidden = found.element.hidden = now === "start";
			heading.textContent = now === "start" ? "Find similar products" : `Looks like ${photographed ? "this photo" : `“${state.text}”`}`;
			setTitle(heading, focus || (before && before !== now));
			before = now;
			for (const part of [box, text, how]) part.update(state);
			if (now === "start") await first.update(state);
			else if (!photo.pending) await found.update(state);
		},
	};
}

function photoBox(onphoto) {
	const image = h("img", { alt: "The query photo" });
	const debounced = debounce(200);
	let pushed = 0; // the last gesture with an entry in the history
	const area = cropper(image, (next, gesture) =>
		debounced(() => {
			announce(describe(next));
			go({ crop: cropText(next), pair: "" }, gesture === pushed);
			pushed = gesture;
		}),
	);
	const camera = chooser("label.button.camera", "Take a photo", onphoto, "environment");
	const ways = h("div.row", chooser("label.button.main", "Choose a photo", onphoto), camera);
	const zone = h("div.zone", icon("photo"), h("p", "Drop a photo here, or paste one"), ways);
	const remove = () => {
		photo.pending = "";
		go({ photo: "", crop: "", pair: "" }) || notify(false);
	};
	const whole = h("button", { onclick: () => go({ crop: "", pair: "" }) }, "Whole photo");
	const help = h("p.small", { id: "crop-help" }, "Drag on the photo to search with a part of it.", h("span.keys", " Arrow keys move it, with Shift they resize it, Escape removes it."));
	const below = h("div.row", whole, chooser("label.button", "Replace", onphoto), h("button", { onclick: remove }, "Remove"));
	const view = h("div.photo", area.element, help, below);
	let shown = "";
	return {
		element: h("div", zone, view),
		update(state) {
			const url = photo.pending || (state.photo && photo.of(state.photo));
			zone.hidden = Boolean(url);
			view.hidden = !url;
			whole.hidden = !state.crop;
			if (url && url !== shown) setImage(image, url);
			shown = url;
			area.set(photo.pending ? null : crop(state));
		},
	};
}

function chooser(what, label, onphoto, capture) {
	const input = h("input.visually-hidden", { type: "file", accept: "image/*,.heic,.heif,.avif", capture });
	input.addEventListener("change", () => {
		if (input.files[0]) onphoto(input.files[0]);
		input.value = ""; // the same file may be chosen again
	});
	return h(what, label, input);
}

function textForm() {
	const input = h("input", { type: "search", maxlength: 1000, placeholder: "red trail running shoe" });
	const onsubmit = (event) => {
		event.preventDefault();
		go({ text: input.value.trim(), pair: "" });
	};
	const element = h("form", { role: "search", onsubmit }, field("Text", input), h("button", { type: "submit" }, "Search"));
	return {
		element,
		update(state) {
			element.hidden = !state.text && !shop.models.some((model) => model.text);
			input.value = state.text;
		},
	};
}
