"""A change of model without a gap: built beside the old one, compared with it, put in its place, and taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.errors import NotFittedError, StoreError, UsageError
from image_similarity.settings import Settings
from tests.support.shop import MODEL, paint_shop, register

OLD, NEW = MODEL, f"{MODEL}+0.5*colour-shape"


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Workspace:
    """A shop that is fitted with the old model."""
    register(monkeypatch)
    (tmp_path / "pictures").mkdir()
    workspace = Workspace(settings=settings)
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=OLD, number=2)
    return workspace


@pytest.fixture
def both(workspace: Workspace, tmp_path: Path) -> Workspace:
    workspace.fit("shop", tmp_path / "pictures", model=NEW, number=2)
    return workspace


def command(workspace: Workspace, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--dataset", "shop", "--workspace", str(workspace.settings.root)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_another_model_takes_the_place_and_the_first_takes_it_back(both: Workspace, tmp_path: Path) -> None:
    both.use("shop", OLD)
    assert both.evaluate("shop").model_key == OLD
    assert both.use("shop", NEW).before == (OLD,)
    assert both.evaluate("shop").model_key == "mean-colour+0.5xcolour-shape"
    assert both.fit("shop", tmp_path / "pictures").model_key == "mean-colour+0.5xcolour-shape"
    assert both.search("shop", tmp_path / "pictures" / "red_1.png").matches
    back = both.use("shop", OLD)
    assert (back.model, back.before) == (OLD, (NEW,))
    assert both.similar("shop", "red").matches == both.similar("shop", "red", model=OLD).matches
    assert both.use("shop") == back, "without a name it returns the default model"


def test_a_model_that_is_not_fitted_is_not_put_in_place(workspace: Workspace) -> None:
    workspace.use("shop", OLD)
    with pytest.raises(NotFittedError, match=r"not fitted with .*\+0.5\*colour-shape: run fit with that model first"):
        workspace.use("shop", NEW)
    with pytest.raises(UsageError, match="there is no model 'nothing'"):
        workspace.use("shop", "nothing")
    assert workspace.use("shop").model == OLD


def test_the_first_fit_of_a_dataset_sets_its_default_model(both: Workspace) -> None:
    assert (both.use("shop").model, both.use("shop").chosen_by) == (OLD, "fit")
    assert both.use("shop", NEW).before == (OLD,)
    assert both.use("shop").chosen_by == "use"
    assert both.use("never fitted").model == "standard-1"


def test_a_damaged_note_is_reported_and_written_again(workspace: Workspace) -> None:
    workspace.use("shop", OLD)
    (note,) = (workspace.settings.root / "in_use").iterdir()
    note.write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"shop.json cannot be read.*Run use again"):
        workspace.similar("shop", "red")
    assert workspace.use("shop", OLD).model == OLD
    assert workspace.similar("shop", "red").matches


def test_a_description_is_found_from_every_folder(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.tiny_networks import describe, mean_network

    described = describe(mean_network(tmp_path / "tiny.onnx"))
    monkeypatch.chdir(tmp_path)
    name = f"0.5*{described.relative_to(tmp_path)}+{MODEL}"
    workspace.fit("shop", tmp_path / "pictures", model=name)
    workspace.use("shop", name)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert workspace.similar("shop", "red").matches


def test_two_models_are_compared_product_by_product(both: Workspace) -> None:
    sides = [
        {product: _ids(both, product, model) for product in ("blue", "green", "orange", "red")} for model in (OLD, NEW)
    ]
    same = {product: len({*sides[0][product]} & {*sides[1][product]}) / 2 for product in sides[0]}
    result = both.compare("shop", OLD, NEW, number=2, shown=2)
    assert result.products == 4
    assert result.overlap == pytest.approx(sum(same.values()) / 4)
    assert result.same_first == sum(sides[0][p][0] == sides[1][p][0] for p in same) / 4
    assert sum(result.histogram) == 4
    by_change = sorted(same, key=lambda product: (same[product], product))
    assert [change.product.product_id for change in result.changed] == by_change[:2]
    assert [m.product_id for m in result.changed[0].new.matches] == sides[1][by_change[0]]
    assert result.evaluation is not None
    assert [each.model_key for each in result.evaluation.results] == [result.old_key, result.new_key]


def _ids(workspace: Workspace, product: str, model: str) -> list[str]:
    return [match.product_id for match in workspace.similar("shop", product, model=model).matches]


def test_a_model_compared_with_itself_changes_nothing(both: Workspace) -> None:
    result = both.compare("shop", OLD, OLD, shown=0)
    assert (result.overlap, result.same_first, result.histogram[-1], list(result.changed)) == (1, 1, 4, [])


def test_what_is_not_fitted_cannot_be_compared(workspace: Workspace) -> None:
    with pytest.raises(NotFittedError, match=r"is not fitted with .*colour-shape: run fit"):
        workspace.compare("shop", OLD, NEW)


def test_the_command_line_compares_shows_pictures_and_switches(both: Workspace, tmp_path: Path) -> None:
    page = tmp_path / "changes.html"
    shown = command(both, "compare", OLD, NEW, "--html", str(page))
    assert "Overlap of the" in shown
    html = page.read_text(encoding="utf-8")
    assert "data:image/jpeg" in html and "mean-colour+0.5xcolour-shape" in html
    plain = json.loads(command(both, "compare", OLD, NEW, "--format", "json", "--shown", "1"))
    assert plain["products"] == 4 and len(plain["changed"]) == 1
    assert plain["evaluation"]["results"][1]["model_key"] == plain["new_key"]
    assert "Which is better?" in html and "R@1" in shown
    command(both, "use", NEW)
    assert json.loads(command(both, "use", "--format", "json"))["model"] == NEW
    assert "orange" in command(both, "similar", "red", "--format", "csv")
