/** The reader's word on a result: sent to the service, and remembered while the page is open to show what is pressed. */

import { crop } from "./address.js";
import { ask } from "./api.js";

const given = new Map();
const named = (question, id) => JSON.stringify([question, id]);

/** What a mark says was asked with, or null: words alone are no question that can be asked again with a picture. */
export function question(state) {
	if (state.product) return { query_product_id: state.product };
	if (!state.photo || state.text) return null;
	return { photo: state.photo, ...(state.crop && { crop: crop(state) }) };
}

export const verdictOf = (question, id) => given.get(named(question, id));

export async function mark(question, id, verdict) {
	const marks = await ask("v1/marks", { json: { ...question, product_id: id, verdict } });
	given.set(named(question, id), verdict);
	return marks;
}
