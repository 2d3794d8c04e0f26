"""Match by shape only or by colour only."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.errors import NotFittedError, UsageError
from image_similarity.models.projection import Projection, write_projection
from image_similarity.settings import Settings

MIXED = "colour-shape+0.5*colour"
COLOURS = {"red": (200, 30, 30), "green": (30, 150, 40), "blue": (40, 60, 200)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Path]:
    """Discs, bars and triangles in three colours each."""
    root = tmp_path_factory.mktemp("match")
    folder = root / "pictures"
    folder.mkdir()
    for colour, paint in COLOURS.items():
        for shape in ("disc", "bar", "triangle"):
            image = Image.new("RGB", (160, 160), "white")
            draw = ImageDraw.Draw(image)
            if shape == "disc":
                draw.ellipse((25, 25, 135, 135), fill=paint)
            elif shape == "bar":
                draw.rectangle((15, 65, 145, 95), fill=paint)
            else:
                draw.polygon(((80, 20), (140, 140), (20, 140)), fill=paint)
            image.save(folder / f"{colour}-{shape}_1.png")
    workspace = Workspace(settings=Settings(root=root / "data"))
    for model in (MIXED, "colour-shape", "colour"):
        workspace.fit("shop", folder, model=model)
    return workspace, folder


@pytest.mark.parametrize("model", [MIXED, "colour-shape"])
def test_shape_finds_the_thing_in_other_colours_and_colour_other_things(
    shop: tuple[Workspace, Path], model: str
) -> None:
    workspace, folder = shop
    by_shape = workspace.similar("shop", "red-disc", model=model, number=2, match="shape").matches
    assert {match.product_id for match in by_shape} == {"green-disc", "blue-disc"}
    by_colour = workspace.similar("shop", "red-disc", model=model, number=2, match="colour").matches
    assert {match.product_id for match in by_colour} == {"red-bar", "red-triangle"}
    for match, expected in (("shape", "disc"), ("colour", "red")):
        found = workspace.search("shop", folder / "red-disc_1.png", model=model, number=3, match=match)
        assert all(expected in match.product_id for match in found.matches)
        assert found.matches[0].score == pytest.approx(1, abs=5e-3), "the query itself scores 1"


def test_a_model_without_the_part_says_with_which_it_would_have_it(shop: tuple[Workspace, Path]) -> None:
    workspace, _ = shop
    with pytest.raises(UsageError, match=r"no part of colour sees shape: fit with `model` 'colour\+colour-shape'"):
        workspace.similar("shop", "red-disc", model="colour", match="shape")
    with pytest.raises(UsageError, match="there is no `match` 'price': use shape, colour"):
        workspace.similar("shop", "red-disc", model="colour", match="price")


def test_a_learned_model_is_compared_by_the_same_model_without_it(shop: tuple[Workspace, Path], tmp_path: Path) -> None:
    fitted, folder = shop
    root = shutil.copytree(fitted.settings.root, tmp_path / "data")
    workspace = Workspace(settings=replace(fitted.settings, root=root))
    matrix = np.random.default_rng(0).standard_normal((2048, 64)).astype(np.float32)
    write_projection(
        workspace.settings.root / "adapted" / "shop" / "colour", Projection.of(np.zeros(2048, np.float32), matrix), {}
    )
    photo = folder / "red-bar_1.png"
    plain = workspace.search("shop", photo, model="colour", match="colour").matches
    with workspace.open("shop", "colour+adapted") as learned:
        assert learned.search(photo, match="colour").matches == plain
        similar = learned.similar("red-bar", match="colour")
        recommended = workspace.similar("shop", "red-bar", model="colour").matches
        assert similar is not None
        assert [match.product_id for match in similar.matches] == [match.product_id for match in recommended]
        apart = learned.prepared(photo, match="colour")
        both = [learned.prepared(photo), apart, learned.prepared(photo)]
        first, mixed, last = learned.answers(list(zip(both, learned.vectors_of(both), strict=True)))  # type: ignore[arg-type]
        assert mixed.matches == plain and first.matches == last.matches != plain  # type: ignore[union-attr]
        assert learned.remove("red-bar")
        assert "red-bar" not in {match.product_id for match in learned.search(photo, match="colour").matches}


def test_a_product_that_was_removed_after_the_fit_is_an_error(shop: tuple[Workspace, Path], tmp_path: Path) -> None:
    workspace = Workspace(settings=Settings(root=tmp_path / "data"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in shop[1].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    workspace.fit("shop", folder, model=MIXED)
    (folder / "red-bar_1.png").unlink()
    workspace.fit("shop", folder, model="colour-shape")
    with pytest.raises(NotFittedError, match="red-bar was removed from shop after its last fit"):
        workspace.similar("shop", "red-bar", model=MIXED, match="shape")


def test_the_command_line_takes_it(shop: tuple[Workspace, Path]) -> None:
    workspace, folder = shop
    place = ["--dataset", "shop", "--model", MIXED, "--workspace", str(workspace.settings.root), "--format", "csv"]
    shown = CliRunner().invoke(app, ["similar", "blue-bar", *place, "--match", "shape", "-n", "2"])
    assert shown.exit_code == 0 and "red-bar" in shown.output and "green-bar" in shown.output
    shown = CliRunner().invoke(app, ["search", str(folder / "blue-bar_1.png"), *place, "--match", "colour", "-n", "3"])
    assert shown.exit_code == 0 and "blue-disc" in shown.output and "blue-triangle" in shown.output
