/** The catalogue: counts, models, unusable images, sizes on disk. */

import { write } from "./address.js";
import { request } from "./api.js";
import { count, counted, facts, h, setTitle, showError, size } from "./dom.js";
import { shop } from "./shop.js";

export function catalogueView() {
	const heading = h("h1", { tabindex: "-1" }, "Catalogue");
	const body = h("div");
	return {
		element: h("div.catalogue", heading, body),
		async update(state, focus) {
			setTitle(heading, focus);
			try {
				const [catalogue, feedback] = await Promise.all([request("v1/catalogue"), request("v1/feedback")]);
				const failures = section("Unusable images");
				body.replaceChildren(numbers(catalogue, feedback), models(catalogue), failures, disk(catalogue));
				await listFailures(failures, catalogue.failures);
			} catch (problem) {
				showError(problem, () => this.update(state));
			}
		},
	};
}

const section = (title, ...parts) => h("section", h("h2", title), parts);

const sum = (rows, name) => rows.reduce((total, row) => total + row[name], 0);

function numbers({ products, images, failures, last_fit: fit }, { good, bad }) {
	const time = fit && h("time", { datetime: fit }, new Date(fit).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" }));
	const unusable = count(sum(failures, "images"));
	const rows = [["products", count(products)], ["images", count(images)], ["unusable images", unusable], ["last fit", time || "not yet"]];
	return h("div.big", facts([...rows, ["results marked good, bad", `${count(good)}, ${count(bad)}`]]));
}

function disk({ store_bytes: store, images_bytes: kept, models }) {
	const index = sum(models, "index_bytes");
	return section("On disk", facts([["features", size(store)], ["indexes", size(index)], ["uploaded images", size(kept)]]));
}

function models({ models }) {
	const rows = shop.models.map((model) => {
		const { images = 0, index_bytes: bytes = 0 } = models.find(({ name }) => name === model.name) ?? {};
		const supports = [model.text && "text", ...model.match, model.calibrated.length && "probabilities"].filter(Boolean).join(", ");
		const licence = model.licence + (model.commercial_use ? "" : ", non-commercial");
		return [model.name + (model.default ? " (default)" : ""), count(images), size(bytes), `${model.dimension} ${model.precision}`, supports, licence];
	});
	return section("Models", table(["Model", "Images", "Index", "Vector", "Supports", "Licence"], rows));
}

/** Fills in the unusable images, a page at a time. */
async function listFailures(target, counts) {
	const kinds = counts.map(({ job, stage, images }) => `${counted(images, "image")} in ${job}, ${stage}`).join("; ");
	const product = (id) => id && h("a", { href: write({ product: id }) }, id);
	const rows = [];
	const list = h("div");
	const more = h("button.more", "Load more");
	async function next(after) {
		const page = await request(`v1/failures?number=50${after ? `&after=${encodeURIComponent(after)}` : ""}`);
		rows.push(...page.failures.map((each) => [each.image_id, product(each.product_id), `${each.job}, ${each.stage}`, each.reason]));
		if (rows.length) list.replaceChildren(table(["Image", "Product", "Stage", "Reason"], rows));
		more.hidden = !page.next;
		more.onclick = () => next(page.next).catch((problem) => showError(problem, more.onclick));
	}
	await next();
	target.append(h("p", kinds || "All images could be used."), list, more);
}

function table(heads, rows) {
	const cells = ([first, ...rest]) => h("tr", h("th", { scope: "row" }, first), rest.map((cell) => h("td", cell)));
	const head = h("thead", h("tr", heads.map((name) => h("th", { scope: "col" }, name))));
	return h("div.scroll", { tabindex: "0", role: "group", "aria-label": `${heads[0]}s` }, h("table", head, h("tbody", rows.map(cells))));
}
