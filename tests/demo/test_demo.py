"""The demo: a shop, answers, and one page with the images; it uses the public API only."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import image_similarity_demo
from image_similarity.types import no_progress
from image_similarity_demo import FAMILIES, run_demo
from tests.support.drawn import part

PACKAGE = Path(image_similarity_demo.__file__).parent
PUBLIC = {
    *("image_similarity", "image_similarity.errors", "image_similarity.types", "image_similarity.util.files"),
    *("image_similarity.images", "image_similarity.html"),
}
SHOWN = 5


def test_the_demo_fits_what_is_drawn_searches_and_writes_a_page(drawn_shop: Path, tmp_path: Path) -> None:
    part(drawn_shop, tmp_path / "tour" / "sample", FAMILIES[:3])
    result = run_demo(tmp_path / "tour", no_progress)
    assert 0 <= result.found <= result.photos == 9
    assert len(result.similar.matches) == len(result.search.matches) == SHOWN
    page = result.page.read_text(encoding="utf-8")
    assert f"{result.found} of {result.photos}" in page
    assert page.count("data:image/jpeg") > 2 * SHOWN
    assert page.count("Right answer") >= result.found


def test_the_demo_draws_the_shop_first(tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int | None = None) -> None:
        raise KeyboardInterrupt(stage, total)

    with pytest.raises(KeyboardInterrupt) as stopped:
        run_demo(tmp_path / "tour", stop)
    assert stopped.value.args == ("draw", 74)


def imports(module: Path) -> Iterator[str]:
    """The modules that a file names, anywhere in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{module}:{node.lineno} is a relative import"
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("module", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_it_imports_what_is_public_and_nothing_else(module: Path) -> None:
    for name in imports(module):
        package = name.partition(".")[0]
        if package == "image_similarity":
            assert name in PUBLIC
        else:
            assert package in {"image_similarity_demo", "numpy", "PIL", *sys.stdlib_module_names}
