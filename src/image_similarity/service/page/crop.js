/**
 * A photo with a rectangle to crop it. Drag on the photo to draw the rectangle, drag it to move it, drag a corner to resize
 * it. Arrow keys move it, with Shift they resize it, Escape removes it. `onchange(crop, gesture)`: the crop in shares of
 * the photo, null for all of it; changes of one gesture have the same number.
 */

import { h } from "./dom.js";

const LEAST = 0.04; // share of a side; a smaller rectangle was a click
const STEP = 0.02;
const WHOLE = { left: 0, top: 0, width: 1, height: 1 };
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
const clamp = (low, value, high) => Math.min(high, Math.max(low, value));

export function cropper(image, onchange) {
	const handles = ["nw", "ne", "sw", "se"].map((corner) => h(`span.handle.${corner}`, { "data-corner": corner }));
	const box = h("div.box", { tabindex: "0", role: "application", "aria-describedby": "crop-help" }, handles);
	const stage = h("div.stage", image, box);
	let crop = null;
	let gesture = 0;
	let lastKey = 0;
	let drag = null;

	function set(next) {
		crop = next;
		positionBox(box, crop ?? WHOLE);
		stage.classList.toggle("cropped", crop);
		box.ariaLabel = describe(crop);
	}

	function change(next) {
		set(next && next.width + next.height < 1.999 ? next : null);
		onchange(crop, gesture);
	}

	const at = ({ clientX, clientY }) => {
		const area = stage.getBoundingClientRect();
		return [clamp(0, (clientX - area.left) / area.width, 1), clamp(0, (clientY - area.top) / area.height, 1)];
	};

	stage.addEventListener("pointerdown", (event) => {
		if (event.button) return;
		event.preventDefault(); // neither select nor drag the image
		box.focus({ preventScroll: true });
		stage.setPointerCapture(event.pointerId);
		gesture += 1;
		let [x, y] = at(event);
		const { corner } = event.target.dataset;
		if (corner) {
			const { left, top, width, height } = crop ?? WHOLE; // the opposite corner stays in place
			x = corner.includes("w") ? left + width : left;
			y = corner.includes("n") ? top + height : top;
		}
		drag = { x, y, before: crop, moving: crop && event.target === box };
	});

	stage.addEventListener("pointermove", (event) => {
		if (!drag) return;
		const [x, y] = at(event);
		const [width, height] = [Math.abs(x - drag.x), Math.abs(y - drag.y)];
		if (drag.moving) change(moved(drag.before, x - drag.x, y - drag.y));
		else if (width >= LEAST && height >= LEAST) change({ left: Math.min(x, drag.x), top: Math.min(y, drag.y), width, height });
	});

	stage.addEventListener("pointerup", () => (drag = null));
	stage.addEventListener("pointercancel", () => {
		if (drag) change(drag.before);
		drag = null;
	});

	box.addEventListener("keydown", (event) => {
		const arrow = ARROWS[event.key];
		if (event.ctrlKey || event.metaKey || event.altKey || !(arrow || (event.key === "Escape" && crop))) return;
		event.preventDefault();
		if (Date.now() - lastKey > 1000) gesture += 1;
		lastKey = Date.now();
		change(arrow && (event.shiftKey ? resized : moved)(crop ?? WHOLE, ...arrow));
	});

	set(null);
	return { element: stage, set: (next) => drag || set(next) }; // while dragging, the address does not change the crop
}

export function positionBox(box, crop) {
	for (const [name, share] of Object.entries(crop)) box.style[name] = `${share * 100}%`;
}

function moved({ left, top, width, height }, x, y) {
	return { left: clamp(0, left + x, 1 - width), top: clamp(0, top + y, 1 - height), width, height };
}

function resized({ left, top, width, height }, x, y) {
	return { left, top, width: clamp(LEAST, width + x, 1 - left), height: clamp(LEAST, height + y, 1 - top) };
}

/** The crop in words, for screen readers. */
export function describe(crop) {
	if (!crop) return "Crop: the whole photo";
	const share = (part) => `${Math.round(part * 100)}%`;
	return `Crop: ${share(crop.width)} wide, ${share(crop.height)} high, ${share(crop.left)} from the left, ${share(crop.top)} from the top`;
}
