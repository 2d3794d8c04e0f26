"""What could not be used: the failures of the latest runs, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.settings import Folders
from image_similarity.store.database import Database
from image_similarity.store.records import CatalogueRecords

if TYPE_CHECKING:
    from image_similarity.dataset import Dataset
    from image_similarity.settings import Settings
    from image_similarity.types import Failure


def failures(dataset: Dataset, settings: Settings) -> list[tuple[str, Failure]]:
    """Each failure of the dataset's latest extract and fit, with its job.

    Raises:
        NotFittedError: the dataset is not known.
    """
    with Database(Folders(settings.root).database, dataset, timeout=settings.lock_timeout) as database:
        return list(CatalogueRecords(database).failures())
