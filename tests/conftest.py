"""What many tests share: real files at hand, and a model that can be computed by hand."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings as hypothesis_settings
from numpy.typing import NDArray
from PIL import Image

from image_similarity.settings import Settings
from image_similarity.types import InputSpec, ModelSpec

if TYPE_CHECKING:
    from tests.support.hub import HubServer

# The same examples on every run and machine, however slow it is.
hypothesis_settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("steady")

# The same keys on every processor, here and in the processes that tests start.
os.environ["IMAGE_SIMILARITY_PRECISION"] = "fp32"
# transformers, which some tests compare with, imports the hub before we do.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

# As pip leaves it: compiled, or each of the hundreds of processes that tests start would compile everything anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# As a terminal leaves it: a suite that runs in the background ignores them, and so would the processes it starts.
for ended_by in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(ended_by) is signal.SIG_IGN:
        signal.signal(ended_by, signal.SIG_DFL)

LONGEST = (
    *("docs_pages", "docs", "page", "keras_networks", "calibrate", "int8", "fit_trouble", "addresses", "examples"),
    *("index_trouble", "attacks", "terminal", "model_records", "memory", "model_switch", "first_version"),
)
"""The files of tests that take longest: begun first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    order = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


SHARED = Path(__file__).parents[2] / "shared"


class MeanColour:
    """An embedding model for arithmetic by hand: the mean red, green and blue, scaled to unit length."""

    spec = ModelSpec(
        name="mean-colour",
        key="mean-colour",
        dimension=3,
        input=InputSpec(8, "stretch", "box"),
        preprocessing="none",
        weights="none",
        licence="Apache-2.0",
    )

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        means = pixels.astype(np.float32).mean(axis=(1, 2)) + 1e-3
        unit: NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (24, 16), spot: int = 0) -> Path:
    """A picture of one colour; ``spot`` makes its content another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, colour)
    if spot:
        picture.putpixel((spot % size[0], spot % size[1]), (spot % 256, 0, 255))
    picture.save(path)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace of its own for each test."""
    return Settings(root=tmp_path / "data", lock_timeout=0.2, precision="fp32")


@pytest.fixture
def luma() -> Path:
    """A real shop's catalogue, where this machine has it."""
    folder = SHARED / "data" / "luma"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: the real catalogue is not at hand")
    return folder


@pytest.fixture
def real_networks() -> Path:
    """Real ImageNet networks, where this machine has them."""
    folder = SHARED / "weights"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: the real networks are not at hand")
    return folder


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A hub of models on this machine."""
    from tests.support.hub import hub_server  # here: most tests need no networks

    with hub_server() as server:
        yield server


@pytest.fixture
def online(settings: Settings, hub: HubServer) -> Settings:
    """Settings that know where that hub is."""
    return replace(settings, hub_address=hub.address)


@pytest.fixture(scope="session")
def drawn_shop(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The sample shop, whole, one for all workers: to be looked at, and copied from."""
    from tests.support.drawn import drawn_once  # here: most tests need no shop

    base = tmp_path_factory.getbasetemp()
    return drawn_once((base if worker_id == "master" else base.parent) / "drawn-shop")
