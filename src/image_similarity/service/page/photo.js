/** The query photo: scaled down and made upright here, shown at once, then kept by the service under an id. */

import { request } from "./api.js";

const SIDE = 1024; // pixels; models use no more
const shown = new Map(); // id -> address of the local photo, so that it is not downloaded again

export const photo = {
	pending: "", // the address of a photo that is shown but not uploaded yet
	of: (id) => shown.get(id) ?? `v1/photos/${id}`,
};

/** A JPEG of at most 1024 pixels a side, without metadata; the file itself where this browser cannot decode it. */
export async function prepare(file) {
	const bitmap = await createImageBitmap(file).catch(() => null); // upright by its EXIF orientation
	if (!bitmap) return file;
	const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
	const canvas = document.createElement("canvas");
	canvas.width = Math.round(bitmap.width * scale) || 1;
	canvas.height = Math.round(bitmap.height * scale) || 1;
	const context = canvas.getContext("2d");
	context.fillStyle = "#fff"; // transparent images get a white background
	context.fillRect(0, 0, canvas.width, canvas.height);
	context.imageSmoothingQuality = "high";
	context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
	return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}

export async function upload(blob, url) {
	const form = new FormData();
	form.append("file", blob, blob.name ?? "photo.jpg");
	const answer = await request("v1/photos", { form });
	if (blob.type === "image/jpeg") shown.set(answer.photo, url); // this browser may not show other types
	return answer.photo;
}

/** The first image file among dropped or pasted items. */
export const imageFile = ({ files }) => [...files].find(({ type, name }) => type.startsWith("image/") || /\.hei[cf]$/i.test(name));
