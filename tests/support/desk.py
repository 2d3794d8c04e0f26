"""A reader's desk, and the README and the docs on it: their blocks of commands and of Python, run as written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_similarity.settings import Settings
from image_similarity_demo import FAMILIES
from tests.conftest import SHARED
from tests.support.drawn import part
from tests.support.networks import put_small_network

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


FIRST = ("README.md", "commands.md")  # the longest, apart: two files of tests run side by side
SERVE = "image-similarity serve"
ELSEWHERE = ("service.md",)  # tests/docs/test_docs_service.py runs it, against a live service


def pages(*, first: bool) -> list[Path]:
    """The pages that have blocks: those that are read first, or the others."""
    return [page for page in PAGES if blocks(page) and page.name not in ELSEWHERE and (page.name in FIRST) == first]


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(kind, text) for kind, text in BLOCK.findall(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def little_shop(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Sticks and the first photo's product, which the docs name; 28 products are too few to learn from, which is slow.
    return part(drawn_shop, tmp_path_factory.mktemp("sample") / "little-shop", [*FAMILIES[:3], FAMILIES[-1]])


@pytest.fixture
def desk(tmp_path: Path, little_shop: Path) -> Iterator[Path]:
    """A folder like a reader's: the project's files, photos, a shop drawn before; what is installed goes elsewhere."""
    desk = tmp_path / "desk"
    shutil.copytree(
        ROOT, desk, ignore=shutil.ignore_patterns(".git", ".venv", "data", "demo", ".*_cache", ".hypothesis")
    )
    shutil.copytree(little_shop, desk / "little-shop")
    shutil.copytree(little_shop, desk / "demo" / "sample")
    shutil.copytree(little_shop / "images", desk / "photos")
    shutil.copy(min((little_shop / "photos").iterdir()), desk / "photo.jpg")
    (desk / "data" / "dataset").mkdir(parents=True)
    (desk / "data" / "dataset" / "shop").symlink_to(desk / "photos")
    for name in ("VGG", "Inception_Resnet"):
        put_small_network(Settings(root=desk / "data"), name)
    yield desk


def environment(desk: Path) -> dict[str, str]:
    installed = desk / "installed"
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # `pip install .` installs the project alone, beside this environment, with what is here already.
        "PIP_TARGET": str(installed),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH")))),
    }


def run(command: list[str], desk: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=desk, env=environment(desk), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def serves_as_written(text: str, desk: Path) -> None:
    """Run a block whose last command serves: until it says where, on a port that is free; then stop it."""
    block = text.replace(SERVE, f"exec {SERVE} --port 0")
    command = ["bash", "-euo", "pipefail", "-c", block]
    with subprocess.Popen(
        command, cwd=desk, env=environment(desk), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        said = []
        for line in process.stderr or ():
            said.append(line)
            if line.startswith("Open http://"):
                process.terminate()
        assert process.wait() in (0, -15) and any(line.startswith("Open") for line in said), text + "".join(said)


def runs_as_written(page: Path, desk: Path) -> None:
    """Run a page's blocks one after the other, and hold what they print against what the page says of it."""
    if page.name == "first-results.md":
        if not (SHARED / "data" / "luma").is_dir():
            pytest.skip("the real catalogue is not at hand")
        (desk / "luma").symlink_to(SHARED / "data" / "luma")
        (desk / "weights").symlink_to(SHARED / "weights")
    elif page.name == "storage.md":
        fitted = "image-similarity fit --dataset shop --catalogue little-shop --model colour-shape"
        assert run(["bash", "-ec", fitted], desk).returncode == 0
    printed = ""
    for kind, text in blocks(page):
        if kind == "sh" and SERVE in text:
            serves_as_written(text, desk)
            continue
        command = ["bash", "-euo", "pipefail", "-c", text] if kind == "sh" else [sys.executable, "-c", text]
        done = run(command, desk)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        printed += done.stdout
    if page.name == "first-results.md":
        # The page's figures are those that its commands give: five measures of two models, and their differences.
        shares = re.findall(r"\b0\.\d{3}\b(?= +[│┃])", printed.split("Most like")[0])
        assert len(shares) == 15
        assert all(share in page.read_text(encoding="utf-8") for share in shares)
    if page.name == "README.md":
        assert (desk / "installed" / "image_similarity" / "html" / "style.css").exists()
        for made in ("demo/index.html", "found.html"):
            assert "data:image/jpeg" in (desk / made).read_text()
