/** Feedback: sent to the service, and kept while the page is open to show which buttons are pressed. */

import { crop } from "./address.js";
import { request } from "./api.js";

const given = new Map();
const keyOf = (query, id) => JSON.stringify([query, id]);

/** The query of the feedback, or null with a text: the evaluation repeats photos and products only. */
export function queryOf(state) {
	if (state.product) return { query_product_id: state.product };
	if (!state.photo || state.text) return null;
	return { photo: state.photo, ...(state.crop && { crop: crop(state) }) };
}

export const verdictOf = (query, id) => given.get(keyOf(query, id));

export async function sendFeedback(query, id, verdict) {
	const counts = await request("v1/feedback", { json: { ...query, product_id: id, verdict } });
	given.set(keyOf(query, id), verdict);
	return counts;
}
