"""Small records that tell when they have changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from image_similarity.errors import OutputError
from image_similarity.util.sealed_json import read_sealed, write_sealed

RECORD = {"format": 1, "file": Path("a") / "b", "parts": (1, 2.5, None)}
READ = {"format": 1, "file": "a/b", "parts": [1, 2.5, None]}


def test_a_record_comes_back_as_json_has_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "record.json"
    write_sealed(path, RECORD)
    assert read_sealed(path) == READ and [each.name for each in path.parent.iterdir()] == ["record.json"]


@pytest.mark.parametrize("change", [{"format": 2}, {"more": 1}, {"seal": "0" * 16}, {"seal": None}])
def test_a_record_that_has_changed_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "record.json"
    write_sealed(path, RECORD)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match="it has changed since it was written"):
        read_sealed(path)


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps(READ), "[" * 100_000])
def test_what_is_no_sealed_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(ValueError):
        read_sealed(tmp_path / "record.json")


def test_a_record_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    write_sealed(tmp_path / "record.json", RECORD)
    with pytest.raises(OutputError):
        write_sealed(tmp_path / "record.json" / "below", RECORD)
    assert read_sealed(tmp_path / "record.json") == READ
