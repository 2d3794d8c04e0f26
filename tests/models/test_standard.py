"""``standard``: a name for a mixture that comes with the package, and the model of a dataset that has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from image_similarity import Workspace
from image_similarity.dataset import Dataset
from image_similarity.errors import NotFittedError, UsageError
from image_similarity.models.default_model import default_model_file
from image_similarity.models.model import Model
from image_similarity.models.resolver import define_model, expression_of
from image_similarity.models.standard import LATEST, RECIPES
from image_similarity.options import IN_USE, ModelChoice
from image_similarity.quality.adaptation.job import smallest_part
from image_similarity.settings import Settings
from tests.conftest import paint


def defined(name: str, settings: Settings) -> Model:
    return define_model(ModelChoice(name), Dataset.named("shop"), settings)


@pytest.mark.parametrize("name", ["standard", "standard-1", IN_USE])
def test_it_is_a_mixture_by_the_name_of_its_version(name: str, settings: Settings) -> None:
    model, spelled = defined(name, settings), defined(RECIPES[LATEST], settings)
    assert model.name == LATEST == "standard-1"
    assert [part.spec.name for part in model.parts] == ["EfficientNet-Lite2", "EfficientNet-Lite0", "colour"]
    assert (model.key, model.weights) == (spelled.key, spelled.weights)
    assert not model.adapted
    assert smallest_part(model) == slice(2560, 2560 + model.specs[-1].dimension)
    assert smallest_part(defined("colour", settings)) is None


def test_it_may_be_adapted_and_mixed_with_others(settings: Settings) -> None:
    adapted = defined("standard+adapted", settings)
    assert (adapted.name, adapted.adapted) == ("standard-1+adapted", True)
    assert adapted.base_key == defined("standard", settings).key
    mixed = expression_of(ModelChoice("standard+0.1*colour-shape"))
    assert mixed.name == f"{RECIPES[LATEST]}+0.1*colour-shape"


def test_it_is_the_model_of_a_dataset_that_has_no_other(settings: Settings, tmp_path: Path) -> None:
    workspace = Workspace(settings=settings)
    workspace.fit("other", paint(tmp_path / "pictures" / "red.png", (250, 0, 0)).parent, model="colour")
    assert workspace.use("shop").model == "standard-1"
    with pytest.raises(NotFittedError, match=r"the dataset shop is not fitted \(fitted: other\): run fit first"):
        workspace.search("shop", tmp_path / "pictures" / "red.png")
    default_model_file(Dataset.named("other"), settings).unlink()
    with pytest.raises(NotFittedError, match="EfficientNet-Lite2"):
        workspace.search("other", tmp_path / "pictures" / "red.png")


@pytest.mark.parametrize("name", ["standard-0", "standards", "nothing"])
def test_a_name_that_is_none_gets_those_that_are(name: str, settings: Settings) -> None:
    with pytest.raises(UsageError, match=f"there is no model '{name}': use standard, EfficientNet-Lite2"):
        defined(name, settings)
