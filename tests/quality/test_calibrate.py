"""``calibrate``, and what ``search`` makes of it: from a fitted catalogue to "no match"."""

from __future__ import annotations

import json
import shutil
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
from image_similarity.options import CalibrateOptions, ModelChoice
from image_similarity.quality.calibration.learn import learn
from image_similarity.quality.calibration.self_scores import LEAVE_ONE_OUT, SIMULATED, self_scores
from image_similarity.quality.evaluation.candidates import Candidate
from image_similarity.quality.evaluation.held_out import held_out_models
from image_similarity.quality.self_queries import PhotoSample, make_queries, sampled_rows
from image_similarity.ranking.gallery import Gallery
from image_similarity.search.calibration.file import read_calibrations
from image_similarity.search.calibration.query_scores import QueryScores
from image_similarity.settings import Folders, Settings
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureStore
from image_similarity.types import no_progress
from image_similarity.util.sealed_json import write_sealed
from tests.quality.test_adapt import Fields, catalogue
from tests.support.service import running
from tests.support.shop import known

MODEL = "colour-shape"
PRODUCTS = 30
ALSO = ("--also", "several", "--also", "crops", "--also", "mean")
SCORINGS: dict[str, dict[str, Any]] = {
    "photo": {},
    "shape": {"match": "shape"},
    "colour": {"match": "colour"},
    "several": {},
    "crops": {"crops": True},
    "mean": {"aggregate": "mean"},
}
"""What calibration knows, and how a search asks for it."""


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
    workspace.fit("shop", paint_products(folder / "pictures"), model=MODEL, learn=False)
    ran = CliRunner().invoke(
        app, [*command(workspace, "calibrate"), "--images", str(PRODUCTS), *ALSO, "--format", "json"]
    )
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
    photo = report["scorings"]["photo"]
    assert photo["products"] == PRODUCTS
    assert set(photo["kinds"]) == {"leave one image out", "simulated photos"}
    assert [kind["queries"] for kind in photo["kinds"].values()] == [PRODUCTS, 2 * PRODUCTS]
    for found in report["scorings"].values():
        assert 0 <= found["expected_calibration_error"] < 0.3
        assert all(kind["false_matches"] <= 0.05 for kind in found["kinds"].values())
    file = Path(report["file"])
    assert file == calibrated.settings.root / "calibrated" / "shop" / "colour-shape-1.json"
    kept = read_calibrations(file, MODEL)
    assert list(kept) == list(report["scorings"]) == list(SCORINGS)
    assert {name: each.facts for name, each in kept.items()} == report["scorings"]


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


def test_each_scoring_has_probabilities_of_its_own_from_command_python_and_service(
    calibrated: Workspace, tmp_path: Path
) -> None:
    paths = [saved(thing(7, seed), tmp_path / f"photo{seed}.png") for seed in (5, 6)]
    stored = read_calibrations(calibrated.settings.root / "calibrated" / "shop" / "colour-shape-1.json", MODEL)
    with running(calibrated.settings.root, model=MODEL) as service, calibrated.open("shop", MODEL) as shop:
        assert service.get("/v1/models").json()["models"][0]["calibrated"] == list(SCORINGS)
        for name, options in SCORINGS.items():
            photos = paths if name == "several" else paths[:1]
            files = [("file", path.read_bytes()) for path in photos]
            flags = [f"--{key}" if value is True else f"--{key}={value}" for key, value in options.items()]
            for least in (0.0, 0.99):
                answer = shop.search(photos, min_match=least, **options)
                fields = {"min_match": str(least), **{key: str(value).lower() for key, value in options.items()}}
                served = service.post("/v1/search", data=fields, files=files).json()
                told = [(match.product_id, match.probability) for match in answer.matches]
                assert [(match["product_id"], match["probability"]) for match in served["matches"]] == told
                assert (served["no_match"], served["note"]) == (answer.no_match, answer.note)
                assert answer.no_match is (least > 0)
                if least == 0:
                    scores = np.array([[match.score for match in answer.matches]], np.float64)
                    (own,) = stored[name].calibration.probabilities(scores, np.array([True]))
                    np.testing.assert_allclose([probability or 0 for _, probability in told], own, atol=1e-4)
                    _, printed, _ = searched(calibrated, photos[0], *map(str, photos[1:]), "--min-match=0", *flags)
                    assert [(match["product_id"], match["probability"]) for match in printed["matches"]] == told


def test_a_search_without_probabilities_says_why(calibrated: Workspace, tmp_path: Path) -> None:
    photo = saved(thing(7, 5), tmp_path / "photo.png")
    for photos, options, reason in (
        ([photo], {"aggregate": "votes"}, "`aggregate` votes has no match probability: points do not say how similar"),
        (
            [photo, photo],
            {"crops": True},
            "several photos with `crops` has no match probability: use one",
        ),
    ):
        answer = calibrated.search("shop", photos, model=MODEL, **options)
        assert answer.no_match is None and answer.matches[0].probability is None
        assert reason in answer.note
        with pytest.raises(UsageError, match="`min_match` cannot be used here: ") as error:
            calibrated.search("shop", photos, model=MODEL, min_match=0.5, **options)
        assert reason in str(error.value)
    with pytest.raises(UsageError, match="a probability from 0 to 1, not 2"):
        calibrated.search("shop", photo, model=MODEL, min_match=2)


def test_a_table_has_a_line_for_each_kind_of_query_and_earlier_calibrations_stay(
    calibrated: Workspace, tmp_path: Path
) -> None:
    copy = Workspace(settings=Settings(root=shutil.copytree(calibrated.settings.root, tmp_path / "data")))
    ran = CliRunner().invoke(app, [*command(copy, "calibrate"), "--images", "30"], env={"COLUMNS": "160"})
    assert ran.exit_code == 0, ran.output
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.stdout.splitlines() if "│" in line]
    assert [row[:3] for row in cells] == [
        [search, query, str(PRODUCTS)]
        for search in ("one photo", "--match shape", "--match colour")
        for query in ("leave one image out", "simulated photos")
    ]
    file = copy.settings.root / "calibrated" / "shop" / "colour-shape-1.json"
    kept = read_calibrations(file, MODEL)
    for row in cells:
        facts = kept[{"one photo": "photo", "--match shape": "shape", "--match colour": "colour"}[row[0]]].facts
        kind = facts["kinds"][row[1]]
        shares = [kind[name] for name in ("found", "expected_calibration_error", "kept")]
        assert row[3:6] == [f"{share:.3f}" for share in shares]
        assert 0 <= float(row[6]) - kind["threshold"] < 0.01
    assert "kept from an earlier calibration: several photos, --crops, --aggregate mean" in ran.stderr
    before = read_calibrations(calibrated.settings.root / "calibrated" / "shop" / "colour-shape-1.json", MODEL)
    assert list(kept) == list(SCORINGS) and kept["crops"] == before["crops"] and kept["photo"] != before["photo"]


def test_without_a_calibration_an_answer_is_as_before(fitted: Workspace, tmp_path: Path) -> None:
    photo = saved(thing(2, 5), tmp_path / "photo.png")
    code, answer, _ = searched(fitted, photo)
    assert code == 0 and "no_match" not in answer and "probability" not in answer["matches"][0]
    with pytest.raises(NotFittedError, match="`min_match` needs match probabilities: run image-similarity calibrate"):
        fitted.search("shop", photo, model=MODEL, min_match=0.5)


def test_a_calibration_of_an_older_catalogue_or_of_another_search_is_noted(fitted: Workspace, tmp_path: Path) -> None:
    source = fitted.settings.root / "calibrated" / "shop" / "colour-shape-1.json"
    curve = {"weights": [8.0, 0.0, 0.0, 0.0], "bias": -6.0, "places": [], "levels": [], "smooth": 1.0}
    curves = {"first": curve, "others": curve | {"bias": -20.0}}
    of_photo = {"generation": -1, "facts": {}, "plain": curves, "scene": curves}
    record = {"format": 3, "model": MODEL, "scorings": {"photo": of_photo}}
    write_sealed(source, record)
    photo = saved(thing(2, 5), tmp_path / "photo.png")
    answer = fitted.search("shop", photo, model=MODEL, min_match=0.1)
    with pytest.raises(NotFittedError, match="for `crops`: run image-similarity calibrate with `also` crops first"):
        fitted.search("shop", photo, model=MODEL, min_match=0.1, crops=True)
    assert "no match probabilities for `match` shape" in fitted.search("shop", photo, model=MODEL, match="shape").note
    first = answer.matches[0]
    assert first.score is not None
    assert first.probability == pytest.approx(1 / (1 + np.exp(6 - 8 * first.score)), abs=1e-3)
    assert answer.note == "the match probabilities are older than the catalogue: run calibrate again"
    assert answer.as_dict()["note"] == answer.note


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 3, "model": "other"}', '{"format": 3, "model": "colour-shape"}']
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
        stored = open_index(model.recipe, database, settings)
        made = make_queries(stored, model, database, settings, PhotoSample(5, least=2), no_progress)
    gallery, queries = Gallery.of(stored), made.queries
    rows, everything = (sampled_rows(gallery, count, seed=0) for count in (5, 10_000))
    scores = self_scores(queries, gallery, model, ["photo", "several", "mean"])
    parts = scores["photo"]
    assert [(query.row, query.copy) for query in queries] == [(row, copy) for copy in (0, 1) for row in rows]
    assert len({gallery.features.product_ids[row] for row in rows}) == 5  # one of each product first
    assert everything.tolist() == list(range(len(gallery)))
    assert len(parts[LEAVE_ONE_OUT]) == 5 and len(parts[SIMULATED]) == 10
    assert (parts[SIMULATED].own[:5] != parts[SIMULATED].own[5:]).all()  # other photos of the same pictures
    assert parts[LEAVE_ONE_OUT].plain.all() and not parts[SIMULATED].plain.any()
    vectors = gallery.features.vectors.astype(np.float32)
    other = vectors[[row + 1 if row % 2 == 0 else row - 1 for row in rows]]  # a product's second image is the next row
    np.testing.assert_allclose(parts[LEAVE_ONE_OUT].own, (vectors[rows] * other).sum(axis=1), atol=2e-3)
    assert set(scores["several"]) == {SIMULATED}, "without both of its images, a product has none to find"
    photos = np.stack([query.photo for query in queries])
    both = np.stack([photos @ vectors[start : start + 2].T for start in rows - rows % 2])  # (products, photos, images)
    pairs = np.stack([both[at, [at, at + 5]] for at in range(5)])
    np.testing.assert_allclose(scores["several"][SIMULATED].own, pairs.max(axis=(1, 2)), atol=2e-3)
    np.testing.assert_allclose(scores["mean"][SIMULATED].own[:5], pairs[:, 0].mean(axis=1), atol=2e-3)


def test_an_adapted_model_is_calibrated_on_held_out_products(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learned from all, a projection knows each product; what counts is how it does on those that it does not know."""
    known(monkeypatch, Fields())
    shop, name, totals = Dataset.named("shop"), f"{Fields.spec.name}+adapted", list[int | None]()
    workspace = Workspace(settings=settings)
    workspace.fit("shop", catalogue(tmp_path / "pictures", 40, 100, noise=30), model=Fields.spec.name, learn=False)
    workspace.adapt("shop", model=Fields.spec.name)
    workspace.progress = lambda _, done, total=None: totals.append(total) if done == total else None
    report = workspace.calibrate("shop", model=name, images=36)
    assert report.model_key.startswith(f"{Fields.spec.name}+adapted@")
    assert totals == [36]

    parts, held_out = list[dict[str, QueryScores]](), list[Any]()
    with Database(Folders(settings.root).database, shop) as database:
        model = resolve(ModelChoice(name), shop, settings, FeatureStore(database).has_networks_of)
        candidate = Candidate("", model, open_index(model.recipe, database, settings))
        rows = sampled_rows(Gallery.of(candidate.stored), 36, seed=0)
        own = np.asarray(candidate.stored.grouping.row_product)
        made = make_queries(candidate.stored, model, database, settings, PhotoSample(36), no_progress)
        assert [query.row for query in made.queries] == rows.tolist()
        for one in held_out_models(candidate, database, settings, tmp_path):
            gallery, project = Gallery.of(one.candidate.stored), one.projection.apply
            queries = [query.projected(project) for query in made.queries if one.products[own[query.row]]]
            parts.append(self_scores(queries, gallery, one.candidate.model, ["photo"])["photo"])
            held_out.append(one.products)
    assert (np.sum(held_out, axis=0) == 1).all(), "each product is held out once"
    kinds = {kind: QueryScores.concatenated([part[kind] for part in parts]) for kind in (LEAVE_ONE_OUT, SIMULATED)}
    assert list(report.calibrated) == ["photo", "shape"], "by parts it is the model without the projection"
    assert report.calibrated["photo"].as_dict() == learn(kinds).as_dict()


def test_a_learned_model_has_probabilities_by_parts_too(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, Fields())
    mixture, pictures = f"{Fields.spec.name}+0.5*colour", catalogue(tmp_path / "pictures", 32, 100, noise=30)
    workspace = Workspace(settings=settings)
    workspace.fit("shop", pictures, model=mixture, learn=False)
    workspace.adapt("shop", model=mixture)
    learned = f"{mixture}+adapted"
    photo = next(path for path in sorted(pictures.iterdir()) if path.suffix == ".png")
    with pytest.raises(NotFittedError, match="run image-similarity calibrate first"):
        workspace.search("shop", photo, model=learned, match="colour", min_match=0.1)
    report = workspace.calibrate("shop", model=learned, images=32)
    assert list(report.calibrated) == ["photo", "shape", "colour"]
    assert report.calibrated["colour"].as_dict() != report.calibrated["photo"].as_dict()
    with workspace.open("shop", learned) as shop:
        assert shop.calibrated == ["photo", "shape", "colour"]
        answer = shop.search(photo, match="colour", min_match=0.0, number=3)
    assert not answer.note and [match.probability is not None for match in answer.matches] == [True] * 3
    with workspace.open("shop", mixture) as shop:
        assert shop.calibrated == ["shape", "colour"], "one photo has other scores without the projection"


def test_a_seed_below_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="`seed` 0 or more"):
        CalibrateOptions(seed=-1)
