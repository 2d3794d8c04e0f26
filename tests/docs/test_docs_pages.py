"""The other pages of the docs run as they are written; apart, so that both files are run at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.desk import desk, little_shop, pages, runs_as_written  # noqa: F401 (fixtures)


@pytest.mark.parametrize("page", pages(first=False), ids=lambda page: page.stem)
def test_every_block_runs_as_written(page: Path, desk: Path) -> None:  # noqa: F811
    runs_as_written(page, desk)
