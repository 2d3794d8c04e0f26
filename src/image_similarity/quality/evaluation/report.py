"""The report of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_similarity.util.plain_values import Record, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from image_similarity.quality.evaluation.candidates import Cost
    from image_similarity.quality.evaluation.results import Result
    from image_similarity.quality.evaluation.worst import Miss
    from image_similarity.types import Failure


@dataclass(frozen=True, slots=True)
class Evaluation(Record):
    """The results of an evaluation: by protocol, then by model in the order given.

    ``skipped``: why a protocol was not measured, by its name. ``failures``: photos that could not be used. ``notes``:
    caveats about the figures.
    """

    dataset: str
    seed: int
    images: int
    products: int
    costs: Sequence[Cost]
    results: Sequence[Result]
    worst: Sequence[Sequence[Miss]]
    """The worst failures of each result."""
    descriptions: Mapping[str, str]
    """Of each protocol, by its name."""
    skipped: Mapping[str, str]
    failures: Sequence[Failure]
    notes: Sequence[str] = ()

    @property
    def model_key(self) -> str:
        """The key of the first model."""
        return self.results[0].model_key

    @property
    def queries(self) -> int:
        """The number of queries of the first protocol."""
        return self.results[0].queries

    @property
    def r_at_1(self) -> float:
        """The first model's under the first protocol."""
        return self.results[0].metrics["r_at_1"].value

    @property
    def r_at_5(self) -> float:
        """The first model's under the first protocol."""
        return self.results[0].metrics["r_at_5"].value

    @property
    def r_at_10(self) -> float:
        """The first model's under the first protocol."""
        return self.results[0].metrics["r_at_10"].value

    def as_dict(self) -> dict[str, Any]:
        """The first result's metrics at the top level, then all results."""
        first = self.results[0]
        results = [
            {**result.as_dict(), "worst": plain(misses)}
            for result, misses in zip(self.results, self.worst, strict=True)
        ]
        return {
            "model_key": self.model_key,
            "images": self.images,
            "queries": self.queries,
            **{metric: estimate.value for metric, estimate in first.metrics.items()},
            "protocol": first.protocol,
            "dataset": self.dataset,
            "products": self.products,
            "seed": self.seed,
            "models": plain(self.costs),
            "results": results,
            **{name: plain(getattr(self, name)) for name in ("skipped", "notes", "failures")},
        }

    def write_html(self, path: Path, command: str = "") -> None:
        """Write one HTML page: the tables, quality against speed, and the images of the worst failures.

        Raises:
            OutputError: it cannot be written.
        """
        from image_similarity.quality.evaluation.page import write_page

        write_page(self, path, command)
