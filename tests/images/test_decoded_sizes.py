"""A large JPEG is decoded smaller, resampled with SIMD, and still shows the network what the whole picture shows."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_similarity.dataset import Dataset
from image_similarity.images.decoding import decode, was_repaired
from image_similarity.images.model_inputs import decoded_inputs
from image_similarity.images.resampling import FILTERS, resampled
from image_similarity.images.views import min_side, square
from image_similarity.models.resolver import define_model
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import InputSpec, Interpolation
from tests.support.icc import rgb_profile
from tests.support.pictures import encoded, orientation

NETWORK = InputSpec(320, "pad", "bicubic")
WIDE, HIGH = 1200, 960
GREY_LEVELS = 0.7  # the mean difference that is allowed


@cache
def scene() -> Image.Image:
    """Something like a photograph: smooth, of every colour, with a little noise."""
    random = np.random.default_rng(5)
    coarse = Image.fromarray(random.integers(0, 256, (16, 20, 3), np.uint8))
    smooth = np.asarray(coarse.resize((WIDE, HIGH), Image.Resampling.BICUBIC)).astype(int)
    return Image.fromarray((smooth + random.integers(-6, 7, (HIGH, WIDE, 1))).clip(0, 255).astype(np.uint8))


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


FILES = {
    "plain": lambda: encoded(scene(), "JPEG", quality=90),
    "turned": lambda: encoded(scene(), "JPEG", quality=90, exif=orientation(6)),
    "with a profile": lambda: encoded(scene(), "JPEG", quality=90, icc_profile=rgb_profile("bgr")),
    "grey": lambda: encoded(scene().convert("L"), "JPEG", quality=90),
    "progressive": lambda: encoded(scene(), "JPEG", quality=90, progressive=True),
    "cut": lambda: encoded(scene(), "JPEG", quality=90)[:-200],
}
"""Pictures of every kind that is decoded smaller."""


@pytest.mark.parametrize("kind", FILES)
def test_a_jpeg_decoded_smaller_shows_the_same(kind: str) -> None:
    data = FILES[kind]()
    whole = decode(data, max_pixels=10**7)
    small = decode(data, max_pixels=10**7, min_side=min_side(NETWORK))
    assert max(small.size) * 2 == max(whole.size) == WIDE
    assert was_repaired(small) == was_repaired(whole) == (kind == "cut")
    assert difference(square(small, NETWORK), square(whole, NETWORK)) < GREY_LEVELS


@pytest.mark.parametrize("spec", [InputSpec(224, "stretch", "nearest"), NETWORK], ids=["nearest", "inks"])
def test_a_network_of_the_first_version_and_a_picture_in_inks_get_the_whole_picture(spec: InputSpec) -> None:
    data = encoded(scene().convert("CMYK") if spec is NETWORK else scene(), "JPEG", quality=90)
    whole = decode(data, max_pixels=10**7)
    (seen,), _ = decoded_inputs(data, [spec], 10**7)
    assert whole.size == (WIDE, HIGH)
    assert np.array_equal(seen, square(whole, spec))


def test_a_photo_is_seen_as_a_fit_sees_the_same_file_whatever_other_parts_a_model_has() -> None:
    model = define_model(ModelChoice("colour-shape+0.4*colour"), Dataset.named("shop"), Settings())
    data = FILES["plain"]()
    photo = model.inputs(decode(data, max_pixels=10**7, min_side=model.min_side))
    for spec, seen in zip(model.specs, photo, strict=True):
        (alone,), _ = decoded_inputs(data, [spec.input], 10**7)
        assert np.array_equal(seen, alone)


# Resampling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "box"),
    [((320, 256), None), ((320, 320), (10.5, 0.25, 800.0, 799.75)), ((500, 500), (0, 0, 400, 450.5)), ((1, 7), None)],
    ids=["smaller", "a part", "larger", "tiny"],
)
@pytest.mark.parametrize("interpolation", FILTERS)
def test_simd_resamples_as_pillow_does(
    interpolation: Interpolation, size: tuple[int, int], box: tuple[float, float, float, float] | None
) -> None:
    theirs = np.asarray(scene().resize(size, FILTERS[interpolation], box))
    ours = np.asarray(resampled(scene(), size, interpolation, box))
    assert difference(ours, theirs) < 0.4


WITHOUT = """
import sys
from pathlib import Path
sys.modules["cykooz_resizer"] = None  # Python's way to say that there is no such package
from image_similarity.images import decoded_inputs
from image_similarity.types import InputSpec
data = Path(sys.argv[1]).read_bytes()
Path(sys.argv[2]).write_bytes(decoded_inputs(data, [InputSpec(320, "pad", "bicubic")], 10**7)[0][0])
"""


def test_without_the_simd_package_pillow_does_it(tmp_path: Path) -> None:
    data = FILES["plain"]()
    (tmp_path / "photo.jpg").write_bytes(data)
    command = [sys.executable, "-c", WITHOUT, str(tmp_path / "photo.jpg"), str(tmp_path / "pixels")]
    subprocess.run(command, check=True)
    theirs = np.frombuffer((tmp_path / "pixels").read_bytes(), np.uint8).reshape(320, 320, 3)
    (ours,), _ = decoded_inputs(data, [NETWORK], 10**7)
    assert 0 < difference(ours, theirs) < 0.4
