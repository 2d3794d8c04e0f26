"""The index holds what the store holds, immediately after any change; without a change nothing is rewritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from image_similarity.errors import NotFittedError
from image_similarity.images.views import ONE_VIEW, SIX_VIEWS
from image_similarity.index.build import fitted_index, fresh_index, index_folder
from image_similarity.index.identities import PreviousRows
from image_similarity.index.stored_index import StoredIndex
from image_similarity.index.text_column import Texts, packed
from image_similarity.models.recipe import Recipe
from image_similarity.neighbours.exact import ExactIndex
from image_similarity.neighbours.index_choice import IndexChoice
from image_similarity.ranking.gallery import Gallery
from image_similarity.store.snapshot import ROWS_TOGETHER
from image_similarity.types import Features
from tests.support.stock import KEY, SHOP, CopyIndex, Picture, open_store, stock

AWKWARD = ["a", "a,000", "it's", "靴/01.jpg", "обувь 1.png", "🏒", "A", "z" * 300]
CATALOGUES = st.dictionaries(
    st.sampled_from(AWKWARD),
    st.tuples(st.sampled_from(["p", "q", "é", "Ω"]), st.integers(0, 4)),
    min_size=1,
)
COPY = IndexChoice(CopyIndex, exact_up_to=0)


def pictures(catalogue: dict[str, tuple[str, int]]) -> list[Picture]:
    return [Picture(image_id, product_id, content) for image_id, (product_id, content) in catalogue.items()]


def many(count: int, content: int = 0) -> dict[str, Picture]:
    """Two images per product."""
    return {f"{i:04}.jpg": Picture(f"{i:04}.jpg", f"p{i // 2:03}", content + i) for i in range(count)}


def opened(
    root: Path, views: tuple[str, ...] = ONE_VIEW, choice: IndexChoice = COPY, block: int = ROWS_TOGETHER
) -> StoredIndex:
    with open_store(root) as database:
        return fresh_index(database, root / "index", Recipe.of(KEY), views, choice, block=block)


def in_store(root: Path, views: tuple[str, ...]) -> Features:
    """Read with SQLite alone."""
    with open_store(root) as database:
        found = database.connection.execute(
            f'SELECT id, item_id, view, "features_{KEY}" FROM features_shop WHERE active '
            "AND view IN (SELECT value FROM json_each(?))",
            (json.dumps(views),),
        ).fetchall()
    rows = sorted((product, row_id.removesuffix(f",{view}"), view, blob) for row_id, product, view, blob in found)
    if not rows:
        raise NotFittedError("no rows")
    products, images, codes, blobs = map(list, zip(*rows, strict=True))
    return Features(images, products, codes, np.frombuffer(b"".join(blobs), "<f2").reshape(len(rows), -1))


def generations(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "index" / "shop" / f"{KEY}-1").glob("g*"))


def same(index: StoredIndex, features: Features) -> None:
    """The index is the store's matrix, and a gallery of it is one of that."""
    rows = range(len(features.vectors))
    assert list(index.features.image_ids) == features.image_ids == [index.features.image_ids[row] for row in rows]
    assert list(index.features.product_ids) == features.product_ids
    assert list(index.features.views) == features.views
    np.testing.assert_array_equal(index.features.vectors, features.vectors)
    mapped, plain = Gallery.of(index), Gallery(features)
    assert list(mapped.products) == list(plain.products)
    for name in ("starts", "row_product", "row_image"):
        np.testing.assert_array_equal(getattr(mapped, name), getattr(plain, name))
    for at in range(len(plain.products)):
        assert mapped.query(at).image_ids == plain.query(at).image_ids


@given(history=st.lists(CATALOGUES, min_size=1, max_size=4), views=st.sampled_from([ONE_VIEW, SIX_VIEWS]))
@settings(max_examples=30)
def test_after_any_history_the_index_holds_what_the_store_holds(
    history: list[dict[str, tuple[str, int]]], views: tuple[str, ...]
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for catalogue in history:
            stock(root, pictures(catalogue), views=views)
            for indexed in {ONE_VIEW, views}:
                index, features = opened(root, indexed, block=3), in_store(root, indexed)
                same(index, features)
                found = index.index.search(features.vectors, 3)  # in the copied vectors
                np.testing.assert_array_equal(found.rows, ExactIndex(features.vectors).search(features.vectors, 3).rows)


def test_a_small_change_updates_the_large_index_by_the_new_rows_only(tmp_path: Path) -> None:
    catalogue = many(60)
    stock(tmp_path, catalogue.values())
    how = opened(tmp_path).folder / "large" / "how.json"
    assert json.loads(how.read_text()) == ["built", 60]
    del catalogue["0010.jpg"]
    catalogue["0020.jpg"] = Picture("0020.jpg", "p010", 999)  # another content
    catalogue["0030.jpg"] = Picture("0030.jpg", "p000", 30)  # the same, of another product
    catalogue["0005.5.jpg"] = Picture("0005.5.jpg", "p002", 777)
    stock(tmp_path, catalogue.values())
    index = opened(tmp_path)
    assert json.loads((index.folder / "large" / "how.json").read_text()) == ["updated", 2]
    same(index, in_store(tmp_path, ONE_VIEW))
    shutil.rmtree(tmp_path / "index")
    fresh = opened(tmp_path)
    queries = np.array(fresh.features.vectors)
    for left, right in zip(("rows", "scores"), ("rows", "scores"), strict=True):
        np.testing.assert_array_equal(
            getattr(index.index.search(queries, 9), left), getattr(fresh.index.search(queries, 9), right)
        )


def test_few_rows_are_all_compared_and_more_are_not(tmp_path: Path) -> None:
    stock(tmp_path, many(50).values())
    choice = IndexChoice(CopyIndex, exact_up_to=50)
    assert isinstance(opened(tmp_path, choice=choice).index, ExactIndex)
    stock(tmp_path, many(51).values())
    assert isinstance(opened(tmp_path, choice=choice).index, CopyIndex)
    assert isinstance(opened(tmp_path, choice=IndexChoice()).index, ExactIndex)  # the vectors are there in any case


def test_an_unchanged_store_rewrites_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        stock(tmp_path, many(6).values(), {"p000": {"size": "M"}})
        before = opened(tmp_path).folder
        assert (before.name, generations(tmp_path)) == ("g000001", ["g000001"])


def test_a_deleted_image_is_gone_at_once_from_every_index(tmp_path: Path) -> None:
    catalogue = many(6)
    stock(tmp_path, catalogue.values(), views=SIX_VIEWS)
    assert [len(opened(tmp_path, views).features.vectors) for views in (ONE_VIEW, SIX_VIEWS)] == [6, 36]
    del catalogue["0003.jpg"]
    stock(tmp_path, catalogue.values(), views=SIX_VIEWS)
    for views in (ONE_VIEW, SIX_VIEWS):
        assert "0003.jpg" not in list(opened(tmp_path, views).features.image_ids)
    assert generations(tmp_path) == ["g000002"]  # what is out of date does not stay


def test_nothing_of_a_dataset_that_was_emptied_answers(tmp_path: Path) -> None:
    stock(tmp_path, many(2).values())
    opened(tmp_path)
    stock(tmp_path, [])
    with pytest.raises(NotFittedError, match="features of mean-colour"):
        opened(tmp_path)


def test_an_index_answers_on_when_a_newer_one_took_its_place(tmp_path: Path) -> None:
    stock(tmp_path, many(6).values(), {"p001": {"size": "M"}})
    old, features = opened(tmp_path), in_store(tmp_path, ONE_VIEW)
    stock(tmp_path, many(8).values())
    opened(tmp_path)
    assert not old.folder.exists()
    same(old, features)
    assert old.columns["size"].texts[:] == ["M"]


def test_an_old_copy_of_the_store_put_back_is_not_taken_for_the_present_one(tmp_path: Path) -> None:
    database, copy = tmp_path / "database", tmp_path / "copy"
    stock(tmp_path, many(4).values())
    opened(tmp_path)
    shutil.copytree(database, copy)
    stock(tmp_path, many(6).values())
    opened(tmp_path)
    shutil.rmtree(database)
    copy.rename(database)
    stock(tmp_path, many(6, content=50).values())  # as many changes as before, others
    same(opened(tmp_path), in_store(tmp_path, ONE_VIEW))


def generation(root: Path) -> int:
    with open_store(root) as database:
        return database.generation()


def test_the_generation_changes_with_what_answers_are_made_of_and_with_nothing_else(tmp_path: Path) -> None:
    catalogue = many(4)
    products = {"p000": {"size": "M"}}
    seen = []

    def changes() -> bool:
        stock(tmp_path, catalogue.values(), products)
        seen.append(generation(tmp_path))
        return len(seen) == 1 or seen[-1] != seen[-2]

    assert changes()
    assert not changes()
    products["p000"]["size"] = "L"
    assert changes()
    products["p009"] = {}  # nothing to filter by
    assert not changes()
    catalogue["0001.jpg"] = Picture("0001.jpg", "p000", 1, {"angle": "front"})
    assert changes()
    catalogue["0002.jpg"] = Picture("0002.jpg", "p000", 2)
    assert changes()
    del catalogue["0002.jpg"]
    assert changes()
    catalogue["0003.jpg"] = Picture("0003.jpg", "p001", 55)
    assert changes()
    catalogue["twin.jpg"] = Picture("twin.jpg", "p001", 55)
    assert changes()
    assert not changes()
    assert len(set(seen)) == 7


def test_the_views_that_were_fitted_are_known_with_and_without_an_index(tmp_path: Path) -> None:
    for views in (ONE_VIEW, SIX_VIEWS):
        stock(tmp_path, many(2).values(), views=views)
        with open_store(tmp_path) as database:
            assert fitted_index(database, tmp_path / "index", Recipe.of(KEY))[0] == views
            fresh_index(database, tmp_path / "index", Recipe.of(KEY), ONE_VIEW)
            assert fitted_index(database, tmp_path / "index", Recipe.of(KEY))[0] == views


def test_an_index_is_where_the_docs_say(tmp_path: Path) -> None:
    stock(tmp_path, many(4).values())
    index = opened(tmp_path)
    assert index.folder == index_folder(tmp_path / "index", SHOP, KEY, ONE_VIEW).folder / "g000001"
    assert (index.folder.parent / "current").read_text() == "g000001\n"
    vectors = np.load(tmp_path / "index/shop/mean-colour-1/g000001/vectors.npy")
    np.testing.assert_array_equal(vectors, in_store(tmp_path, ONE_VIEW).vectors)


def test_a_department_keeps_its_number(tmp_path: Path) -> None:
    assert index_folder(tmp_path, SHOP.department(371), "VGG", SIX_VIEWS).folder == (tmp_path / "371" / "VGG-6")


# The parts --------------------------------------------------------------------------------------------------------


@given(texts=st.lists(st.text(), max_size=20), another=st.text())
def test_texts_are_a_list_of_texts(texts: list[str], another: str) -> None:
    offsets, blob = packed(texts)
    column = Texts(offsets, np.frombuffer(blob, np.uint8))
    assert list(column) == column[:] == texts
    assert len(column) == len(texts)
    assert column[-3:1:-1] == texts[-3:1:-1]
    if texts:
        assert column[-1] == texts[-1]
    with pytest.raises(IndexError):
        column[len(texts)]


@given(texts=st.lists(st.text(), unique=True), another=st.text())
def test_a_sorted_column_finds_a_text_as_a_list_does(texts: list[str], another: str) -> None:
    texts.sort()
    offsets, blob = packed(texts)
    column = Texts(offsets, np.frombuffer(blob, np.uint8))
    for text in [*texts, another]:
        assert column.find(text) == (texts.index(text) if text in texts else -1)
        assert column.place(text) == sum(each < text for each in texts)
        assert column.place(text, after=True) == sum(each <= text for each in texts)


@given(
    old=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), unique=True),
    new=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), unique=True, min_size=1),
    block=st.integers(1, 5),
)
def test_rows_are_followed_by_what_they_are(old: list[tuple[int, int]], new: list[tuple[int, int]], block: int) -> None:
    # Half of an identity may be another's: such a row may pass for a new one, never for the other.
    previous = PreviousRows(np.array(old, np.uint64).reshape(-1, 2))
    found: list[int] = []
    for start in range(0, len(new), block):
        found += previous.find(np.array(new[start : start + block], np.uint64), start).tolist()
    halves = [half for half, _ in old]
    for row, at in enumerate(found):
        assert at == -1 or old[at] == new[row]
        assert at != -1 or new[row] not in old or halves.count(new[row][0]) > 1
    assert previous.moved.tolist() == [found.index(at) if at in found else -1 for at in range(len(old))]
