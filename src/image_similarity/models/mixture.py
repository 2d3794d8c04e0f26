"""Models side by side, and what a catalogue taught them: ``mobilenetv2.toml+0.1*colour``, ``VGG+adapted``.

Each part gives a vector of unit length; it is scaled by the root of its share, so that a weight says how much of the
similarity is the part's, and the parts stand one after the other in one vector. Needs neither numpy nor a model.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ADAPTED = "adapted"
TERM = re.compile(r"\s*(?:(\d++(?:\.\d*+)?(?:[eE]-?\d++)?|\.\d++)\s*\*\s*)?(.+?)\s*", re.DOTALL)
MOST_PARTS = 8
LONGEST_KEY = 80
"""A key is part of a file's name; a longer one is replaced by its digest."""


@dataclass(frozen=True, slots=True)
class Part:
    """One model of a mixture, by name; weights are shares of the similarity and need not add up to one."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Expression:
    """What a ``--model`` says: one part or more, and whether to use what ``adapt`` learned for them."""

    parts: tuple[Part, ...]
    adapted: bool = False


def parse_expression(text: str, is_model: Callable[[str], bool]) -> Expression:
    """Read ``A``, ``A+0.1*B``, ``A+B+adapted``.

    Args:
        text: as typed. A file's name may hold ``+`` and ``*`` itself: pieces are put together until they name a model.
        is_model: tells names of the table and paths of descriptions from everything else.

    Raises:
        UsageError: a piece names no model, a weight is not above zero, one model stands twice, or there are too many.
    """
    if is_model(text):
        return Expression((Part(text),))
    pieces = text.split("+")
    adapted = len(pieces) > 1 and pieces[-1].strip() == ADAPTED
    parts, waiting = list[Part](), None
    for piece in pieces[:-1] if adapted else pieces:
        waiting = piece if waiting is None else f"{waiting}+{piece}"
        part = _part(waiting, is_model)
        if part is not None:
            parts.append(part)
            waiting = None
    if waiting is not None:
        # The table's own message names the models that there are.
        return Expression((Part(_name_of(waiting)),))
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise UsageError(f"`model` {text}: a model stands in it twice; give it one weight")
    if len(parts) > MOST_PARTS:
        raise UsageError(f"`model` {text}: at most {MOST_PARTS} models side by side")
    return Expression(tuple(parts), adapted)


def key_of(keys: Sequence[str], weights: Sequence[float], projection: str = "") -> str:
    """The name of an index and of recommendations: of one model its own key, of several all of them with their weights.

    Args:
        keys: of the parts.
        weights: of the parts.
        projection: the digest of what was learned; empty for nothing.
    """
    key = keys[0]
    if len(keys) > 1:
        key = "+".join(
            each if weight == 1 else f"{weight:g}x{each}" for each, weight in zip(keys, weights, strict=True)
        )
        if len(key) > LONGEST_KEY:
            import hashlib  # brings OpenSSL: most keys are short

            key = f"mixture@{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    return f"{key}+{ADAPTED}@{projection}" if projection else key


def shares_of(weights: Sequence[float]) -> list[float]:
    """The parts' shares of the similarity; they add up to one."""
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def _part(text: str, is_model: Callable[[str], bool]) -> Part | None:
    if is_model(text.strip()):
        return Part(text.strip())
    match = TERM.fullmatch(text)
    if not match or match[1] is None or not is_model(match[2]):
        return None
    weight = float(match[1])
    if not (0 < weight < math.inf):
        raise UsageError(f"the weight of {match[2]} must be above 0, not {match[1]}")
    return Part(match[2], weight)


def _name_of(text: str) -> str:
    match = TERM.fullmatch(text)
    return match[2] if match else text.strip()
