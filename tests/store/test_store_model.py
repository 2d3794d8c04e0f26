"""The feature store against a model of it: a dict, kept by the rules that docs/storage.md states."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from image_similarity.dataset import Dataset
from image_similarity.errors import NotFittedError, StoreError, UsageError
from image_similarity.images.views import ONE_VIEW, SIX_VIEWS
from image_similarity.store.codec import encode
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureRow, FeatureStore
from image_similarity.store.records import CatalogueRecords
from image_similarity.store.schema import MIGRATIONS, applied, migrate
from image_similarity.types import CatalogueImage
from tests.conftest import MeanColour
from tests.support.stored import matrix

SHOP = Dataset.named("it's a shop")
SPECS = {key: replace(MeanColour.spec, key=key) for key in ("mean-colour", 'odd"key@01')}
AWKWARD = ["a", "a,000", "a,", "a-", "100%", "it's", 'a"b', "a_b", "aXb", "靴/01.jpg", "обувь 1.png", "🏒", "A"]
# What a run finds: image id to (product, content, whether it can be used).
CATALOGUES = st.dictionaries(
    st.sampled_from(AWKWARD), st.tuples(st.sampled_from("pq"), st.integers(0, 3), st.booleans()), max_size=6
)
RUNS = st.lists(
    st.tuples(CATALOGUES, st.sampled_from(sorted(SPECS)), st.sampled_from([ONE_VIEW, SIX_VIEWS])), max_size=5
)


def vector(content: int, view: str, key: str) -> bytes:
    """Three numbers that no other content, view or model has."""
    return encode(np.array([content, SIX_VIEWS.index(view), len(key)], np.float16))


@dataclass
class Known:
    """What the model knows of one row."""

    product: str
    content: int
    active: bool = True
    vectors: dict[str, bytes] = field(default_factory=dict)


class Model:
    """The store as a dict from (image, view)."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Known] = {}

    def run(self, catalogue: dict[str, tuple[str, int, bool]], key: str, views: tuple[str, ...]) -> None:
        for image_id, (product, content, sound) in catalogue.items():
            have = [self.rows.get((image_id, view)) for view in views]
            if not sound or all(row and row.content == content and key in row.vectors for row in have):
                continue
            for place in [place for place, row in self.rows.items() if place[0] == image_id and row.content != content]:
                del self.rows[place]
            for view in views:
                row = self.rows.setdefault((image_id, view), Known(product, content))
                row.vectors[key] = vector(content, view, key)
        for (image_id, _), row in self.rows.items():
            row.product, _, row.active = catalogue.get(image_id, (row.product, 0, False))

    def matrix(self, key: str) -> list[tuple[str, str, str, bytes]]:
        found = [
            (row.product, image_id, view, row.vectors[key])
            for (image_id, view), row in self.rows.items()
            if row.active and key in row.vectors
        ]
        return sorted(found)


def run_store(path: Path, catalogue: dict[str, tuple[str, int, bool]], key: str, views: tuple[str, ...]) -> int:
    """One run as the job does it; the number of images whose vectors had to be computed."""
    with Database(path, SHOP, create=True) as database:
        store, records = FeatureStore(database), CatalogueRecords(database)
        store.add_model(SPECS[key])
        images = {name: CatalogueImage(name, product, name) for name, (product, _, _) in catalogue.items()}
        records.claim(images.values())
        records.mark_unusable([images[name] for name, (_, _, sound) in catalogue.items() if not sound])
        computed = 0
        for name, (_, content, sound) in catalogue.items():
            digest = bytes([content])
            if sound and store.missing([(images[name], digest)], key, views) == [True]:
                store.add([FeatureRow(images[name], v, digest, False, vector(content, v, key)) for v in views], key)
                computed += 1
        store.activate_seen()
        records.delete_unseen([])
    return computed


def read_store(path: Path, key: str) -> list[tuple[str, str, str, bytes]]:
    with Database(path, SHOP) as database:
        try:
            features = matrix(database, key, SIX_VIEWS)
        except NotFittedError:
            return []
    blobs = [row.tobytes() for row in features.vectors]
    return list(zip(features.product_ids, features.image_ids, features.views, blobs, strict=True))


@given(runs=RUNS)
@settings(max_examples=40)
def test_any_history_of_runs_leaves_what_the_rules_say(
    runs: list[tuple[dict[str, tuple[str, int, bool]], str, tuple[str, ...]]],
) -> None:
    model = Model()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "features.db"
        for catalogue, key, views in runs:
            run_store(path, catalogue, key, views)
            model.run(catalogue, key, views)
            assert run_store(path, catalogue, key, views) == 0  # the same run again computes nothing
            for each in SPECS:
                assert read_store(path, each) == model.matrix(each)


# Any but NUL, which the fit job refuses.
@given(name=st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=20))
@settings(max_examples=40)
def test_an_image_id_is_any_text(name: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "features.db"
        key = "mean-colour"
        names = {name, f"{name},000", f"{name}%", f"_{name}"}
        assert run_store(path, {each: ("p", 1 + i, True) for i, each in enumerate(names)}, key, SIX_VIEWS) == 4
        run_store(path, {name: ("p", 9, True)}, key, ONE_VIEW)  # only its own rows make way
        assert read_store(path, key) == [("p", name, "000", vector(9, "000", key))]
        with Database(path, SHOP) as database:
            (count,) = database.connection.execute(f"SELECT count(*) FROM {database.features}").fetchone()
        assert count == 3 * 6 + 1


def test_nothing_is_made_by_asking(tmp_path: Path) -> None:
    path = tmp_path / "database" / "features.db"
    with pytest.raises(NotFittedError, match=r"nothing is fitted yet: there is no .*features\.db\. Run fit first"):
        Database(path, SHOP)
    assert not path.parent.exists()
    Database(path, Dataset.named("hats"), create=True).connection.close()
    with pytest.raises(NotFittedError, match=r"the dataset it's a shop is not fitted \(fitted: hats\): run fit first"):
        Database(path, SHOP)


def test_a_step_is_taken_once_whole_or_not_at_all(tmp_path: Path) -> None:
    path, taken = tmp_path / "features.db", list[str]()

    def colours(connection: sqlite3.Connection) -> None:
        taken.append("colours")
        connection.execute("CREATE TABLE colours (name TEXT)")

    def broken(connection: sqlite3.Connection) -> None:
        taken.append("broken")
        connection.execute("INSERT INTO colours VALUES ('red')")
        connection.execute("no SQL")

    with Database(path, SHOP, create=True) as database:
        connection = database.connection
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, path, [*MIGRATIONS, ("colours", colours), ("broken", broken)])
        assert applied(connection) == [name for name, _ in MIGRATIONS]
        with pytest.raises(sqlite3.OperationalError, match="no such table: colours"):
            connection.execute("SELECT * FROM colours")
        for _ in range(2):
            migrate(connection, path, [*MIGRATIONS, ("colours", colours)])
        assert (taken, applied(connection)[-1]) == (["colours", "broken", "colours"], "colours")
    with pytest.raises(StoreError, match="a later version of image-similarity: upgrade the package"):
        Database(path, SHOP)


def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "features.db"
    with Database(path, SHOP, create=True) as database:
        database.connection.execute("INSERT INTO migrations VALUES ('colours of tables', datetime('now'))")
    with pytest.raises(StoreError, match="a later version of image-similarity: upgrade the package"):
        Database(path, SHOP, create=True)


@pytest.mark.parametrize("content", [b"<html>not found</html>" * 100, b"SQLite format 3\0" + b"\7" * 5000])
def test_a_file_that_is_no_feature_store_is_refused_and_kept(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "features.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"features\.db is damaged or not a feature store: .* Move it away"):
        Database(path, SHOP, create=True)
    assert path.read_bytes() == content


def test_a_dataset_that_shares_the_table_is_refused_inside_a_used_store(tmp_path: Path) -> None:
    path = tmp_path / "features.db"
    run_store(path, {"a": ("p", 1, True)}, "mean-colour", ONE_VIEW)
    with pytest.raises(UsageError, match="would share the table"):
        Database(path, Dataset.named("IT'S a shop"), create=True)
    assert len(read_store(path, "mean-colour")) == 1
