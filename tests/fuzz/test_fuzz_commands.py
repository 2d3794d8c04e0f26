"""Any text in any option of any command, ours and the first version's: an exit code and a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, strategies as st

from image_similarity.cli import first_version as legacy
from image_similarity.cli.app import app, run
from tests.support.fuzzing import PATHS, TEXT, check, end_of, examples, fitted_shop

BUSY = {"serve", "demo", "sample"}  # they would go on, or draw for long
ASKS_THE_NETWORK = {"dpt_number", "endpoint_url"}
GOOD = {"dataset": "shop", "model": "colour-shape", "workspace": "data", "catalogue": "pictures", "format": "json"}
ARGUMENTS = {
    "product": "red",
    "photo": "pictures/red_1.png",
    "old": "colour-shape",
    "new": "colour-shape",
    "name": "web",
}
MODELS = (
    "VGG",
    "colour",
    "VGG+0.2*colour",
    "colour+colour-shape",
    "timm:",
    "timm:resnet18",
    "x.toml",
    "colour+adapted",
    "2*",
)


@pytest.fixture(scope="module", autouse=True)
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder with a fitted shop, where everything happens."""
    with fitted_shop(tmp_path_factory.mktemp("fuzz")):
        yield


def commands() -> dict[str, list[Any]]:
    """Each command with its parameters, those of groups as well."""
    found, waiting = {}, [("", typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop()
        inner = getattr(command, "commands", None)
        if inner:
            waiting += [(f"{name} {each}".strip(), inner[each]) for each in inner]
        elif name not in BUSY:
            found[name] = [each for each in command.params if each.name not in ASKS_THE_NETWORK | {"help"}]
    return found


COMMANDS = commands()


def value(parameter: Any) -> st.SearchStrategy[str]:
    """What somebody may give; a file is only ever looked for below this folder."""
    kind, name = parameter.type.name, parameter.name
    if name in ("workspace", "to", "html", "folder", "config", "weights") or "path" in kind or name == "catalogue":
        inside = TEXT.map(lambda text: "x" + text.replace("..", ""))
        return st.one_of(st.sampled_from(PATHS), inside)
    if kind in ("integer", "float", "integer range", "float range"):
        return st.one_of(st.integers(-3, 300).map(str), st.floats(width=16).map(str), TEXT)
    if name in ("model", "old", "new"):
        return st.one_of(st.sampled_from(MODELS), TEXT)
    good = GOOD.get(name) or ARGUMENTS.get(name)
    choices = getattr(parameter.type, "choices", None)
    return st.one_of(*([st.just(good)] if good else []), *([st.sampled_from(list(choices))] if choices else []), TEXT)


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command line: what the command needs, mostly right, and a few options of chance."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    arguments = name.split()
    odd = draw(st.sets(st.sampled_from([each.name for each in COMMANDS[name]] or [""]), max_size=3))
    for parameter in COMMANDS[name]:
        right = GOOD.get(parameter.name) or ARGUMENTS.get(parameter.name)
        if parameter.name not in odd and not right:
            continue
        given_value = draw(value(parameter)) if parameter.name in odd else str(right)
        if parameter.param_type_name == "argument":
            arguments.append(given_value)
        elif getattr(parameter, "is_flag", False):
            arguments.append(parameter.opts[0])
        else:
            arguments += [parameter.opts[0], given_value]
    return arguments


@pytest.mark.parametrize("place", ["", ".", "..", "pictures"])
def test_a_page_cannot_be_written_onto_a_folder(place: str) -> None:
    line = ["similar", "red", "--dataset", "shop", "--model", "colour-shape", "--workspace", "data", "--html", place]
    check(done := end_of(lambda: run(line)))
    assert done.code == 1 and "cannot write" in done.err


@examples(40)
@given(lines())
def test_any_text_in_any_option(arguments: list[str]) -> None:
    check(end_of(lambda: run(arguments)))


FLAGS = ("task", "dpt_number", "dataset", "transfer_model", "number", "data_augmentation", "model_id", "item", "img")
TASKS = [task for task in legacy.TASKS if task != "extract_images"]
RIGHT = {
    "task": st.sampled_from(TASKS),
    "dataset": st.just("shop"),
    "transfer_model": st.sampled_from(["colour-shape", "VGG", "Inception_Resnet"]),
    "img": st.sampled_from(PATHS),
    "number": st.integers(-2, 20).map(str),
    "item": st.sampled_from(["red", "none"]),
}


@st.composite
def first_versions_lines(draw: st.DrawFn) -> list[str]:
    """A line of the first version, of a dataset: a department would ask S3."""
    arguments = ["--dataset", "shop", "--task", draw(st.one_of(RIGHT["task"], RIGHT["task"], TEXT))]
    for flag in draw(st.sets(st.sampled_from(FLAGS[3:]))):
        arguments += [f"--{flag}", draw(st.one_of(RIGHT.get(flag, TEXT), TEXT))]
    return arguments


@examples(30)
@given(first_versions_lines())
def test_any_text_in_any_flag_of_the_first_version(arguments: list[str]) -> None:
    check(end_of(lambda: legacy.main(arguments)))


@examples(30)
@given(st.lists(TEXT, max_size=5))
def test_any_words_at_all(words: list[str]) -> None:
    if not BUSY & set(words):
        check(end_of(lambda: run(words)))
        check(end_of(lambda: legacy.main(words)))


def test_there_is_something_to_fuzz() -> None:
    assert {"fit", "similar", "search", "keys add", "models verify"} <= COMMANDS.keys()
    assert Path("pictures").is_dir()
