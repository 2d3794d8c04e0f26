"""The feature store: what counts as missing, what a new content replaces, what is switched off."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from image_similarity.dataset import Dataset
from image_similarity.errors import NotFittedError, StoreError
from image_similarity.images.views import ONE_VIEW, SIX_VIEWS
from image_similarity.store.codec import encode
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureRow, FeatureStore
from image_similarity.store.records import CatalogueRecords
from image_similarity.types import CatalogueImage
from tests.conftest import MeanColour
from tests.support.stored import matrix

SHOP = Dataset.named("shop")
SPEC = MeanColour.spec
KEY = SPEC.key
OTHER = replace(SPEC, name="other", key="other@01", dimension=2)


def image(image_id: str, product_id: str = "p") -> CatalogueImage:
    return CatalogueImage(image_id, product_id, f"/pictures/{image_id}")


def row(
    image_id: str, digest: bytes, *vector: float, view: str = "000", product_id: str = "p", white: bool = False
) -> FeatureRow:
    return FeatureRow(image(image_id, product_id), view, digest, white, encode(np.array(vector or (1, 0, 0))))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database" / "features.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with Database(path, SHOP, create=True) as database:
        FeatureStore(database).add_model(SPEC)
        yield database


@pytest.fixture
def store(database: Database) -> FeatureStore:
    return FeatureStore(database)


def ids(database: Database) -> list[str]:
    return [name for (name,) in database.connection.execute('SELECT id FROM "features_shop" ORDER BY id')]


def test_an_image_is_missing_until_all_its_views_are_stored(store: FeatureStore) -> None:
    images = [(image("a.jpg"), b"A")]
    assert store.missing(images, KEY, ONE_VIEW) == [True]
    store.add([row("a.jpg", b"A")], KEY)
    assert store.missing(images, KEY, ONE_VIEW) == [False]
    assert store.missing(images, KEY, SIX_VIEWS) == [True]
    store.add([row("a.jpg", b"A", view=view) for view in SIX_VIEWS], KEY)
    assert store.missing(images, KEY, SIX_VIEWS) == [False]


def test_each_image_is_checked_by_itself(store: FeatureStore) -> None:
    store.add([row("b.jpg", b"B")], KEY)
    assert store.missing([(image(f"{name}.jpg"), name.upper().encode()) for name in "abc"], KEY, ONE_VIEW) == [
        *(True, False, True),
    ]


def test_another_content_is_missing_and_replaces_every_view_of_every_model(
    store: FeatureStore, database: Database
) -> None:
    store.add_model(OTHER)
    store.add([row("a.jpg", b"old", view=view) for view in SIX_VIEWS], KEY)
    store.add([row("a.jpg", b"old", 1, 0)], OTHER.key)
    assert store.missing([(image("a.jpg"), b"new")], KEY, ONE_VIEW) == [True]
    store.add([row("a.jpg", b"new", 0, 1, 0)], KEY)
    assert ids(database) == ["a.jpg,000"]
    assert matrix(database, KEY, SIX_VIEWS).vectors.tolist() == [[0, 1, 0]]
    with pytest.raises(NotFittedError):
        matrix(database, OTHER.key, ONE_VIEW)


def test_the_same_content_under_another_name_is_copied_not_computed(store: FeatureStore, database: Database) -> None:
    store.add([row("a.jpg", b"A", 0, 0, 1, product_id="p", white=True)], KEY)
    assert store.missing([(image("copy.jpg", "q"), b"A")], KEY, ONE_VIEW) == [False]
    features = matrix(database, KEY, ONE_VIEW)
    assert (features.image_ids, features.product_ids) == (["a.jpg", "copy.jpg"], ["p", "q"])
    assert features.vectors.tolist() == [[0, 0, 1], [0, 0, 1]]


def test_a_copy_with_fewer_views_is_no_help(store: FeatureStore, database: Database) -> None:
    store.add([row("a.jpg", b"A")], KEY)
    assert store.missing([(image("copy.jpg"), b"A")], KEY, SIX_VIEWS) == [True]
    assert ids(database) == ["a.jpg,000"]


def test_two_models_stand_side_by_side(store: FeatureStore, database: Database) -> None:
    store.add_model(OTHER)
    store.add_model(OTHER)  # a second time changes nothing
    store.add([row("a.jpg", b"A", 1, 0, 0)], KEY)
    assert store.missing([(image("a.jpg"), b"A")], OTHER.key, ONE_VIEW) == [True]
    store.add([row("a.jpg", b"A", 0, 1)], OTHER.key)
    assert store.models() == [KEY, OTHER.key]
    assert matrix(database, KEY, ONE_VIEW).vectors.tolist() == [[1, 0, 0]]
    assert matrix(database, OTHER.key, ONE_VIEW).vectors.tolist() == [[0, 1]]
    assert ids(database) == ["a.jpg,000"]


def test_a_model_that_was_never_fitted_names_those_that_were(store: FeatureStore, database: Database) -> None:
    with pytest.raises(NotFittedError, match=r"shop has no features of VGG \(only of: mean-colour\): run fit"):
        matrix(database, "VGG", ONE_VIEW)
    assert store.views("VGG") == set()


def test_a_model_whose_images_are_gone_is_not_said_to_be_among_those_that_there_are(
    store: FeatureStore, database: Database
) -> None:
    store.add_model(OTHER)  # as a fit does before its first image
    with pytest.raises(NotFittedError, match=rf"no image .* has features of {OTHER.key} \(there are features of: none"):
        matrix(database, OTHER.key, ONE_VIEW)
    store.add([row("a.jpg", b"A", 1, 0, 0)], KEY)
    with pytest.raises(NotFittedError, match=rf"{OTHER.key} \(there are features of: {KEY}\).*with that model"):
        matrix(database, OTHER.key, ONE_VIEW)


def test_put_is_all_or_nothing(store: FeatureStore, database: Database) -> None:
    spoilt = replace(row("b.jpg", b"B"), view=None)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="NOT NULL"):
        store.add([row("a.jpg", b"A"), spoilt], KEY)
    assert ids(database) == []


def test_the_matrix_is_sorted_by_product_image_and_view(store: FeatureStore, database: Database) -> None:
    store.add([row("1.jpg", b"1", product_id="b")], KEY)
    store.add([row("2.jpg", b"2", view=view, product_id="a") for view in ("00090", "000")], KEY)
    store.add([row("3.jpg", b"3", view=view, product_id="a") for view in reversed(SIX_VIEWS)], KEY)
    features = matrix(database, KEY, SIX_VIEWS)
    assert features.product_ids == ["a"] * 8 + ["b"]
    assert features.image_ids == ["2.jpg"] * 2 + ["3.jpg"] * 6 + ["1.jpg"]
    assert features.views == ["000", "00090", *sorted(SIX_VIEWS), "000"]
    assert store.views(KEY) == set(SIX_VIEWS)
    assert matrix(database, KEY, ONE_VIEW).image_ids == ["2.jpg", "3.jpg", "1.jpg"]


def test_what_a_run_did_not_see_or_could_not_use_is_switched_off(store: FeatureStore, database: Database) -> None:
    store.add([row(name, name.encode(), view=view) for name in "abc" for view in SIX_VIEWS], KEY)
    records = CatalogueRecords(database)
    records.claim([image("a"), image("b")])
    records.mark_unusable([image("b")])
    store.activate_seen()
    assert set(matrix(database, KEY, SIX_VIEWS).image_ids) == {"a"}
    assert len(ids(database)) == 18  # kept: an image that returns is not computed again


def test_what_is_put_is_on_and_its_products(store: FeatureStore, database: Database) -> None:
    store.add([row("a", b"A", product_id="p")], KEY)
    database.connection.execute("UPDATE features_shop SET active = 0")
    store.add([row("a", b"A", product_id="q")], KEY)
    assert matrix(database, KEY, ONE_VIEW).product_ids == ["q"]


def test_a_content_keeps_the_vector_that_it_has(store: FeatureStore, database: Database) -> None:
    store.add([row("a", b"A", 1, 0, 0)], KEY)
    store.add([row("a", b"A", 0, 1, 0, view=view) for view in SIX_VIEWS], KEY)  # five of them are missing
    assert matrix(database, KEY, SIX_VIEWS).vectors.tolist() == [[1, 0, 0]] + [[0, 1, 0]] * 5
    store.add([row("a", b"B", 0, 0, 1)], KEY)
    assert matrix(database, KEY, SIX_VIEWS).vectors.tolist() == [[0, 0, 1]]


def test_what_returns_is_switched_on_again(store: FeatureStore, database: Database, path: Path) -> None:
    store.add([row("a", b"A"), row("b", b"B")], KEY)
    for seen in (["a"], ["a", "b"]):
        with Database(path, SHOP) as run:
            CatalogueRecords(run).claim([image(name) for name in seen])
            FeatureStore(run).activate_seen()
        assert matrix(database, KEY, ONE_VIEW).image_ids == seen


def test_an_image_that_moves_to_another_product_takes_its_features_along(
    store: FeatureStore, database: Database
) -> None:
    store.add([row("a", b"A", product_id="p")], KEY)
    CatalogueRecords(database).claim([image("a", "q")])
    store.activate_seen()
    assert matrix(database, KEY, ONE_VIEW).product_ids == ["q"]


def test_readers_see_one_state_while_another_run_writes(store: FeatureStore, database: Database, path: Path) -> None:
    store.add([row("a", b"A"), row("b", b"B")], KEY)

    def write_meanwhile(statement: str) -> None:
        if "ORDER BY" in statement:  # the rows have been counted, and are about to be read
            with closing(sqlite3.connect(path)) as other, other:
                other.execute("DELETE FROM features_shop WHERE id = 'b,000'")

    database.connection.set_trace_callback(write_meanwhile)
    features = matrix(database, KEY, ONE_VIEW)
    database.connection.set_trace_callback(None)
    assert len(features.image_ids) == len(features.vectors) == 2
    assert matrix(database, KEY, ONE_VIEW).image_ids == ["a"]


def test_a_damaged_vector_is_an_error_not_an_answer(store: FeatureStore, database: Database) -> None:
    store.add([row("a", b"A")], KEY)
    database.connection.execute(f"UPDATE features_shop SET \"features_{KEY}\" = x'00'")
    with pytest.raises(StoreError, match="has 1 bytes, 6 were expected"):
        matrix(database, KEY, ONE_VIEW)
