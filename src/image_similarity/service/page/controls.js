/** The options of a search: match, minimum probability, one or two models, filters. */

import { go } from "./address.js";
import { field, fieldset, h } from "./dom.js";
import { filterControls } from "./filters.js";
import { isCalibrated, modelsOf, shop } from "./shop.js";

const PROBABILITIES = [["", "Any"], ["0.25", "25%"], ["0.5", "50%"], ["0.75", "75%"], ["0.9", "90%"]];
const MATCH = [["", "Everything"], ["shape", "Shape"], ["colour", "Colour"]];

/** `minMatch`: offer a minimum match probability. */
export function controls({ minMatch }) {
	const names = shop.models.map(({ name }) => [name, name]);
	const model = select("Model", names, (value) => go({ model: value }));
	const other = select("Compare with", [["", "None"], ...names], (value) => go({ with: value }));
	const least = select("Minimum match probability", PROBABILITIES, (value) => go({ min_match: value }));
	const match = switcher("Match", MATCH, (value) => go({ match: value }));
	const filters = filterControls(shop.attributes, (given) => go({ filters: given }));
	const clear = h("button", { onclick: () => go({ filters: [] }) }, "Clear all filters");
	const summary = h("summary");
	const parts = [match, least, model, other].map(({ element }) => element);
	const element = h("details.controls", { open: matchMedia("(min-width: 60rem)").matches }, summary, parts, filters.elements, clear);
	return {
		element,
		update(state) {
			const [first, second] = modelsOf(state);
			const set = state.filters.length;
			summary.textContent = set ? `Options and filters (${set})` : "Options and filters";
			clear.hidden = !set;
			model.element.hidden = other.element.hidden = names.length < 2;
			model.set(first.name);
			other.set(second?.name ?? "");
			for (const option of other.input.options) option.hidden = option.value === first.name;
			least.element.hidden = !minMatch || !modelsOf(state).some((each) => isCalibrated(each, state));
			least.set(state.min_match);
			match.set(state.match, ["", ...first.match, ...(second?.match ?? [])]);
			filters.update(state.filters);
		},
	};
}

function select(label, choices, onchoice) {
	const input = h("select", { onchange: () => onchoice(input.value) }, choices.map(([value, text]) => h("option", { value }, text)));
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
