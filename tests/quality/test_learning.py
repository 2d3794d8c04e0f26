"""What a fit learns from its catalogue: made once, kept while the catalogue hardly changes, used where nothing is
named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from image_similarity import FitOptions, Workspace
from image_similarity.cli.app import app
from image_similarity.fit import FitReport
from image_similarity.models import DefaultModel
from image_similarity.options import IN_USE
from image_similarity.settings import Settings
from image_similarity.types import Progress, no_progress
from tests.quality.test_adapt import Fields, catalogue
from tests.support.shop import known

MODEL = Fields.spec.name
ADAPTED = f"{MODEL}+adapted"
PRODUCTS, IMAGES = 32, 2


class LearningBeganError(Exception):
    """Ends a fit that learns, before that takes long."""


@dataclass(frozen=True)
class Shop:
    """A workspace and the pictures of its dataset ``shop``."""

    folder: Path

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"

    @property
    def root(self) -> Path:
        return self.folder / "data"

    @property
    def workspace(self) -> Workspace:
        return self.watched(no_progress)

    @property
    def default(self) -> DefaultModel:
        return self.workspace.use("shop")

    def watched(self, progress: Progress) -> Workspace:
        return Workspace(settings=Settings(root=self.root, precision="fp32"), progress=progress)

    def fit(self, model: str = IN_USE, learn: bool = True) -> FitReport:
        return self.workspace.fit("shop", self.pictures, FitOptions(model=model, learn=learn))

    def learns_again(self) -> bool:
        """Whether a fit begins to learn; it ends there."""

        def progress(stage: str, done: int, total: int | None = None) -> None:
            if stage == "simulated photos":
                raise LearningBeganError

        try:
            report = self.watched(progress).fit("shop", self.pictures)
        except LearningBeganError:
            return True
        assert report.learning is not None and not report.learning.new
        return False

    def written(self) -> dict[str, bytes]:
        """The recommendations of the learned model."""
        return {path.name: path.read_bytes() for path in (self.root / "trained_models").glob("*+adapted@*")}

    def photo(self, product: int) -> Path:
        return self.pictures / f"p{product:02}_0.png"


@pytest.fixture(scope="module", autouse=True)
def _fields() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        known(patch, Fields())
        yield


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, FitReport]:
    """A shop that was fitted once, to be copied, and the report."""
    shop = Shop(tmp_path_factory.mktemp("first"))
    catalogue(shop.pictures, PRODUCTS, 100, IMAGES)
    return shop, shop.fit(MODEL)


@pytest.fixture
def shop(first: tuple[Shop, FitReport], tmp_path: Path) -> Shop:
    return Shop(shutil.copytree(first[0].folder, tmp_path / "shop"))


def repaint(shop: Shop, products: int) -> None:
    """Give some products other pictures."""
    others = catalogue(shop.folder / "others", products, 50, IMAGES)
    for path in others.iterdir():
        path.replace(shop.pictures / path.name)


def test_a_first_fit_learns_and_its_model_answers_where_none_is_named(first: tuple[Shop, FitReport]) -> None:
    shop, report = first
    learning = report.learning
    assert learning is not None and learning.new and not learning.reasons
    assert learning.projection is not None and learning.probabilities is not None
    for kind in ("leave_one_out", "simulated"):
        change = learning.projection[kind]
        assert change["after"]["value"] > change["before"]["value"]
    assert learning.model == report.default_model == shop.default.model == ADAPTED
    plain, learned = report.recommendations_of  # the model that was named, and the one to use
    assert (plain.model_key, learned.model_key.partition("@")[0]) == (MODEL, ADAPTED)
    assert report.written == learned and plain.products == learned.products == PRODUCTS
    answer = shop.workspace.search("shop", shop.photo(3))
    assert answer.matches[0].product_id == "p03"
    assert answer.matches[0].probability is not None and answer.matches[0].probability > 0.5
    assert answer.no_match is False
    assert shop.workspace.similar("shop", "p03").matches == shop.workspace.similar("shop", "p03", model=ADAPTED).matches


def test_a_fit_of_the_same_catalogue_learns_nothing_anew_and_writes_the_same_bytes(
    first: tuple[Shop, FitReport], shop: Shop
) -> None:
    before, default = shop.written(), shop.default
    assert len(before) == 2
    stages = set[str]()
    report = shop.watched(lambda stage, done, total=None: stages.add(stage)).fit("shop", shop.pictures)
    assert first[1].learning is not None
    assert report.learning == replace(first[1].learning, new=False)
    assert not stages & {"simulated photos", "cross-validation"}
    assert shop.written() == before and shop.default == default
    assert [each.model_key for each in report.recommendations_of] == [first[1].model_key]


@pytest.mark.parametrize(("changed", "again"), [(1, False), (6, True)])
def test_it_is_learned_again_once_a_tenth_of_the_catalogue_has_changed(shop: Shop, changed: int, again: bool) -> None:
    repaint(shop, changed)
    assert shop.learns_again() is again
    # Until that ends, what was learned before answers, also about the new pictures.
    answer = shop.workspace.search("shop", shop.photo(0))
    assert answer.matches[0].product_id == "p00" and answer.matches[0].probability is not None
    assert ("older" in answer.note) is again
    assert shop.default.model == ADAPTED


@pytest.mark.parametrize("how", ["lost", "damaged"])
@pytest.mark.parametrize(
    "what",
    [
        "adapted/*/*/projection.json",
        "adapted/*/*/*.npz",
        "adapted/*/*/learning.json",
        "calibrated/*/*+adapted*.json",
        f"calibrated/*/{MODEL}-1.json",
    ],
)
def test_what_was_lost_or_damaged_is_learned_again(shop: Shop, what: str, how: str) -> None:
    (file,) = shop.root.glob(what)
    if how == "lost":
        file.unlink()
    else:
        file.write_bytes(b"{")
    assert shop.learns_again()


def test_a_fit_that_ended_after_learning_is_finished_by_the_next(shop: Shop) -> None:
    before = shop.written()
    for name in before:
        (shop.root / "trained_models" / name).unlink()
    shutil.rmtree(shop.root / "in_use")
    report = shop.fit(MODEL)
    assert report.learning is not None and not report.learning.new
    assert report.default_model == ADAPTED and shop.written() == before


def test_a_model_that_the_user_chose_stays(shop: Shop) -> None:
    assert shop.fit("colour", learn=False).default_model == ADAPTED  # another model beside it
    shop.workspace.use("shop", "colour")
    report = shop.fit(MODEL)
    assert report.default_model == shop.default.model == "colour"
    assert len(report.recommendations_of) == 2
    assert shop.workspace.search("shop", shop.photo(3)).matches[0].probability is None


def test_without_learning_there_is_nothing_of_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    catalogue(shop.pictures, PRODUCTS, 100, 1)
    report = shop.fit(MODEL, learn=False)
    assert report.learning is None and report.default_model == MODEL
    assert [each.model_key for each in report.recommendations_of] == [MODEL]
    assert not (shop.root / "adapted").exists() and not (shop.root / "calibrated").exists()
    assert shop.workspace.search("shop", shop.photo(3)).no_match is None


def test_a_catalogue_of_fewer_than_thirty_products_gets_the_reason(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    catalogue(shop.pictures, 29, 100, 1)
    report = shop.fit(MODEL)
    assert report.learning is not None
    reason = "the catalogue has 29 products, and at least 30 are needed to learn from"
    assert report.learning.reasons == (reason,)
    assert report.learning.projection is None and report.default_model == MODEL
    printed = CliRunner().invoke(
        app, ["fit", "-d", "shop", "--catalogue", str(shop.pictures), "--workspace", str(shop.root)]
    )
    assert f"Not learned: {reason}" in printed.stderr
    assert f"Default model of shop: {MODEL}" in printed.stderr


def test_the_command_says_what_was_learned_and_what_to_do_next(shop: Shop) -> None:
    command = ["fit", "-d", "shop", "--catalogue", str(shop.pictures), "--workspace", str(shop.root)]
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code == 0
    lines = printed.stderr.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("How often the right product comes first"))
    assert lines[at].endswith("as learned before: the catalogue has hardly changed:")
    for line, kind in zip(
        lines[at + 1 :], ("another image of a product", "a simulated customer's photo"), strict=False
    ):
        assert line.strip().startswith(f"{kind}: ") and " before learning, " in line
    assert f"Default model of shop: {ADAPTED}" in lines
    assert lines[-1].startswith("Next: image-similarity search PHOTO --dataset shop")
