"""``calibrate``, and what ``search`` makes of it: from a fitted catalogue to "no match"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.dataset import Dataset
from image_similarity.errors import CalibrationError, NotFittedError, StoreError, UsageError
from image_similarity.images.plain_background import on_plain_background
from image_similarity.index.build import open_index
from image_similarity.models.resolver import resolve
from image_similarity.options import ModelChoice
from image_similarity.quality.calibration.learn import learn
from image_similarity.quality.calibration.self_queries import LEAVE_ONE_OUT, SIMULATED, SelfQueries, sampled_rows
from image_similarity.quality.evaluation.candidates import Candidate
from image_similarity.quality.evaluation.held_out import held_out_models
from image_similarity.ranking.gallery import Gallery
from image_similarity.search.calibration.file import read_calibration
from image_similarity.search.calibration.query_scores import QueryScores
from image_similarity.settings import Folders, Settings
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureStore
from image_similarity.store.records import CatalogueRecords
from image_similarity.util.sealed_json import write_sealed
from tests.quality.test_adapt import Fields, catalogue
from tests.support.service import running
from tests.support.shop import known

MODEL = "colour-shape"
PRODUCTS = 36


def thing(number: int, seed: int, ground: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """A product of two colours, somewhere on a plain ground."""
    look, place = np.random.default_rng(number), np.random.default_rng(1000 * number + seed)
    picture = Image.new("RGB", (160, 160), ground)
    draw = ImageDraw.Draw(picture)
    (left, top), wide, high = place.integers(15, 40, 2), *look.integers(40, 95, 2)
    outer, inner = (tuple(int(level) for level in look.integers(0, 200, 3)) for _ in range(2))
    box = (int(left), int(top), int(left + wide), int(top + high))
    (draw.ellipse if number % 2 else draw.rectangle)(box, fill=outer)
    draw.rectangle((box[0] + wide // 4, box[1] + high // 3, box[2] - wide // 4, box[3] - high // 3), fill=inner)
    return picture


def paint_products(folder: Path, products: int = PRODUCTS) -> Path:
    folder.mkdir()
    for number in range(products):
        for seed in (1, 2):
            thing(number, seed).save(folder / f"p{number:02}_{seed}.png")
    return folder


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A shop that was calibrated; tests only ask it."""
    folder = tmp_path_factory.mktemp("calibrated")
    workspace = Workspace(settings=Settings(root=folder / "data"))
    workspace.fit("shop", paint_products(folder / "pictures"), model=MODEL)
    ran = CliRunner().invoke(app, [*command(workspace, "calibrate"), "--images", "36", "--format", "json"])
    assert ran.exit_code == 0, ran.output
    (folder / "report.json").write_text(ran.stdout)
    return workspace


@pytest.fixture
def fitted(tmp_path: Path, settings: Settings) -> Workspace:
    workspace = Workspace(settings=settings)
    workspace.fit("shop", paint_products(tmp_path / "pictures", 4), model=MODEL)
    return workspace


def command(workspace: Workspace, name: str, *rest: str) -> list[str]:
    return [name, *rest, "--dataset", "shop", "--model", MODEL, "--workspace", str(workspace.settings.root)]


def searched(workspace: Workspace, photo: Path, *options: str) -> tuple[int, Any, str]:
    ran = CliRunner().invoke(app, [*command(workspace, "search", str(photo)), "--format", "json", *options])
    return ran.exit_code, json.loads(ran.stdout) if ran.exit_code == 0 else None, ran.stderr or ran.output


def saved(picture: Image.Image, path: Path) -> Path:
    picture.save(path)
    return path


def test_a_calibration_says_how_far_off_it_is_and_is_kept(calibrated: Workspace) -> None:
    report = json.loads((calibrated.settings.root.parent / "report.json").read_text())
    assert report["products"] == PRODUCTS
    assert set(report["kinds"]) == {"leave one image out", "simulated photos"}
    assert [kind["queries"] for kind in report["kinds"].values()] == [PRODUCTS, PRODUCTS]
    assert 0 <= report["expected_calibration_error"] < 0.3
    assert all(kind["false_matches"] <= 0.05 for kind in report["kinds"].values())
    file = Path(report["file"])
    assert file == calibrated.settings.root / "calibrated" / "shop" / "colour-shape-1.json"
    kept = read_calibration(file, MODEL)
    assert kept is not None
    assert kept.facts["expected_calibration_error"] == report["expected_calibration_error"]


def test_each_match_gets_a_probability_and_the_very_product_a_high_one(calibrated: Workspace, tmp_path: Path) -> None:
    code, answer, _ = searched(calibrated, saved(thing(7, 5), tmp_path / "photo.png"))
    likely = [match["probability"] for match in answer["matches"]]
    assert code == 0 and answer["no_match"] is False
    assert answer["matches"][0]["product_id"] == "p07" and likely[0] > 0.5
    assert likely == sorted(likely, reverse=True) and sum(likely) <= 1.0001
    assert len(likely) == 10
    _, one, _ = searched(calibrated, tmp_path / "photo.png", "--number", "1")
    assert one["matches"] == answer["matches"][:1]  # probabilities do not depend on the number requested


def test_what_is_not_in_the_catalogue_is_no_match(calibrated: Workspace, tmp_path: Path) -> None:
    grey = Image.fromarray(np.random.default_rng(0).integers(90, 150, (160, 160, 3)).astype(np.uint8))
    code, answer, _ = searched(calibrated, saved(grey, tmp_path / "noise.png"), "--min-match", "0.5")
    assert code == 0 and answer["no_match"] is True and answer["matches"] == []
    assert answer["note"].startswith("no match: the nearest, p")
    found = calibrated.search("shop", tmp_path / "noise.png", model=MODEL, min_match=0.0)
    assert len(found.matches) == 10 and found.no_match is False
    page = tmp_path / "page.html"
    ran = CliRunner().invoke(
        app, [*command(calibrated, "search", str(tmp_path / "noise.png")), "--min-match", "0.5", "--html", str(page)]
    )
    assert ran.exit_code == 0 and "no match: the nearest" in ran.stderr and ran.stdout == ""
    assert "no match: the nearest" in page.read_text()


def test_people_read_words_beside_the_numbers(calibrated: Workspace, tmp_path: Path) -> None:
    photo = saved(thing(7, 5), tmp_path / "photo.png")
    page = tmp_path / "page.html"
    table = CliRunner().invoke(app, [*command(calibrated, "search", str(photo)), "--html", str(page)]).stdout
    assert "probability" in table and "unlikely" in table
    assert "likely the same product" in page.read_text()
    csv = CliRunner().invoke(app, [*command(calibrated, "search", str(photo)), "--format", "csv"]).stdout
    assert csv.splitlines()[0] == "rank,product,title,score,probability,image"
    assert 0 < float(csv.splitlines()[1].split(",")[4]) <= 1


def test_scores_of_other_kinds_get_no_probability(calibrated: Workspace, tmp_path: Path) -> None:
    photo = saved(thing(7, 5), tmp_path / "photo.png")
    answer = calibrated.search("shop", photo, model=MODEL, aggregate="mean")
    assert answer.no_match is None and answer.matches[0].probability is None
    two = calibrated.search("shop", [photo, photo], model=MODEL)
    assert two.no_match is None and two.matches[0].probability is None
    with pytest.raises(UsageError, match="not with best with several photos"):
        calibrated.search("shop", [photo, photo], model=MODEL, min_match=0.5)
    with pytest.raises(UsageError, match="`min_match` works with `aggregate` best only, not with votes"):
        calibrated.search("shop", photo, model=MODEL, aggregate="votes", min_match=0.5)
    with pytest.raises(UsageError, match="a probability from 0 to 1, not 2"):
        calibrated.search("shop", photo, model=MODEL, min_match=2)


def test_a_service_returns_probabilities_for_one_photo(calibrated: Workspace, tmp_path: Path) -> None:
    photo = ("file", saved(thing(7, 5), tmp_path / "photo.png").read_bytes())
    with running(calibrated.settings.root, model=MODEL) as service:
        for fields, files, sure in (
            ({}, [photo], True),
            ({}, [photo, photo], False),
            ({"match": "colour"}, [photo], False),
        ):
            answer = service.post("/v1/search", data=fields, files=files).json()
            assert (answer["matches"][0]["probability"] is not None) is sure
            assert (answer["no_match"] is not None) is sure


def test_without_a_calibration_an_answer_is_as_before(fitted: Workspace, tmp_path: Path) -> None:
    photo = saved(thing(2, 5), tmp_path / "photo.png")
    code, answer, _ = searched(fitted, photo)
    assert code == 0 and "no_match" not in answer and "probability" not in answer["matches"][0]
    with pytest.raises(NotFittedError, match=r"`min_match` needs match probabilities .*run image-similarity calibrate"):
        fitted.search("shop", photo, model=MODEL, min_match=0.5)


def test_a_calibration_of_an_older_catalogue_is_used_and_noted(fitted: Workspace, tmp_path: Path) -> None:
    source = fitted.settings.root / "calibrated" / "shop" / "colour-shape-1.json"
    curve = {"weights": [8.0, 0.0, 0.0], "bias": -6.0, "places": [], "levels": [], "smooth": 1.0}
    curves = {"kind": "by hand", "first": curve, "others": curve | {"bias": -20.0}}
    record = {"format": 1, "model": MODEL, "generation": -1, "facts": {}, "plain": curves, "scene": curves}
    write_sealed(source, record)
    photo = saved(thing(2, 5), tmp_path / "photo.png")
    answer = fitted.search("shop", photo, model=MODEL, min_match=0.1)
    first = answer.matches[0]
    assert first.score is not None
    assert first.probability == pytest.approx(1 / (1 + np.exp(6 - 8 * first.score)), abs=1e-3)
    assert answer.note == "the match probabilities are older than the catalogue: run calibrate again"
    assert answer.as_dict()["note"] == answer.note


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 1, "model": "other"}', '{"format": 1, "model": "colour-shape"}']
)
def test_a_damaged_calibration_is_reported_and_ignored(fitted: Workspace, tmp_path: Path, text: str) -> None:
    file = fitted.settings.root / "calibrated" / "shop" / "colour-shape-1.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    photo = saved(thing(2, 5), tmp_path / "photo.png")
    answer = fitted.search("shop", photo, model=MODEL)
    assert len(answer.matches) == 4 and "Run calibrate again" in answer.note
    with pytest.raises(StoreError, match="Run calibrate again"):
        fitted.search("shop", photo, model=MODEL, min_match=0.5)


def test_a_catalogue_that_cannot_be_calibrated_gets_the_reason(fitted: Workspace, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="4 products have an image to query with, and at least 30"):
        fitted.calibrate("shop", model=MODEL)
    with pytest.raises(UsageError, match="above 0 and below 1, not 1"):
        fitted.calibrate("shop", model=MODEL, known=1.0)
    with pytest.raises(NotFittedError):
        fitted.calibrate("shop", model="VGG")
    for picture in (tmp_path / "pictures").iterdir():
        picture.unlink()
    with pytest.raises(CalibrationError, match="not one image of shop can be read any more"):
        fitted.calibrate("shop", model=MODEL)
    assert not (fitted.settings.root / "calibrated").exists()


def test_a_plain_background_is_distinguished_from_a_scene() -> None:
    assert on_plain_background(thing(3, 1))
    assert on_plain_background(thing(3, 1, (215, 212, 208)))
    assert not on_plain_background(thing(3, 1, (120, 160, 90)))
    noise = np.random.default_rng(0).integers(150, 256, (90, 60, 3)).astype(np.uint8)
    assert not on_plain_background(Image.fromarray(noise))
    assert on_plain_background(Image.new("RGB", (1, 3), (255, 255, 255)))


def test_with_few_images_several_photos_of_each_are_queries(calibrated: Workspace) -> None:
    settings, shop = calibrated.settings, Dataset.named("shop")
    with Database(Folders(settings.root).database, shop) as database:
        model = resolve(ModelChoice(MODEL), shop, settings, FeatureStore(database).has_networks_of)
        gallery = Gallery.of(open_index(model.recipe, database, settings))
        self_queries = SelfQueries(gallery, model, settings, CatalogueRecords(database), settings.root)
        rows = sampled_rows(gallery, 5, seed=0)
        parts = self_queries.queries(rows, copies=2)
        everything = sampled_rows(gallery, 10_000, seed=0)
    assert len({gallery.features.product_ids[row] for row in rows}) == 5  # one of each product first
    assert everything.tolist() == list(range(len(gallery)))
    assert len(parts[LEAVE_ONE_OUT]) == 5 and len(parts[SIMULATED]) == 10
    assert (parts[SIMULATED].own[:5] != parts[SIMULATED].own[5:]).all()  # other photos of the same pictures
    assert parts[LEAVE_ONE_OUT].plain.all() and not parts[SIMULATED].plain.any()


def test_an_adapted_model_is_calibrated_on_held_out_products(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learned from all, a projection knows each product; what counts is how it does on those that it does not know."""
    known(monkeypatch, Fields())
    shop, name, totals = Dataset.named("shop"), f"{Fields.spec.name}+adapted", list[int | None]()
    workspace = Workspace(settings=settings)
    workspace.fit("shop", catalogue(tmp_path / "pictures", 40, 100, noise=30), model=Fields.spec.name)
    workspace.adapt("shop", model=Fields.spec.name)
    workspace.progress = lambda _, done, total=None: totals.append(total) if done == total else None
    report = workspace.calibrate("shop", model=name, images=36)
    assert report.model_key.startswith(f"{Fields.spec.name}+adapted@")
    assert len(totals) == 4 and sum(total or 0 for total in totals) == 36

    parts, held_out = list[dict[str, QueryScores]](), list[Any]()
    with Database(Folders(settings.root).database, shop) as database:
        model = resolve(ModelChoice(name), shop, settings, FeatureStore(database).has_networks_of)
        candidate = Candidate("", model, open_index(model.recipe, database, settings))
        rows = sampled_rows(Gallery.of(candidate.stored), 36, seed=0)
        own, records = np.asarray(candidate.stored.grouping.row_product)[rows], CatalogueRecords(database)
        for one in held_out_models(candidate, database, settings, tmp_path):
            gallery, project = Gallery.of(one.candidate.stored), one.projection.apply
            self_queries = SelfQueries(gallery, one.candidate.model, settings, records, tmp_path, project)
            parts.append(self_queries.queries(rows[one.products[own]]))
            held_out.append(one.products)
    assert (np.sum(held_out, axis=0) == 1).all(), "each product is held out once"
    queries = {kind: QueryScores.concatenated([part[kind] for part in parts]) for kind in (LEAVE_ONE_OUT, SIMULATED)}
    assert report.calibrated.as_dict() == learn(queries).as_dict()
