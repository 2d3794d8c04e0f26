"""What the user asked for when they named a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A name from the table or the path of a description, and where its weights come from."""

    name: str
    weights: Path | None = None
    """A local file in place of the download."""
    weights_digest: str | None = None
    """MD5 or SHA-256 of one's own weights in place of the official ones."""

    @property
    def is_description(self) -> bool:
        """Whether the name is the path of a ``.toml`` file."""
        return self.name.endswith(".toml")
