"""Work in a process of its own: what it says arrives, what it prints does not, and nobody works for the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from image_similarity.util.own_process import OwnProcessError, run_module

WORK = """
import os, sys, time
from image_similarity.util.own_process import in_own_process

def work(arguments, send):
    print("noise"), os.write(1, b"noise of C")
    if arguments[0] == "wait":
        send(str(os.getpid()))
        time.sleep(100)
    if arguments[0] == "fail":
        raise ValueError("two\\nlines, é")
    send("half\\nway")
    return os.environ["QUIET"] + arguments[1]

if __name__ == "__main__":
    sys.exit(in_own_process(work))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "some_work.py").write_text(WORK)
    known = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(known))
    return "some_work"


def test_what_it_says_and_gives_arrives_and_what_it_prints_does_not(
    module: str, capfd: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    assert run_module(module, ["go", "é"], {"QUIET": "yes "}, lines.append) == "yes é"
    assert lines[0] == "half\nway" and "QUIET" not in os.environ
    assert capfd.readouterr() == ("", "")


def test_what_goes_wrong_is_one_line(module: str) -> None:
    with pytest.raises(OwnProcessError, match=r'^"ValueError: two\\nlines, é"$'):
        run_module(module, ["fail"])
    with pytest.raises(OwnProcessError, match="No module named"):
        run_module("no_such_module", [])


def test_it_ends_with_whoever_asked_for_it(module: str) -> None:
    program = (
        f"from image_similarity.util.own_process import run_module; run_module({module!r}, ['wait'], on_line=print)"
    )
    parent = subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        while Path(f"/proc/{child}/stat").exists() and Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
            os.sched_yield()


def test_an_interrupted_parent_leaves_no_child(module: str) -> None:
    pids: list[str] = []

    def interrupt(line: str) -> None:
        pids.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_module(module, ["wait"], on_line=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids[0]), 0)
