"""What the user asked for when they named a model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from image_similarity.errors import UsageError
from image_similarity.settings import Settings, model_folders

Precision = Literal["auto", "fp32", "bf16", "int8"]
IN_USE = ""
"""The name of the model that a dataset uses where nobody names one."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A name from the table or the path of a description, where its weights come from, and how finely it computes.

    Raises:
        UsageError: there is no such precision.
    """

    name: str
    weights: Path | None = None
    """A local file in place of the download."""
    weights_digest: str | None = None
    """MD5 or SHA-256 of one's own weights in place of the official ones."""
    precision: Precision = "auto"
    """``auto`` is what the dataset has, else what the processor likes; until a job has decided, it is ``fp32``."""
    force_int8: bool = False
    """Use an int8 network although its check says that it is too far from fp32."""
    quantised: Path | None = None
    """The folder of the int8 network. Filled in by the jobs: it belongs to a dataset."""
    shelves: tuple[Path, ...] = field(default=(), compare=False)
    """Where pulled models may be, the first one first. Filled in by :meth:`within`."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(f"there is no precision {self.precision!r}: use {', '.join(PRECISIONS)}")
        if self.force_int8 and self.precision != "int8":
            raise UsageError("`force_int8` goes with `precision` int8")

    @property
    def is_description(self) -> bool:
        """Whether the name is the path of a ``.toml`` file."""
        return self.name.endswith(".toml")

    @property
    def is_timm(self) -> bool:
        """Whether the name is that of a network of timm's, as in ``timm:resnet50.a1_in1k``."""
        return self.name.startswith("timm:")

    def within(self, settings: Settings) -> ModelChoice:
        """The same choice, knowing where these settings keep pulled models."""
        return self if self.shelves else replace(self, shelves=model_folders(settings))
