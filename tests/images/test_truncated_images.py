"""An image whose file was cut short: used where next to nothing of its pixels is missing, and called repaired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from image_similarity.cli.app import app
from image_similarity.errors import SOME_FAILED, ImageError
from image_similarity.images.decoding import decode, was_repaired
from tests.support.pictures import encoded

NOISE = Image.effect_noise((300, 200), 60)
COLOURED = Image.merge("RGB", (NOISE, NOISE.transpose(Image.Transpose.FLIP_LEFT_RIGHT), NOISE.rotate(180)))
KINDS = {
    "grey": encoded(NOISE, "JPEG"),
    "colours": encoded(COLOURED, "JPEG"),
    "colours at full width": encoded(COLOURED, "JPEG", subsampling=0, quality=95),
    "inks": encoded(COLOURED.convert("CMYK"), "JPEG"),
    "in passes": encoded(COLOURED, "JPEG", progressive=True),
    "PNG": encoded(COLOURED, "PNG"),
    "PNG of a palette": encoded(COLOURED.quantize(64, Image.Quantize.FASTOCTREE), "PNG"),
    "BMP": encoded(COLOURED, "BMP"),
    "WebP": encoded(COLOURED, "WEBP", lossless=True, method=0),
}


def read(data: bytes, *, strict: bool = False, min_side: int | None = None) -> Image.Image:
    return decode(data, max_pixels=1_000_000, strict=strict, min_side=min_side)


def off(found: Image.Image, whole: Image.Image) -> float:
    """How far two images are from each other, of 255."""
    return float(np.abs(np.asarray(found, float) - np.asarray(whole, float)).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_picture_is_not_repaired(kind: str) -> None:
    assert not was_repaired(read(KINDS[kind], strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [5, 9, 40])
def test_a_picture_without_its_last_bytes_is_used(kind: str, missing: int) -> None:
    image = read(KINDS[kind][:-missing])
    assert was_repaired(image)
    assert off(image, read(KINDS[kind])) < 1


@pytest.mark.parametrize("kind", ["grey", "colours", "colours at full width", "inks", "in passes"])
def test_a_jpeg_without_its_end_alone_is_used(kind: str) -> None:
    image = read(KINDS[kind][:-2])
    assert was_repaired(image)
    assert off(image, read(KINDS[kind])) < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_strict_refuses_what_was_cut(kind: str) -> None:
    with pytest.raises(ImageError, match="damaged image: image file is truncated"):
        read(KINDS[kind][:-9], strict=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.9, 0.5, 0.1])
def test_a_picture_that_lacks_more_than_a_twentieth_is_refused(kind: str, part: float) -> None:
    if kind == "in passes" and part == 0.9:  # its last pass, of a third of the file, sharpens what is there
        assert off(read(KINDS[kind][: int(len(KINDS[kind]) * part)]), read(KINDS[kind])) < 6
        return
    with pytest.raises(ImageError, match="damaged image: image file is truncated"):
        read(KINDS[kind][: int(len(KINDS[kind]) * part)])


def test_a_picture_in_passes_of_which_one_is_missing_for_a_colour_is_refused() -> None:
    data = KINDS["in passes"]
    scans = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    with pytest.raises(ImageError, match="truncated"):
        read(data[: scans[2]])


PACKED = {
    "GIF": encoded(COLOURED.quantize(64, Image.Quantize.FASTOCTREE), "GIF"),
    "interlaced GIF": encoded(COLOURED.quantize(64, Image.Quantize.FASTOCTREE), "GIF", interlace=1),
    "AVIF": encoded(COLOURED, "AVIF", speed=10),
    "AVIF with transparency": encoded(COLOURED.convert("RGBA"), "AVIF", speed=10),
    "moving AVIF": encoded(COLOURED, "AVIF", speed=10, save_all=True, append_images=[COLOURED.rotate(180)]),
    "TIFF in LZW": encoded(COLOURED, "TIFF", compression="tiff_lzw"),
    "TIFF in zip": encoded(COLOURED, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF in JPEG": encoded(COLOURED, "TIFF", compression="jpeg"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_what_cannot_be_repaired_is_refused_as_damaged_and_never_shown_wrong(kind: str) -> None:
    data, whole = PACKED[kind], read(PACKED[kind])
    for missing in (1, 2, 3, 9, 40, 200, *(int(len(data) * part) for part in (0.01, 0.04, 0.1, 0.3, 0.5, 0.9))):
        try:
            assert off(read(data[:-missing]), whole) == 0
        except ImageError as error:
            assert error.reason.startswith("damaged image"), missing


def test_one_that_is_decoded_smaller_is_repaired_too() -> None:
    data = encoded(COLOURED.resize((1200, 800)), "JPEG")
    image = read(data[:-60], min_side=100)
    assert image.size == (300, 200)
    assert was_repaired(image)
    assert off(image, read(data, min_side=100)) < 1


def test_a_fit_counts_what_it_repaired_and_strict_refuses_it(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "whole_1.jpg").write_bytes(KINDS["colours"])
    (shop / "cut_1.jpg").write_bytes(KINDS["grey"][:-2])
    arguments = ["fit", "-d", "shop", "--catalogue", str(shop), "-m", "colour"]
    strict = CliRunner().invoke(app, [*arguments, "--strict", "-w", str(tmp_path / "strict")])
    assert strict.exit_code == SOME_FAILED
    assert "2 images seen: 1 embedded, 0 already known, 1 failed" in strict.output
    lenient = CliRunner().invoke(app, [*arguments, "-w", str(tmp_path / "lenient")])
    assert lenient.exit_code == 0
    assert "2 images seen: 2 embedded, 0 already known, 0 failed" in lenient.output
    assert "1 of those embedded came from files that were cut short" in lenient.output
