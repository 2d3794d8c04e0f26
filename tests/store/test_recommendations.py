"""Recommendations: rows of the store that answer, the first version's pickle and the Parquet table beside them."""

from __future__ import annotations

import pickle
import pickletools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from image_similarity.dataset import Dataset
from image_similarity.errors import NotFittedError, OutputError, StoreError, UsageError
from image_similarity.store import safe_pickle
from image_similarity.store.database import Database
from image_similarity.store.recommendations import BATCH, RecommendationStore
from image_similarity.types import ProductMatch

NAMED = Dataset.named("shop 1_v1.2")
KEY = "VGG@0123"
Answers = list[tuple[str, list[ProductMatch]]]


def match(product_id: str, rank: int, score: float = 0.5) -> ProductMatch:
    return ProductMatch(product_id, rank, score, image_id=f"{product_id}_1.jpg", query_image_id="asked_1.jpg")


SHOP: Answers = [
    ("helmet1", [match("helmet2", 1, 0.9), match("bâton", 2, 0.25)]),
    ("helmet2", [match("helmet1", 1, 0.9), match("bâton", 2, 0.125)]),
    ("bâton", [match("helmet1", 1, 0.25), match("helmet2", 2, 0.125)]),
]


def answers(products: int, score: float = 0.75) -> Answers:
    """A shop in which each product is most like the next."""
    ids = [f"bâton {number:04}" for number in range(products)]
    return [
        (each, [ProductMatch(ids[at - rank], rank, score / rank, f"{at - rank}.jpg", f"{at}.jpg") for rank in (1, 2)])
        for at, each in enumerate(ids)
    ]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "database" / "features.db", NAMED, create=True, timeout=0.1) as database:
        yield database


@pytest.fixture
def store(database: Database, tmp_path: Path) -> RecommendationStore:
    return RecommendationStore(database, tmp_path / "trained models", NAMED)


@pytest.fixture
def written(store: RecommendationStore) -> RecommendationStore:
    assert store.write(KEY, SHOP) == 3
    return store


def file(tmp_path: Path, ending: str, key: str = KEY) -> Path:
    return tmp_path / "trained models" / f"{NAMED.name}_model_{key}{ending}"


def all_of(store: RecommendationStore, key: str = KEY) -> Answers:
    """Every product's, in the order of their ids."""
    found = store.of(key)
    return [(each, found.similar(each)) for each in found.products()]


def count(database: Database, table: str) -> int:
    return int(database.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


# The public files -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("written")
def test_the_pickle_is_the_first_versions_plain_dict(tmp_path: Path) -> None:
    data = file(tmp_path, ".pickle").read_bytes()
    loaded = pickle.loads(data)
    assert loaded == {
        "helmet1": ["helmet2", "bâton"],
        "helmet2": ["helmet1", "bâton"],
        "bâton": ["helmet1", "helmet2"],
    }
    assert type(loaded) is dict
    assert {type(key) for key in loaded} == {type(item) for value in loaded.values() for item in value} == {str}
    assert {type(value) for value in loaded.values()} == {list}
    assert [argument for opcode, argument, _ in pickletools.genops(data) if opcode.name == "PROTO"] == [4]


@pytest.mark.usefixtures("written")
def test_the_table_has_every_pair_with_its_pictures(tmp_path: Path) -> None:
    table = pq.read_table(file(tmp_path, ".parquet"))
    assert {field.name: str(field.type) for field in table.schema} == {
        "product": "string",
        "similar_product": "string",
        "rank": "int32",
        "score": "float",
        "image": "string",
        "similar_image": "string",
    }
    assert table.num_rows == 6
    assert table.to_pylist()[1] == {
        "product": "helmet1",
        "similar_product": "bâton",
        "rank": 2,
        "score": 0.25,
        "image": "asked_1.jpg",
        "similar_image": "bâton_1.jpg",
    }


def test_the_same_answers_give_the_same_bytes(written: RecommendationStore, tmp_path: Path) -> None:
    copies = [
        (product_id, [match(m.product_id, m.rank, m.score or 0) for m in matches]) for product_id, matches in SHOP
    ]
    shared = {"helmet1": "".join(["hel", "met1"])}  # an equal text that is another object
    written.write("again", [(shared.get(product_id, product_id), matches) for product_id, matches in copies])
    for ending in (".pickle", ".parquet"):
        assert file(tmp_path, ending, "again").read_bytes() == file(tmp_path, ending).read_bytes()
    assert all_of(written, "again") == all_of(written)


def test_more_rows_than_are_held_at_a_time(store: RecommendationStore, tmp_path: Path) -> None:
    store.write(KEY, answers(5500))
    table = pq.ParquetFile(file(tmp_path, ".parquet"))
    assert (table.num_row_groups, table.metadata.num_rows) == (2, 11_000)
    assert all_of(store) == answers(5500)


def test_a_folder_that_cannot_be_is_named(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = RecommendationStore(database, tmp_path / "file", NAMED)
    with pytest.raises(OutputError, match=r"cannot write .*\.pickle: .*The previous content is unchanged"):
        store.write(KEY, SHOP)
    assert not store.has(KEY)


# Looking up -------------------------------------------------------------------------------------------------------


def test_looking_a_product_up(written: RecommendationStore) -> None:
    found = written.of(KEY)
    assert found.products() == ["bâton", "helmet1", "helmet2"]
    assert [found.similar(product_id) for product_id, _ in SHOP] == [matches for _, matches in SHOP]


def test_an_unknown_product_is_met_with_the_nearest_ids(written: RecommendationStore) -> None:
    with pytest.raises(UsageError, match=r"no product 'helmt1' in the rec.* of shop .*mean helmet1, helmet2\?"):
        written.of(KEY).similar("helmt1")
    for unknown in ("xyz", "\ud800"):
        with pytest.raises(UsageError, match=r"no product '.*' in the recommendations of shop 1_v1\.2$"):
            written.of(KEY).similar(unknown)


def test_recommendations_that_were_never_written(written: RecommendationStore) -> None:
    with pytest.raises(NotFittedError, match=r"no recommendations of none for shop 1_v1\.2 in .*: run fit first"):
        written.of("none")
    assert not written.has("none") and written.finished("none") is None
    assert written.has(KEY) and written.finished(KEY)


def test_the_public_files_are_not_needed_for_an_answer(written: RecommendationStore, tmp_path: Path) -> None:
    file(tmp_path, ".pickle").write_bytes(b"\0")
    file(tmp_path, ".parquet").unlink()
    assert written.of(KEY).similar("bâton") == SHOP[2][1]


def test_by_chance_every_product_may_come(written: RecommendationStore, tmp_path: Path) -> None:
    pickled = RecommendationStore(None, tmp_path / "trained models", NAMED)
    for store in (written, pickled):
        assert {store.of(KEY).random_product() for _ in range(200)} == {"bâton", "helmet1", "helmet2"}


def test_recommendations_of_nothing_say_so(store: RecommendationStore, tmp_path: Path) -> None:
    store.write(KEY, [])
    for each in (store, RecommendationStore(None, tmp_path / "trained models", NAMED)):
        with pytest.raises(NotFittedError, match=r"no product of shop 1_v1\.2 has recommendations: run fit first"):
            each.of(KEY).random_product()


# The first version's pickle alone ---------------------------------------------------------------------------------


def test_a_pickle_of_the_first_version_needs_nothing_beside_it(store: RecommendationStore, tmp_path: Path) -> None:
    alone = RecommendationStore(None, tmp_path / "trained models", NAMED)
    file(tmp_path, "").parent.mkdir()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        file(tmp_path, ".pickle").write_bytes(pickle.dumps({"a": ["b", "c"], "b": ["a"]}, protocol))
        for each in (alone, store):  # the dataset may be in the store by now, not yet fitted
            assert each.has(KEY)
            assert each.of(KEY).similar("a") == [ProductMatch("b", 1, None, "", ""), ProductMatch("c", 2, None, "", "")]
    with pytest.raises(NotFittedError, match="is not fitted"):
        alone.write(KEY, SHOP)


@given(similar=st.dictionaries(st.text(), st.lists(st.text(), max_size=4), max_size=5))
def test_any_dictionary_comes_back(similar: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pickle"
    path.write_bytes(safe_pickle.dumps(similar))
    assert safe_pickle.load(path) == similar == pickle.loads(path.read_bytes())


# Replaced in one step ---------------------------------------------------------------------------------------------


def test_what_stood_there_stays_when_ranking_fails_half_way(
    written: RecommendationStore, database: Database, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in file(tmp_path, "").parent.iterdir()}

    def broken() -> Iterator[tuple[str, list[ProductMatch]]]:
        yield from answers(BATCH + 1)
        raise StoreError("a stored vector is damaged")

    with pytest.raises(StoreError):
        written.write(KEY, broken())
    assert {path: path.read_bytes() for path in file(tmp_path, "").parent.iterdir()} == before
    assert all_of(written) == sorted(SHOP)
    assert count(database, "recommendations") > BATCH
    written.write("other", SHOP)  # the next fit of the dataset removes what was half written
    assert (count(database, "recommendations"), count(database, "fits")) == (6, 2)


def test_others_read_and_write_while_recommendations_are_written(
    written: RecommendationStore, database: Database, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(database.path, timeout=0, isolation_level=None)) as other:

        def slow() -> Iterator[tuple[str, list[ProductMatch]]]:
            for number, answer in enumerate(answers(3 * BATCH)):
                if not number % 100:
                    other.execute("INSERT INTO models VALUES (?, 1, '', '')", (str(number),))
                    assert all_of(written) == sorted(SHOP)
                yield answer

        written.write(KEY, slow())
    assert all_of(written) == answers(3 * BATCH)
    assert count(database, "recommendations") == 3 * BATCH
    written.write(KEY, SHOP)
    assert (count(database, "recommendations"), count(database, "fits")) == (3, 1)


def test_whoever_reads_one_state_keeps_it_while_a_fit_replaces_it(
    written: RecommendationStore, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "trained models"
    with Database.open_if_fitted(database.path, NAMED) as reading:
        found = RecommendationStore(reading, folder, NAMED).of(KEY)
        assert found.products()
        written.write(KEY, answers(20))
        assert found.similar("helmet1") == SHOP[0][1]
    assert all_of(written) == answers(20)


def test_datasets_and_models_keep_apart(written: RecommendationStore, database: Database, tmp_path: Path) -> None:
    with Database(database.path, Dataset.named("toys"), create=True) as toys:
        other = RecommendationStore(toys, tmp_path / "trained models", toys.dataset)
        assert not other.has(KEY)
        other.write(KEY, answers(4))
        written.write("second", answers(5))
        written.write(KEY, SHOP[:1])
        assert (all_of(other), all_of(written, "second"), all_of(written)) == (answers(4), answers(5), SHOP[:1])


def test_recommendations_that_were_damaged_are_said_to_be(written: RecommendationStore, database: Database) -> None:
    whole = database.connection.execute("SELECT matches FROM recommendations WHERE number = 1").fetchone()[0]
    for harmed in (b"", b"\0", whole[:-1], whole[:9] + b"\xff" + whole[10:], "text"):
        database.connection.execute("UPDATE recommendations SET matches = ? WHERE number = 1", (harmed,))
        with pytest.raises(StoreError, match=r"features\.db is damaged .*recommendations of 'helmet1' cannot be read"):
            written.of(KEY).similar("helmet1")
        assert written.of(KEY).similar("helmet2") == SHOP[1][1]
