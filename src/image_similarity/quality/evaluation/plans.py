"""Plan an evaluation: the protocols that a catalogue and its labels allow, with the same queries for every model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.catalogue import column_key
from image_similarity.errors import UsageError
from image_similarity.index import product_number
from image_similarity.quality.evaluation import names
from image_similarity.quality.evaluation.photos import Photos, failure_of, read_error
from image_similarity.quality.evaluation.protocols import leave_one_image_out, photos, picks, simulated
from image_similarity.quality.evaluation.ranks import ImageScores, ProductScores
from image_similarity.types import Failure
from image_similarity.util.sampling import sample_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from image_similarity.catalogue import LabelledPhoto
    from image_similarity.quality.evaluation.candidates import Candidate
    from image_similarity.quality.evaluation.names import Protocol
    from image_similarity.quality.evaluation.ranks import QueryBlock, Scores

    MakeBlocks = Callable[[Candidate, NDArray[np.floating]], Iterator[QueryBlock]]

UNKNOWN = "its product has no images in the dataset"
COLOURS = ("colour", "color")


@dataclass(frozen=True, slots=True)
class Plan:
    """One protocol, ready for any model: ``queries`` takes the vectors of the ``photos``, if it has any."""

    protocol: Protocol
    total: int
    queries: MakeBlocks
    photos: Photos = field(default_factory=Photos)

    @property
    def ranks_products(self) -> bool:
        """Whether products are ranked instead of images."""
        return self.protocol.name == names.PICKS.name

    def scores(self, candidate: Candidate) -> Scores:
        """The scores that rank the answers of a model."""
        catalogue = candidate.catalogue
        if self.ranks_products:
            return ProductScores(catalogue.vectors, catalogue.starts)
        return ImageScores(catalogue.vectors)


def query_rows(candidate: Candidate, most: int, seed: int) -> NDArray[np.intp]:
    """The rows of products with several images, ascending; if more than ``most``, those of a sample of products."""
    starts = np.asarray(candidate.stored.grouping.starts)
    sizes = np.diff(starts)
    products = sample_groups(sizes, most, np.random.default_rng(seed))
    rows = [np.arange(starts[product], starts[product + 1]) for product in products]
    return np.concatenate(rows).astype(np.intp) if rows else np.empty(0, np.intp)


def leave_one_out(rows: NDArray[np.intp]) -> Plan:
    """Each of these rows is a query."""
    return Plan(
        names.LEAVE_ONE_OUT,
        len(rows),
        lambda candidate, _: leave_one_image_out(candidate.catalogue, query_rows=rows),
    )


def leave_attribute_out(rows: NDArray[np.intp], candidate: Candidate, attribute: str) -> Plan:
    """:func:`leave_one_out` against images with another value of an attribute; see :func:`left_out_attribute`."""
    codes = candidate.stored.columns[attribute].codes
    protocol = names.LEAVE_ATTRIBUTE_OUT
    worded = replace(
        protocol,
        title=protocol.title.format(attribute=attribute),
        description=protocol.description.format(attribute=attribute),
    )
    return Plan(worded, len(rows), lambda each, _: leave_one_image_out(each.catalogue, codes, rows))


def left_out_attribute(candidate: Candidate, name: str | None) -> str | None:
    """The attribute whose own value is left out: the named one, else the catalogue's colour; None if it has none.

    Raises:
        UsageError: no image has the named attribute.
    """
    columns = candidate.stored.columns
    if name is None:
        return next((each for each in columns if column_key(each) in COLOURS), None)
    if name not in columns:
        raise UsageError(f"no image has the attribute {name!r}; there are: {', '.join(columns) or 'none at all'}")
    return name


def simulated_photos(usable: Photos) -> Plan:
    """Each simulated photo is a query."""
    rows = np.array(usable.rows, np.intp)
    return Plan(
        names.SIMULATED,
        len(usable.paths),
        lambda candidate, vectors: simulated(candidate.catalogue, vectors, rows),
        usable,
    )


def labelled_photos(labelled: Sequence[LabelledPhoto], candidate: Candidate, max_pixels: int) -> Plan:
    """Each photo is a query for its products; unreadable photos and photos of unknown products are failures."""
    numbers = numbers_of_products(candidate, {each for photo in labelled for each in photo.product_ids})
    usable, right = Photos(), []
    for photo in labelled:
        known = [numbers[each] for each in photo.product_ids if each in numbers]
        error = read_error(photo.path, max_pixels)
        if error is not None:
            usable.failures.append(failure_of(error, ",".join(photo.product_ids), photo.name, photo.path))
        elif not known:
            usable.failures.append(Failure("list", UNKNOWN, ",".join(photo.product_ids), photo.name, str(photo.path)))
        else:
            usable.paths.append(photo.path)
            usable.originals.append(photo.path)
            usable.seeds.append(None)
            usable.ids.append((",".join(photo.product_ids), photo.name))
            right.append(known)
    return Plan(
        names.PHOTOS, len(right), lambda candidate, vectors: photos(candidate.catalogue, vectors, right), usable
    )


def picked(pairs: Sequence[tuple[str, str]], candidate: Candidate, where: str) -> Plan:
    """The first product of each pair is a query for those picked for it; products without images are failures."""
    numbers = numbers_of_products(candidate, {each for pair in pairs for each in pair})
    similar: dict[int, list[int]] = {}
    failures = []
    for pair in pairs:
        unknown = next((each for each in pair if each not in numbers), None)
        if unknown is not None:
            failures.append(Failure("list", f"{unknown} has no images in the dataset", pair[0], pair[1], where))
        elif pair[0] != pair[1]:
            similar.setdefault(numbers[pair[0]], []).append(numbers[pair[1]])
    return Plan(
        names.PICKS, len(similar), lambda candidate, _: picks(candidate.catalogue, similar), Photos(failures=failures)
    )


def numbers_of_products(candidate: Candidate, product_ids: set[str]) -> Mapping[str, int]:
    """The numbers of products by id, without those that have no images."""
    products = candidate.stored.grouping.products
    numbers = {each: product_number(products, each) for each in product_ids}
    return {each: number for each, number in numbers.items() if number >= 0}
