"""Facets of a catalogue: each attribute's most frequent values, or its range if it is numeric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.index.columns import Column
    from image_similarity.index.stored_index import StoredIndex

MOST_VALUES = 50


@dataclass(frozen=True, slots=True)
class Facet:
    """One attribute. ``values``: text and product count, most frequent first; ``bounds``: lowest and highest number."""

    name: str
    values: list[tuple[str, int]]
    bounds: tuple[float, float] | None = None


def facets_of(stored: StoredIndex, most: int = MOST_VALUES) -> list[Facet]:
    """The facets of all attributes, sorted by name.

    A text attribute whose values are nearly all different, such as an address, is left out: it is useless as a facet.
    """
    first_rows = np.asarray(stored.grouping.starts[:-1])
    found = []
    for name in sorted(stored.columns):
        column = stored.columns[name]
        if column.numbers is not None and len(column.numbers) and _is_of_numbers(column, first_rows):
            found.append(Facet(name, [], (float(column.numbers[0]), float(column.numbers[-1]))))
            continue
        counts = np.bincount(column.codes[first_rows], minlength=len(column.texts) + 1)[1:]
        if len(counts) > most and counts.max(initial=0) <= 1:
            continue
        frequent = np.argsort(-counts, kind="stable")[:most].tolist()
        found.append(Facet(name, [(column.texts[place], int(counts[place])) for place in frequent if counts[place]]))
    return found


def _is_of_numbers(column: Column, rows: NDArray[np.uint32]) -> bool:
    """Whether most values are numbers: a single ``n/a`` does not make a price a text."""
    if not column.mixed or column.ranks is None:
        return True
    with_value = np.count_nonzero(column.codes[rows])
    return bool(2 * np.count_nonzero(column.ranks[rows]) > with_value)
