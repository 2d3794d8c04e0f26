/** The reader's photo: made small and upright here, shown at once, then kept by the service under an id. */

import { ask } from "./api.js";

const SIDE = 1024; // pixels; more tells no model anything
const shown = new Map(); // id -> address of what is shown, so that a photo of this visit is not fetched back

export const photo = {
	pending: "", // the address of one that is shown but not kept yet
	of: (id) => shown.get(id) ?? `v1/photos/${id}`,
};

/** A JPEG of at most 1024 pixels a side, without what else the file says; where this browser cannot read it, the file. */
export async function prepare(file) {
	const bitmap = await createImageBitmap(file).catch(() => null); // upright, as the file says
	if (!bitmap) return file;
	const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
	const canvas = document.createElement("canvas");
	canvas.width = Math.round(bitmap.width * scale) || 1;
	canvas.height = Math.round(bitmap.height * scale) || 1;
	const paper = canvas.getContext("2d");
	paper.fillStyle = "#fff"; // what is transparent was meant to stand on paper
	paper.fillRect(0, 0, canvas.width, canvas.height);
	paper.imageSmoothingQuality = "high";
	paper.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
	return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}

/** Keeps the photo; returns its id. */
export async function keep(blob, url) {
	const form = new FormData();
	form.append("file", blob, blob.name ?? "photo.jpg");
	const answer = await ask("v1/photos", { form });
	if (blob.type === "image/jpeg") shown.set(answer.photo, url); // others may be what this browser cannot show
	return answer.photo;
}

/** The first picture among dropped or pasted things. */
export const picked = ({ files }) => [...files].find(({ type, name }) => type.startsWith("image/") || /\.hei[cf]$/i.test(name));
