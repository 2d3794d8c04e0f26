/** What the service has: its models and what products can be filtered by. Asked for once, at the start. */

import { ask } from "./api.js";

export const shop = { name: "", models: [], attributes: [] };

export async function open() {
	const [models, catalogue] = await Promise.all([ask("v1/models"), ask("v1/catalogue")]);
	Object.assign(shop, { name: models.dataset, models: models.models, attributes: catalogue.attributes });
}

/** The models that a state asks: one, or two side by side. */
export function asked({ model, with: other }) {
	const first = shop.models.find(({ name }) => name === model) ?? shop.models.find((each) => each.default) ?? shop.models[0];
	const second = shop.models.find(({ name }) => name === other && name !== first?.name);
	return [first, second].filter(Boolean);
}
