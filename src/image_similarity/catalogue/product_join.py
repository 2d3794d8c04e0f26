"""A catalogue whose products are described in a table of its own: which row belongs to which product."""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from image_similarity.catalogue.columns import Columns
from image_similarity.errors import CatalogueError
from image_similarity.types import CatalogueImage, Failure, Product

NUMBER = re.compile(r"0*(\d+)(?:[.,]0*)?")
NAMED = 3  # ids that a message gives as examples


class Products(Protocol):
    """A table of products: :class:`~image_similarity.catalogue.tables.ProductTable`."""

    location: str
    failures: list[Failure]
    notes: list[str]

    def __iter__(self) -> Iterator[Product]: ...

    def header(self) -> tuple[str, ...]: ...


class Described(ABC):
    """A source of images whose products a separate table may describe.

    ``failures`` holds what the last iteration could not use; ``notes`` what is to be known of it.
    """

    def __init__(self, products: Products | None) -> None:
        self.product_table = products
        self.failures: list[Failure] = []
        self.notes: list[str] = []
        self._ids: set[str] | None = None

    def __iter__(self) -> Iterator[CatalogueImage]:
        self.failures, self.notes, self._ids = [], [], None
        return self._images() if self.product_table is None else self._noting_ids()

    @property
    def product_failures(self) -> list[Failure]:
        """The rows of the separate product table that the last :meth:`products` could not use."""
        return [] if self.product_table is None else self.product_table.failures

    def products(self) -> Iterator[Product]:
        """The products of the separate table, under the ids that the images have; none without such a table."""
        if self.product_table is None:
            return
        renamed = joined(self._image_products(), (product.product_id for product in self.product_table))
        for product in self.product_table:
            yield replace(product, product_id=renamed.get(product.product_id, product.product_id))

    def items(self) -> Iterator[CatalogueImage | Product]:
        """Images, then products, each table read once.

        Raises:
            CatalogueError: not one product that is described has an image.
        """
        yield from self
        Described.check(self)
        yield from Described.products(self)

    def check(self) -> None:
        """Look whether images and products belong together, before any work is done; ``notes`` say what is odd.

        Raises:
            CatalogueError: not one product that is described has an image.
        """
        if self.product_table is None:
            return
        images, table = self._image_products(), self.product_table.location
        described = {product.product_id for product in self.product_table}
        renamed = joined(images, described)
        both = {renamed.get(each, each) for each in described} & images
        if images and described and not both:
            own = Columns.of(self.product_table.header()).image is not None
            advice = (
                "It lists images itself: give it as the catalogue" if own else "Give the table that has the same ids"
            )
            raise CatalogueError(
                f"no product of {table} has an image: its ids are like {_some(described)}, those of the images like "
                f"{_some(images)}. {advice}"
            )
        if renamed:
            first = min(renamed)
            self.note(
                f"{len(renamed)} products are written in another way in {table}, as {first!r} for {renamed[first]!r}"
            )
        if bare := images - both:
            self.note(f"{len(bare)} of {len(images)} products are not in {table}, {_some(bare)} for one")
        if left := len(described) - len(both):
            self.note(f"{left} of {len(described)} products of {table} have no image")
        for note in self.product_table.notes:
            self.note(f"{table}: {note}")

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    @abstractmethod
    def _images(self) -> Iterator[CatalogueImage]: ...

    def _noting_ids(self) -> Iterator[CatalogueImage]:
        ids = set()
        for image in self._images():
            ids.add(image.product_id)
            yield image
        self._ids = ids

    def _image_products(self) -> set[str]:
        if self._ids is None:
            for _ in self:
                pass
        return self._ids or set()


def joined(images: set[str], described: Iterable[str]) -> dict[str, str]:
    """From a described product's id to the id that the images have, where these differ in their writing alone.

    ``1.0`` and ``1``, ``0017`` and ``17``, ``Ab-1`` and ``ab-1 `` are joined where nothing else on either side could
    be meant.
    """
    described = set(described)
    if described <= images:
        return {}
    here, there = _by_form(images), _by_form(described)
    return {
        other: own
        for form, other in there.items()
        if other is not None and other not in images and (own := here.get(form)) is not None and own not in described
    }


def _by_form(ids: set[str]) -> dict[str, str | None]:
    """The id of each form, None where several have it."""
    counts = Counter(map(form_of, ids))
    return {form: each if counts[form] == 1 else None for each in ids for form in [form_of(each)]}


def form_of(product_id: str) -> str:
    """An id without what spreadsheets and people change: case, blanks, leading zeros, ``.0``."""
    text = " ".join(unicodedata.normalize("NFKC", product_id).casefold().split())
    number = NUMBER.fullmatch(text)
    return number[1] if number else text


def _some(ids: Iterable[str]) -> str:
    return ", ".join(repr(each) for each in sorted(ids)[:NAMED])
