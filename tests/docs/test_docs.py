"""The README and the commands run as they are written, and nothing is left out of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from image_similarity.cli.app import app
from tests.support.desk import PAGES, ROOT, desk, little_shop, pages, runs_as_written  # noqa: F401 (fixtures)


@pytest.mark.parametrize("page", pages(first=True), ids=lambda page: page.stem)
def test_every_block_runs_as_written(page: Path, desk: Path) -> None:  # noqa: F811
    runs_as_written(page, desk)


def test_every_command_is_documented() -> None:
    group = typer.main.get_command(app)
    documented = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for name in group.commands:  # type: ignore[attr-defined]
        assert f"image-similarity {name}" in documented, f"{name} is missing in docs/commands.md"


def test_every_link_of_the_docs_leads_somewhere() -> None:
    notes = sorted((ROOT / "docs" / "notes").glob("*.md"))
    for page in [*PAGES, *notes, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target, heading in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
            if target.startswith("http"):
                continue
            place = page.parent / target if target else page
            assert place.exists(), f"{page.name} links to {target}"
            assert not heading or heading in headings(place), f"{page.name} links to {target}#{heading}"


def headings(page: Path) -> set[str]:
    """The names by which a page's headings are linked to."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}
