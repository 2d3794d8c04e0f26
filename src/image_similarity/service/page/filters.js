/** Controls made of the catalogue's own attributes, and what they say in the language of filters (docs/answers.md). */

import { field, fieldset, h } from "./dom.js";

const MANY = 50; // the service names so many values at most; where there may be more, one can write one's own
const SIGNS = { is: "=", from: ">=", to: "<=" };

/** `[{ kind: "is", name: "main colour", value: "red" }]` as `[main colour] = "red"`; "" for none. */
export function language(filters) {
	return filters
		.filter(({ kind, value }) => kind === "is" || (value.trim() && Number.isFinite(Number(value))))
		.map(({ kind, name, value }) => {
			const quoted = kind === "is" ? `"${value.replaceAll('"', '""')}"` : Number(value);
			return `[${name.replaceAll("]", "]]")}] ${SIGNS[kind]} ${quoted}`;
		})
		.join(" and ");
}

/** `onchange(filters)` after each change. `elements` and `update(filters)`. */
export function filterControls(attributes, onchange) {
	const inputs = [];
	const add = (kind, name, input) => {
		inputs.push({ kind, name, input });
		input.addEventListener("change", () => onchange(inputs.map(({ input, ...rest }) => ({ ...rest, value: input.value.trim() })).filter(({ value }) => value)));
		return input;
	};
	const elements = attributes.map(({ kind, name, values, low, high }) => {
		if (kind === "text") return choice(name, values.filter(({ value }) => value), (input) => add("is", name, input));
		const bound = (side, words, placeholder) => add(side, name, h("input", { type: "number", step: "any", "aria-label": `${name}, ${words}`, placeholder }));
		return fieldset(name, bound("from", "at least", low), h("span", "to"), bound("to", "at most", high));
	});
	return {
		elements,
		update(filters) {
			for (const { kind, name, input } of inputs) {
				const value = filters.find((each) => each.kind === kind && each.name === name)?.value ?? "";
				if (input.options && ![...input.options].some((option) => option.value === value)) input.add(new Option(value, value));
				input.value = value;
			}
		},
	};
}

function choice(name, values, add) {
	const options = values.map(({ value, products }) => h("option", { value }, `${value} (${products})`));
	if (values.length < MANY) return field(name, add(h("select", h("option", { value: "" }, "Any"), options)));
	const list = h("datalist", { id: `values of ${name}`.replaceAll(" ", "-") }, options);
	return h("div", field(name, add(h("input", { list: list.id, placeholder: "Any" }))), list);
}
