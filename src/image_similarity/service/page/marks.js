/** The reader's word on a result: sent to the service, and remembered in this tab to show which button is pressed. */

import { ask } from "./api.js";
import { crop } from "./address.js";

const MARKS = "image-similarity-marks";
const given = () => JSON.parse(sessionStorage.getItem(MARKS) ?? "{}");

/** What a mark says was asked with, or null: words alone are no question that can be asked again with a picture. */
export function question(state) {
	if (state.product) return { query_product_id: state.product };
	if (!state.photo || state.text) return null;
	return { photo: state.photo, ...(crop(state) && { crop: crop(state) }) };
}

export const verdictOf = (question, id) => given()[JSON.stringify([question, id])];

export async function mark(question, id, verdict) {
	const marks = await ask("v1/marks", { json: { ...question, product_id: id, verdict } });
	sessionStorage.setItem(MARKS, JSON.stringify({ ...given(), [JSON.stringify([question, id])]: verdict }));
	return marks;
}
