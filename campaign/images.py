"""Damaged images of every format in a fit and in the service: each is used or refused, none crashes anything."""

from __future__ import annotations

import re
import time
from random import Random

import httpx
import numpy as np
from PIL import Image
from tests.support.pictures import encoded, orientation
from tests.support.service import running

from campaign import shop
from campaign.commands import HUNG, fit, run
from campaign.trial import Trial

COUNTS = re.compile(r"(\d+) images seen: (\d+) embedded, (\d+) already known, (\d+) failed")
SLOW = 5.0  # seconds for one small image
ENDINGS = {"JPEG": "jpg", "TIFF": "tif"}
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
FEW = 300  # damaged images of one fit


def sound_images() -> list[tuple[str, bytes]]:
    """An image in every format, and in the variants of each format, with the format's name."""
    base = shop.image(1, 96)
    clear, indexed, grey = base.copy(), base.quantize(64), base.convert("L")
    clear.putalpha(grey)
    deep = Image.fromarray(np.arange(96 * 96, dtype=np.uint16).reshape(96, 96))
    moving = {"save_all": True, "append_images": [base.rotate(9), base.rotate(40)]}
    made = [
        *((base, "JPEG", options) for options in ({"progressive": True, "exif": orientation(6)}, {"quality": 80})),
        (base.convert("CMYK"), "JPEG", {}),
        *((image, "PNG", {}) for image in (base, clear, indexed, deep, grey, base.convert("1"))),
        *((base, "WEBP", options) for options in ({}, {"lossless": True}, {**moving, "duration": 40})),
        *((indexed, "GIF", options) for options in ({}, {"save_all": True, "append_images": [indexed.rotate(9)]})),
        *((base, "TIFF", {"compression": way}) for way in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")),
        (base.convert("1"), "TIFF", {"compression": "group4"}),
        *((image, "TIFF", {}) for image in (base, deep, Image.fromarray(np.ones((40, 50), np.float32)))),
        *((image, "BMP", {}) for image in (base, indexed, grey)),
        (base, "AVIF", {"speed": 10}),
        (clear, "AVIF", {"speed": 10}),
    ]
    return [(kind, encoded(image, kind, **options)) for image, kind, options in made]


def damaged(rng: Random, sound: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """One of the sound images with random damage."""
    kind, whole = rng.choice(sound)
    data = bytearray(whole)
    at, other = rng.randrange(len(data)), rng.choice(sound)[1]
    match rng.randrange(8):
        case 0:
            for _ in range(rng.choice([1, 2, 8, 64])):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            for _ in range(rng.choice([1, 2, 4])):
                data[rng.randrange(min(len(data), 200))] = rng.randrange(256)
        case 2:
            del data[at:]
        case 3:
            data[at : at + rng.choice([1, 8, 64, 1024])] = bytes(rng.choice([1, 8, 64]))
        case 4:
            data[at:at] = data[at : at + rng.choice([4, 32, 512])] * rng.choice([1, 3, 50])
        case 5:
            data = data[:at] + other[rng.randrange(len(other)) :]
        case 6:
            data[at:at] = rng.randbytes(rng.choice([1, 4, 300]))
        case _:  # a number of the header becomes an edge case
            at = rng.randrange(min(len(data) - 4, 120))
            length, order = rng.choice([1, 2, 4]), rng.choice(["little", "big"])
            number = rng.choice(EDGES) & (256**length - 1)
            data[at : at + length] = number.to_bytes(length, order)
    return kind, bytes(data)


def fits(trial: Trial) -> None:
    """Folders of damaged images: each is counted, and the sound ones among them are used."""
    sound = sound_images()
    for turn in trial.rounds():
        folder = trial.folder / f"images-{turn}"
        folder.mkdir()
        for number in range(FEW):
            kind, data = damaged(trial.random, sound)
            (folder / f"p{number // 2}_{number}.{ENDINGS.get(kind, kind.lower())}").write_bytes(data)
        for number, (kind, data) in enumerate(sound):
            (folder / f"good{number}_1.{ENDINGS.get(kind, kind.lower())}").write_bytes(data)
        done = run(fit(trial.folder / f"data-{turn}", folder), timeout=HUNG)
        trial.check_run(done, 0, 3)
        found = COUNTS.search(done.stderr)
        if trial.check(found is not None, f"no count: {done.stderr[-300:]}") and found:
            seen, *parts = map(int, found.groups())
            trial.check(seen == sum(parts) == FEW + len(sound), f"the counts do not add up: {found[0]}")
            trial.count("images", seen)
        refused = sorted(set(re.findall(r"good\d+_1\.\w+", done.stderr)))
        trial.check(not refused, f"sound images refused: {refused}")


def searches(trial: Trial) -> None:
    """The same as photos in requests: a quick answer or 422."""
    sound, workspace = sound_images(), trial.folder / "data"
    trial.check_run(run(fit(workspace, shop.draw(trial.folder / "shop", range(30)))), 0)
    with running(workspace) as service:
        for turn in trial.rounds():
            for _ in range(25):
                kind, data = damaged(trial.random, sound)
                began = time.monotonic()
                try:
                    if turn % 5 == 4:
                        answer = service.put(f"/v1/products/damaged-{turn}", files={"images": data})
                    else:
                        answer = service.post("/v1/search", files={"file": data}, data={"number": "3"})
                    status = str(answer.status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                took = time.monotonic() - began
                trial.count("images")
                if not trial.check(status in ("200", "201", "422"), f"a damaged {kind}: {status}"):
                    (trial.folder / f"found-{turn}.{kind.lower()}").write_bytes(data)
                trial.check(took < SLOW, f"a damaged {kind} of {len(data)} bytes took {took:.1f} s")
        log = service.log.read_text(errors="replace")
    trial.check("Traceback" not in log, f"in the log: {log[log.find('Traceback') :][:700]}")


EXPERIMENTS = {"damaged images fitted": (fits, 2), "damaged images searched": (searches, 2)}
