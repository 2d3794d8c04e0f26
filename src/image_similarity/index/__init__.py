"""The catalogue's vectors as memory-mapped files: derived from the store, and replaced as a whole."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.index.build import (
        fitted_index as fitted_index,
        fresh_index as fresh_index,
        index_folder as index_folder,
        open_index as open_index,
        present_index as present_index,
    )
    from image_similarity.index.delta import (
        Delta as Delta,
        delta_since as delta_since,
        product_number as product_number,
    )
    from image_similarity.index.facets import facets_of as facets_of
    from image_similarity.index.filter_language import parse_filter as parse_filter
    from image_similarity.index.filters import (
        Filter as Filter,
        passing as passing,
    )
    from image_similarity.index.stored_index import (
        Grouping as Grouping,
        StoredIndex as StoredIndex,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        build="fitted_index fresh_index open_index index_folder present_index",
        delta="Delta delta_since product_number",
        facets="facets_of",
        filter_language="parse_filter",
        filters="Filter passing",
        stored_index="Grouping StoredIndex",
    )
