"""``adapt``: from a fitted catalogue to a kept projection, or a reason why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.catalogue.pairs import read_pairs
from image_similarity.cli.app import app
from image_similarity.dataset import Dataset
from image_similarity.errors import AdaptationError, CatalogueError, NotFittedError
from image_similarity.images.views import ONE_VIEW
from image_similarity.models.projection import projection_facts, read_projection
from image_similarity.quality.adaptation.learn import learn
from image_similarity.settings import Folders, Settings
from image_similarity.store.database import Database
from tests.conftest import MeanColour, paint
from tests.support.shop import known
from tests.support.stored import matrix

SIDE = 4


class Fields(MeanColour):
    """The mean colours of 4 x 4 fields."""

    spec = replace(MeanColour.spec, name="fields", key="fields", dimension=SIDE * SIDE * 3)

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        means = pixels.reshape(len(pixels), SIDE, 2, SIDE, 2, 3).mean(axis=(2, 4)).reshape(len(pixels), -1) + 1e-3
        unit: NDArray[np.float32] = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
        return unit


MODEL = Fields.spec.name


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Workspace:
    known(monkeypatch, Fields())
    return Workspace(settings=settings)


STRIP = (64, 8)
"""The size of pictures whose simulated photos are quick to make: a photo has the shape of its picture."""


def catalogue(folder: Path, products: int, light: int, images: int = 4, noise: int = 4) -> Path:
    """Products of sixteen colours; the images of one differ a little everywhere, and by ``light`` in the top row."""
    random = np.random.default_rng(1)
    folder.mkdir()
    for product in range(products):
        colours = random.integers(100, 156, (SIDE, SIDE, 3))
        for number in range(images):
            seen = colours + random.integers(-noise, noise + 1, colours.shape)
            seen[0] += random.integers(-light, light + 1, (SIDE, 3))
            Image.fromarray(seen.astype(np.uint8)).resize(STRIP, Image.Resampling.NEAREST).save(
                folder / f"p{product:02}_{number}.png"
            )
    return folder


def test_what_helps_is_kept_and_named(workspace: Workspace, tmp_path: Path) -> None:
    workspace.fit("shop", catalogue(tmp_path / "pictures", 30, 100, images=2), model=MODEL, learn=False)
    report = workspace.adapt("shop", model=MODEL)
    assert report.use == f"{MODEL}+adapted"
    learned = report.learned
    assert (learned.products, learned.images, learned.photos) == (30, 60, 240)
    for found in (learned.leave_one_out, learned.simulated):
        assert found is not None and found.after.value > found.before.value
    kept = read_projection(report.folder)
    assert kept.digest == learned.projection.digest
    assert projection_facts(report.folder) == learned.as_dict()
    gains = np.linalg.norm(kept.matrix, axis=1)
    assert gains[: SIDE * 3].max() < 0.7 * gains[SIDE * 3 :].min()  # the top row's light says nothing
    assert workspace.adapt("shop", model=MODEL).learned.projection.digest == kept.digest


def test_what_does_not_help_is_not_kept(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    random = np.random.default_rng(2)
    for number in range(60):
        red, green, blue = (int(value) for value in random.integers(0, 256, 3))
        paint(folder / f"p{number // 2:02}_{number % 2}.png", (red, green, blue), STRIP)
    workspace.fit("shop", folder, model=MODEL, learn=False)
    with pytest.raises(
        AdaptationError,
        match=r"does not help .* R@1 0\.\d+ before and 0\.\d+ after for left-out images, .* for simulated photos, "
        r".* Nothing was written",
    ):
        workspace.adapt("shop", model=MODEL)
    assert not list(workspace.settings.root.rglob("*.npz"))


def test_a_small_shop_gets_the_reason(workspace: Workspace, tmp_path: Path) -> None:
    workspace.fit("shop", catalogue(tmp_path / "pictures", 5, 100), model=MODEL)
    with pytest.raises(AdaptationError, match="5 products have several images, and at least 30 are needed"):
        workspace.adapt("shop", model=MODEL)
    with pytest.raises(NotFittedError):
        workspace.adapt("shop", model="colour-shape")


def test_the_command_prints_before_and_after(workspace: Workspace, tmp_path: Path) -> None:
    workspace.fit("shop", catalogue(tmp_path / "pictures", 32, 100, images=2), model=MODEL, learn=False)
    root = str(workspace.settings.root)
    command = ["adapt", "--dataset", "shop", "--model", MODEL, "--workspace", root]
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code == 0
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.stdout.splitlines() if "│" in line]
    assert [row[:2] for row in cells] == [
        [queries, what]
        for queries in ("left-out images", "simulated photos")
        for what in ("before", "after", "difference")
    ]
    assert "learned from 64 images and 256 simulated photos of 32 products" in printed.stderr
    assert f"Run fit with --model '{MODEL}+adapted'" in printed.stderr
    table = tmp_path / "pairs.csv"
    table.write_text("product_id,similar_product_id\np00,p01\np02,nobody\n")
    found = json.loads(CliRunner().invoke(app, [*command, "--pairs", str(table), "--format", "json"]).stdout)
    assert found["products"] == 31  # two of them count as one
    assert found["unknown_products"] == ["nobody"]
    for name in ("leave_one_out", "simulated"):
        after = found[name]["after"]
        assert after["low"] <= after["value"] <= after["high"]
    assert found["helps"] is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "product_id,other\na,b\n",
            "must have the columns product_id and similar_product_id. It has: product_id, other",
        ),
        ("product_id,similar_product_id\na,\n", ":2: the row needs product_id and similar_product_id"),
    ],
)
def test_a_table_of_pairs_that_is_none_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(text)
    with pytest.raises(CatalogueError, match=reason):
        read_pairs(str(table), Settings())
    with pytest.raises(CatalogueError, match="there is no table"):
        read_pairs(str(tmp_path / "none.csv"), Settings())


def test_a_real_shop_teaches_even_the_plain_description(settings: Settings, luma: Path) -> None:
    Workspace(settings=settings).fit("luma", luma / "images", model="colour-shape", learn=False)
    with Database(Folders(settings.root).database, Dataset.named("luma")) as database:
        features = matrix(database, "colour-shape", ONE_VIEW)
    learned = learn(features.vectors, features.product_ids)
    assert learned.products > 100
    assert learned.helps
