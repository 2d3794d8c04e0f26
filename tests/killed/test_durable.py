"""What was promised is there after a power cut: bytes are kept before a name means them, the name before the answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from image_similarity import Workspace
from image_similarity.service.guards.api_keys import ApiKeys, KeyScope
from image_similarity.service.storage.feedback import FeedbackStore
from image_similarity.settings import Settings
from image_similarity.util.files import replacing_folder
from tests.support.service import photo_of
from tests.support.shop import MODEL, paint_shop, register

Event = tuple[str, str, str]
LISTENING: list[list[Event]] = []

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")


def heard(event: str, arguments: tuple[object, ...]) -> None:
    if event == "os.rename" and LISTENING:
        LISTENING[-1].append(("renamed", str(arguments[0]), str(arguments[1])))


sys.addaudithook(heard)  # for good: Python takes no hook back


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Every rename and every flush, in their order."""
    events, flush = list[Event](), os.fsync

    def fsync(descriptor: int) -> None:
        events.append(("flushed", str(Path(f"/proc/self/fd/{descriptor}").readlink()), ""))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    LISTENING.append(events)
    return events


@pytest.fixture(autouse=True)
def silence() -> object:
    yield
    LISTENING.clear()


def fit(root: Path) -> None:
    shop = Workspace(settings=Settings(root=root))
    shop.fit("shop", paint_shop(root.parent / "pictures"), model=MODEL)
    shop.use("shop", MODEL)


def keys(root: Path) -> None:
    kept = ApiKeys(root / "keys.json")
    kept.add("web", KeyScope.read)
    kept.remove("web")


def marks(root: Path) -> None:
    book = FeedbackStore(root / "labels" / "shop")
    book.on_photo(photo_of((9, 9, 9)), "red", "good")
    book.on_product("blue", "red", "bad")


def built(root: Path) -> None:
    for word in ("first", "second"):
        with replacing_folder(root / "network") as folder:
            (folder / "part").mkdir()
            (folder / "part" / "weights").write_text(word)


@pytest.mark.parametrize("job", [fit, keys, marks, built])
def test_bytes_come_before_their_name_and_the_name_before_the_answer(
    job: Callable[[Path], None], tmp_path: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch)
    root = tmp_path.resolve() / "data"
    root.mkdir()
    job(root)
    renames = [(place, old, new) for place, (what, old, new) in enumerate(events) if what == "renamed" and new]
    renames = [each for each in renames if not each[2].endswith(".part")]  # what goes need not be kept
    assert renames
    for place, old, new in renames:
        before = {path for what, path, _ in events[:place] if what == "flushed"}
        after = {path for what, path, _ in events[place:] if what == "flushed"}
        made = Path(new)
        wanted = {str(Path(old) / path.relative_to(made)) for path in made.rglob("*")} if made.is_dir() else {old}
        assert wanted <= before, f"{new} was named before its bytes were kept"
        assert str(made.parent) in after, f"{new} was answered before its name was kept"


@pytest.mark.parametrize("job", [fit, keys, marks])
def test_a_new_folder_is_kept_with_its_name(
    job: Callable[[Path], None], tmp_path: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch)
    root = tmp_path.resolve() / "data"
    job(root)
    flushed = {path for what, path, _ in events if what == "flushed"}
    named = ("trained_models", "labels", "photos", "index", "database")
    made = [path for path in root.rglob("*") if path.name in named]
    assert all(str(path.parent) in flushed for path in [root, *made])
