/** The page's state is its address: views read it, links and controls change it. */

const NAMES = ["view", "product", "photo", "crop", "text", "match", "model", "with", "min_match", "number", "find", "pair"];
const FILTER = /^(is|from|to)\.(.+)$/s;
export const STEP = 20; // products shown at first, and added by "load more"
export const MOST = 200;

const listeners = [];

/** The state: all names as texts, "" where not given, and `filters`: [{ kind: "is" | "from" | "to", name, value }]. */
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

/** The part of the state that is kept when another product is opened. */
export const viewOptions = ({ model, with: other, match, filters }) => ({ model, with: other, match, filters });

export const number = (state) => Math.min(MOST, Math.max(1, parseInt(state.number, 10) || STEP));

export function crop(state) {
	const [left, top, width, height] = state.crop.split(",").map(Number);
	return width > 0 && height > 0 ? { left, top, width, height } : null;
}

export const cropText = (crop) => crop && [crop.left, crop.top, crop.width, crop.height].map((share) => +share.toFixed(4)).join();

/** Changes a part of the state; false where nothing changes. `replace`: without a new entry in the history. */
export const go = (change, replace) => open(write({ ...read(), ...change }), replace);

/** Opens an address of this page; stores the scroll position and focus of the current one for the way back. */
function open(address, replace) {
	if (new URL(address, location).href === location.href) return false;
	if (replace) history.replaceState(history.state, "", address);
	else {
		history.replaceState({ ...history.state, scroll: scrollY, focus: document.activeElement?.dataset.key }, "");
		history.pushState({ inside: true }, "", address);
	}
	notify(false);
	return true;
}

/** Calls `listener(state, back)` after each change; `back`: by the browser's back or forward button. */
export const onstate = (listener) => listeners.push(listener);

export const notify = (back) => listeners.forEach((listener) => listener(read(), back));

history.scrollRestoration = "manual"; // the browser would scroll before the page is drawn
addEventListener("popstate", () => notify(true));
addEventListener("click", (event) => {
	const link = event.target.closest("a[href]");
	if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // opens another tab
	if (link.origin + link.pathname !== location.origin + location.pathname || link.hash) return;
	event.preventDefault();
	open(link.href);
});
