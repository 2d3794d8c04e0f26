"""The demo: a shop, answers, and one page with the pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from image_similarity import demo_job as demo
from image_similarity.sample import draw_sample
from image_similarity.sample.families import FAMILIES
from image_similarity.types import no_progress


def test_the_demo_draws_fits_asks_and_writes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        demo, "draw_sample", lambda folder, progress: draw_sample(folder, families=FAMILIES[:3], progress=progress)
    )
    result = demo.run_demo(tmp_path / "tour", no_progress)
    assert 0 <= result.found <= result.asked == 9
    assert len(result.similar.matches) == len(result.search.matches) == demo.SHOWN
    page = result.page.read_text(encoding="utf-8")
    assert f"{result.found} of {result.asked}" in page
    assert page.count("data:image/jpeg") > 2 * demo.SHOWN
    assert page.count("Right answer") >= result.found
