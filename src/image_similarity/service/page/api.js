/** Asks the service: keys, problems, and pictures that need a key. */

import { $, h } from "./dom.js";

const HOME = new URL(".", document.baseURI); // so that the page also works below another path
const FRESH = 60_000; // an answer is asked for again after so many milliseconds
const KEY = "image-similarity-key";
const answers = new Map();
const blobs = new Map();
let asking = null; // the one dialog that is open, whoever wants a key

const address = (path) => new URL(path.replace(/^\//, ""), HOME).href;
export const key = () => sessionStorage.getItem(KEY);

/** JSON from the service. `json` or `form` is posted; `keep`: an answer of a moment ago will do. Throws an Error with words for people. */
export async function ask(path, { json, form, signal, keep } = {}) {
	const named = path + JSON.stringify(json);
	const known = answers.get(named);
	if (keep && known && Date.now() - known.at < FRESH) return known.answer;
	const options = { method: json || form ? "POST" : "GET", headers: {}, body: form, signal };
	if (json) {
		options.headers["Content-Type"] = "application/json";
		options.body = JSON.stringify(json);
	}
	const answer = await (await send(path, options)).json();
	if (keep) answers.set(named, { at: Date.now(), answer });
	return answer;
}

async function send(path, options) {
	const mine = key();
	if (mine) options.headers.Authorization = `Bearer ${mine}`;
	const response = await fetch(address(path), options).catch((error) => {
		throw error.name === "AbortError" ? error : new Error("The service does not respond. Is it running?");
	});
	if (response.ok) return response;
	const why = await reason(response);
	if (response.status === 401 && (await wantKey(why, mine))) return send(path, options);
	throw new Error(why);
}

async function reason(response) {
	const { detail, title, fields } = await response.json().catch(() => ({}));
	const said = detail || title || `The service returned ${response.status}.`;
	return [said.charAt(0).toUpperCase() + said.slice(1), ...(fields ?? []).map((each) => `${each.field}: ${each.reason}`)].join(" ");
}

/** Asks the reader for a key, once for all who want one; false where none was given. */
function wantKey(why, tried) {
	if (key() && key() !== tried) return true; // another request has asked meanwhile
	asking ??= new Promise((done) => {
		$("key-why").textContent = why;
		$("key-value").value = $("key").returnValue = "";
		$("key").addEventListener("close", done, { once: true });
		$("key").showModal();
	}).then(() => {
		asking = null;
		const given = $("key").returnValue && $("key-value").value.trim();
		if (given) sessionStorage.setItem(KEY, given);
		$("forget").hidden = !key();
		return Boolean(given);
	});
	return asking;
}

export function forget() {
	sessionStorage.removeItem(KEY);
	location.reload();
}

/** A picture of the service, taken when it comes near the window. */
export function picture(url, alt) {
	const image = h("img", { loading: "lazy" });
	image.alt = alt;
	image.addEventListener("error", () => image.replaceWith("Cannot be shown"));
	show(image, url);
	return image;
}

/** With a key the picture is fetched, as an address cannot carry a key. */
export function show(image, url) {
	if (url.startsWith("blob:")) image.src = url;
	else if (!key()) image.src = address(url);
	else {
		image.dataset.url = url;
		near.observe(image);
	}
}

const near = new IntersectionObserver(
	(entries) => {
		for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
			near.unobserve(target);
			fetched(target.dataset.url).then((blob) => (target.src = blob), () => target.dispatchEvent(new Event("error")));
		}
	},
	{ rootMargin: "300px" },
);

function fetched(url) {
	if (!blobs.has(url)) blobs.set(url, send(url, { headers: {} }).then((response) => response.blob()).then(URL.createObjectURL));
	return blobs.get(url);
}

/** The address of a large picture. */
export const large = ({ url }) => `${url}?w=640`;
