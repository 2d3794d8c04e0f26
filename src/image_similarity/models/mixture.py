"""Mixtures of models, and models with a learned projection: ``mobilenetv2.toml+0.1*colour``, ``VGG+adapted``.

Each part gives a vector of unit length, which is scaled by the square root of the part's share. Their concatenation is
the mixture's vector, so that the share of a part is its share of the similarity.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ADAPTED = "adapted"
ADAPTED_SUFFIX = f"+{ADAPTED}"
TERM = re.compile(r"\s*(?:(\d++(?:\.\d*+)?(?:[eE]-?\d++)?|\.\d++)\s*\*\s*)?(.+?)\s*", re.DOTALL)
MAX_PARTS = 8
LONGEST_KEY = 80
"""A key is part of a file's name; a longer one is replaced by its digest."""


@dataclass(frozen=True, slots=True)
class Part:
    """One model of a mixture, by name. Weights are shares of the similarity, and need not add up to one."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed ``--model``: one part or more, and whether to apply the projection that was learned for them.

    ``recipe``: the version of ``standard`` that the parts are those of; empty for all others.
    """

    parts: tuple[Part, ...]
    adapted: bool = False
    recipe: str = ""

    @property
    def name(self) -> str:
        """The expression as text, with descriptions by their absolute paths: later commands run in other folders."""
        terms = [self.recipe] if self.recipe else [_term(part) for part in self.parts]
        return "+".join(terms) + (ADAPTED_SUFFIX if self.adapted else "")


def parse_expression(text: str, is_model: Callable[[str], bool]) -> Expression:
    """Parse ``A``, ``A+0.1*B``, ``A+B+adapted``.

    Args:
        text: as typed. A file's name may contain ``+`` and ``*``: pieces are joined until they name a model.
        is_model: whether a text is a name of the table or the path of a description.

    Raises:
        UsageError: a piece names no model, a weight is not above zero, a model is repeated, or there are too many.
    """
    if is_model(text):
        return Expression((Part(text),))
    pieces = text.split("+")
    adapted = len(pieces) > 1 and pieces[-1].strip() == ADAPTED
    parts, pending = list[Part](), None
    for piece in pieces[:-1] if adapted else pieces:
        pending = piece if pending is None else f"{pending}+{piece}"
        part = _part(pending, is_model)
        if part is not None:
            parts.append(part)
            pending = None
    if pending is not None:
        # Looking it up in the table raises an error that lists the models.
        return Expression((Part(_name_of(pending)),))
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise UsageError(f"`model` {text}: a model is in it twice; give it one weight")
    if len(parts) > MAX_PARTS:
        raise UsageError(f"`model` {text}: at most {MAX_PARTS} models in a mixture")
    return Expression(tuple(parts), adapted)


def key_of(keys: Sequence[str], weights: Sequence[float], projection: str = "") -> str:
    """The key of an index and of recommendations: a model's own key, or for a mixture all keys with their weights.

    Args:
        keys: of the parts.
        weights: of the parts.
        projection: the digest of the learned projection; empty for none.
    """
    key = keys[0]
    if len(keys) > 1:
        key = "+".join(
            each if weight == 1 else f"{weight:g}x{each}" for each, weight in zip(keys, weights, strict=True)
        )
        if len(key) > LONGEST_KEY:
            import hashlib  # imports OpenSSL, which most keys, being short, do not need

            key = f"mixture@{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    return f"{key}{ADAPTED_SUFFIX}@{projection}" if projection else key


def shares_of(weights: Sequence[float]) -> list[float]:
    """The parts' shares of the similarity, which add up to one."""
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def _term(part: Part) -> str:
    name = str(Path(part.name).resolve()) if part.name.endswith(".toml") else part.name
    return name if part.weight == 1 else f"{part.weight:g}*{name}"


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
