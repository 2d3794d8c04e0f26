"""The dictionary's two public files: the first version's pickle, and the Parquet table beside it."""

from __future__ import annotations

import pickle
import pickletools
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_similarity.errors import NotFittedError, OutputError, StoreError, UsageError
from image_similarity.store import recommendations as files
from image_similarity.store import safe_pickle
from image_similarity.store.recommendations import Dictionary
from image_similarity.types import ProductMatch


def match(product_id: str, rank: int, score: float = 0.5) -> ProductMatch:
    return ProductMatch(product_id, rank, score, image_id=f"{product_id}_1.jpg", query_image_id="asked_1.jpg")


SHOP = [
    ("helmet1", [match("helmet2", 1, 0.9), match("bâton", 2, 0.25)]),
    ("helmet2", [match("helmet1", 1, 0.9), match("bâton", 2, 0.125)]),
    ("bâton", [match("helmet1", 1, 0.25), match("helmet2", 2, 0.125)]),
]


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    stem = tmp_path / "trained_models" / "shop_v1.2_model_VGG"
    assert files.write(stem, SHOP) == 3
    return stem


def beside(stem: Path, ending: str) -> Path:
    return Path(f"{stem}{ending}")


def test_the_pickle_is_the_first_versions_plain_dict(stem: Path) -> None:
    data = beside(stem, ".pickle").read_bytes()
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


def test_the_table_has_every_pair_with_its_pictures(stem: Path) -> None:
    table = pq.read_table(beside(stem, ".parquet"))
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


def test_the_same_answers_give_the_same_bytes(stem: Path) -> None:
    copies = [
        (product_id, [match(m.product_id, m.rank, m.score or 0) for m in matches]) for product_id, matches in SHOP
    ]
    again = stem.with_name("again")
    shared = {"helmet1": "".join(["hel", "met1"])}  # an equal text that is another object
    files.write(again, [(shared.get(product_id, product_id), matches) for product_id, matches in copies])
    for ending in (".pickle", ".parquet"):
        assert beside(again, ending).read_bytes() == beside(stem, ending).read_bytes()


def test_more_rows_than_are_held_at_a_time(stem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROW_GROUP", 3)
    files.write(stem, SHOP)
    beside(stem, ".lookup").unlink()
    assert pq.ParquetFile(beside(stem, ".parquet")).num_row_groups == 2
    assert [each.product_id for each in Dictionary(stem).similar("bâton")] == ["helmet1", "helmet2"]


def test_looking_a_product_up(stem: Path) -> None:
    dictionary = Dictionary(stem)
    assert dictionary.products() == ["bâton", "helmet1", "helmet2"]
    assert dictionary.similar("helmet1") == SHOP[0][1]


def test_an_unknown_product_is_met_with_the_nearest_ids(stem: Path) -> None:
    with pytest.raises(UsageError, match=r"no product 'helmt1' in .*VGG\.pickle\. Did you mean helmet1, helmet2\?"):
        Dictionary(stem).similar("helmt1")
    with pytest.raises(UsageError, match=r"no product 'xyz' in .*\.pickle$"):
        Dictionary(stem).similar("xyz")


def test_a_dictionary_that_was_never_written(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match=r"there is no dictionary .*none\.pickle: run fit first"):
        Dictionary(tmp_path / "none")


def test_a_pickle_of_the_first_version_needs_nothing_beside_it(tmp_path: Path) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / f"{protocol}.pickle"
        path.write_bytes(pickle.dumps({"a": ["b", "c"], "b": ["a"]}, protocol))
        assert Dictionary(tmp_path / str(protocol)).similar("a") == [
            ProductMatch("b", 1, None, "", ""),
            ProductMatch("c", 2, None, "", ""),
        ]


def test_a_table_of_another_run_is_not_mixed_in(stem: Path) -> None:
    beside(stem, ".pickle").write_bytes(safe_pickle.dumps({"helmet1": ["bâton"]}))
    assert Dictionary(stem).similar("helmet1") == [ProductMatch("bâton", 1, None, "", "")]


def test_a_damaged_table_is_named(stem: Path) -> None:
    beside(stem, ".lookup").unlink()
    path = beside(stem, ".parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match=r"VGG\.parquet is damaged: .*Run fit again"):
        Dictionary(stem).similar("helmet1")


def test_what_stood_there_stays_when_ranking_fails_half_way(stem: Path) -> None:
    before = {ending: beside(stem, ending).read_bytes() for ending in (".pickle", ".parquet", ".lookup")}

    def broken() -> object:
        yield SHOP[0]
        raise StoreError("a stored vector is damaged")

    with pytest.raises(StoreError):
        files.write(stem, broken())  # type: ignore[arg-type]
    assert {ending: beside(stem, ending).read_bytes() for ending in before} == before
    assert len(list(stem.parent.iterdir())) == 3


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot write .*shop\.pickle: .*What stood there is unchanged"):
        files.write(tmp_path / "file" / "shop", SHOP)


@given(similar=st.dictionaries(st.text(), st.lists(st.text(), max_size=4), max_size=5))
def test_any_dictionary_comes_back(similar: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pickle"
    path.write_bytes(safe_pickle.dumps(similar))
    assert safe_pickle.load(path) == similar == pickle.loads(path.read_bytes())
