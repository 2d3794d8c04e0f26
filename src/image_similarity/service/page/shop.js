/** The service's models and the attributes to filter by, loaded once at the start. */

import { request } from "./api.js";

export const shop = { name: "", models: [], attributes: [] };

export async function loadShop() {
	const [models, catalogue] = await Promise.all([request("v1/models"), request("v1/catalogue")]);
	Object.assign(shop, { name: models.dataset, models: models.models, attributes: catalogue.attributes });
}

export function modelsOf({ model, with: other }) {
	const first = shop.models.find(({ name }) => name === model) ?? shop.models.find((each) => each.default) ?? shop.models[0];
	const second = shop.models.find(({ name }) => name === other && name !== first?.name);
	return [first, second].filter(Boolean);
}

/** Whether the state's search has match probabilities under a model. */
export function isCalibrated({ calibrated, match }, state) {
	return !state.text && calibrated.includes(match.includes(state.match) ? state.match : "photo");
}
