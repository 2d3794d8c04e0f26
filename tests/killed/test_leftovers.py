"""What a kill leaves is removed by whoever comes next; a workspace that cannot be written answers all the same."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from image_similarity import Workspace
from image_similarity.settings import Settings
from image_similarity.util.files import locked
from tests.support.service import running, until
from tests.support.shop import MODEL, paint_shop, register

LONG_AGO = time.time() - 3 * 24 * 3600


def left(path: Path, when: float = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, (when, when))
    return path


def test_a_fit_removes_half_written_recommendations_and_models(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch)
    old = left(settings.root / "trained_models" / ".gone.pickle.12345678.part")
    model = left(settings.root / "models" / "net" / ".weights.h5.12345678.part")
    built = left(settings.root / "models" / ".vgg.12345678.part" / "model.xml").parent
    os.utime(built, (LONG_AGO, LONG_AGO))
    present = left(settings.root / "models" / "net" / ".other.h5.12345678.part", time.time())  # being downloaded
    Workspace(settings=settings).fit("shop", paint_shop(tmp_path / "pictures"), model=MODEL)
    assert not old.exists() and not model.exists() and not built.exists()
    assert present.exists()


def test_a_fit_removes_its_own_half_written_recommendations_at_once_and_no_others(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch)
    shop, pictures = Workspace(settings=settings), paint_shop(tmp_path / "pictures")
    stem = shop.fit("shop", pictures, model=MODEL).recommendations
    now = time.time()
    own = [left(stem.with_name(f".{stem.name}{end}.12345678.part"), now) for end in (".pickle", ".parquet")]
    others = left(stem.with_name(f".{stem.name}.2.pickle.12345678.part"), now)  # another model's fit may be at work
    shop.fit("shop", pictures, model=MODEL)
    assert not any(path.exists() for path in own) and others.exists()


def children(process: int) -> set[int]:
    return {int(each) for path in Path(f"/proc/{process}/task").glob("*/children") for each in path.read_text().split()}


@pytest.mark.skipif(not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(), reason="needs Linux")
def test_who_builds_an_index_for_a_service_ends_with_it(tmp_path: Path) -> None:
    Workspace(tmp_path / "data").fit("shop", paint_shop(tmp_path / "pictures"), model="colour-shape")
    place = next((tmp_path / "data" / "index").rglob("current")).parent
    with running(tmp_path / "data", "--rebuild-after", "0", model="colour-shape") as service:
        before = children(service.process.pid)
        with locked(place / "lock", 1.0, "busy"):  # the builder waits for it, up to an hour
            files = {"images": (tmp_path / "pictures" / "red_1.png").read_bytes()}
            assert service.put("/v1/products/new", files=files).status_code == 201
            until(lambda: children(service.process.pid) - before)
            time.sleep(1.5)  # so that it gets as far as to wait
            builders = children(service.process.pid) - before
            assert builders
            service.kill()
            until(lambda: not any(Path(f"/proc/{each}").exists() for each in builders), 10)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs a system with users")
def test_search_and_similar_need_not_write(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)
    pictures, root, shop = paint_shop(tmp_path / "pictures"), settings.root, Workspace(settings=settings)
    shop.fit("shop", pictures, model=MODEL)
    photo = (pictures / "red_1.png").read_bytes()

    def asked() -> tuple[object, ...]:
        found = shop.search("shop", photo, model=MODEL).matches, shop.similar("shop", "red", model=MODEL).matches
        return tuple(found)

    expected = asked()
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for above in (tmp_path, *tmp_path.parents):
        if above.is_relative_to(tempfile.gettempdir()) and above != Path(tempfile.gettempdir()):
            above.chmod(0o755)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may write anywhere
        with pytest.raises(OSError):
            (root / "new").touch()
        assert asked() == expected
    finally:
        os.seteuid(user)
        for path in [root, *root.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()} == before


def test_a_service_that_is_told_to_stop_ends_well(tmp_path: Path) -> None:
    Workspace(tmp_path / "data").fit("shop", paint_shop(tmp_path / "pictures"), model="colour-shape")
    unnamed = left(tmp_path / "data" / "uploads" / "shop" / "0123456789abcdef-of-a-kill.jpg")
    half = left(tmp_path / "data" / "photos" / "shop" / ".photo.jpg.12345678.part")
    with running(tmp_path / "data") as service:
        assert not unnamed.exists() and not half.exists()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(30) == 0
