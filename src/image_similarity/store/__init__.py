"""The feature store, features.db: vectors, products, images, and each product's recommendations."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.store.changes import ProductChanges as ProductChanges
    from image_similarity.store.codec import (
        DTYPE as DTYPE,
        encode as encode,
    )
    from image_similarity.store.database import (
        Database as Database,
        dataset_names as dataset_names,
    )
    from image_similarity.store.features import (
        FeatureRow as FeatureRow,
        FeatureStore as FeatureStore,
    )
    from image_similarity.store.idempotency import (
        IdempotencyClashError as IdempotencyClashError,
        IdempotencyLog as IdempotencyLog,
        IdempotentRequest as IdempotentRequest,
    )
    from image_similarity.store.overrides import Overrides as Overrides
    from image_similarity.store.recommendations import (
        Recommendations as Recommendations,
        RecommendationStore as RecommendationStore,
    )
    from image_similarity.store.records import CatalogueRecords as CatalogueRecords
    from image_similarity.store.removal import (
        ListedProducts as ListedProducts,
        RemovalLimit as RemovalLimit,
    )
    from image_similarity.store.snapshot import (
        ROWS_TOGETHER as ROWS_TOGETHER,
        Block as Block,
        Snapshot as Snapshot,
        take_snapshot as take_snapshot,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        changes="ProductChanges",
        codec="DTYPE encode",
        database="Database dataset_names",
        features="FeatureRow FeatureStore",
        idempotency="IdempotencyClashError IdempotencyLog IdempotentRequest",
        overrides="Overrides",
        recommendations="RecommendationStore Recommendations",
        records="CatalogueRecords",
        removal="ListedProducts RemovalLimit",
        snapshot="Block ROWS_TOGETHER Snapshot take_snapshot",
    )
