/** Every state of the page is its address: views read it, links and controls change it, so it can be shared. */

const NAMES = ["view", "product", "photo", "crop", "text", "match", "model", "with", "sure", "number", "find", "pair"];
const FILTER = /^(is|from|to)\.(.+)$/s;
export const STEP = 20; // products that are shown at first, and that "more" adds
export const MOST = 200;

const listeners = [];

/** All names as texts, "" where not given, and `filters`: [{ kind: "is" | "from" | "to", name, value }]. */
export function read() {
	const given = new URLSearchParams(location.search);
	const state = Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? ""]));
	state.filters = [];
	for (const [key, value] of given) {
		const [, kind, name] = FILTER.exec(key) ?? [];
		if (kind && value) state.filters.push({ kind, name, value });
	}
	return state;
}

export function write(state) {
	const given = new URLSearchParams(NAMES.filter((name) => state[name]).map((name) => [name, state[name]]));
	for (const { kind, name, value } of state.filters ?? []) given.append(`${kind}.${name}`, value);
	return given.size ? `?${given}` : "./";
}

/** What stays when another product is looked at: which models, and how they look. */
export const lens = ({ model, with: other, match, filters }) => ({ model, with: other, match, filters });

export const number = (state) => Math.min(MOST, Math.max(1, parseInt(state.number, 10) || STEP));

export function crop(state) {
	const [left, top, width, height] = state.crop.split(",").map(Number);
	return width > 0 && height > 0 ? { left, top, width, height } : null;
}

export const cropText = (crop) => crop && [crop.left, crop.top, crop.width, crop.height].map((share) => +share.toFixed(4)).join();

/** Changes some of the state; false where it is so already. `replace`: for what is no step of its own to go back from. */
export const go = (change, replace) => open(write({ ...read(), ...change }), replace);

/** Opens an address of this page; where the reader stands now is kept for the way back. */
function open(address, replace) {
	if (new URL(address, location).href === location.href) return false;
	if (replace) history.replaceState(history.state, "", address);
	else {
		history.replaceState({ ...history.state, scroll: scrollY, focus: document.activeElement?.dataset.key }, "");
		history.pushState({ inside: true }, "", address);
	}
	tell(false);
	return true;
}

/** `listener(state, back)` after each change; `back`: the reader has been there before. */
export const onstate = (listener) => listeners.push(listener);

export const tell = (back) => listeners.forEach((listener) => listener(read(), back));

history.scrollRestoration = "manual"; // the page is drawn after the browser would scroll
addEventListener("popstate", () => tell(true));
addEventListener("click", (event) => {
	const link = event.target.closest("a[href]");
	if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // another tab or window
	if (link.origin + link.pathname !== location.origin + location.pathname || link.hash) return;
	event.preventDefault();
	open(link.href);
});
