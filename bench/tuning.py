"""The least effort that reaches a wanted recall, so that sides are compared at the same one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peers import Peer

NEAR = 1.1  # bisected until the least effort is known to a tenth


@dataclass(frozen=True)
class Tuned:
    """Where the sweep ended: the effort that the peer is now set to, and what it gives on the sample."""

    effort: int
    recall: float
    reached: bool  # False: even the most effort gave less


def tune(peer: Peer, wanted: float, judge: Callable[[], float]) -> Tuned:
    """Double the effort until the recall is there, then bisect; leaves the peer set to what is returned.

    Args:
        peer: built.
        wanted: recall, 0 to 1.
        judge: searches the sample and gives the recall.
    """
    low, most = peer.effort
    seen: dict[int, float] = {}

    def reaches(effort: int) -> bool:
        peer.try_harder(effort)
        seen[effort] = judge()
        print(f"  {effort}: recall {seen[effort]:.4f}", file=sys.stderr, flush=True)
        return seen[effort] >= wanted

    high = low
    while not reaches(high) and high < most and (high == low or seen[high] > seen[low]):  # more of it still helps
        low, high = high, min(high * 2, most)
    if seen[high] < wanted:
        high = max(seen, key=lambda effort: (seen[effort], -effort))
    else:
        while high > low + 1 and high > low * NEAR:
            middle = (low + high) // 2
            low, high = (low, middle) if reaches(middle) else (middle, high)
    peer.try_harder(high)
    return Tuned(high, seen[high], seen[high] >= wanted)
