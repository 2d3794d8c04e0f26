"""Which protocols a catalogue and its labels allow, and the queries of each, the same for every model."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.catalogue import column_key
from image_similarity.errors import UsageError
from image_similarity.quality.evaluation import names
from image_similarity.quality.evaluation.photos import Photos, failed, unreadable
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
    from image_similarity.quality.evaluation.ranks import Asked, Scores

    QueryBlocks = Callable[[Candidate, NDArray[np.floating]], Iterator[Asked]]

UNKNOWN = "its product has no images in the dataset"
COLOURS = ("colour", "color")


@dataclass(frozen=True, slots=True)
class Plan:
    """One protocol, ready to be put to any model: ``queries`` takes the vectors of the ``photos``, if it has any."""

    protocol: Protocol
    total: int
    queries: QueryBlocks
    photos: Photos = field(default_factory=Photos)

    @property
    def of_products(self) -> bool:
        """Whether products are ranked, and not images."""
        return self.protocol.name == names.PICKS.name

    def scores(self, side: Candidate) -> Scores:
        """What ranks the answers."""
        catalogue = side.catalogue
        if self.of_products:
            return ProductScores(catalogue.vectors, catalogue.starts)
        return ImageScores(catalogue.vectors)


def asking_rows(side: Candidate, most: int, seed: int) -> NDArray[np.intp]:
    """The images of products with several, ascending; of more than ``most``, those of whole products by chance."""
    starts = np.asarray(side.stored.grouping.starts)
    sizes = np.diff(starts)
    products = sample_groups(sizes, most, np.random.default_rng(seed))
    rows = [np.arange(starts[product], starts[product + 1]) for product in products]
    return np.concatenate(rows).astype(np.intp) if rows else np.empty(0, np.intp)


def leave_one_out(rows: NDArray[np.intp]) -> Plan:
    """Each of these rows asks."""
    return Plan(
        names.LEAVE_ONE_OUT,
        len(rows),
        lambda side, _: leave_one_image_out(side.catalogue, askers=rows),
    )


def leave_attribute_out(rows: NDArray[np.intp], side: Candidate, attribute: str) -> Plan:
    """The same with images of the asking image's own value of an attribute left out; see :func:`own_attribute`."""
    codes = side.stored.columns[attribute].codes
    protocol = names.LEAVE_ATTRIBUTE_OUT
    worded = replace(
        protocol, title=protocol.title.format(attribute=attribute), about=protocol.about.format(attribute=attribute)
    )
    return Plan(worded, len(rows), lambda each, _: leave_one_image_out(each.catalogue, codes, rows))


def own_attribute(side: Candidate, wanted: str | None) -> str | None:
    """The attribute whose own value is left out: the one that is named, or the catalogue's colour; None: there is none.

    Raises:
        UsageError: no image has the attribute that is named.
    """
    columns = side.stored.columns
    if wanted is None:
        return next((name for name in columns if column_key(name) in COLOURS), None)
    if wanted not in columns:
        raise UsageError(f"no image has the attribute {wanted!r}; there are: {', '.join(columns) or 'none at all'}")
    return wanted


def simulated_photos(taken: Photos) -> Plan:
    """Each simulated photo asks."""
    rows = np.array(taken.rows, np.intp)
    return Plan(
        names.SIMULATED,
        len(taken.paths),
        lambda side, vectors: simulated(side.catalogue, vectors, rows),
        taken,
    )


def labelled_photos(labelled: Sequence[LabelledPhoto], side: Candidate, max_pixels: int) -> Plan:
    """Each photo asks for its products; photos that are missing or damaged, or of products unknown, are failures."""
    numbers = product_numbers(side, {each for photo in labelled for each in photo.product_ids})
    taken, right = Photos(), []
    for photo in labelled:
        known = [numbers[each] for each in photo.product_ids if each in numbers]
        error = unreadable(photo.path, max_pixels)
        if error is not None:
            taken.failures.append(failed(error, ",".join(photo.product_ids), photo.name, photo.path))
        elif not known:
            taken.failures.append(Failure("list", UNKNOWN, ",".join(photo.product_ids), photo.name, str(photo.path)))
        else:
            taken.paths.append(photo.path)
            taken.originals.append(photo.path)
            taken.seeds.append(None)
            taken.asking.append((",".join(photo.product_ids), photo.name))
            right.append(known)
    return Plan(names.PHOTOS, len(right), lambda side, vectors: photos(side.catalogue, vectors, right), taken)


def picked(pairs: Sequence[tuple[str, str]], side: Candidate, where: str) -> Plan:
    """Each product of the pairs asks for those that were picked for it; products without images are failures."""
    numbers = product_numbers(side, {each for pair in pairs for each in pair})
    similar: dict[int, list[int]] = {}
    failures = []
    for pair in pairs:
        unknown = next((each for each in pair if each not in numbers), None)
        if unknown is not None:
            failures.append(Failure("list", f"{unknown} has no images in the dataset", pair[0], pair[1], where))
        elif pair[0] != pair[1]:
            similar.setdefault(numbers[pair[0]], []).append(numbers[pair[1]])
    return Plan(names.PICKS, len(similar), lambda side, _: picks(side.catalogue, similar), Photos(failures=failures))


def product_numbers(side: Candidate, wanted: set[str]) -> Mapping[str, int]:
    """The numbers of those products that have images."""
    products = side.stored.grouping.products
    places = {product: bisect_left(products, product) for product in wanted}
    return {product: at for product, at in places.items() if at < len(products) and products[at] == product}
