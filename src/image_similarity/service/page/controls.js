/** How to look: what counts, how sure, which model beside which other, and the filters. */

import { go } from "./address.js";
import { field, fieldset, h } from "./dom.js";
import { filterControls } from "./filters.js";
import { asked, shop } from "./shop.js";

const SURE = [["", "Any"], ["0.25", "25%"], ["0.5", "50%"], ["0.75", "75%"], ["0.9", "90%"]];
const MATCH = [["", "Everything"], ["shape", "Shape"], ["colour", "Colour"]];

/** `sure`: whether a least probability can be asked for here. `element` and `update(state)`. */
export function controls({ sure }) {
	const names = shop.models.map(({ name }) => [name, name]);
	const model = select("Model", names, (value) => go({ model: value }));
	const other = select("Compare with", [["", "None"], ...names], (value) => go({ with: value }));
	const least = select("Minimum match probability", SURE, (value) => go({ sure: value }));
	const match = switcher("Match", MATCH, (value) => go({ match: value }));
	const filters = filterControls(shop.attributes, (given) => go({ filters: given }));
	const clear = h("button", { onclick: () => go({ filters: [] }) }, "Clear all filters");
	const summary = h("summary");
	const parts = [match, least, model, other].map(({ element }) => element);
	const element = h("details.controls", { open: matchMedia("(min-width: 60rem)").matches }, summary, parts, filters.elements, clear);
	return {
		element,
		update(state) {
			const [first, second] = asked(state);
			const set = state.filters.length;
			summary.textContent = set ? `Options and filters (${set})` : "Options and filters";
			clear.hidden = !set;
			model.element.hidden = other.element.hidden = names.length < 2;
			model.set(first.name);
			other.set(second?.name ?? "");
			for (const option of other.input.options) option.hidden = option.value === first.name;
			least.element.hidden = !sure || !(first.calibrated || second?.calibrated);
			least.set(state.sure);
			match.set(state.match, ["", ...first.match, ...(second?.match ?? [])]);
			filters.update(state.filters);
		},
	};
}

function select(label, choices, onchoice) {
	const input = h("select", { onchange: () => onchoice(input.value) }, choices.map(([value, words]) => h("option", { value }, words)));
	return { element: field(label, input), input, set: (value) => (input.value = value) };
}

function switcher(legend, choices, onchoice) {
	const inputs = choices.map(([value]) => h("input", { type: "radio", name: legend, value, onchange: () => onchoice(value) }));
	const labels = inputs.map((input, place) => h("label", input, h("span", choices[place][1])));
	const element = fieldset(legend, labels);
	element.classList.add("switch");
	return {
		element,
		set(value, offered) {
			element.hidden = offered.length < 2;
			inputs.forEach((input, place) => {
				labels[place].hidden = !offered.includes(input.value);
				input.checked = input.value === value;
			});
		},
	};
}
