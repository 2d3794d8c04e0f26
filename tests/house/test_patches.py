"""Tests go through public doors: what the project's modules hold is not put aside for the sake of a test."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PATCH = re.compile(r"(?:\bsetattr|\bsetitem)\(([^)]*)|\b(mock)\b|patch\.object\(([^)]*)")
# The edge of the process, where nothing else shows it; and the tables of what is known by a name, in one place each.
EDGES = ("sys.", "sys,", "os,", "shutil,")
PLACES = {"support/shop.py": "MODELS", "support/networks.py": "NETWORKS", "support/hub.py": "RECORDS"}
LEFT = {
    "support/interrupted.py",  # a disaster at a chosen moment, in a process of its own
    "service/test_model_switch.py",  # a write that waits for another model to take over
}


def test_only_the_edge_of_the_process_is_patched() -> None:
    found = []
    for path in sorted(TESTS.rglob("*.py")):
        name = path.relative_to(TESTS).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            patched = PATCH.search(line)
            if patched is None or path == Path(__file__) or name in LEFT:
                continue
            what = (patched[1] or patched[3] or "").strip()
            if not what.startswith((*EDGES, PLACES.get(name, "nothing"))):
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == []
