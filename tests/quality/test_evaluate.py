"""Evaluation against counts by hand; several models side by side; photos and labels as queries."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.dataset import Dataset
from image_similarity.errors import BELOW_BAR, NotFittedError, UsageError
from image_similarity.images.views import ONE_VIEW
from image_similarity.models.projection import projection_facts, read_projected_photos
from image_similarity.options import EvaluateOptions, ModelChoice
from image_similarity.quality.adaptation.learn import Choice, Photos, held_out
from image_similarity.settings import Folders, Settings
from image_similarity.store.database import Database
from tests.conftest import MeanColour, paint
from tests.quality.test_adapt import Fields, catalogue
from tests.support.shop import BLUE, GREEN, MODEL, RED, known, paint_shop, register
from tests.support.stored import matrix

STORED = EvaluateOptions(stored_only=True)
OTHER = "colour-shape"


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Workspace:
    register(monkeypatch)
    return Workspace(settings=settings)


def shares(colours: dict[str, tuple[int, int, int]]) -> list[float]:
    """R@1, R@5 and R@10 from the colours themselves: sort all others by cosine, equal ones by product and image."""
    names = sorted(colours, key=lambda name: (name.split("_")[0], name))
    owners = [name.split("_")[0] for name in names]
    vectors = np.array([colours[name] for name in names], float) + 1e-3
    stored = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16).astype(float)
    scores = np.round(np.clip(stored @ stored.T, -1, 1), 6)
    ranks = []
    for query, owner in enumerate(owners):
        others = sorted((i for i in range(len(names)) if i != query), key=lambda i: (-scores[query, i], i))
        right = [rank for rank, i in enumerate(others) if owners[i] == owner]
        if right:
            ranks.append(right[0])
    return [sum(rank < depth for rank in ranks) / len(ranks) for depth in (1, 5, 10)]


def many_colours(folder: Path, products: int = 40) -> dict[str, tuple[int, int, int]]:
    """Pictures of one colour each, the colours of a product's pictures near each other."""
    random = np.random.default_rng(6)
    colours = {}
    for product in range(products):
        base = random.integers(50, 206, 3)
        for number in range(1 + product % 3):
            red, green, blue = (int(value) for value in base + random.integers(-50, 51, 3))
            colours[f"p{product:02}_{number}"] = (red, green, blue)
    for name, colour in colours.items():
        paint(folder / f"{name}.png", colour)
    return colours


def test_an_image_that_finds_its_own_product_counts(workspace: Workspace, tmp_path: Path) -> None:
    colours = {
        "red_1": RED,
        "red_2": (240, 20, 10),
        "green_1": GREEN,
        "green_2": (20, 230, 0),
        "odd_1": (245, 10, 0),
        "odd_2": BLUE,
        "alone_1": (0, 30, 250),
    }
    for name, colour in colours.items():
        paint(tmp_path / "pictures" / f"{name}.png", colour)
    workspace.fit("shop", tmp_path / "pictures", model=MODEL)
    result = workspace.evaluate("shop", model=MODEL)
    assert (result.images, result.queries) == (7, 6)  # the single image has none to find
    assert [result.r_at_1, result.r_at_5, result.r_at_10] == shares(colours)
    assert result.r_at_1 == 2 / 6  # the greens; the odd red stands before the reds, the odd blue has others before it
    plain = result.as_dict()
    assert (plain["model_key"], plain["protocol"]) == (MODEL, "leave-one-out")
    assert plain["r_at_10"] == result.r_at_10
    (worst, *_) = plain["results"][0]["worst"]
    assert worst["rank"] == 6  # for the odd red its blue twin is the last of all
    assert worst["query"]["product_id"] == worst["right"]["product_id"] == "odd"
    assert worst["first"]["product_id"] == "red"


def test_an_image_is_left_out_by_name_even_if_others_have_its_pixels(workspace: Workspace, tmp_path: Path) -> None:
    for product_id in ("a", "b", "c"):
        for number in (1, 2):
            paint(tmp_path / "pictures" / f"{product_id}_{number}.png", RED)
    workspace.fit("shop", tmp_path / "pictures", model=MODEL)
    result = workspace.evaluate("shop", model=MODEL, options=STORED)
    # All six are alike: the first by id is the answer, and it is right for the two of `a` only, whoever asks.
    assert result.r_at_1 == pytest.approx(2 / 6)
    assert result.r_at_5 == 1


def test_a_shop_of_many_colours_scores_as_by_hand(workspace: Workspace, tmp_path: Path) -> None:
    colours = many_colours(tmp_path / "pictures")
    # Evaluated without the views: they ask nothing and answer nothing.
    workspace.fit("shop", tmp_path / "pictures", model=MODEL, data_augmentation=1, learn=False)
    result = workspace.evaluate("shop", model=MODEL, options=STORED)
    by_hand = shares(colours)
    assert [result.r_at_1, result.r_at_5, result.r_at_10] == by_hand
    assert 0 < by_hand[0] < by_hand[1] < by_hand[2] < 1
    (only,) = result.results
    assert only.difference is None
    assert all(each.low <= each.value <= each.high for each in only.metrics.values())


def test_models_stand_side_by_side_with_the_difference_to_the_first(workspace: Workspace, tmp_path: Path) -> None:
    many_colours(tmp_path / "pictures")
    for model in (MODEL, OTHER):
        workspace.fit("shop", tmp_path / "pictures", model=model, learn=False)
    result = workspace.evaluate("shop", model=[OTHER, MODEL], options=STORED)
    first, second = result.results
    assert (first.model, second.model) == (OTHER, MODEL)
    assert first.difference is None
    assert second.difference is not None
    for metric, change in second.difference.items():
        assert change.value == pytest.approx(second.metrics[metric].value - first.metrics[metric].value)
        assert change.low <= change.value <= change.high
    assert [cost.dimension for cost in result.costs] == [784, 3]
    assert result.costs[1].bytes_per_product == result.images * 3 * 2 / result.products
    alone = workspace.evaluate("shop", model=MODEL, options=STORED)
    assert alone.results[0].metrics == second.metrics  # whoever stands beside it


def test_models_of_other_images_are_not_compared(workspace: Workspace, tmp_path: Path) -> None:
    pictures = paint_shop(tmp_path / "pictures")
    workspace.fit("shop", pictures, model=OTHER)
    paint(pictures / "green_3.png", GREEN)
    workspace.fit("shop", pictures, model=MODEL)
    (pictures / "green_3.png").write_bytes((pictures / "red_1.png").read_bytes())
    workspace.fit("shop", pictures, model=OTHER)
    with pytest.raises(
        NotFittedError, match=r"features of other images of shop \(mean-colour has 6, colour-shape has 7"
    ):
        workspace.evaluate("shop", model=[MODEL, OTHER], options=STORED)


def test_the_own_value_of_an_attribute_is_left_out(workspace: Workspace, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    rows = ["product_id,image,Color,size"]
    for product, name, colour, size in (
        ("a", "a1", "red", "s"),
        ("a", "a2", "red", "m"),
        ("a", "a3", "blue", "l"),
        ("b", "b1", "blue", "s"),
        ("b", "b2", "blue", "m"),
    ):
        shade = {"red": (250, len(rows), 0), "blue": (len(rows), 0, 250)}[colour]
        paint(pictures / f"{name}.png", shade)
        rows.append(f"{product},{name}.png,{colour},{size}")
    (pictures / "images.csv").write_text("\n".join(rows) + "\n")
    workspace.fit("shop", pictures, model=MODEL)
    result = workspace.evaluate("shop", model=MODEL, options=STORED)
    own = result.results[1]
    # b has one colour alone: it cannot ask. a's blue has its two reds to find; of the blues, b's are nearer to red.
    assert (own.protocol, own.title, own.queries) == (
        "leave-attribute-out",
        "Leave one image out, own Color left out",
        3,
    )
    assert own.metrics["r_at_1"].value == pytest.approx(1 / 3)
    by_size = workspace.evaluate(
        "shop", model=MODEL, options=replace(STORED, leave_out="size", protocols=["leave-attribute-out"])
    )
    assert by_size.queries == 5
    with pytest.raises(UsageError, match=r"no image has the attribute 'brand'; there are: Color, size"):
        workspace.evaluate("shop", model=MODEL, options=replace(STORED, leave_out="brand"))


def test_simulated_photos_search_for_the_other_images_of_their_product(workspace: Workspace, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    for name, colour in {"a_1": RED, "a_2": BLUE, "b_1": (120, 130, 140), "c_1": GREEN}.items():
        paint(pictures / f"{name}.png", colour, (90, 120))
    workspace.fit("shop", pictures, model=MODEL)
    options = EvaluateOptions(protocols=["simulated"], seed=4)
    result = workspace.evaluate("shop", model=MODEL, options=options)
    (simulated,) = result.results
    assert (simulated.protocol, simulated.queries, simulated.products) == ("simulated", 4, 3)
    # A picture of one colour is still that colour as a photo: b and c find themselves. The red of a must find the
    # blue, its only other, and cannot: it is nearer to grey.
    assert simulated.metrics["r_at_1"].value == pytest.approx(2 / 4)
    speeds = [cost.images_per_second for cost in result.costs]
    assert all(speed is not None and speed > 0 for speed in speeds)
    again = workspace.evaluate("shop", model=MODEL, options=options)
    assert again.results == result.results
    assert again.worst == result.worst
    fewer = workspace.evaluate("shop", model=MODEL, options=replace(options, simulated=2))
    assert (fewer.queries, fewer.results[0].products) == (2, 2)


def test_a_source_that_is_gone_is_a_failure_and_not_the_end(workspace: Workspace, tmp_path: Path) -> None:
    pictures = paint_shop(tmp_path / "pictures")
    workspace.fit("shop", pictures, model=MODEL)
    (pictures / "blue_1.png").unlink()
    (pictures / "red_2.png").write_bytes(b"<html>")
    result = workspace.evaluate("shop", model=MODEL)
    assert {(each.stage, each.image_id) for each in result.failures} == {
        ("read", "blue_1.png"),
        ("decode", "red_2.png"),
    }
    assert [(each.protocol, each.queries) for each in result.results] == [("leave-one-out", 4), ("simulated", 4)]


def test_a_large_catalogue_is_sampled_by_whole_products(workspace: Workspace, tmp_path: Path) -> None:
    many_colours(tmp_path / "pictures", 30)
    workspace.fit("shop", tmp_path / "pictures", model=MODEL, learn=False)
    options = replace(STORED, most_images=12)
    result = workspace.evaluate("shop", model=MODEL, options=options)
    assert 10 <= result.queries <= 12
    assert result.results == workspace.evaluate("shop", model=MODEL, options=options).results
    whole = workspace.evaluate("shop", model=MODEL, options=STORED)
    assert whole.queries == 50


def test_without_two_images_of_one_product_only_photos_are_queries(workspace: Workspace, tmp_path: Path) -> None:
    paint(tmp_path / "pictures" / "a_1.png", RED)
    paint(tmp_path / "pictures" / "b_1.png", BLUE)
    workspace.fit("shop", tmp_path / "pictures", model=MODEL)
    with pytest.raises(
        NotFittedError, match="nothing can be measured on shop: leave-one-out: no product has two images"
    ):
        workspace.evaluate("shop", model=MODEL, options=STORED)
    result = workspace.evaluate("shop", model=MODEL)
    assert result.results[0].protocol == "simulated"
    assert result.r_at_1 == 1
    assert result.skipped["leave-one-out"] == "no product has two images"


class Brightness(MeanColour):
    """Sees no colour at all."""

    spec = replace(MeanColour.spec, name="grey", key="grey", dimension=3)

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return super().embed(np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8))


def test_the_command_prints_every_form_and_holds_bars(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known(monkeypatch, Brightness())
    pictures = paint_shop(tmp_path / "pictures")
    for model in (MODEL, "grey"):
        workspace.fit("shop", pictures, model=model)
    command = [
        "evaluate",
        "-d",
        "shop",
        "-m",
        MODEL,
        "-m",
        "grey",
        "-w",
        str(workspace.settings.root),
        "--simulated",
        "3",
    ]

    def run(*more: str) -> tuple[int, str, str]:
        ended = CliRunner().invoke(app, [*command, *more])
        return ended.exit_code, ended.stdout, ended.stderr

    code, table, messages = run()
    assert code == 0
    assert "Leave one image out, shop (leave-one-out: 4 queries, 2 products)" in table
    assert "- first" in table
    assert "not measured: leave-attribute-out (no attribute is a colour)" in messages
    code, lines, _ = run("--format", "csv")
    header, *rows = (line.split(",") for line in lines.splitlines())
    assert [row[:2] for row in rows] == [[p, m] for p in ("leave-one-out", "simulated") for m in (MODEL, "grey")]
    assert all(len(row) == len(header) for row in rows)
    code, printed, _ = run("--format", "json", "--html", str(tmp_path / "report.html"))
    found = json.loads(printed)
    assert code == 0
    assert (found["model_key"], found["r_at_1"], found["queries"]) == (MODEL, 1.0, 4)
    assert [each["model_key"] for each in found["models"]] == [MODEL, "grey"]
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg viewBox") >= 2
    assert "data:image/jpeg" in page
    assert run("--at-least", "R@1=0", "--at-least", "simulated:mrr=0.01")[0] == 0
    code, table, messages = run("--at-least", "mAP@R=1")
    assert code == BELOW_BAR == 4
    assert "Leave one image out" in table
    assert "below the threshold: mAP@R of grey under leave-one-out is" in messages
    assert "of mean-colour" not in messages
    assert CliRunner().invoke(app, [*command, "--at-least", "R@2=1"]).exception is not None


def test_an_adapted_model_is_evaluated_on_held_out_products(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known(monkeypatch, Fields())
    workspace.fit("shop", catalogue(tmp_path / "pictures", 40, 100, noise=30), model="fields", learn=False)
    workspace.adapt("shop", model="fields")
    options = EvaluateOptions(simulated=5)
    before, after = workspace.evaluate("shop", model=["fields", "fields+adapted"], options=options).results[:2]
    assert after.metrics["r_at_1"].value > before.metrics["r_at_1"].value
    result = workspace.evaluate("shop", model="fields+adapted", options=options)
    assert [each.protocol for each in result.results] == ["leave-one-out", "simulated"]
    (note,) = result.notes
    assert note.startswith("fields+adapted is cross-validated: each query")
    assert not workspace.evaluate("shop", model="fields", options=options).notes
    assert after.metrics["r_at_1"].value == pytest.approx(_without_the_own_product(workspace), abs=1e-9)
    assert after.metrics["r_at_1"].value < 0.95, "else it would not tell forgetting from knowing"


def _without_the_own_product(workspace: Workspace) -> float:
    """R@1 by hand: four times, a quarter of the products asks among all by what the others taught."""
    folder = workspace.settings.root / "adapted" / "shop" / "fields"
    facts = projection_facts(folder)
    with Database(Folders(workspace.settings.root).database, Dataset.named("shop")) as database:
        features = matrix(database, "fields", ONE_VIEW)
    own = np.array(features.product_ids)
    choice = Choice(**{name: facts[name] for name in Choice._fields})
    kept = read_projected_photos(folder)
    assert kept is not None
    photos = Photos(kept.vectors, np.array([features.image_ids.index(image) for image in kept.image_ids]))
    queries, right = 0, 0
    for part in held_out(features.vectors, own, choice, photos=photos):
        projected = part.projection.apply(features.vectors).astype(np.float16).astype(np.float64)
        scores = projected @ projected.T
        np.fill_diagonal(scores, -2)
        found = own[scores.argmax(axis=1)] == own
        assert set(own[part.out]).isdisjoint(own[~part.out])
        queries, right = queries + int(part.out.sum()), right + int(found[part.out].sum())
    assert queries == len(own), "each product is held out once"
    return right / queries


def test_bad_requests_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=MODEL)
    with pytest.raises(UsageError, match="there is no protocol 'two-out': use leave-one-out, leave-attribute-out"):
        workspace.evaluate("shop", model=MODEL, options=EvaluateOptions(protocols=["two-out"]))
    with pytest.raises(UsageError, match="name one model or more"):
        workspace.evaluate("shop", model=[])
    with pytest.raises(UsageError, match="colour-shape has no weights"):
        workspace.evaluate("shop", model=[MODEL, ModelChoice(OTHER, weights_digest="0" * 32)])
    with pytest.raises(UsageError, match="must be 0 or more"):
        workspace.evaluate("shop", model=MODEL, options=EvaluateOptions(seed=-1))
