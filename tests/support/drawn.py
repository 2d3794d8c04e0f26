"""The drawn shop, drawn once a session for all workers; each test takes the part that it needs."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Collection
from pathlib import Path

from image_similarity.util.files import locked
from image_similarity_demo import draw_sample
from image_similarity_demo.catalogue import MARKER, read_table
from image_similarity_demo.look import Family

PATIENCE = 120.0  # seconds that another worker has to draw it


def drawn_once(folder: Path) -> Path:
    """All of the shop, drawn by whoever comes first. Look at it only: it is everybody's."""
    with locked(folder.with_suffix(".lock"), PATIENCE, "another worker draws it"):
        if not folder.exists():
            draw_sample(folder)
    return folder


def part(shop: Path, folder: Path, families: Collection[Family]) -> Path:
    """A shop of its own that sells some families only."""
    folder.mkdir(parents=True)
    shutil.copy(shop / MARKER, folder)
    prefixes = tuple(family.prefix for family in families)
    for table, picture in (("products", ""), ("images", "image"), ("photos", "photo")):
        rows = [row for row in read_table(shop / f"{table}.csv") if row["product_id"].startswith(prefixes)]
        with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        if picture:
            (folder / table).mkdir()
            for row in rows:
                shutil.copy(shop / table / row[picture], folder / table)
    return folder
