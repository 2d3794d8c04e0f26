"""Join a catalogue's images with a separate product table by product id."""

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
EXAMPLES = 3  # ids shown in a message


class Products(Protocol):
    """The product table: :class:`~image_similarity.catalogue.tables.ProductTable`."""

    location: str
    failures: list[Failure]
    notes: list[str]

    def __iter__(self) -> Iterator[Product]: ...

    def header(self) -> tuple[str, ...]: ...


class JoinedSource(ABC):
    """Base of image sources whose products may be described in a separate table.

    ``failures`` and ``notes`` are of the last iteration: rows that could not be used, and what was guessed or skipped.
    """

    def __init__(self, products: Products | None) -> None:
        self.product_table = products
        self.failures: list[Failure] = []
        self.notes: list[str] = []
        self._ids: set[str] | None = None

    def __iter__(self) -> Iterator[CatalogueImage]:
        self.failures, self.notes, self._ids = [], [], None
        return self._images() if self.product_table is None else self._recording_ids()

    @property
    def product_failures(self) -> list[Failure]:
        """The rows of the separate product table that the last :meth:`products` could not use."""
        return [] if self.product_table is None else self.product_table.failures

    def products(self) -> Iterator[Product]:
        """The products of the separate table, with the ids of the images; none without such a table."""
        if self.product_table is None:
            return
        renamed = matching_ids(self._image_products(), (product.product_id for product in self.product_table))
        for product in self.product_table:
            yield replace(product, product_id=renamed.get(product.product_id, product.product_id))

    def items(self) -> Iterator[CatalogueImage | Product]:
        """Images, then products; each table is read once.

        Raises:
            CatalogueError: no product of the table has an image.
        """
        yield from self
        JoinedSource.check(self)
        yield from JoinedSource.products(self)

    def check(self) -> None:
        """Check before the work that images and products have common ids; adds notes on those that do not.

        Raises:
            CatalogueError: no product of the table has an image.
        """
        if self.product_table is None:
            return
        images, table = self._image_products(), self.product_table.location
        described = {product.product_id for product in self.product_table}
        renamed = matching_ids(images, described)
        both = {renamed.get(each, each) for each in described} & images
        if images and described and not both:
            own = Columns.of(self.product_table.header()).image is not None
            advice = (
                "It lists images itself: give it as the catalogue" if own else "Give the table that has the same ids"
            )
            raise CatalogueError(
                f"no product of {table} has an image: its ids are like {_examples(described)}, those of the images "
                f"like {_examples(images)}. {advice}"
            )
        if renamed:
            first = min(renamed)
            self.note(
                f"{len(renamed)} products are spelled differently in {table}, as {first!r} for {renamed[first]!r}"
            )
        if bare := images - both:
            self.note(f"{len(bare)} of {len(images)} products are not in {table}, {_examples(bare)} for one")
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

    def _recording_ids(self) -> Iterator[CatalogueImage]:
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


def matching_ids(images: set[str], described: Iterable[str]) -> dict[str, str]:
    """Map ids of the product table to those of the images where only their spelling differs.

    ``1.0`` and ``1``, ``0017`` and ``17``, ``Ab-1`` and ``ab-1 `` are joined if no other id on either side matches.
    """
    described = set(described)
    if described <= images:
        return {}
    of_images, of_products = _by_normalized_id(images), _by_normalized_id(described)
    return {
        other: own
        for form, other in of_products.items()
        if other is not None
        and other not in images
        and (own := of_images.get(form)) is not None
        and own not in described
    }


def _by_normalized_id(ids: set[str]) -> dict[str, str | None]:
    """The id of each normalised id; None where several ids share it."""
    counts = Counter(map(normalized_id, ids))
    return {form: each if counts[form] == 1 else None for each in ids for form in [normalized_id(each)]}


def normalized_id(product_id: str) -> str:
    """Normalise what spreadsheets and people change in an id: case, blanks, leading zeros, ``.0``."""
    text = " ".join(unicodedata.normalize("NFKC", product_id).casefold().split())
    number = NUMBER.fullmatch(text)
    return number[1] if number else text


def _examples(ids: Iterable[str]) -> str:
    return ", ".join(repr(each) for each in sorted(ids)[:EXAMPLES])
