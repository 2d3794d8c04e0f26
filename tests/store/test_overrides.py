"""Fits, puts and deletes in any order, also one in the middle of another: each product is as its owner left it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from image_similarity import Workspace
from image_similarity.dataset import Dataset
from image_similarity.errors import NotFittedError, OutputError
from image_similarity.fit import FitReport
from image_similarity.fitting.upsert import (
    EmbeddedImage,
    delete_orphan_files,
    delete_product,
    new_image,
    upload_folder,
    upsert_product,
)
from image_similarity.images.views import ONE_VIEW
from image_similarity.options import FitOptions
from image_similarity.settings import Folders, Settings
from image_similarity.store.database import Database
from image_similarity.types import CatalogueImage, Product
from tests.conftest import MeanColour, paint
from tests.search.test_state import SHOP, image_of
from tests.support.shop import MODEL, register, rows

COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]

Listing = dict[str, list[int]]  # the colours of each product


def fit(source: Source, dataset: Dataset, settings: Settings, options: FitOptions) -> FitReport:
    def progress(stage: str, done: int, total: int | None = None) -> None:
        if stage == "features":
            source.working()

    return Workspace(settings=settings, progress=progress).fit(dataset.name, source, options)


def options() -> FitOptions:
    return FitOptions(model=MODEL)


class KilledError(Exception):
    """Ends a fit between two transactions."""


@dataclass
class Happening:
    """What happens between two images that a fit reads."""

    at: int
    do: Callable[[], None]


@dataclass
class Source:
    """A catalogue, and what happens while a fit reads it, and then each time that it tells how far it is."""

    folder: Path
    listing: Listing
    happenings: Sequence[Happening] = ()
    begin: Callable[[], None] = lambda: None
    """Called when the fit has read it and begins to work."""
    passed: int = field(default=0, init=False)
    waiting: list[Happening] = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = sorted(self.happenings, key=lambda each: each.at)

    def __iter__(self) -> Iterator[CatalogueImage]:
        for product, colours in self.listing.items():
            for colour in colours:
                self._pass()
                yield CatalogueImage(f"{product}-{colour}", product, str(self.folder / f"{colour}.png"))
        self._pass()

    def products(self) -> Iterator[Product]:
        yield from (Product(product, "listed") for product in self.listing)
        self._pass()

    def working(self) -> None:
        self.begin()
        self.begin = lambda: None
        self._pass()

    def _pass(self) -> None:
        self.passed += 1
        while self.waiting and self.waiting[0].at <= self.passed:
            self.waiting.pop(0).do()


class Shop:
    """A dataset, and beside it the model of what is to be in it."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(root=root / "data", lock_timeout=5, precision="fp32")
        self.pictures = root / "pictures"
        for number, colour in enumerate(COLOURS):
            paint(self.pictures / f"{number}.png", colour)
        self.put_there: Listing = {}
        self.listed: Listing = {}
        self.deleted = set[str]()
        with self.open() as database:  # the dataset is there, and knows the model
            from image_similarity.store.features import FeatureStore

            FeatureStore(database).add_model(MeanColour.spec)

    def open(self) -> Database:
        return Database(Folders(self.settings.root).database, SHOP, create=True, timeout=5)

    def put(self, product: str, colours: Sequence[int]) -> None:
        made = [new_image(image_of(COLOURS[each]), [MeanColour.spec], ONE_VIEW, 10_000) for each in colours]
        embedded = [EmbeddedImage(each, {MODEL: MeanColour().embed(each.pixels[MODEL])}) for each in made]
        with self.open() as database:
            upsert_product(database, self.settings, Product(product, "put"), embedded, ONE_VIEW)
        self.put_there[product] = list(colours)

    def remove(self, product: str) -> None:
        with self.open() as database:
            gone = delete_product(database, self.settings, product)
        assert gone or product not in self.put_there
        self.put_there.pop(product, None)
        self.listed.pop(product, None)
        if gone:
            self.deleted.add(product)

    def fit(self, listing: Listing, happenings: Sequence[Happening] = ()) -> bool:
        """Whether it went to its end."""
        try:
            fit(Source(self.pictures, listing, happenings, self.deleted.clear), SHOP, self.settings, options())
        except KilledError:
            return False
        except NotFittedError:  # an empty catalogue
            pass
        self.listed = {product: colours for product, colours in listing.items() if product not in self.deleted}
        return True

    def expected(self) -> dict[str, tuple[str, list[int]]]:
        listed = {product: ("listed", colours) for product, colours in self.listed.items()}
        return listed | {product: ("put", colours) for product, colours in self.put_there.items()}

    def there(self) -> dict[str, tuple[str, list[int]]]:
        """What is in the store: of each product its text, and its colours as they are found."""
        query = "SELECT hex(digest) FROM features_shop WHERE id = ? AND active AND item_id = ?"
        named = rows(self.settings, "SELECT item_id, title FROM products_shop")
        titles = {str(product): str(title) for product, title in named}
        found: dict[str, list[int]] = defaultdict(list)
        with self.open() as database:
            for image_id, product, location in rows(
                self.settings, "SELECT image_id, item_id, location FROM images_shop ORDER BY location"
            ):
                digest = database.connection.execute(query, (f"{image_id},000", product)).fetchone()
                assert digest, f"{image_id} of {product} is in the catalogue and cannot be found"
                vector = database.connection.execute(
                    f'SELECT "features_{MODEL}" FROM features_shop WHERE id = ?', (f"{image_id},000",)
                ).fetchone()[0]
                found[str(product)].append(_colour(vector))
                assert Path(str(location)).is_file()
        return {product: (titles.get(product, ""), sorted(colours)) for product, colours in found.items()}

    def check(self) -> None:
        """Each product is its owner's, nothing else can be found, and no file is there that no product has."""
        assert self.there() == {product: (text, sorted(set(c))) for product, (text, c) in self.expected().items()}
        assert not rows(
            self.settings,
            "SELECT id FROM features_shop WHERE active AND NOT EXISTS "
            "(SELECT 1 FROM images_shop WHERE images_shop.image_id || ',000' = id "
            "AND images_shop.item_id = features_shop.item_id)",
        )
        named = {str(location) for (location,) in rows(self.settings, "SELECT location FROM images_shop")}
        folder = upload_folder(self.settings, SHOP)
        files = {str(path.resolve()) for path in folder.iterdir()} if folder.is_dir() else set()
        assert files == {location for location in named if "uploads" in location}


def _colour(vector: bytes) -> int:
    import numpy as np

    return int(np.frombuffer(vector, "<f2").argmax())


PRODUCTS = st.sampled_from(["a", "b", "c", "d,000"])
PICTURES = st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True)
CHANGES = st.one_of(st.tuples(st.just("put"), PRODUCTS, PICTURES), st.tuples(st.just("remove"), PRODUCTS, st.just([0])))
FITS = st.tuples(
    st.just("fit"),
    st.dictionaries(PRODUCTS, PICTURES, max_size=4),
    st.lists(st.tuples(st.integers(1, 20), st.one_of(CHANGES, st.just(("kill", "", [0])))), max_size=3),
)


@given(steps=st.lists(st.one_of(FITS, CHANGES), min_size=1, max_size=6))
@hypothesis_settings(max_examples=40, deadline=None)
def test_each_product_is_as_its_owner_left_it(
    steps: list[tuple[str, Any, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        shop = Shop(tmp_path_factory.mktemp("owners"))

        def change(kind: str, product: str, colours: list[int]) -> None:
            if kind == "kill":
                raise KilledError
            shop.put(product, colours) if kind == "put" else shop.remove(product)

        whole = True
        for kind, what, more in steps:
            if kind != "fit":
                change(kind, what, more)
            else:
                whole = shop.fit(what, [Happening(at, partial(change, *one)) for at, one in more])
            if whole:
                shop.check()
        shop.fit({"a": [0]})
        shop.check()


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shop:
    register(monkeypatch)
    return Shop(tmp_path)


def test_a_product_that_was_put_stays_through_fits_until_it_is_deleted(shop: Shop) -> None:
    shop.fit({"a": [0], "b": [1]})
    shop.put("a", [2])
    shop.put("new", [1, 2])
    shop.fit({"a": [0], "b": [1]})
    assert shop.there() == {"a": ("put", [2]), "b": ("listed", [1]), "new": ("put", [1, 2])}
    shop.remove("a")
    shop.remove("new")
    assert shop.there() == {"b": ("listed", [1])}
    shop.fit({"a": [0], "b": [1]})
    assert shop.there() == {"a": ("listed", [0]), "b": ("listed", [1])}
    shop.check()


def test_what_is_deleted_while_a_fit_runs_is_not_brought_back_by_its_end(shop: Shop) -> None:
    shop.fit({"a": [0], "b": [1]})
    shop.fit({"a": [0], "b": [2]}, [Happening(5, lambda: shop.remove("b"))])
    assert shop.there() == {"a": ("listed", [0])}


def test_a_fit_says_how_many_products_it_left_as_they_were_put(shop: Shop) -> None:
    shop.put("a", [2])
    report = fit(Source(shop.pictures, {"a": [0], "b": [1]}), SHOP, shop.settings, options())
    assert (report.embedded.overridden, report.products) == (1, 2)
    assert report.counts.seen == 3  # the two that are listed, and the one that was put
    assert not report.failures


def test_a_picture_that_was_put_gets_its_features_from_a_fit_with_more_views(shop: Shop) -> None:
    shop.put("a", [2])
    fit(Source(shop.pictures, {"b": [1]}), SHOP, shop.settings, FitOptions(model=MODEL, data_augmentation=1))
    counted = "SELECT item_id, count(*) FROM features_shop WHERE active GROUP BY 1 ORDER BY 1"
    assert rows(shop.settings, counted) == [("a", 6), ("b", 6)]


def test_files_that_no_product_has_are_removed_by_a_fit(shop: Shop) -> None:
    shop.put("a", [2])
    folder = upload_folder(shop.settings, SHOP)
    (folder / "0123456789abcdef-of-a-kill.jpg").write_bytes(b"unnamed")
    (folder / ".half.jpg.12345678.part").write_bytes(b"half")
    shop.fit({"b": [1]})
    shop.check()
    with shop.open() as database:
        assert delete_orphan_files(database, shop.settings) == 0


def test_a_second_fit_at_the_same_time_is_refused_in_a_sentence(shop: Shop) -> None:
    shop.settings = Settings(root=shop.settings.root, lock_timeout=0.1, precision="fp32")
    refused = list[str]()

    def another() -> None:
        with pytest.raises(OutputError) as error:
            fit(Source(shop.pictures, {"c": [2]}), SHOP, shop.settings, options())
        refused.append(str(error.value))

    fit(Source(shop.pictures, {"a": [0]}, begin=another), SHOP, shop.settings, options())
    assert refused == ["another fit of the dataset shop is running. Wait until it ends, then run this again"]
    assert shop.there() == {"a": ("listed", [0])}


def test_a_second_fit_waits_for_a_first_that_ends_soon(shop: Shop) -> None:
    begun, threads = Event(), list[Thread]()

    def second() -> None:
        begun.set()
        fit(Source(shop.pictures, {"b": [1]}), SHOP, shop.settings, options())

    def begin() -> None:
        threads.append(Thread(target=second))
        threads[0].start()
        begun.wait()

    fit(Source(shop.pictures, {"a": [0]}, begin=begin), SHOP, shop.settings, options())
    threads[0].join()
    assert shop.there() == {"b": ("listed", [1])}


def test_features_of_what_has_gone_are_kept_but_not_for_ever(shop: Shop) -> None:
    shop.fit({"a": [0], "b": [1]})
    with shop.open() as database, database.writing() as connection:
        connection.executemany(
            "INSERT INTO features_shop (id, item_id, view, white_background, active, digest) "
            "VALUES (?, 'x', ?, 0, 0, ?)",
            ((f"gone{number},000", "000", number.to_bytes(32)) for number in range(1500)),
        )
    shop.fit({"a": [0]})
    assert rows(shop.settings, "SELECT count(*) FROM features_shop WHERE NOT active") == [(1000,)]
    assert rows(shop.settings, "SELECT count(*) FROM features_shop WHERE id = 'b-1,000'") == [(0,)]  # the oldest goes
    assert rows(shop.settings, "SELECT count(*) FROM features_shop WHERE id = 'gone1499,000'") == [(1,)]


def test_a_dataset_without_a_service_has_nothing_of_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)
    paint(tmp_path / "pictures" / "red_1.png", (250, 0, 0))
    settings = Settings(root=tmp_path / "data", precision="fp32")
    report = Workspace(settings=settings).fit("shop", tmp_path / "pictures", model=MODEL)
    assert report.embedded.overridden == 0
    with suppress(FileNotFoundError):
        assert not list(upload_folder(settings, SHOP).iterdir())
