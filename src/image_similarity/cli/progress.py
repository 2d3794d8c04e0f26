"""Progress bars for stages that take longer than a moment, on a terminal only."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from image_similarity.cli.terminal import log, visible

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, TaskID

DELAY = 0.7  # seconds; a bar for a shorter stage would only flicker
UNITS = {"features": "images", "download": "images", "list": "images", "similar products": "products"}


class Bars:
    """A :class:`~image_similarity.types.Progress` drawn on standard error: one bar per stage, with rate and time left.

    ``delay``: seconds before a bar appears.
    """

    def __init__(self, delay: float = DELAY) -> None:
        self._delay = delay
        self._started: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
        if kind is KeyboardInterrupt:
            log("stopping: finished work is kept, run the same command again to continue")

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """Update the bar of a stage."""
        started = self._started.setdefault(stage, time.monotonic())
        if not sys.stderr.isatty() or (stage not in self._tasks and time.monotonic() - started < self._delay):
            return
        if self._progress is None:
            self._progress = _bar()
            self._progress.start()
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(visible(stage), total=total, rate="")
        rate = done / max(time.monotonic() - started, 1e-9)
        shown = f"{rate / 1e6:.1f} MB/s" if stage.startswith("download ") else f"{rate:.1f} {UNITS.get(stage, '')}/s"
        self._progress.update(self._tasks[stage], completed=done, total=total, rate=shown)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
