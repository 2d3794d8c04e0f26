"""Thresholds that results have to reach: ``R@1=0.7``, or ``simulated:mAP@R=0.3`` for one protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError
from image_similarity.quality.evaluation.metrics import METRICS, NAMES
from image_similarity.quality.evaluation.names import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.quality.evaluation.results import Result

SPELLED = {spelling.casefold(): metric for metric in METRICS for spelling in (metric, NAMES[metric])}


@dataclass(frozen=True, slots=True)
class Threshold:
    """``metric`` must be at least ``value`` for every model; ``protocol`` None: the first one measured."""

    protocol: str | None
    metric: str
    value: float


def parse_threshold(text: str) -> Threshold:
    """Parse ``[protocol:]metric=value``.

    Raises:
        UsageError: the text is not a threshold.
    """
    left, divider, right = text.partition("=")
    protocol, colon, metric = left.strip().rpartition(":")
    try:
        value = float(right)
    except ValueError:
        value = math.nan
    known = SPELLED.get(metric.strip().casefold())
    if not divider or known is None or not 0 <= value <= 1 or (colon and protocol.strip() not in PROTOCOLS):
        raise UsageError(
            f"{text!r} is not a threshold: write it as [protocol:]metric=value, as R@1=0.7; "
            f"metrics: {', '.join(NAMES.values())}; protocols: {', '.join(PROTOCOLS)}; values 0 to 1"
        )
    return Threshold(protocol.strip() or None, known, value)


def below_thresholds(thresholds: Sequence[Threshold], results: Sequence[Result]) -> list[str]:
    """A sentence for each model and threshold that it is below.

    Raises:
        UsageError: a threshold is for a protocol that was not measured.
    """
    measured = [result.protocol for result in results]
    sentences = []
    for threshold in thresholds:
        protocol = threshold.protocol or measured[0]
        if protocol not in measured:
            there = ", ".join(dict.fromkeys(measured))
            raise UsageError(f"there is a threshold for {protocol}, which was not measured; measured: {there}")
        for result in results:
            value = result.metrics[threshold.metric].value
            if result.protocol == protocol and value < threshold.value:
                name = f"{NAMES[threshold.metric]} of {result.model} under {protocol}"
                sentences.append(f"{name} is {value:.4f}, below {threshold.value}")
    return sentences
