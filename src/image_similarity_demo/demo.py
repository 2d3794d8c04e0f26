"""The demo: draw the sample shop, fit it, search it, and write a page with the results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity import Workspace
from image_similarity.html import Page, Section, write
from image_similarity_demo.catalogue import draw_sample, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from image_similarity import Answer
    from image_similarity.types import Progress

DATASET = "shop"
SHOWN = 5  # answers per row


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One answer of each kind, how many of the photos found their product first, and the page with all answers."""

    similar: Answer
    search: Answer
    found: int
    photos: int
    page: Path


def run_demo(folder: Path, progress: Progress) -> DemoResult:
    """Draw the sample into ``folder/sample`` if it is not there, fit and search it, and write ``folder/index.html``.

    Raises:
        UsageError: ``folder/sample`` contains other files.
        OutputError: the folder cannot be written.
    """
    sample, page = folder / "sample", folder / "index.html"
    draw_sample(sample, progress=progress)
    workspace = Workspace(folder / "data", progress=progress)
    report = workspace.fit(DATASET, sample, number=SHOWN)
    photos = {row["photo"]: row["product_id"] for row in read_table(sample / "photos.csv")}
    with workspace.open(DATASET) as shop:
        answers = shop.search_many([sample / "photos" / photo for photo in photos], number=SHOWN)
    searches = list(zip(answers, photos.values(), strict=True))
    found = sum(answer.matches[0].product_id == product for answer, product in searches)
    similar = [workspace.similar(DATASET, product) for product in _one_of_each_family(photos.values())]
    facts = {
        "products": str(report.products),
        "images": str(report.counts.seen),
        "model": report.default_model,
        "photos that find their product first": f"{found} of {len(photos)}",
    }
    sections = [
        Section(
            "From a product",
            "The products of the catalogue that look most like it.",
            [answer.row() for answer in similar],
        ),
        Section(
            "From a customer's photo",
            "The products that look most like what is on it.",
            [answer.row(product) for answer, product in searches],
        ),
    ]
    write(
        Page(
            title="A shop that was never photographed",
            subtitle="Every image was drawn by image-similarity sample; every answer comes from pixels alone.",
            sections=sections,
            facts=list(facts.items()),
            command=f"image-similarity demo {folder}",
        ),
        page,
    )
    return DemoResult(similar[0], searches[0][0], found, len(photos), page)


def _one_of_each_family(products: Iterable[str]) -> list[str]:
    """The first of the products of each family; a family is the letters that an id starts with."""
    families: dict[str, str] = {}
    for product in sorted(set(products)):
        families.setdefault(product.rstrip("0123456789"), product)
    return list(families.values())
