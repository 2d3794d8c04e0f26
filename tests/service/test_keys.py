"""API keys: made once, kept as hashes, taken back at once."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from image_similarity.cli import main
from image_similarity.dataset import Dataset
from image_similarity.errors import KeysError, UsageError
from image_similarity.service.guards.api_keys import ApiKeys, KeyScope
from image_similarity.service.options import ServiceOptions


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_key_lets_in_and_anything_else_does_not(path: Path) -> None:
    keys = ApiKeys(path)
    shown = keys.add("web", KeyScope.read)
    found = keys.find(shown)
    assert found is not None
    assert (found.name, found.scope, found.expires) == ("web", KeyScope.read, None)
    for wrong in ("", "is_", shown[:-1], shown + "x", shown.upper(), shown.removeprefix("is_"), found.sha256, "\ud800"):
        assert keys.find(wrong) is None


def test_without_a_file_nobody_gets_in(path: Path) -> None:
    assert ApiKeys(path).find("is_anything") is None
    assert ApiKeys(path).all() == ()


def test_each_key_is_another_and_long(path: Path) -> None:
    keys = ApiKeys(path)
    shown = {keys.add(f"web{n}", KeyScope.read) for n in range(20)}
    assert len(shown) == 20
    assert all(each.startswith("is_") and len(each) == 46 for each in shown)  # 32 bytes, six bits a letter


def test_the_file_holds_no_key_and_is_its_owners_alone(path: Path) -> None:
    shown = ApiKeys(path).add("web", KeyScope.admin)
    assert shown not in path.read_text()
    assert shown.removeprefix("is_") not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert {each.name for each in path.parent.iterdir()} == {"keys.json", "keys.lock"}


@pytest.mark.parametrize(
    ("scope", "may"), [("read", {"read"}), ("write", {"read", "write"}), ("admin", {"read", "write", "admin"})]
)
def test_each_scope_includes_the_smaller_ones(scope: str, may: set[str]) -> None:
    assert {other.value for other in KeyScope if KeyScope(scope).includes(other)} == may


def test_a_key_ends_with_its_last_second(path: Path) -> None:
    clock = Clock()
    keys = ApiKeys(path, clock)
    shown = keys.add("guest", KeyScope.read, days=2)
    clock.now += timedelta(days=2, seconds=-1)
    assert keys.find(shown) is not None
    clock.now += timedelta(seconds=1)
    assert keys.find(shown) is None


def test_what_another_process_changes_counts_at_once(path: Path) -> None:
    running, command = ApiKeys(path), ApiKeys(path)
    assert running.find("is_nobody") is None
    first = command.add("web", KeyScope.read)
    second = command.add("till", KeyScope.write)
    assert running.find(first) is not None
    command.remove("web")
    assert running.find(first) is None
    assert running.find(second) is not None
    path.unlink()
    assert running.find(second) is None


@pytest.mark.parametrize(
    ("host", "changes", "required"),
    [
        ("127.0.0.1", {}, False),
        ("::1", {}, False),
        ("0.0.0.0", {}, True),
        ("192.168.1.5", {}, True),
        ("shop.example", {}, True),
        ("0.0.0.0", {"insecure": True}, False),
        ("127.0.0.1", {"keys": True}, True),
        ("127.0.0.1", {"keys": True, "insecure": True}, True),
    ],
)
def test_keys_are_asked_for_where_others_could_come(host: str, changes: dict[str, bool], required: bool) -> None:
    options = replace(ServiceOptions(Dataset.named("shop"), host=host), **changes)  # type: ignore[arg-type]
    assert options.requires_keys is required


GOOD = {"name": "web", "scope": "read", "created": "2026-11-01T12:00:00+00:00", "expires": None, "sha256": "0" * 64}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"version": 2, "keys": []}',
        '{"version": 1}',
        '{"version": 1, "keys": [1]}',
        *(
            json.dumps({"version": 1, "keys": [GOOD | change]})
            for change in (
                {"scope": "root"},
                {"name": "../web"},
                {"sha256": "0" * 63},
                {"sha256": None},
                {"created": "yesterday"},
                {"expires": "2026-11-01T12:00:00"},
                {"expires": 5},
            )
        ),
        json.dumps({"version": 1, "keys": [GOOD, GOOD]}),
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_said_and_lets_nobody_in(path: Path, content: str | bytes) -> None:
    keys = ApiKeys(path)
    shown = keys.add("web", KeyScope.read)
    assert keys.find(shown)
    whole = path.read_bytes()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for _ in range(2):
        with pytest.raises(KeysError, match="damaged, so all requests are refused"):
            keys.find(shown)
    with pytest.raises(KeysError):
        keys.add("other", KeyScope.read)
    path.write_bytes(whole)
    assert keys.find(shown)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys.json").mkdir()
    with pytest.raises(KeysError, match="cannot read the API keys"):
        ApiKeys(tmp_path / "keys.json").find("is_x")


@pytest.mark.parametrize("name", ["", ".", "-x", "a b", "a/b", "a" * 65, "ä", "web\n"])
def test_a_name_is_plain(path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a valid name for a key"):
        ApiKeys(path).add(name, KeyScope.read)


def test_a_name_is_given_once_and_days_are_sane(path: Path) -> None:
    keys = ApiKeys(path)
    keys.add("web", KeyScope.read)
    with pytest.raises(UsageError, match="already"):
        keys.add("web", KeyScope.admin)
    for days in (0, -1, 40_000):
        with pytest.raises(UsageError, match="days"):
            keys.add("other", KeyScope.read, days=days)
    with pytest.raises(UsageError, match="no key 'other'; there are: web"):
        keys.remove("other")


def test_two_who_change_the_keys_at_once_lose_nothing(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ApiKeys(path).add(f"web{n}", KeyScope.read), range(40)))
    assert {key.name for key in ApiKeys(path).all()} == {f"web{n}" for n in range(40)}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["image-similarity", "keys", *arguments])
    try:
        main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def test_a_person_adds_lists_and_removes_a_key(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--workspace", str(path.parent))
    assert run(monkeypatch, "add", "web", "--scope", "write", "--days", "30", *place) == 0
    shown = capsys.readouterr().out.strip()
    assert ApiKeys(path).find(shown)
    assert run(monkeypatch, "list", "--format", "json", *place) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["scope"], row["state"]) == ("web", "write", "valid")
    assert run(monkeypatch, "list", *place) == 0
    assert shown not in capsys.readouterr().out
    assert run(monkeypatch, "remove", "web", *place) == 0
    assert ApiKeys(path).find(shown) is None
    assert run(monkeypatch, "remove", "web", *place) == 2
    assert "there is no key 'web'" in capsys.readouterr().err
