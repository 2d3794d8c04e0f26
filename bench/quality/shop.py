"""Luma, the real shop that quality is measured on: its images and whose they are."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).parents[3] / "shared"


@dataclass(frozen=True)
class Shop:
    """The images of a catalogue in the order of its table, and the product of each."""

    files: list[Path]
    product: np.ndarray[Any, Any]  # (n,) names


def read_shop(folder: Path) -> Shop:
    """Luma's ``images.csv``."""
    with (folder / "images.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    return Shop([folder / "images" / row["image"] for row in rows], np.array([row["product_id"] for row in rows]))


def at_hand(place: Path) -> bool:
    """Whether it is there; what is left out without it is said."""
    if not place.exists():
        sys.stderr.write(f"there is no {place}: what needs it is left out\n")
    return place.exists()


def models_at_hand(models: dict[str, str]) -> list[str]:
    """The names of the models that need no file, or whose description is there."""
    return [name for name, model in models.items() if not model.endswith(".toml") or at_hand(Path(model))]
