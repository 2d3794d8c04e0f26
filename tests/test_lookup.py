"""The look-up file beside a dictionary: gives what the public files give, and is passed over when it does not fit."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from image_similarity.errors import NotFittedError, OutputError, UsageError
from image_similarity.store import recommendations as files
from image_similarity.store import recommendations_lookup as lookup
from image_similarity.store import safe_pickle
from image_similarity.store.recommendations import Dictionary
from image_similarity.types import ProductMatch

ENDINGS = (".pickle", ".parquet", ".lookup")


def answers(products: int, score: float = 0.75) -> list[tuple[str, list[ProductMatch]]]:
    """A dictionary in which each product is most like the next."""
    ids = [f"bâton {number:04}" for number in range(products)]
    return [
        (each, [ProductMatch(ids[at - rank], rank, score / rank, f"{at - rank}.jpg", f"{at}.jpg") for rank in (1, 2)])
        for at, each in enumerate(ids)
    ]


@pytest.fixture
def stem(tmp_path: Path) -> Path:
    stem = tmp_path / "trained models" / "shop #1?_model_VGG@0123"
    files.write(stem, answers(300))
    return stem


def beside(stem: Path, ending: str) -> Path:
    return Path(f"{stem}{ending}")


def found(stem: Path) -> lookup.Lookup | None:
    return lookup.find(beside(stem, ".lookup"), beside(stem, ".pickle"))


def without(stem: Path, *endings: str) -> Dictionary:
    for ending in endings:
        beside(stem, ending).unlink()
    return Dictionary(stem)


def test_with_and_without_it_the_answers_are_the_same(stem: Path) -> None:
    assert found(stem) is not None
    quick = Dictionary(stem)
    whole = [(each, quick.similar(each)) for each in quick.products()]
    assert whole == answers(300)
    for slow in (without(stem, ".lookup"), without(stem, ".pickle")):
        assert slow.products() == quick.products()
        assert all(slow.similar(each) == matches for each, matches in whole[::50])


def test_the_public_files_are_not_read_for_an_answer(stem: Path) -> None:
    times = beside(stem, ".pickle").stat()
    for ending in (".pickle", ".parquet"):
        path = beside(stem, ending)
        path.write_bytes(b"\0" * path.stat().st_size)
    os.utime(beside(stem, ".pickle"), ns=(times.st_atime_ns, times.st_mtime_ns))
    assert Dictionary(stem).similar("bâton 0007") == answers(300)[7][1]


def test_only_the_parquet_file_is_left(stem: Path) -> None:
    dictionary = without(stem, ".pickle", ".lookup")
    assert dictionary.similar("bâton 0007")[0].product_id == "bâton 0006"
    assert dictionary.by_chance() in dictionary.products()
    with pytest.raises(UsageError, match=r"no product 'baton 0007' in .*\.parquet\. Did you mean .*bâton 0007"):
        dictionary.similar("baton 0007")


def test_another_pickle_is_believed_rather_than_the_file(stem: Path) -> None:
    path = beside(stem, ".pickle")
    path.write_bytes(safe_pickle.dumps({"bâton 0007": ["bâton 0299"]}))
    assert found(stem) is None
    assert [match.product_id for match in Dictionary(stem).similar("bâton 0007")] == ["bâton 0299"]


def test_another_pickle_of_the_same_size_is_noticed(stem: Path) -> None:
    path = beside(stem, ".pickle")
    swapped = path.read_bytes().replace("bâton 0006".encode(), "bâton 0206".encode())
    path.write_bytes(swapped)
    os.utime(path, ns=(1, 1))
    assert found(stem) is None
    assert Dictionary(stem).similar("bâton 0007")[0].product_id == "bâton 0206"


def test_a_copied_workspace_keeps_its_look_up_file(stem: Path, tmp_path: Path) -> None:
    shutil.copytree(stem.parent, tmp_path / "copy", copy_function=shutil.copyfile)  # the times are new
    assert found(tmp_path / "copy" / stem.name) is not None


def test_a_file_of_another_fit_is_passed_over(stem: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    files.write(other, answers(300, score=0.5)[::2])
    beside(other, ".lookup").replace(beside(stem, ".lookup"))  # as when a run is killed between the files
    assert found(stem) is None
    assert Dictionary(stem).similar("bâton 0007") == answers(300)[7][1]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_never_wrong(stem: Path, share: float) -> None:
    path = beside(stem, ".lookup")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    for product_id, matches in answers(300)[::25]:
        assert Dictionary(stem).similar(product_id) == matches
    assert len(Dictionary(stem).products()) == 300
    assert Dictionary(stem).by_chance().startswith("bâton")


def _other_format(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA user_version = {lookup.FORMAT + 1}")


def _other_values(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE answers SET matches = x'00'")


def _no_table(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE answers")


@pytest.mark.parametrize("harm", [_other_format, _other_values, _no_table])
def test_a_file_with_something_else_in_it_is_passed_over(
    stem: Path, harm: Callable[[sqlite3.Connection], None]
) -> None:
    with closing(sqlite3.connect(beside(stem, ".lookup"), isolation_level=None)) as connection:
        harm(connection)
    dictionary = Dictionary(stem)
    assert dictionary.similar("bâton 0299") == answers(300)[299][1]
    with pytest.raises(UsageError, match="Did you mean bâton"):
        dictionary.similar("baton")


def test_whoever_has_it_open_keeps_the_old_one_while_a_fit_replaces_it(stem: Path) -> None:
    reading = Dictionary(stem)
    files.write(stem, answers(20, score=0.5))
    assert reading.similar("bâton 0250") == answers(300)[250][1]
    assert Dictionary(stem).similar("bâton 0007") == answers(20, score=0.5)[7][1]


def test_by_chance_every_product_may_come(stem: Path) -> None:
    files.write(stem, answers(3))
    for endings in ((), (".lookup",), (".pickle",)):
        dictionary = without(stem, *endings)
        assert {dictionary.by_chance() for _ in range(200)} == {"bâton 0000", "bâton 0001", "bâton 0002"}


def test_a_dictionary_of_nothing_says_so(stem: Path) -> None:
    files.write(stem, [])
    for endings in ((), (".lookup",)):
        with pytest.raises(NotFittedError, match=r"holds no product: run fit first"):
            without(stem, *endings).by_chance()


def test_one_that_cannot_be_written_leaves_all_three(stem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {ending: beside(stem, ending).read_bytes() for ending in ENDINGS}
    monkeypatch.setattr(lookup, "TABLES", "CREATE TABLE answers (number, product, matches CHECK (number < 9))")
    with pytest.raises(OutputError, match=r"its look-up file: .*What stood there is unchanged"):
        files.write(stem, answers(20))
    assert {ending: beside(stem, ending).read_bytes() for ending in ENDINGS} == before
    assert len(list(stem.parent.iterdir())) == 3
