"""The architecture, enforced: a room imports only rooms above it, and heavy packages only where they are used."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import image_similarity

PACKAGE = Path(image_similarity.__file__).parent
SHARED = ["types", "errors", "settings", "dataset", "options", "util"]
# From top to bottom, as data flows (docs/architecture.md). Rooms on one line do not know each other.
ROOMS = [
    ["catalogue"],
    ["images"],
    ["models"],
    ["store"],
    ["neighbours"],
    ["index"],
    ["ranking"],
    ["html"],
    ["search"],
    ["fitting"],
    ["collection"],
    ["quality"],
    ["fit"],
    ["workspace"],
    ["service"],
    ["cli"],
]
DOORS = ["__init__", "__main__"]  # open to whatever stands behind them
TYPED = {"cli"}  # what is typed has flags; every other room says the option's name, in backquotes
FLAG = re.compile(r"(?:^|[\s(`'\"])--[a-z]")
HEAVY = {
    "faiss",
    "keras",
    "openvino",
    "nncf",
    "boto3",
    "botocore",
    "httpx",
    "pyarrow",
    "fastapi",
    "rich",
    "pillow_heif",
    "sklearn",
    "tokenizers",
    "torch",
    "timm",
    "uvicorn",
    "starlette",
    "pydantic",
    "prometheus_client",
    "python_multipart",
}
# What a room is made of: whoever imports the room uses these. No other module may import them while it is loaded.
OWN = {"service": {"fastapi", "starlette", "pydantic", "prometheus_client", "python_multipart", "httpx", "uvicorn"}}
# What the inner rooms of the service may know of it beside themselves; the others know them.
INNER = {
    "guards": {"errors", "problems", "schemas"},
    "answering": {"errors", "background", "options", "schemas"},
    "storage": {"errors", "schemas"},
}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


def above(room: str) -> set[str]:
    """Where a room may import from: itself, what is shared, and all that stands above."""
    if room in SHARED:
        return set(SHARED)
    place = next(at for at, rooms in enumerate(ROOMS) if room in rooms)
    return {room, *SHARED, *(each for rooms in ROOMS[:place] for each in rooms)}


def own_imports(module: Path) -> Iterator[tuple[int, str]]:
    """The rooms that a module names, anywhere in it, with their lines."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} is a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "image_similarity" and rest != "__version__":
                yield node.lineno, rest.partition(".")[0]


def loading_imports(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    """The packages that are imported when a module is: not those inside functions or for type checkers only."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, (node.module or "").partition(".")[0]
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from loading_imports(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for part in ("body", "orelse", "finalbody", "handlers"):
                inner = getattr(node, part, [])
                yield from loading_imports([each for each in inner if isinstance(each, ast.stmt)])
                for handler in inner:
                    if isinstance(handler, ast.ExceptHandler):
                        yield from loading_imports(handler.body)


def tree(module: Path) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def loaded_by(statement: str) -> set[str]:
    """The top-level packages, neither ours nor Python's, that a statement brings into a fresh Python."""
    script = (
        f"import json, sys; before = set(sys.modules); {statement}; print(json.dumps(list(set(sys.modules) - before)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    names = {name.partition(".")[0] for name in json.loads(output.stdout.splitlines()[-1])}
    return names - set(sys.stdlib_module_names) - {"image_similarity"}


def test_every_module_stands_in_a_room() -> None:
    known = {*SHARED, *DOORS, *(room for rooms in ROOMS for room in rooms)}
    assert {room_of(module) for module in MODULES} == known


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) not in DOORS], ids=str)
def test_a_room_imports_only_rooms_above_it(module: Path) -> None:
    allowed = above(room_of(module))
    wrong = [f"{module}:{line} imports {room}" for line, room in own_imports(module) if room not in allowed]
    assert wrong == []


def test_only_two_commands_know_the_demo() -> None:
    named = [each for each in MODULES if "image_similarity_demo" in (PACKAGE / each).read_text(encoding="utf-8")]
    assert named == [Path("cli", "app.py")]


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) not in DOORS], ids=str)
def test_others_import_a_rooms_face_and_never_its_files(module: Path) -> None:
    wrong = [
        f"{module}:{node.lineno} imports {node.module}"
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ImportFrom) and (parts := (node.module or "").split("."))[0] == "image_similarity"
        if len(parts) > 2 and parts[1] not in {room_of(module), *SHARED}
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "room", [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists() and path.name != "cli"]
)
def test_a_face_shows_type_checkers_what_it_has(room: str) -> None:
    init = Path(room) / "__init__.py"
    package = importlib.import_module(f"image_similarity.{room}")
    shown = [
        alias.name
        for node in ast.walk(tree(init))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"image_similarity.{room}.")
        for alias in node.names
    ]
    named = [
        name
        for node in ast.walk(tree(init))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "face"
        for keyword in node.keywords
        for name in ast.literal_eval(keyword.value).split()
    ]
    assert sorted(shown) == sorted(named)
    assert [name for name in named if not hasattr(package, name)] == []
    with pytest.raises(AttributeError, match="has no attribute 'nothing_of_the_kind'"):
        package.nothing_of_the_kind  # noqa: B018


@pytest.mark.parametrize("inner", INNER)
def test_the_service_is_built_from_the_inside_out(inner: str) -> None:
    known = {inner, *INNER[inner]}
    for module in (each for each in MODULES if each.parts[:2] == ("service", inner)):
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("image_similarity.service"):
                for name in (f"{node.module}.{alias.name}" for alias in node.names):
                    assert name.split(".")[2] in known, f"{module}:{node.lineno} imports {name}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_heavy_packages_are_imported_where_they_are_used(module: Path) -> None:
    heavy = HEAVY - OWN.get(room_of(module), set())
    found = [f"{module}:{line} imports {name}" for line, name in loading_imports(tree(module).body) if name in heavy]
    assert found == []


def test_no_message_outside_the_command_line_names_a_flag() -> None:
    found = []
    for module in (each for each in MODULES if room_of(each) not in TYPED):
        nodes = list(ast.walk(tree(module)))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        texts = [each.value for each in nodes if isinstance(each, ast.Constant) and id(each) not in docstrings]
        found += [f"{module}: {text}" for text in texts if isinstance(text, str) and FLAG.search(text)]
    assert found == []


def test_the_checks_see_what_they_should() -> None:
    source = """
import os, httpx
try:
    import keras.layers
except ImportError:
    from rich import table
if TYPE_CHECKING:
    import boto3
else:
    import openvino
class A:
    import pyarrow.parquet
    def f(self):
        import fastapi
"""
    names = {name for _, name in loading_imports(ast.parse(source).body)}
    assert names == {"os", "httpx", "keras", "rich", "openvino", "pyarrow"}
    assert "search" not in above("ranking")
    assert above("errors") == set(SHARED)
    assert {room for _, room in own_imports(Path("search/answer.py"))} >= {"types", "store", "html"}


def test_importing_the_package_loads_nothing_but_itself() -> None:
    assert loaded_by("import image_similarity") == set()


def test_the_workspace_is_there_without_a_third_party_package() -> None:
    assert loaded_by("from image_similarity import Workspace; Workspace('data')") == set()


def test_the_command_line_loads_typer_and_its_needs_only() -> None:
    assert loaded_by("import image_similarity.cli.app") <= loaded_by("import typer")
    assert loaded_by("import image_similarity.cli.first_version") == set()
