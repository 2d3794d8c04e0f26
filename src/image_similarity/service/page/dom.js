/** Elements, icons, and the two live regions for screen readers: the status for news, the alert for errors. */

const ICONS = {
	good: "M7 11v9H4v-9zM7 11l4-8c1.6 0 2.5 1.2 2.2 2.6L12.6 9H19c1.2 0 2.1 1.1 1.8 2.3l-1.6 7A2 2 0 0 1 17.3 20H7",
	pair: "M3 5h7v14H3zM14 5h7v14h-7z",
	photo: "M3 6a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM3 16l5-5 4 4 3-3 6 6M15.5 8.5h.01",
	close: "M6 6l12 12M18 6L6 18",
};
let ids = 0;

export const $ = (id) => document.getElementById(id);

/** Creates an element: `h("a.tile", { href, onclick }, "text", element, …)`; false, null and "" are left out. */
export function h(what, ...children) {
	const [tag, ...classes] = what.split(".");
	const element = document.createElement(tag);
	element.classList.add(...classes);
	if (tag === "button") element.type = "button";
	const attributes = children[0]?.constructor === Object ? children.shift() : {};
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else if (value || value === 0 || name === "value") element.setAttribute(name, value);
	}
	element.append(...children.flat(2).filter(Boolean));
	return element;
}

export function icon(name) {
	const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
	svg.setAttribute("viewBox", "0 0 24 24");
	svg.setAttribute("aria-hidden", "true");
	path.setAttribute("d", ICONS[name] ?? ICONS.good); // "bad" is "good", rotated by the style sheet
	svg.append(path);
	return svg;
}

export function field(label, input) {
	input.id ||= `field-${(ids += 1)}`;
	return h("div.field", h("label", { for: input.id }, label), input);
}

export const fieldset = (legend, ...inputs) => h("fieldset.field", h("legend", legend), h("div", inputs));

export const facts = (rows) => h("dl.facts", rows.map(([name, value]) => h("div", h("dt", name), h("dd", value))));

/** Of calls that follow each other within some milliseconds, makes only the last. */
export function debounce(milliseconds) {
	let waiting = 0;
	return (call) => {
		clearTimeout(waiting);
		waiting = setTimeout(call, milliseconds);
	};
}

/** Announces a text to screen readers; cleared first, so that the same text is announced again. */
export function announce(text) {
	$("status").textContent = "";
	setTimeout(() => ($("status").textContent = text), 50);
}

/** Shows an error until it is closed or `clearError` is called; `again` is called by a "Try again" button. */
export function showError(problem, again) {
	if (problem.name === "AbortError") return;
	const retry = again && h("button", { onclick: () => (clearError(), again()) }, "Try again");
	const close = h("button.plain", { "aria-label": "Close this message", onclick: clearError }, icon("close"));
	$("alert").replaceChildren(h("div.trouble", h("p", problem.message), retry, close));
}

export const clearError = () => $("alert").replaceChildren();

/** Sets the tab's title to the view's heading; `focus`: moves the focus to the heading too. */
export function setTitle(heading, focus) {
	document.title = `${heading.textContent} · image-similarity`;
	if (focus) heading.focus({ preventScroll: true });
}

export const size = (bytes) => bytes.toLocaleString("en", { notation: "compact", style: "unit", unit: "byte", unitDisplay: "narrow" });

export const count = (number) => number.toLocaleString("en");
export const counted = (number, thing) => `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
