"""Walks the house: which files one search and one fit enter, how often they change file and room, and what they ask.

    python bench/walk.py

A step is a call of one of our functions; what is imported on the way is no step. Each thread's steps are counted apart.
A room is a folder of ``image_similarity``, or a file beside them; what all rooms share is none.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import harness

import image_similarity
from image_similarity import Workspace

CONNECT = sqlite3.connect
PACKAGE = f"{Path(image_similarity.__file__).parent}/"
SHARED = ("types", "errors", "settings", "dataset", "options", "util", "files", "sealed", "mapped", "processors")
NOT_CALLS = ("<module>", "<lambda>", "<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")
DESCRIPTION = """name = "tiny"
file = "tiny.xml"
dimension = 3
input_size = 32
licence = "none"
"""


@dataclass
class Walk:
    """What was seen on the way."""

    files: set[str] = field(default_factory=set)
    changes: Counter[str] = field(default_factory=Counter)
    queries: int = 0
    descriptions: int = 0
    last: dict[int, str] = field(default_factory=dict)
    rooms: dict[int, str] = field(default_factory=dict)
    walking: bool = False

    def step(self, frame: FrameType, event: str, _: Any) -> None:
        """One call, of ours or of others'."""
        code: CodeType = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE) or code.co_name in NOT_CALLS:
            return
        file, thread = code.co_filename.removeprefix(PACKAGE), threading.get_ident()
        before = self.last.get(thread, file)
        self.files.add(file)
        self.changes["file"] += file != before
        self.last[thread] = file
        room = file.partition("/")[0].removesuffix(".py")
        if room not in SHARED:
            self.changes["room"] += room != self.rooms.get(thread, room)
            self.rooms[thread] = room

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What Python tells of files."""
        self.descriptions += self.walking and event == "open" and str(arguments[0]).endswith(".toml")

    def connected(self, *arguments: Any, **how: Any) -> sqlite3.Connection:
        """A connection whose statements are seen."""
        connection = CONNECT(*arguments, **how)
        connection.set_trace_callback(self.query)
        return connection

    def query(self, statement: str) -> None:
        """One statement that reads."""
        self.queries += self.walking and statement.lstrip().upper().startswith(("SELECT", "WITH"))


def walked(work: Callable[[], object]) -> Walk:
    """The way that some work takes."""
    walk = Walk()
    sys.addaudithook(walk.audit)
    walk.walking, sqlite3.connect = True, walk.connected
    threading.setprofile(walk.step)
    sys.setprofile(walk.step)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        walk.walking, sqlite3.connect = False, CONNECT
    return walk


def shop(folder: Path) -> tuple[Path, Path]:
    """A folder of forty pictures of twenty products, and a network with a description."""
    import openvino
    from openvino import opset13 as ops
    from PIL import Image

    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(40):
        colour = (number * 6, 255 - number * 6, (number * 37) % 256)
        Image.new("RGB", (64, 64), colour).save(pictures / f"{number // 2:02}_{number % 2}.png")
    image = ops.parameter([1, 3, 32, 32], name="image")
    openvino.save_model(openvino.Model([ops.reduce_mean(image, [2, 3], False)], [image]), folder / "tiny.xml")
    (folder / "tiny.toml").write_text(DESCRIPTION)
    return pictures, folder / "tiny.toml"


def main() -> None:
    """One fit, one search with ten answers, one product's similar ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures, model = shop(folder)
        workspace = Workspace(folder / "data")
        jobs: dict[str, Callable[[], object]] = {
            "fit": lambda: workspace.fit("shop", pictures, model=str(model)),
            "search": lambda: workspace.search("shop", pictures / "07_1.png", model=str(model), number=10),
            "similar": lambda: workspace.similar("shop", "07", model=str(model)),
        }
        rows = []
        for job, work in jobs.items():
            if job != "fit":
                work()  # what is imported and made once is no part of the way
            walk = walked(work)
            changes = walk.changes
            rows.append([job, len(walk.files), changes["file"], changes["room"], walk.queries, walk.descriptions])
        header = ["", "files", "changes of file", "changes of room", "queries", "reads of the description"]
        print(harness.table(header, rows))


if __name__ == "__main__":
    main()
