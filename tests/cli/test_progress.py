"""Bars on a terminal, silence elsewhere."""

from __future__ import annotations

import sys

import pytest

from image_similarity.cli import progress


def test_on_a_terminal_a_long_stage_shows_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with progress.Bars(delay=0) as bars:
        bars("features", 3, 12)
        bars("download weights.h5", 5_000_000, 80_000_000)
    shown = capsys.readouterr().err
    assert "3/12" in shown
    assert "images/s" in shown
    assert "MB/s" in shown


def test_elsewhere_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Bars(delay=0) as bars:
        bars("features", 3, 12)
    assert capsys.readouterr().err == ""


def test_a_stopped_run_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), progress.Bars():
        raise KeyboardInterrupt
    assert "run the same command again to continue" in capsys.readouterr().err
