/** The reader's feedback on a result: sent to the service, and remembered while the page is open to show what is pressed. */

import { crop } from "./address.js";
import { ask } from "./api.js";

const given = new Map();
const named = (query, id) => JSON.stringify([query, id]);

/** The query that feedback names, or null: a text alone is none that evaluate could repeat with a picture. */
export function queryOf(state) {
	if (state.product) return { query_product_id: state.product };
	if (!state.photo || state.text) return null;
	return { photo: state.photo, ...(state.crop && { crop: crop(state) }) };
}

export const verdictOf = (query, id) => given.get(named(query, id));

export async function give(query, id, verdict) {
	const counts = await ask("v1/feedback", { json: { ...query, product_id: id, verdict } });
	given.set(named(query, id), verdict);
	return counts;
}
