"""Models side by side, from fit to answers: one pass over the images, one vector, a name of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.dataset import Dataset
from image_similarity.errors import NotFittedError, UsageError
from image_similarity.images.views import ONE_VIEW, SIX_VIEWS
from image_similarity.index.build import open_index
from image_similarity.index.stored_index import StoredIndex
from image_similarity.models.resolver import resolve
from image_similarity.options import ModelChoice
from image_similarity.settings import Folders, Settings
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureStore
from tests.quality.test_adapt import (
    catalogue,
    workspace as fields_workspace,  # noqa: F401 (a fixture)
)
from tests.support.opened import opened_files
from tests.support.shop import MODEL, CountingModel, paint_shop, register
from tests.support.stored import matrix

MIXED = f"{MODEL}+0.5*colour-shape"
KEY = "mean-colour+0.5xcolour-shape"
SHOP = Dataset.named("shop")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> CountingModel:
    return register(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    return paint_shop(pictures)


def index_of(settings: Settings, name: str) -> StoredIndex:
    with Database(Folders(settings.root).database, SHOP) as database:
        model = resolve(ModelChoice(name), SHOP, settings, FeatureStore(database).has_networks_of)
        return open_index(model.recipe, database, settings)


def test_the_parts_stand_side_by_side_each_with_its_share(
    model: CountingModel, settings: Settings, folder: Path
) -> None:
    Workspace(settings=settings).fit("shop", folder, model=MIXED)
    with Database(Folders(settings.root).database, SHOP) as database:
        first, second = (matrix(database, key, ONE_VIEW).vectors.astype(np.float64) for key in (MODEL, "colour-shape"))
    by_hand = np.concatenate([np.sqrt(2 / 3) * first, np.sqrt(1 / 3) * second], axis=1)
    by_hand /= np.linalg.norm(by_hand, axis=1, keepdims=True)
    np.testing.assert_allclose(index_of(settings, MIXED).features.vectors.astype(float), by_hand, atol=1e-3)


def test_the_features_are_those_that_each_model_would_have_alone(
    model: CountingModel, settings: Settings, folder: Path, tmp_path: Path
) -> None:
    apart = Settings(root=tmp_path / "apart")
    for name in (MODEL, "colour-shape"):
        Workspace(settings=apart).fit("shop", folder, model=name, data_augmentation=1)
    Workspace(settings=settings).fit("shop", folder, model=MIXED, data_augmentation=1)
    for key in (MODEL, "colour-shape"):
        matrices = []
        for place in (apart, settings):
            with Database(Folders(place.root).database, SHOP) as database:
                matrices.append(matrix(database, key, SIX_VIEWS).vectors)
        assert np.array_equal(matrices[0], matrices[1])


def test_every_image_is_read_once_for_all_models(model: CountingModel, settings: Settings, folder: Path) -> None:
    with opened_files() as names:
        report = Workspace(settings=settings).fit("shop", folder, model=MIXED)
    assert len([name for name in names if name.endswith(".png")]) == report.counts.done == 6
    assert report.model_key == KEY


def test_a_model_that_is_known_already_is_not_computed_again(
    model: CountingModel, settings: Settings, folder: Path
) -> None:
    workspace = Workspace(settings=settings)
    workspace.fit("shop", folder, model=MODEL)
    model.embedded = 0
    counts = workspace.fit("shop", folder, model=MIXED).counts
    assert (counts.done, counts.known, model.embedded) == (6, 0, 0), "done: the other part was missing"
    counts = workspace.fit("shop", folder, model=MIXED).counts
    assert (counts.done, counts.known) == (0, 6)


def test_similar_search_and_evaluate_take_the_same_name(model: CountingModel, settings: Settings, folder: Path) -> None:
    workspace = Workspace(settings=settings)
    workspace.fit("shop", folder, model=MIXED)
    assert workspace.similar("shop", "red", model=MIXED).matches[0].product_id == "orange"
    answer = workspace.search("shop", folder / "green_2.png", model=MIXED, number=2)
    assert answer.matches[0].product_id == "green"
    assert answer.matches[0].score == pytest.approx(1, abs=1e-3)
    assert workspace.evaluate("shop", model=MIXED).model_key == KEY


def test_a_mixture_whose_parts_are_not_all_fitted_says_which(
    model: CountingModel, settings: Settings, folder: Path
) -> None:
    workspace = Workspace(settings=settings)
    workspace.fit("shop", folder, model=MODEL)
    with pytest.raises(NotFittedError, match="no features of colour-shape"):
        workspace.search("shop", folder / "red_1.png", model=MIXED)


def test_a_mixture_with_an_unknown_model_is_refused_before_any_work(settings: Settings, folder: Path) -> None:
    with pytest.raises(UsageError, match="there is no model 'nothing'"):
        Workspace(settings=settings).fit("shop", folder, model="colour+nothing")
    assert not settings.root.exists()


def test_what_was_learned_is_applied_to_the_index_and_to_each_query(
    fields_workspace: Workspace,  # noqa: F811
    tmp_path: Path,
) -> None:
    pictures = catalogue(tmp_path / "pictures", 31, 100, images=2)
    fields_workspace.fit("shop", pictures, model="fields", learn=False)
    with pytest.raises(NotFittedError, match=r"nothing has been learned yet .*run adapt first"):
        fields_workspace.search("shop", pictures / "p03_1.png", model="fields+adapted")
    report = fields_workspace.adapt("shop", model="fields")
    plain = index_of(fields_workspace.settings, "fields").features.vectors
    stored = index_of(fields_workspace.settings, report.use)
    digest = report.learned.projection.digest
    assert stored.manifest.model == f"fields+adapted@{digest}"
    expected = report.learned.projection.apply(plain)
    np.testing.assert_allclose(stored.features.vectors.astype(np.float32), expected, atol=1e-3)
    answer = fields_workspace.search("shop", pictures / "p03_1.png", model=report.use, number=1)
    assert answer.matches[0].image_id == "p03_1.png"
    assert answer.matches[0].score == pytest.approx(1, abs=2e-3)
    fitted = fields_workspace.fit("shop", pictures, model=report.use, learn=False)
    assert fitted.recommendations.name == f"shop_model_fields+adapted@{digest}"
    assert fields_workspace.similar("shop", "p00", model=report.use).matches


def test_an_index_of_what_was_learned_before_goes_when_something_else_is_learned(
    fields_workspace: Workspace,  # noqa: F811
    tmp_path: Path,
) -> None:
    pictures = catalogue(tmp_path / "pictures", 31, 100, images=2)
    fields_workspace.fit("shop", pictures, model="fields", learn=False)
    first = fields_workspace.adapt("shop", model="fields")
    index_of(fields_workspace.settings, first.use)
    again = fields_workspace.adapt("shop", model=first.use, pairs=[("p00", "p01")])
    assert again.use == first.use, "learned again, not on top of itself"
    assert again.learned.projection.digest != first.learned.projection.digest
    index_of(fields_workspace.settings, again.use)
    kept = {path.name for path in (fields_workspace.settings.root / "index" / "shop").iterdir()}
    assert kept == {"fields-1", f"fields+adapted@{again.learned.projection.digest}-1"}


def test_the_command_line_takes_a_mixture(model: CountingModel, settings: Settings, folder: Path) -> None:
    place = ["--dataset", "shop", "--workspace", str(settings.root), "--model", MIXED]
    done = CliRunner().invoke(app, ["fit", "--catalogue", str(folder), *place])
    assert done.exit_code == 0, done.output
    assert KEY in done.output
    shown = CliRunner().invoke(app, ["similar", "red", *place, "--format", "csv"])
    assert shown.exit_code == 0 and "orange" in shown.output
