/** Filter controls for the catalogue's attributes, and their expression (docs/answers.md). */

import { field, fieldset, h } from "./dom.js";

const MANY = 50; // values that the service lists at most; where there may be more, others can be typed
const SIGNS = { is: "=", from: ">=", to: "<=" };

/** `[{ kind: "is", name: "main colour", value: "red" }]` as `[main colour] = "red"`; "" for none. */
export function expression(filters) {
	return filters
		.filter(({ kind, value }) => kind === "is" || (value.trim() && Number.isFinite(Number(value))))
		.map(({ kind, name, value }) => {
			const quoted = kind === "is" ? `"${value.replaceAll('"', '""')}"` : Number(value);
			return `[${name.replaceAll("]", "]]")}] ${SIGNS[kind]} ${quoted}`;
		})
		.join(" and ");
}

/** Calls `onchange(filters)` after each change. */
export function filterControls(attributes, onchange) {
	const inputs = [];
	const add = (kind, name, input) => {
		inputs.push({ kind, name, input });
		input.addEventListener("change", () => onchange(inputs.map(({ input, ...rest }) => ({ ...rest, value: input.value.trim() })).filter(({ value }) => value)));
		return input;
	};
	const elements = attributes.map(({ kind, name, values, low, high }) => {
		if (kind === "text") return choice(name, values.filter(({ value }) => value), (input) => add("is", name, input));
		const bound = (side, label, placeholder) => add(side, name, h("input", { type: "number", step: "any", "aria-label": `${name}, ${label}`, placeholder }));
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
