"""Nearest-neighbour search: exact, approximate, and of all rows at once."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.neighbours.allpairs.exact import all_pairs as all_pairs
    from image_similarity.neighbours.cells.index import CellsIndex as CellsIndex
    from image_similarity.neighbours.cells.pairs import cell_pairs as cell_pairs
    from image_similarity.neighbours.duplicates import deduplicated_pairs as deduplicated_pairs
    from image_similarity.neighbours.exact import ExactIndex as ExactIndex
    from image_similarity.neighbours.float16 import to_float32 as to_float32
    from image_similarity.neighbours.index_choice import (
        ALL_PAIRS_UP_TO as ALL_PAIRS_UP_TO,
        EXACT_UP_TO as EXACT_UP_TO,
        STANDARD_CHOICE as STANDARD_CHOICE,
        IndexChoice as IndexChoice,
        LargeIndex as LargeIndex,
        open_or_exact as open_or_exact,
    )
    from image_similarity.neighbours.packed_scores import (
        DISTANCE_BITS as DISTANCE_BITS,
        MAX_PACKED as MAX_PACKED,
        SCORE_STEPS as SCORE_STEPS,
        Packing as Packing,
        distances as distances,
        scores_of as scores_of,
    )
    from image_similarity.neighbours.row_sets import (
        Listed as Listed,
        Masked as Masked,
        row_set as row_set,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        allpairs__exact="all_pairs",
        cells__index="CellsIndex",
        cells__pairs="cell_pairs",
        duplicates="deduplicated_pairs",
        exact="ExactIndex",
        float16="to_float32",
        index_choice="ALL_PAIRS_UP_TO IndexChoice EXACT_UP_TO LargeIndex STANDARD_CHOICE open_or_exact",
        packed_scores="DISTANCE_BITS MAX_PACKED Packing SCORE_STEPS distances scores_of",
        row_sets="Listed Masked row_set",
    )
