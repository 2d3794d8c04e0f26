"""The benches are not run by the tests, but what they take from the package is there."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHES = sorted((ROOT / "bench").rglob("*.py"))


def taken_from_the_package(script: Path) -> list[tuple[str, str]]:
    """Modules and names that a script imports from the package, in functions too."""
    imports = [
        node for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)
    ]
    return [
        (node.module, each.name)
        for node in imports
        if node.module and node.module.startswith("image_similarity")
        for each in node.names
    ]


@pytest.mark.parametrize("script", BENCHES, ids=lambda script: str(script.relative_to(ROOT / "bench")))
def test_what_a_bench_takes_from_the_package_is_there(script: Path) -> None:
    for module, name in taken_from_the_package(script):
        there = hasattr(importlib.import_module(module), name) or importlib.util.find_spec(f"{module}.{name}")
        assert there, f"{script.name} imports {name} from {module}"


def test_the_networks_of_the_benches_are_made_by_a_script_that_is_there() -> None:
    script = "import networks; assert networks.REFERENCE.is_file(), networks.REFERENCE"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT / "bench", check=True)
