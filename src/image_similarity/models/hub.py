"""Pulled models, ready to run: a record and its locked files to a graph. Nothing here reaches the network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError
from image_similarity.models.hub_records import RECORDS
from image_similarity.models.model_folder import Shelf, find, not_pulled
from image_similarity.types import ModelSpec

if TYPE_CHECKING:
    from image_similarity.models.choice import ModelChoice
    from image_similarity.models.graph import Graph
    from image_similarity.models.hub_records import HubRecord

BYTE = 255.0


def spec_of(choice: ModelChoice) -> ModelSpec:
    """The record of a pulled model at fp32. One whose digest is in its record need not be there for this.

    Raises:
        UsageError: weights of one's own are given.
        WeightsError: it was never pulled, and only a pull tells its digest.
    """
    record = RECORDS[choice.name]
    if choice.weights is not None or choice.weights_digest is not None:
        raise UsageError(
            f"{record.name} is run as it was pulled: leave `weights` out, and describe a file of your own in a .toml"
        )
    digest = _digest(record, choice)
    return ModelSpec(
        name=record.name,
        key=f"{record.name}@{_fingerprint(record, digest)}",
        dimension=record.dimension,
        input=record.input,
        preprocessing=f"RGB 0..1, mean {list(record.mean)}, std {list(record.std)}, NCHW",
        weights=f"{record.repo}/{record.file.path} sha256:{digest}",
        licence=record.licence,
        precision="fp32",
        commercial_use=record.commercial_use,
    )


def load_pulled(choice: ModelChoice) -> Graph:
    """The graph of a pulled model, its file checked against the lock and the record.

    Raises:
        WeightsError: it was not pulled, or a file is missing or altered.
    """
    from image_similarity.models.graph import Graph

    record = RECORDS[choice.name]
    shelf = shelf_of(choice)
    mean, std = (tuple(BYTE * value for value in values) for values in (record.mean, record.std))
    return Graph(
        path=shelf.verified(record.name, record.graph, "" if record.exported_from else record.file.sha256),
        layout="NCHW",
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
        output=record.output,
        first_token=record.first_token,
    )


def shelf_of(choice: ModelChoice) -> Shelf:
    """The folder that a model is read from.

    Raises:
        WeightsError: it was never pulled.
    """
    shelf = find(choice.shelves, choice.name)
    if shelf is None:
        raise not_pulled(choice.name)
    return shelf


def _digest(record: HubRecord, choice: ModelChoice) -> str:
    """Of the file that was pulled: as its record has it, else as it was locked when it first came."""
    if record.file.sha256:
        return record.file.sha256
    entry = shelf_of(choice).entries()[record.name]
    locked = (entry.files | entry.made_from).get(record.file.path)
    if locked is None:
        raise not_pulled(record.name, " as a whole")
    return locked.sha256


def _fingerprint(record: HubRecord, digest: str) -> str:
    """Eight hexadecimal digits over all that decides a vector."""
    names = ("dimension", "mean", "std", "output", "first_token")
    deciding = {name: getattr(record, name) for name in names} | {"sha256": digest, "input": asdict(record.input)}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:8]
