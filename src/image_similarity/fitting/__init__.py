"""Fit a catalogue: features, an index and recommendations; upsert and delete single products."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.fitting.backfill import backfill_features as backfill_features
    from image_similarity.fitting.extract_job import (
        ExtractReport as ExtractReport,
        extract as extract,
        extract_department as extract_department,
    )
    from image_similarity.fitting.fit_job import (
        EmbeddedCatalogue as EmbeddedCatalogue,
        WrittenRecommendations as WrittenRecommendations,
        embed_catalogue as embed_catalogue,
        fitting_database as fitting_database,
        write_recommendations as write_recommendations,
    )
    from image_similarity.fitting.sampling import sample_catalogue as sample_catalogue
    from image_similarity.fitting.upsert import (
        EmbeddedImage as EmbeddedImage,
        delete_orphan_files as delete_orphan_files,
        delete_product as delete_product,
        new_image as new_image,
        upload_folder as upload_folder,
        upsert_product as upsert_product,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        backfill="backfill_features",
        extract_job="ExtractReport extract extract_department",
        fit_job="EmbeddedCatalogue WrittenRecommendations embed_catalogue fitting_database write_recommendations",
        sampling="sample_catalogue",
        upsert="EmbeddedImage delete_orphan_files delete_product new_image upload_folder upsert_product",
    )
