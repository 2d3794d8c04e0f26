"""Pickles that are not dictionaries of text: refused, and nothing that is in them runs."""

from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from image_similarity.errors import StoreError
from image_similarity.store import safe_pickle

# CPython's unpickler takes memory for the largest memo number that it is told, so this one byte is not tried.
LONG_BINPUT = ord("r")
GOOD = safe_pickle.dumps({"ski1": ["ski2", "slate"], "ski2": ["ski1"], "slate": []})


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


class Text(str):
    """Not quite text."""

    __slots__ = ()


class Outside(pickle.Pickler):
    """Refers to something outside the file."""

    def persistent_id(self, value: Any) -> Any:
        return value if isinstance(value, str) and value.startswith("outside") else None


def text(value: str) -> bytes:
    """A short text, in pickle's protocol 4."""
    return b"\x8c" + struct.pack("B", len(value.encode())) + value.encode()


def refused(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "dictionary.pickle"
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"dictionary\.pickle is no dictionary of similar products: ") as error:
        safe_pickle.load(path)
    return str(error.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_command_inside_is_not_run(protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    evil = Evil(f"touch {marker}")
    for hidden in (evil, {"a": evil}, {"a": [evil]}, [evil]):
        data = pickle.dumps(hidden, protocol)
        assert "it tries to run posix.system" in refused(tmp_path, data)
        assert not marker.exists()
    pickle.loads(data)
    assert marker.exists()  # the command itself was sound


def test_no_way_of_naming_a_function_is_let_through(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    call = f"touch {marker}"
    for data in (
        b"cos\nsystem\n(S'" + call.encode() + b"'\ntR.",
        b"(S'" + call.encode() + b"'\nios\nsystem\n.",
        b"(cos\nsystem\nS'" + call.encode() + b"'\no.",
        b"\x80\x04" + text("os") + text("system") + b"\x93" + text(call) + b"\x85R.",
        b"\x80\x04" + text("builtins") + text("eval") + b"\x93" + text("1") + b"\x85R.",
        b"\x80\x02cbuiltins\nobject\n)\x81.",
        b"\x80\x02\x82\x01.",  # a registered extension
        b"\x80\x04}" + text("a") + text("os") + text("system") + b"\x93s.",
    ):
        refused(tmp_path, data)
        assert not marker.exists()


def test_references_to_something_outside_are_refused(tmp_path: Path) -> None:
    for protocol in (0, 4):
        path = tmp_path / "outside"
        with path.open("wb") as file:
            Outside(file, protocol).dump({"a": ["outside-1"]})
        assert "it refers to something outside itself: 'outside-1'" in refused(tmp_path, path.read_bytes())


@pytest.mark.parametrize(
    "value",
    [
        *(None, 7, "text", b"bytes", ["a"], ("a",), {"a"}, {"a": "b"}, {"a": None}, {"a": ("b",)}, {"a": {"b": "c"}}),
        *(
            {"a": [1]},
            {"a": [b"b"]},
            {"a": [["b"]]},
            {"a": {"b"}},
            {1: ["b"]},
            {b"a": ["b"]},
            {None: []},
            {"a": [None]},
        ),
        *({"a": bytearray(b"b")}, {("a",): ["b"]}, {"a": ["b", 1.5]}, {frozenset("a"): []}),
    ],
    ids=repr,
)
def test_other_plain_values_are_refused(value: object, tmp_path: Path) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        refused(tmp_path, pickle.dumps(value, protocol))


@pytest.mark.parametrize("value", [OrderedDict(a=["b"]), {"a": [Text("b")]}, {Text("a"): ["b"]}], ids=repr)
def test_classes_that_pass_for_plain_ones_are_refused(value: object, tmp_path: Path) -> None:
    assert "it tries to run" in refused(tmp_path, pickle.dumps(value))


def test_lists_in_lists_without_end_are_refused(tmp_path: Path) -> None:
    deep = b"]" * 200_000 + b"a" * 199_999
    assert "not text to lists of text" in refused(tmp_path, b"\x80\x04" + deep + b".")
    assert "not text to lists of text" in refused(tmp_path, b"\x80\x04}" + text("a") + deep + b"s.")
    itself = b"\x80\x04}" + text("a") + b"]\x94h\x00as."  # a list that holds itself
    assert "not text to lists of text" in refused(tmp_path, itself)


def test_a_text_that_claims_to_be_endless_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, b"\x80\x04}\x8d" + struct.pack("<Q", 2**62) + b"abc.")


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_a_file_that_was_cut_short_is_refused(length: int, tmp_path: Path) -> None:
    refused(tmp_path, GOOD[:length])


@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255).filter(lambda byte: byte != LONG_BINPUT))
@settings(max_examples=200)
def test_a_changed_byte_is_refused_or_still_text_to_lists_of_text(
    at: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.pickle"
    path.write_bytes(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])
    try:
        loaded = safe_pickle.load(path)
    except StoreError:
        return
    assert type(loaded) is dict
    assert all(type(key) is str and type(value) is list for key, value in loaded.items())
    assert all(type(item) is str for value in loaded.values() for item in value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no dictionary of similar products"):
        safe_pickle.load(tmp_path)
