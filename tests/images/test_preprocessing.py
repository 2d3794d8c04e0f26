"""What each network is shown, beside other people's image processors on real photographs.

Hugging Face's processors stand for the networks that come from there; where torchvision is installed, its transforms
are a second opinion. The photographs are scikit-learn's two, and a real shop's where this machine has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_similarity.images.decoding import decode
from image_similarity.images.views import min_side, square
from image_similarity.models.hub_records import RECORDS, HubRecord
from tests.conftest import SHARED

ALL = pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
ODD = (0, 0, 500, 333)  # a piece whose sides do not divide by anything
SHOP_PHOTOS = 3

# By the networks' own ``preprocessor_config.json``: which processor, its size and its filter (2 bilinear, 3 bicubic).
PROCESSORS = {
    "Marqo-FashionSigLIP": ("SiglipImageProcessor", {"size": {"height": 224, "width": 224}, "resample": 3}),
    "Marqo-Ecommerce-B": ("SiglipImageProcessor", {"size": {"height": 224, "width": 224}, "resample": 3}),
    "SigLIP2-B-384": ("SiglipImageProcessor", {"size": {"height": 384, "width": 384}, "resample": 2}),
    "SigLIP2-B-224": ("SiglipImageProcessor", {"size": {"height": 224, "width": 224}, "resample": 2}),
    "UNICOM-B32": ("CLIPImageProcessor", {"size": {"shortest_edge": 224}, "crop_size": 224, "resample": 3}),
    "DINOv2-S": ("BitImageProcessor", {"size": {"shortest_edge": 256}, "crop_size": 224, "resample": 3}),
}


@cache
def photographs() -> list[bytes]:
    """JPEG files as they come: landscapes, a flower, and clothes on white where there is a shop."""
    import sklearn.datasets

    folder = Path(sklearn.datasets.__file__).parent / "images"
    shop = sorted((SHARED / "data" / "luma" / "images").glob("*.jpg"))[:SHOP_PHOTOS]
    return [path.read_bytes() for path in (folder / "china.jpg", folder / "flower.jpg", *shop)]


def images() -> Iterator[Image.Image]:
    for data in photographs():
        image = decode(data, max_pixels=10**8)
        yield image
        yield image.crop(ODD)
        yield image.crop(ODD).rotate(90, expand=True)


def in_grey_levels(record: HubRecord, numbers: NDArray[Any]) -> NDArray[np.float64]:
    """What a network gets, ``(3, size, size)``, as the image that it stands for: theirs has its own mean and std."""
    mean, std = (np.array(values)[:, None, None] for values in (record.mean, record.std))
    levels: NDArray[np.float64] = np.asarray(numbers, np.float64) * std * 255 + mean * 255
    return levels


def ours(record: HubRecord, image: Image.Image) -> NDArray[np.float64]:
    return square(image, record.input).astype(np.float64).transpose(2, 0, 1)


@cache
def processor(name: str) -> Callable[[Image.Image], NDArray[Any]]:
    import transformers

    kind, options = PROCESSORS[name]
    more: dict[str, Any] = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    made = getattr(transformers, f"{kind}Pil")(**options, **(more if kind == "BitImageProcessor" else {}))
    return lambda image: np.asarray(made(image, return_tensors="np")["pixel_values"][0])


@ALL
def test_each_network_sees_what_hugging_faces_processor_shows_it(record: HubRecord) -> None:
    for image in images():
        theirs = in_grey_levels(record, processor(record.name)(image))
        assert theirs.shape == (3, record.input.size, record.input.size)
        assert np.abs(ours(record, image) - theirs).mean() < 0.25


@ALL
def test_a_photograph_that_is_decoded_smaller_is_within_a_grey_level_all_the_same(record: HubRecord) -> None:
    """Large JPEG files are decoded at a fraction of their size; that is the way a photo takes through the program."""
    for data in photographs():
        drafted = decode(data, max_pixels=10**8, min_side=min_side(record.input))
        theirs = in_grey_levels(record, processor(record.name)(decode(data, max_pixels=10**8)))
        assert np.abs(ours(record, drafted) - theirs).mean() < 1


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed")
@ALL
def test_torchvision_shows_it_the_same(record: HubRecord) -> None:
    from torchvision import transforms

    spec = record.input
    modes = transforms.InterpolationMode
    mode = {"bilinear": modes.BILINEAR, "bicubic": modes.BICUBIC}[spec.interpolation]
    sides = (spec.size, spec.size) if spec.resize == "stretch" else spec.shorter or spec.size
    steps = [transforms.Resize(sides, mode), transforms.CenterCrop(spec.size), transforms.ToTensor()]
    shown = transforms.Compose([*steps, transforms.Normalize(record.mean, record.std)])
    for image in images():
        theirs = in_grey_levels(record, shown(image).numpy())
        mine = ours(record, image)
        # torchvision rounds half a pixel to the even one where Hugging Face cuts it off: at most one pixel aside.
        asides = (np.roll(theirs, step, axis) for step in (0, 1) for axis in (1, 2))
        assert min(np.abs(mine - aside)[:, 2:-2, 2:-2].mean() for aside in asides) < 0.25


@ALL
def test_another_way_to_the_square_would_not_pass(record: HubRecord) -> None:
    import dataclasses

    other = {"stretch": "crop", "crop": "stretch"}[record.input.resize]
    changed = dataclasses.replace(record, input=dataclasses.replace(record.input, resize=other))  # type: ignore[arg-type]
    image = next(images())
    theirs = in_grey_levels(record, processor(record.name)(image))
    assert np.abs(ours(changed, image) - theirs).mean() > 5
