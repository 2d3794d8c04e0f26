"""Records as JSON has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from image_similarity.util.plain_values import Record, fields_of, plain


class Colour(Enum):
    RED = 1


class Scope(StrEnum):
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Inner:
    file: Path
    sides: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Special(Record):
    name: str
    hidden: int

    def as_dict(self) -> dict[str, Any]:
        return fields_of(self, without=("hidden",)) | {"shown": self.hidden + 1}


@dataclass(frozen=True, slots=True)
class Outer(Record):
    inner: Inner | None
    by_name: Mapping[str, Special]
    many: tuple[Inner, ...] = ()


def test_records_within_records_are_dictionaries_in_the_order_of_their_fields() -> None:
    inner = Inner(Path("a") / "b.jpg", (2, 3))
    record = Outer(inner, MappingProxyType({"x": Special("s", 1)}), (inner,))
    wanted = {"file": "a/b.jpg", "sides": [2, 3]}
    found = record.as_dict()
    assert found == {"inner": wanted, "by_name": {"x": {"name": "s", "shown": 2}}, "many": [wanted]} == plain(record)
    assert list(found) == ["inner", "by_name", "many"] and Outer(None, {}).as_dict()["inner"] is None


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.25), 0.25),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (Colour.RED, 1),
        (Scope.ALL, "all"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (None, None),
        ("text", "text"),
        ((1, ("a", None)), [1, ["a", None]]),
        ({"a": (True,)}, {"a": [True]}),
    ],
)
def test_each_kind_of_value(value: object, wanted: object) -> None:
    found = plain(value)
    assert found == wanted and json.loads(json.dumps(found)) == wanted
    assert type(found) is type(wanted)
