/** Requests to the service, with API keys and error messages; images that need a key. */

import { $, h } from "./dom.js";

const HOME = new URL(".", document.baseURI); // so that the page also works below another path
const FRESH = 60_000; // milliseconds that a cached answer is used
const KEY = "image-similarity-key";
const answers = new Map();
const blobs = new Map();
let keyDialog = null; // a promise while the dialog is open; shared by all requests that need a key

const address = (path) => new URL(path.replace(/^\//, ""), HOME).href;
export const key = () => sessionStorage.getItem(KEY);

/** Requests JSON. `json` or `form` is posted; `keep`: cache the answer. Throws an Error whose message can be shown. */
export async function request(path, { json, form, signal, keep } = {}) {
	const id = path + JSON.stringify(json);
	const cached = answers.get(id);
	if (keep && cached && Date.now() - cached.at < FRESH) return cached.answer;
	const options = { method: json || form ? "POST" : "GET", headers: {}, body: form, signal };
	if (json) {
		options.headers["Content-Type"] = "application/json";
		options.body = JSON.stringify(json);
	}
	const answer = await (await send(path, options)).json();
	if (keep) answers.set(id, { at: Date.now(), answer });
	return answer;
}

async function send(path, options) {
	const sent = key();
	if (sent) options.headers.Authorization = `Bearer ${sent}`;
	const response = await fetch(address(path), options).catch((error) => {
		throw error.name === "AbortError" ? error : new Error("The service does not respond. Is it running?");
	});
	if (response.ok) return response;
	const message = await reason(response);
	if (response.status === 401 && (await requestKey(message, sent))) return send(path, options);
	throw new Error(message);
}

async function reason(response) {
	const { detail, title, fields } = await response.json().catch(() => ({}));
	const text = detail || title || `The service returned ${response.status}.`;
	return [text.charAt(0).toUpperCase() + text.slice(1), ...(fields ?? []).map((each) => `${each.field}: ${each.reason}`)].join(" ");
}

/** Shows the dialog for a key, once for all waiting requests; false where none was given. */
function requestKey(message, tried) {
	if (key() && key() !== tried) return true; // entered for another request meanwhile
	keyDialog ??= new Promise((done) => {
		$("key-reason").textContent = message;
		$("key-value").value = $("key").returnValue = "";
		$("key").addEventListener("close", done, { once: true });
		$("key").showModal();
	}).then(() => {
		keyDialog = null;
		const given = $("key").returnValue && $("key-value").value.trim();
		if (given) sessionStorage.setItem(KEY, given);
		$("forget").hidden = !key();
		return Boolean(given);
	});
	return keyDialog;
}

export function forget() {
	sessionStorage.removeItem(KEY);
	location.reload();
}

/** An image element, loaded when it comes near the window. */
export function loadImage(url, alt) {
	const image = h("img", { loading: "lazy" });
	image.alt = alt;
	image.addEventListener("error", () => image.replaceWith("Cannot be shown"));
	setImage(image, url);
	return image;
}

/** Sets an image's source. With a key, the image is fetched, since an address cannot carry a key. */
export function setImage(image, url) {
	if (url.startsWith("blob:")) image.src = url;
	else if (!key()) image.src = address(url);
	else {
		image.dataset.url = url;
		observer.observe(image);
	}
}

const observer = new IntersectionObserver(
	(entries) => {
		for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
			observer.unobserve(target);
			fetched(target.dataset.url).then((blob) => (target.src = blob), () => target.dispatchEvent(new Event("error")));
		}
	},
	{ rootMargin: "300px" },
);

function fetched(url) {
	if (!blobs.has(url)) blobs.set(url, send(url, { headers: {} }).then((response) => response.blob()).then(URL.createObjectURL));
	return blobs.get(url);
}

/** The address of a large version of an image. */
export const large = ({ url }) => `${url}?w=640`;
