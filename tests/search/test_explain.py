"""Explanations: the parts of a score by hand, and the region of a match where there is only one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.models.colour_shape import ColourShape
from image_similarity.models.colour_shape_record import COLOUR_SHAPE_PARTS, SPEC
from image_similarity.search.occlusion import GRID, covered, heat, spread, where
from image_similarity.search.overlay import overlay
from image_similarity.search.score_parts import shares
from image_similarity.util.sealed_json import write_sealed
from tests.html.test_pages import Outline

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
MODEL = "colour-shape"


# Parts ------------------------------------------------------------------------------------------------------------


def test_the_parts_of_a_score_by_hand() -> None:
    query, found = np.array([0.6, 0.0, 0.8]), np.array([0.6, 0.64, 0.48])
    first, second = shares(query, found, [("shape", slice(0, 2)), ("colour", slice(2, 3))])
    assert (first.name, second.name) == ("shape", "colour")
    assert first.contribution == pytest.approx(0.36) and second.contribution == pytest.approx(0.384)
    assert first.share == pytest.approx(0.36 / 0.744) and first.share + second.share == pytest.approx(1)
    assert first.alike == pytest.approx(0.36 / (0.6 * (0.36 + 0.4096) ** 0.5))
    assert second.alike == pytest.approx(1)


def test_a_part_of_zeros_gives_nothing() -> None:
    (part, other) = shares(np.array([0.0, 1.0]), np.array([0.0, 1.0]), [("a", slice(0, 1)), ("b", slice(1, 2))])
    assert (part.contribution, part.share, part.alike) == (0, 0, 0)
    assert other.share == 1


@given(st.integers(0, 1000))
def test_contributions_sum_to_the_cosine(seed: int) -> None:
    random = np.random.default_rng(seed)
    one, other = (each / np.linalg.norm(each) for each in random.normal(size=(2, 9)))
    parts = shares(one, other, [("a", slice(0, 2)), ("b", slice(2, 7)), ("c", slice(7, 9))])
    assert sum(part.contribution for part in parts) == pytest.approx(float(one @ other), abs=1e-5)


def test_colour_shape_names_the_parts_that_it_is_made_of() -> None:
    ends = [place.stop for _, place in COLOUR_SHAPE_PARTS]
    assert [place.start for _, place in COLOUR_SHAPE_PARTS] == [0, *ends[:-1]] and ends[-1] == SPEC.dimension
    red, blue = (np.full((1, 96, 96, 3), 255, np.uint8) for _ in range(2))
    red[0, 30:70, 30:70], blue[0, 30:70, 30:70] = (200, 20, 20), (60, 60, 200)
    one, other = (ColourShape().embed(image)[0] for image in (red, blue))
    alike = {part.name: part.alike for part in shares(one, other, COLOUR_SHAPE_PARTS)}
    assert alike["shape"] > 0.98 and alike["colour"] < 0.3  # one shape, two colours


# Occlusion --------------------------------------------------------------------------------------------------------


def test_each_patch_covers_its_own_place_and_leaves_the_rest() -> None:
    stripes = np.zeros((80, 120, 3), np.uint8)
    stripes[::4] = stripes[1::4] = 255
    image = Image.fromarray(stripes)
    images = [np.asarray(each).astype(int) for each in covered(image)]
    assert len(images) == GRID * GRID
    change = [np.abs(each - stripes).sum(axis=-1) for each in images]
    first, middle = change[0], change[GRID * GRID // 2]
    assert first[:15, :20].mean() > 200 and first[40:, 60:].max() == 0
    assert middle[35:45, 50:70].mean() > 200 and middle[:10].max() == 0 and middle[:, :15].max() == 0


def test_heat_is_how_far_each_cover_lets_a_score_fall() -> None:
    whole, found = np.array([1, 0], np.float32), np.array([[0.8, 0.6], [0, 1]], np.float32)
    patched = np.tile(whole, (GRID * GRID, 1))
    patched[0], patched[1], patched[2] = (0.5, 0), (0.75, 0), (1.2, 0)
    warm = heat(whole, patched, found)
    assert warm.shape == (2, GRID, GRID)
    np.testing.assert_allclose(warm[0].ravel()[:4], [1, 0.5, 0, 0], atol=1e-6)
    assert not warm[1].any()  # nothing that was covered contributes to it


def test_heat_spreads_smoothly_and_stays_where_it_is() -> None:
    patches = np.zeros((GRID, GRID), np.float32)
    patches[1, 5] = 1
    pixels = spread(patches, (80, 40))
    down, across = np.unravel_index(int(pixels.argmax()), pixels.shape)
    assert pixels.shape == (40, 80) and pixels.max() <= 1
    assert abs(down - 40 * 2 / 8) <= 1 and abs(across - 80 * 6 / 8) <= 1
    assert np.abs(np.diff(pixels, axis=1)).max() < 0.1
    np.testing.assert_allclose(spread(np.ones((GRID, GRID), np.float32), (9, 5)), 1, atol=1e-6)


def test_a_region_has_a_name() -> None:
    for (down, across), name in {(0, 0): "upper left", (3, 3): "middle", (6, 3): "bottom", (4, 6): "right"}.items():
        patches = np.zeros((GRID, GRID), np.float32)
        patches[down, across] = 1
        assert where(patches) == name
    assert where(np.zeros((GRID, GRID), np.float32)) == ""


def test_what_is_hot_glows_and_what_is_cold_steps_back() -> None:
    patches = np.zeros((GRID, GRID), np.float32)
    patches[:, 5:] = 1
    seen = np.asarray(overlay(Image.new("RGB", (80, 80), (30, 60, 160)), patches)).astype(int)
    cold, hot = seen[40, 5], seen[40, 70]
    assert cold.max() - cold.min() < 12 and cold.mean() > 150  # grey and pale
    assert hot[0] > 100 and hot[0] > cold[0] - 100 and hot.max() - hot.min() > 30
    none = np.asarray(overlay(Image.new("RGB", (80, 80), (30, 60, 160)), np.zeros((GRID, GRID), np.float32)))
    assert np.isfinite(none).all()


# Through the commands ---------------------------------------------------------------------------------------------


def pictured(ball: tuple[int, int], size: int = 200) -> Image.Image:
    """A striped ball on grey; nothing else has an outline."""
    down, across = np.mgrid[:size, :size]
    inside = (down - ball[1]) ** 2 + (across - ball[0]) ** 2 < 35**2
    pixels = np.full((size, size, 3), 150, np.uint8)
    pixels[inside] = np.where((across[inside] // 8 % 2)[:, None], (200, 30, 30), (20, 20, 90))
    return Image.fromarray(pixels)


@pytest.fixture
def fitted(tmp_path: Path, workspace: Workspace) -> Workspace:
    folder = tmp_path / "pictures"
    folder.mkdir()
    pictured((100, 100)).save(folder / "ball_1.png")
    pictured((90, 110)).save(folder / "ball_2.png")
    Image.new("RGB", (200, 200), (30, 160, 30)).save(folder / "green_1.png")
    workspace.fit("shop", folder, model=MODEL)
    return workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data")


def test_the_region_with_the_product_is_the_one_that_is_named(fitted: Workspace, tmp_path: Path) -> None:
    pictured((60, 60)).save(tmp_path / "photo.png")
    answer = fitted.search("shop", tmp_path / "photo.png", model=MODEL, explain=True)
    assert answer.explained is not None
    (why, *_) = answer.explained.whys
    assert answer.matches[0].product_id == "ball"
    down, across = np.unravel_index(int(why.heat.argmax()), why.heat.shape)
    assert abs((down + 1) / 8 - 60 / 200) < 0.2 and abs((across + 1) / 8 - 60 / 200) < 0.2
    plain = fitted.search("shop", tmp_path / "photo.png", model=MODEL)
    assert plain.matches == answer.matches and plain.explained is None


def test_machines_get_parts_and_heat_and_people_a_map(fitted: Workspace, tmp_path: Path) -> None:
    photo, page = tmp_path / "photo.png", tmp_path / "page.html"
    pictured((60, 60)).save(photo)
    where_at = ["--dataset", "shop", "--model", MODEL, "--workspace", str(fitted.settings.root)]
    command = ["search", str(photo), *where_at, "--explain", "--html", str(page)]
    ran = CliRunner().invoke(app, [*command, "--format", "json"])
    assert ran.exit_code == 0, ran.output
    first = json.loads(ran.stdout)["matches"][0]
    parts = first["why"]["parts"]
    assert [part["name"] for part in parts] == sorted(
        ("shape", "colour", "layout"), key=lambda name: -next(p["share"] for p in parts if p["name"] == name)
    )
    assert sum(part["contribution"] for part in parts) == pytest.approx(first["score"], abs=2e-3)
    assert np.shape(first["why"]["heat"]) == (GRID, GRID)
    outline = Outline(page.read_text())
    assert len(outline.marked("ims-why")) == 2  # one for each product
    assert "shape " in outline.text and "photo's " in outline.text
    table = CliRunner().invoke(app, command).stdout
    assert "why" in table and "shape" in table


def test_a_single_network_has_one_part_and_no_shares_to_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    from tests.support.shop import MODEL as ONE, paint_shop, register

    register(monkeypatch)
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=ONE)
    answer = workspace.search("shop", tmp_path / "pictures" / "red_1.png", model=ONE, explain=True)
    assert answer.explained is not None
    (part,) = answer.explained.whys[0].parts
    assert part.name == ONE and part.share == pytest.approx(1)
    assert answer.explained.whys[0].words == ""  # one colour all over: no region by itself matters
    assert "ims-why" in answer._repr_html_()


def test_models_side_by_side_each_have_their_share(tmp_path: Path, workspace: Workspace) -> None:
    from image_similarity.dataset import Dataset
    from image_similarity.models.resolver import resolve
    from image_similarity.options import ModelChoice
    from image_similarity.search.explanation import parts_of
    from image_similarity.settings import Folders
    from image_similarity.store.database import Database
    from image_similarity.store.features import FeatureStore
    from tests.support.networks import put_small_network

    put_small_network(workspace.settings, "VGG")
    folder = tmp_path / "pictures"
    folder.mkdir()
    pictured((100, 100)).save(folder / "ball_1.png")
    pictured((60, 130)).save(folder / "other_1.png")
    mixture = "VGG+0.25*colour-shape"
    workspace.fit("shop", folder, model=mixture)
    with Database(Folders(workspace.settings.root).database, Dataset.named("shop")) as database:
        model = resolve(
            ModelChoice(mixture), Dataset.named("shop"), workspace.settings, FeatureStore(database).has_networks_of
        )
        assert [name for name, _ in parts_of(model)] == ["VGG", "shape", "colour", "layout"]
        assert parts_of(model)[-1][1].stop == sum(spec.dimension for spec in model.specs)
    answer = workspace.search("shop", folder / "ball_1.png", model=mixture, explain=True)
    assert answer.explained is not None
    parts = {part.name: part for part in answer.explained.whys[0].parts}
    assert parts["VGG"].share == pytest.approx(0.8, abs=1e-3)  # of a image with itself each gives its weight
    assert sum(part.share for part in parts.values()) == pytest.approx(1)


def test_where_nothing_is_left_there_is_nothing_to_explain(fitted: Workspace, tmp_path: Path) -> None:
    never = {"weights": [0.0, 0.0, 0.0, 0.0], "bias": -5.0, "places": [], "levels": [], "smooth": 1.0}
    curves = {"first": never, "others": never}
    photo = {"generation": -1, "facts": {}, "plain": curves, "scene": curves}
    record = {"format": 3, "model": MODEL, "scorings": {"photo": photo}}
    file = fitted.settings.root / "calibrated" / "shop" / "colour-shape-1.json"
    write_sealed(file, record)
    pictured((60, 60)).save(tmp_path / "photo.png")
    answer = fitted.search("shop", tmp_path / "photo.png", model=MODEL, explain=True, min_match=0.5)
    assert answer.no_match and answer.matches == []
    assert answer.explained is not None and answer.explained.whys == []
