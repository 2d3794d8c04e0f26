"""``serve`` that cannot begin, or is told to end before it has: one sentence, and the exit code that belongs to it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import fitted

SERVE = (sys.executable, "-m", "image_similarity", "serve", "--port", "0")
READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
MOUNTS = ("unshare", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, "sh")
"""Runs what follows a folder, which may only be read by then, as on a disk that is mounted so."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted(tmp_path_factory.mktemp("serve"))


def refused(workspace: Path, *flags: str, on: tuple[str, ...] = ()) -> tuple[int, str]:
    """How it ends, and the one sentence that it says."""
    command = [*on, *SERVE, "--workspace", str(workspace), *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    sentences = [line for line in ended.stderr.splitlines() if not line.startswith("Loading ")]
    assert len(sentences) == 1 and sentences[0].startswith("error: "), ended.stderr
    assert not ended.stdout
    return ended.returncode, sentences[0]


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (("--dataset", "other"), 1, "the dataset other is not fitted (fitted: shop)"),
        (("--model", "no-such"), 2, "there is no model 'no-such'"),
        (("--model", "colour-shape", "--model", "VGG"), 1, "has no features of VGG"),
        (("--model", "standard"), 1, "has no features of EfficientNet-Lite2"),
        (("--model", "colour-shape", "--fetch-from", "nowhere/99"), 2, "'nowhere/99' is neither a host"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence(
    workspace: Path, flags: tuple[str, ...], code: int, sentence: str
) -> None:
    ended, output = refused(workspace, *flags)
    assert ended == code and sentence in output


def test_a_port_that_another_has_is_said(workspace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        code, output = refused(workspace, "--port", str(other.getsockname()[1]))
    assert code == 2 and "cannot listen at 127.0.0.1:" in output


def test_a_damaged_store_is_said(workspace: Path, tmp_path: Path) -> None:
    shutil.copytree(workspace, tmp_path / "data")
    store = tmp_path / "data" / "database" / "features.db"
    store.write_bytes(store.read_bytes()[:5000])
    code, output = refused(tmp_path / "data", "--dataset", "shop", "--model", "colour-shape")
    assert code == 1 and f"{store} is damaged or not a feature store" in output


def test_a_disk_that_may_only_be_read_is_said_where_that_matters(workspace: Path, tmp_path: Path) -> None:
    place = tmp_path / "disk"
    shutil.copytree(workspace, place / "data")
    on = (*MOUNTS, str(place))
    try:
        subprocess.run([*on, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine lets nobody mount anything")
    shutil.rmtree(place / "data" / "index")  # so that it has to write
    code, output = refused(place / "data", "--model", "colour-shape", on=on)
    assert code == 1 and "cannot be written: Read-only file system" in output


@pytest.mark.parametrize(("sent", "code", "output"), [(signal.SIGTERM, 0, []), (signal.SIGINT, 130, ["stopped"])])
def test_to_be_told_to_end_while_it_loads(
    workspace: Path, tmp_path: Path, sent: signal.Signals, code: int, output: list[str]
) -> None:
    shutil.copytree(workspace, tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "index")  # so that there is something to do
    command = [*SERVE, "--workspace", str(tmp_path / "data"), "--model", "colour-shape"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as service:
        assert service.stderr is not None
        assert service.stderr.readline() == "Loading shop ...\n"
        service.send_signal(sent)
        rest = [line for line in service.stderr.read().splitlines() if not line.startswith(("Open ", "stopping: "))]
        assert service.wait(60) == code
    assert rest == output
