"""The first thing that anybody sees: a drawn shop, fitted, asked, and shown on a page."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.catalogue import open_source
from image_similarity.dataset import Dataset
from image_similarity.fitting.fit import FitOptions, fit
from image_similarity.html import Page, Section, write
from image_similarity.models.choice import ModelChoice
from image_similarity.models.table import OFFLINE_MODEL
from image_similarity.sample import draw_sample
from image_similarity.search.default_model import use
from image_similarity.search.photo_search import SearchOptions, search_many
from image_similarity.search.similar import similar
from image_similarity.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from image_similarity.search.answer import Answer
    from image_similarity.types import Progress

DATASET = "shop"
SHOWN = 5  # answers a row


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One answer of each kind, how many photos found their product first, and the page with all of them."""

    similar: Answer
    search: Answer
    found: int
    asked: int
    page: Path


def run_demo(folder: Path, progress: Progress) -> DemoResult:
    """Draw the sample into ``folder/sample``, fit it in ``folder/data``, write ``folder/index.html``.

    Raises:
        UsageError: ``folder/sample`` holds something else.
        OutputError: the folder cannot be written.
    """
    sample, page = folder / "sample", folder / "index.html"
    draw_sample(sample, progress=progress)
    dataset, settings = Dataset.named(DATASET), Settings(root=folder / "data")
    model = ModelChoice(OFFLINE_MODEL)
    report = fit(open_source(sample, settings=settings), dataset, settings, FitOptions(model, number=SHOWN), progress)
    use(dataset, settings, model)
    with (sample / "photos.csv").open(encoding="utf-8", newline="") as file:
        right = {sample / "photos" / row["photo"]: row["product_id"] for row in csv.DictReader(file)}
    searches = search_many(list(right), dataset, settings, SearchOptions(model, SHOWN), progress)
    answers = [similar(dataset, settings, product, model=model) for product in _one_of_each_family(right.values())]
    found = sum(
        answer.matches[0].product_id == product for answer, product in zip(searches, right.values(), strict=True)
    )
    write(
        Page(
            title="A shop that was never photographed",
            subtitle="Every picture was drawn by image-similarity sample; every answer comes from pixels alone.",
            sections=[
                Section(
                    "From a product",
                    "The products of the catalogue that look most like it.",
                    [answer.row() for answer in answers],
                ),
                Section(
                    "From a customer's photo",
                    "The products that look most like what is on it.",
                    [answer.row(product) for answer, product in zip(searches, right.values(), strict=True)],
                ),
            ],
            facts=[
                ("products", str(report.products)),
                ("images", str(report.counts.seen)),
                ("model", OFFLINE_MODEL),
                ("photos that find their product first", f"{found} of {len(right)}"),
            ],
            command=f"image-similarity demo {folder}",
        ),
        page,
    )
    return DemoResult(answers[0], searches[0], found, len(right), page)


def _one_of_each_family(products: Iterable[str]) -> list[str]:
    """The first product of each family among some; a family is the letters that an id starts with."""
    families: dict[str, str] = {}
    for product in sorted(set(products)):
        families.setdefault(product.rstrip("0123456789"), product)
    return list(families.values())
