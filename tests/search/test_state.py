"""The state of an open dataset: products are put and removed, or fitted, and every answer is that of a new index."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from PIL import Image

from image_similarity import Workspace
from image_similarity.dataset import Dataset
from image_similarity.errors import StoreError, UsageError
from image_similarity.fitting.upsert import EmbeddedImage, delete_product, new_image, upload_folder, upsert_product
from image_similarity.images.views import ONE_VIEW
from image_similarity.index.build import fresh_index
from image_similarity.models.model import Model
from image_similarity.models.resolver import resolve
from image_similarity.options import ModelChoice
from image_similarity.ranking.aggregate import rank_products
from image_similarity.ranking.gallery import Gallery
from image_similarity.search.state import State, next_state, open_state
from image_similarity.settings import Folders, Settings
from image_similarity.store.changes import ProductChanges
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureStore
from image_similarity.types import Product
from tests.conftest import MeanColour
from tests.support.shop import BLUE, MODEL, RED, paint_shop, register, rows

SHOP = Dataset.named("shop")
Colour = tuple[int, int, int]


def image_of(colour: Colour) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (12, 12), colour).save(file, "PNG")
    return file.getvalue()


def model_of(database: Database, settings: Settings) -> Model:
    return resolve(ModelChoice(MODEL), SHOP, settings, FeatureStore(database).has_networks_of)


@dataclass
class Shop:
    """The fitted shop, open for changes."""

    settings: Settings
    database: Database

    def open(self) -> State:
        return open_state(model_of(self.database, self.settings), self.database, self.settings)

    def next(self, state: State) -> State:
        return next_state(state, self.database, self.settings)

    def put(self, product_id: str, *colours: Colour, title: str = "", **attributes: str) -> bool:
        made = [new_image(image_of(each), [MeanColour.spec], ONE_VIEW, 10_000) for each in colours]
        embedded = [EmbeddedImage(each, {MODEL: MeanColour().embed(each.pixels[MODEL])}) for each in made]
        product = Product(product_id, title, "", attributes)
        return upsert_product(self.database, self.settings, product, embedded or None, ONE_VIEW)

    def remove(self, product_id: str) -> bool:
        return delete_product(self.database, self.settings, product_id)

    def files(self) -> list[Path]:
        folder = upload_folder(self.settings, SHOP)
        return sorted(folder.iterdir()) if folder.is_dir() else []


@contextmanager
def open_shop(settings: Settings) -> Iterator[Shop]:
    with Database(Folders(settings.root).database, SHOP, create=True) as database:
        yield Shop(settings, database)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Iterator[Shop]:
    register(monkeypatch)
    Workspace(settings=settings).fit("shop", paint_shop(tmp_path / "pictures"), model=MODEL)
    with open_shop(settings) as opened:
        yield opened


def like(state: State, colour: Colour, number: int = 10, condition: str | None = None) -> list[str]:
    squares = new_image(image_of(colour), [MeanColour.spec], ONE_VIEW, 10_000).pixels[MODEL]
    (matches,) = state.rank([MeanColour().embed(squares)], number, condition=condition)
    assert [match.rank for match in matches] == list(range(1, len(matches) + 1))
    return [match.product_id for match in matches]


def test_a_product_that_was_put_is_found_without_a_new_index(shop: Shop) -> None:
    before = shop.open()
    assert like(before, BLUE, 1) == ["blue"]
    assert shop.put("azure", (0, 10, 250), title="Azure ball")
    after = shop.next(before)
    assert like(after, (0, 10, 250), 2) == ["azure", "blue"]
    assert after.base is before.base  # the index is the one that there was
    assert (before.counts, after.counts) == ((4, 6), (5, 7))
    assert like(before, (0, 10, 250), 2)[0] == "blue"  # the former state is unchanged


def test_a_product_that_was_taken_away_is_not_found_at_once(shop: Shop) -> None:
    state = shop.open()
    assert shop.remove("blue")
    state = shop.next(state)
    assert "blue" not in like(state, BLUE)
    assert state.similar("blue", 3) is None
    assert not shop.remove("blue")


def test_a_product_with_other_images_is_found_by_those_alone(shop: Shop) -> None:
    state = shop.open()
    assert not shop.put("red", (0, 0, 240))  # not new
    state = shop.next(state)
    assert like(state, BLUE, 2) == ["blue", "red"]
    assert state.counts == (4, 5)
    assert like(state, RED, 1) == ["orange"]


def test_texts_change_and_images_stay_where_none_are_given(shop: Shop) -> None:
    state = shop.open()
    shop.put("red", title="Red ball", brand="Kipsta")
    state = shop.next(state)
    assert like(state, RED, 1) == ["red"]
    assert like(state, BLUE, 5, 'brand = "Kipsta"') == ["red"]
    assert rows(shop.settings, "SELECT count(*) FROM images_shop WHERE item_id = 'red'") == [(2,)]


def test_similar_products_are_found_among_new_and_old_ones(shop: Shop) -> None:
    shop.put("crimson", (240, 0, 20))
    state = shop.next(shop.open())
    of_new, of_old = state.similar("crimson", 2), state.similar("orange", 3)
    assert of_new is not None and [match.product_id for match in of_new] == ["red", "orange"]
    assert of_old is not None and {match.product_id for match in of_old} == {"red", "crimson", "green"}
    assert state.similar("none", 3) is None


def test_a_new_product_needs_an_image(shop: Shop) -> None:
    with pytest.raises(UsageError, match="at least one image"):
        shop.put("ghost")


def test_uploaded_images_are_deleted_with_their_product_and_others_never(shop: Shop, tmp_path: Path) -> None:
    shop.put("azure", (0, 10, 250), (0, 20, 250))
    assert len(shop.files()) == 2
    shop.put("azure", (0, 20, 250))
    assert len(shop.files()) == 1
    shop.put("blue", (0, 30, 250))
    assert (tmp_path / "pictures" / "blue_1.png").exists()  # the catalogue's own
    shop.remove("azure")
    shop.remove("blue")
    assert not shop.files()


def test_a_fit_beside_it_takes_the_place_of_the_index(shop: Shop, tmp_path: Path) -> None:
    state = shop.open()
    shop.put("azure", (0, 10, 250))
    assert like(shop.next(state), (0, 10, 250), 1) == ["azure"]
    folder = tmp_path / "pictures"
    (folder / "green_1.png").unlink()
    Workspace(settings=shop.settings).fit("shop", folder, model=MODEL)  # whose catalogue does not list azure
    after = shop.next(state)
    assert after.base is not state.base and not after.needs_rebuild
    assert like(after, (0, 10, 250), 2) == ["azure", "blue"]
    assert after.counts == (5, 6)  # one image of green was removed


def test_what_is_not_logged_is_known_to_be_missing(shop: Shop) -> None:
    state = shop.open()
    with shop.database.writing():
        shop.database.renew_generation()
    state = shop.next(state)
    assert state.needs_rebuild
    shop.put("azure", (0, 10, 250))
    state = shop.next(state)
    assert state.needs_rebuild and like(state, (0, 10, 250), 1) == ["azure"]  # the delta has what it can have


def test_an_index_older_than_the_log_is_behind(shop: Shop) -> None:
    forgetful = ProductChanges(shop.database, max_log=1)
    state = shop.open()
    assert forgetful.delete("green") and not shop.next(state).needs_rebuild
    assert forgetful.delete("blue") and shop.next(state).needs_rebuild


def test_a_failed_put_changes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    state = shop.open()
    generation = shop.database.generation()
    with pytest.raises(StoreError), shop.database.writing() as connection:
        shop.database.renew_generation()
        connection.execute("INSERT INTO nowhere VALUES (1)")
    assert shop.database.generation() == generation
    assert shop.next(state) is state


def test_new_attributes_can_be_filtered_by_and_products_without_them_have_no_value(shop: Shop) -> None:
    shop.put("azure", (0, 10, 250), brand="Kipsta", price="free")
    state = shop.next(shop.open())
    assert like(state, BLUE, 9, 'brand = "Kipsta"') == ["azure"]
    assert "azure" not in like(state, BLUE, 9, 'not brand = "Kipsta"')
    assert len(like(state, BLUE, 9, 'brand = ""')) == 4
    with pytest.raises(UsageError, match="no attribute colour"):
        like(state, BLUE, 9, "colour = 1")


def test_closeness_is_measured_on_the_catalogue(shop: Shop) -> None:
    state = shop.open()
    assert [state.scale.closeness(score) for score in (1.0, 0.5, -1.0)] == ["very close", "close", "look-alike"]


COLOURS = st.tuples(*[st.sampled_from([0, 60, 120, 250])] * 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["red", "blue", "é", "a/b", "zz"]), st.lists(COLOURS, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["red", "orange", "green", "blue", "é", "zz"]), st.none()),
    ),
    max_size=6,
)


@given(steps=STEPS, query=COLOURS)
@hypothesis_settings(max_examples=25)
def test_after_any_changes_it_answers_as_a_new_index_would(
    steps: list[tuple[str, list[Colour] | None]], query: Colour, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        root = tmp_path_factory.mktemp("state")
        settings = Settings(root=root / "data", precision="fp32")
        Workspace(settings=settings).fit("shop", paint_shop(root / "pictures"), model=MODEL)
        with open_shop(settings) as shop:
            state = shop.open()
            for product_id, colours in steps:
                if colours is None:
                    shop.remove(product_id)
                else:
                    shop.put(product_id, *colours, title=product_id)
                state = shop.next(state)
            assert not state.needs_rebuild
            if not rows(settings, "SELECT 1 FROM images_shop"):
                return
            new = Gallery.of(fresh_index(shop.database, Folders(settings.root).index, state.model.recipe, ONE_VIEW))
            squares = new_image(image_of(query), [MeanColour.spec], ONE_VIEW, 10_000).pixels[MODEL]
            answered = like(state, query)
            from image_similarity.ranking.gallery import GalleryQuery

            (expected,) = rank_products(new, [GalleryQuery([""], MeanColour().embed(squares))], 10, "best")
            assert answered == [match.product_id for match in expected]


def test_a_catalogue_without_products_finds_nothing(shop: Shop) -> None:
    state = shop.open()
    for product_id in ("red", "orange", "green", "blue"):
        assert shop.remove(product_id)
    state = shop.next(state)
    assert (like(state, RED), state.counts) == ([], (0, 0))
    shop.put("azure", (0, 10, 250))
    assert like(shop.next(state), RED) == ["azure"]
