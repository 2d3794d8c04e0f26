"""A network's file, and what it takes and gives: all that running it needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Graph:
    """A network's file and what its first layer expects: ``(pixel - mean) / std`` of channels 0..255."""

    path: Path
    layout: str  # NCHW or NHWC
    mean: tuple[float, float, float]  # in the order of the channels that the network takes
    std: tuple[float, float, float]
    reverse_channels: bool = False  # the network takes BGR
    output: str | None = None  # None: the first
    first_token: bool = False  # the output is (1, tokens, dimension), of which the first is the image's
    any_size: bool = False  # it works on other squares than the file states, as one that ends in a mean over places
    prepared: bool = False  # the file takes bytes ``(1, size, size, 3)`` as they are: all of the above is in it
