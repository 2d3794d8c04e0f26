"""A real Chromium for the tests of the page, and a shop whose service it looks at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from image_similarity import Workspace
from image_similarity.settings import Settings
from image_similarity_demo import FAMILIES
from tests.support.drawn import part
from tests.support.service import DATASET, MODEL

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
QUIET = ["no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
QUIET += ["disable-component-update", "disable-sync"]
ARTEFACTS = Path(os.environ.get("IMAGE_SIMILARITY_ARTEFACTS") or Path(__file__).parents[2] / ".artefacts")
DESK, PHONE = (1280, 800), (360, 740)  # CSS pixels
SERIOUS = ("serious", "critical")
PATIENCE = 15_000  # milliseconds
OTHER = "colour"
BROKEN = "broken.jpg"
SOLD = ("balls", "headwear", "helmets", "hockey sticks", "weights")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window; skips, and says why, where there is none."""
    if find_spec("playwright") is None or find_spec("axe_playwright_python") is None:
        pytest.skip("playwright and axe-playwright-python are not installed: pip install '.[dev]'")
    path = next((found for found in map(shutil.which, NAMES) if found), None)
    if path is None:
        pytest.skip(f"there is none of {', '.join(NAMES)}: sh tests/support/install_chromium.sh")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[f"--{flag}" for flag in QUIET])
        yield browser
        browser.close()


@dataclass
class Reader:
    """Somebody who looks at the page. What the browser complains of is kept in ``complaints``."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> None:
        """Go to a state of the page and wait until it is drawn."""
        self.page.goto(self.address + query)
        self.find(".card:visible, table, dialog:visible").first.wait_for()

    def find(self, selector: str) -> Locator:
        """The elements that a selector names."""
        return self.page.locator(selector)

    def button(self, name: str) -> Locator:
        """The button that is called so, as a screen reader would."""
        return self.page.get_by_role("button", name=name)

    def found(self, column: int = 0) -> list[str]:
        """The products of the answer, when it has come."""
        self.find(".column:not([hidden]):not([aria-busy]) .card").first.wait_for()
        cards = self.find(".column").nth(column).locator("a.open")
        return [str(card.get_attribute("data-key")) for card in cards.all()]

    def changed(self, before: list[str]) -> list[str]:
        """The products of the answer that takes the place of another one."""
        self.page.wait_for_function(
            "before => !document.querySelector('.column[aria-busy]') && before !== "
            "[...document.querySelectorAll('.column a.open')].map(a => a.dataset.key).join()",
            arg=",".join(before),
        )
        return self.found()

    def cropped(self, *crop: float) -> list[str]:
        """The products of the answer to a crop: left, top, width, height; those of the steps to it may come first."""
        self.page.wait_for_function(
            "wanted => !document.querySelector('.column[aria-busy]') && "
            "(new URLSearchParams(location.search).get('crop') ?? '').split(',')"
            ".every((share, place) => Math.abs(share - wanted[place]) < 0.015)",
            arg=crop,
        )
        return self.found()

    def shows(self, products: list[str]) -> None:
        """Wait for the very answer with these products."""
        self.page.wait_for_function(
            "wanted => !document.querySelector('.column[aria-busy]') && wanted === "
            "[...document.querySelectorAll('.column a.open')].map(a => a.dataset.key).join()",
            arg=",".join(products),
        )

    def state(self) -> dict[str, str]:
        """The state in the address."""
        return {name: value for name, (value,) in parse_qs(urlsplit(self.page.url).query).items()}

    def show(self, photo: Path) -> list[str]:
        """Choose a photo and wait for its answer."""
        self.find("input[type=file]:not([capture])").first.set_input_files(photo)
        self.page.wait_for_url("**photo=*")
        return self.found()

    def shot(self, name: str, whole: bool = False) -> None:
        """Keep what is seen as a test artefact."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=whole)

    def barriers(self) -> list[str]:
        """What axe-core finds that keeps people out: serious and critical violations."""
        script = resources.files("axe_playwright_python") / "axe.min.js"
        self.page.evaluate(script.read_text(encoding="utf-8"))
        report: dict[str, Any] = self.page.evaluate("axe.run({ resultTypes: ['violations'] })")
        return [
            f"{violation['id']}: {node['target']}"
            for violation in report["violations"]
            if violation["impact"] in SERIOUS
            for node in violation["nodes"]
        ]


@contextmanager
def reader(browser: Browser, address: str, *, phone: bool = False, dark: bool = False) -> Iterator[Reader]:
    """Somebody at a desk or with a phone, in a fresh browser; afterwards nothing may stand in its console."""
    width, height = PHONE if phone else DESK
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        has_touch=phone,
        is_mobile=phone,
        reduced_motion="reduce",
        service_workers="block",
    )
    context.set_default_timeout(PATIENCE)
    somebody = Reader(context.new_page(), address)
    listen = somebody.complaints.append
    somebody.page.on("pageerror", lambda error: listen(str(error)))
    somebody.page.on("console", lambda said: listen(said.text) if said.type in ("error", "warning") else None)
    yield somebody
    context.close()
    assert somebody.complaints == [], somebody.complaints


def fitted_shop(shop: Path, folder: Path) -> Path:
    """A workspace with a part of the drawn shop, fitted with two models, one calibrated; a picture is broken."""
    sample = part(shop, folder / "sample", [family for family in FAMILIES if family.name in SOLD])
    (sample / "images" / BROKEN).write_text("<html>not found</html>")
    with (sample / "images.csv").open("a", encoding="utf-8") as file:
        file.write(f"ball01,{BROKEN},front\n")
    workspace = Workspace(settings=Settings(root=folder / "data", precision="fp32"))
    workspace.fit(DATASET, sample, model=OTHER, learn=False)
    workspace.fit(DATASET, sample, model=MODEL, learn=False)
    workspace.calibrate(DATASET, model=MODEL, images=30)
    return folder / "data"
