"""Where products and images are listed: folders, tables, and the first version's listings on S3.

Data flows: bytes (``tables``, ``s3``) -> rows (``rows``) -> columns (``columns``) -> images and products
(``tables``, ``folders``, ``listing``). ``sources`` picks the right one; ``ledger`` writes a table back.
"""

from __future__ import annotations

from image_similarity.catalogue.sources import check, failures_of, notes_of, open_source, product_failures_of

__all__ = ["check", "failures_of", "notes_of", "open_source", "product_failures_of"]
