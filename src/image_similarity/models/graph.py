"""A network's file, and how to feed it: all that is needed to run it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Graph:
    """A network's file and the input that it expects: ``(pixel - mean) / std`` of channels 0..255."""

    path: Path
    layout: str  # NCHW or NHWC
    mean: tuple[float, float, float]  # in the network's order of channels
    std: tuple[float, float, float]
    reverse_channels: bool = False  # the network takes BGR
    output: str | None = None  # None: the first
    first_token: bool = False  # the output is (1, tokens, dimension), and the first token is the image's vector
    any_size: bool = False  # it takes other sizes than the file states, as with global average pooling
    prepared: bool = False  # the file takes bytes ``(1, size, size, 3)``: all preprocessing is in it
