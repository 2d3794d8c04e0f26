"""What each command imports: nothing that it does not use. No times here; `bench/startup.py` measures them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from image_similarity.settings import Settings
from image_similarity.workspace import Workspace
from tests.conftest import paint
from tests.support.networks import put_small_network
from tests.support.shop import paint_shop

# Packages that take long. Whatever else a command loads, of these it loads exactly what the table says.
HEAVY = (
    *("numpy", "PIL", "openvino", "pyarrow", "keras", "httpx", "boto3", "botocore", "rich"),
    *("pillow_heif", "openvino_telemetry", "urllib3", "asyncio", "concurrent"),
    *("huggingface_hub", "tokenizers", "torch", "timm"),
    *("fastapi", "starlette", "pydantic", "uvicorn", "prometheus_client"),
)
IMAGES = {"numpy", "PIL", "concurrent"}
TABLE = [
    ("--help", set()),
    ("similar --help", set()),
    ("demo --help", set()),
    ("version", set()),
    ("models list --workspace {root} --format json", set()),
    ("models verify --workspace {root} --format json", set()),
    ("keys add web --scope read --workspace {root}", set()),
    ("keys list --workspace {root} --format json", set()),
    ("similar {shop} red --format json", set()),
    ("similar {shop} red --format csv", set()),
    ("similar {shop} --format json", set()),
    ("similar {shop} red", {"rich"}),
    ("similar {networked} red --format json", set()),
    ("failures --dataset shop --workspace {root} --format json", set()),
    ("failures --dataset shop --workspace {root}", set()),
    ("evaluate {shop} --stored-only --format json", IMAGES),
    ("evaluate {shop} --simulated 2 --format json", IMAGES),
    ("search {photo} {shop} --format json", IMAGES),
    ("search {photo} {shop}", IMAGES | {"rich"}),
    ("search {photo} {networked} --format json", IMAGES | {"openvino"}),
    ("fit {shop}", IMAGES | {"pyarrow"}),
]
SCRIPT = """
import sys
from image_similarity.cli import main
try:
    main()
finally:
    names = sorted({name.partition(".")[0] for name in sys.modules})
    print("loaded:", *names, file=sys.stderr)
"""
FIRST_VERSION = SCRIPT.replace("image_similarity.cli", "image_similarity.cli.first_version")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Values for the commands' placeholders: a shop, fitted with two models."""
    folder = tmp_path_factory.mktemp("startup")
    pictures, root = paint_shop(folder / "pictures"), folder / "data"
    settings = Settings(root=root)
    put_small_network(settings, "VGG")
    for model in ("colour-shape", "VGG"):
        Workspace(settings=settings).fit("shop", pictures, model=model)
    (root / "dataset").mkdir()
    (root / "dataset" / "shop").symlink_to(pictures)
    return {
        "shop": f"--dataset shop --model colour-shape --workspace {root}",
        "networked": f"--dataset shop --model VGG --workspace {root}",
        "photo": str(paint(folder / "photo.png", (250, 0, 0))),
        "root": str(root),
    }


def loaded_by(script: str, command: list[str], folder: Path) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", script, *command],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env=os.environ | {"CI": "true", "IMAGE_SIMILARITY_WORKSPACE": str(folder / "data")},
    )
    assert ended.returncode == 0, ended.stderr
    (line,) = (line for line in ended.stderr.splitlines() if line.startswith("loaded: "))
    return set(line.split()[1:])


@pytest.mark.parametrize(("command", "expected"), TABLE, ids=[command for command, _ in TABLE])
def test_a_command_imports_what_it_uses_and_no_more(
    command: str, expected: set[str], places: dict[str, str], tmp_path: Path
) -> None:
    packages = loaded_by(SCRIPT, command.format_map(places).split(), tmp_path)
    assert packages & set(HEAVY) == expected


def test_the_first_versions_look_up_is_as_light(places: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(places["root"])
    command = "--task show_similar_items --dataset shop --transfer_model VGG --item red"
    packages = loaded_by(FIRST_VERSION, command.split(), tmp_path)
    assert packages & {*HEAVY, "typer", "pydantic"} == set()
