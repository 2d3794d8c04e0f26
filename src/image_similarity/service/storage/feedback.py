"""Feedback on good and bad results, stored as the tables that the evaluation reads as labels.

``photos.csv`` holds verdicts on photo and product (``query,product_id,verdict``), with the photos beside it;
``picks.csv`` on two products (``product_id,similar_product_id,verdict``). A later verdict on the same pair replaces
the earlier one.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock

from image_similarity.errors import StoreError
from image_similarity.service import schemas
from image_similarity.util.files import replacing

GOOD, BAD = "good", "bad"
PHOTOS, PICKS = "photos.csv", "picks.csv"
HEADERS = {PHOTOS: ("query", "product_id", "verdict"), PICKS: ("product_id", "similar_product_id", "verdict")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict on a pair: ``query`` is a photo's file name, or a product's id."""

    query: str
    product_id: str
    verdict: str


class FeedbackStore:
    """The feedback on one dataset. ``folder``: where its tables are. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, Lock()

    def on_photo(self, photo: bytes, product_id: str, verdict: str) -> None:
        """Store a verdict on a product that was found with a photo, and the query photo.

        Raises:
            OutputError: it cannot be written.
        """
        name = f"{sha256(photo).hexdigest()[:32]}.jpg"
        path = self._folder / "photos" / name
        if not path.exists():
            with replacing(path) as temporary:
                temporary.write_bytes(photo)
        self._write(PHOTOS, Verdict(name, product_id, verdict))

    def on_product(self, query: str, product_id: str, verdict: str) -> None:
        """Store a verdict on a product that was found with a product; raises as :meth:`on_photo`."""
        self._write(PICKS, Verdict(query, product_id, verdict))

    def counts(self) -> schemas.FeedbackCounts:
        """Count the verdicts, and the different queries.

        Raises:
            StoreError: a table is damaged; it is not overwritten.
        """
        photos, picks = self._read(PHOTOS), self._read(PICKS)
        verdicts = [each.verdict for each in (*photos, *picks)]
        return schemas.FeedbackCounts(
            good=verdicts.count(GOOD),
            bad=verdicts.count(BAD),
            photos=len({each.query for each in photos}),
            products=len({each.query for each in picks}),
        )

    def _write(self, name: str, verdict: Verdict) -> None:
        with self._lock:
            pairs = {(each.query, each.product_id): each for each in self._read(name)}
            pairs[verdict.query, verdict.product_id] = verdict
            file = io.StringIO()
            writer = csv.writer(file)
            writer.writerow(HEADERS[name])
            writer.writerows((each.query, each.product_id, each.verdict) for each in pairs.values())
            with replacing(self._folder / name) as temporary:
                temporary.write_text(file.getvalue(), encoding="utf-8", newline="")

    def _read(self, name: str) -> list[Verdict]:
        try:
            with (self._folder / name).open(encoding="utf-8", newline="") as file:
                return [Verdict(*row[:3]) for row in list(csv.reader(file))[1:] if len(row) >= 3]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, csv.Error) as error:
            where = self._folder / name
            raise StoreError(f"{where} cannot be read: {error}. Repair it, or move it to start a new one") from error
