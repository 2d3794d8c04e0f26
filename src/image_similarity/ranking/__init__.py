"""Rank products: image hits are grouped by product and aggregated, the query's own product excluded."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.ranking.aggregate import (
        FIRST_DEPTH as FIRST_DEPTH,
        rank_products as rank_products,
    )
    from image_similarity.ranking.gallery import (
        Gallery as Gallery,
        GalleryQuery as GalleryQuery,
    )
    from image_similarity.ranking.with_delta import (
        GalleryPart as GalleryPart,
        rank_parts as rank_parts,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        aggregate="FIRST_DEPTH rank_products",
        gallery="Gallery GalleryQuery",
        with_delta="GalleryPart rank_parts",
    )
