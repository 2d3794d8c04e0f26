"""Models pulled from the Hugging Face hub: from a record and its locked files to a graph. Works offline."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError
from image_similarity.models.definition import Definition
from image_similarity.models.hub_records import RECORDS
from image_similarity.models.model_folder import ModelFolder, find, not_pulled
from image_similarity.settings import model_folders
from image_similarity.types import ModelSpec

if TYPE_CHECKING:
    from image_similarity.models.graph import Graph
    from image_similarity.models.hub_records import HubRecord
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings
    from image_similarity.types import Progress

BYTE = 255.0


def definition(choice: ModelChoice, settings: Settings) -> Definition:
    """The definition of a model of the hub. It need not be pulled if its digest is in its record.

    Raises:
        UsageError: the choice gives weights.
        WeightsError: it was never pulled, and its record has no digest.
    """
    record = RECORDS[choice.name]
    if choice.weights is not None or choice.weights_digest is not None:
        raise UsageError(
            f"{record.name} is run as it was pulled: leave `weights` out, and describe a file of your own in a .toml"
        )
    digest = _digest(record, settings)

    def load(_: Progress) -> Graph:
        return _graph(record, settings)

    spec = ModelSpec(
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
    return Definition(spec, load, record.text)


def _graph(record: HubRecord, settings: Settings) -> Graph:
    """The graph of a pulled model; its file is checked against the lock and the record.

    Raises:
        WeightsError: it was not pulled, or a file is missing or altered.
    """
    from image_similarity.models.graph import Graph

    folder = folder_with(record.name, settings)
    mean, std = (tuple(BYTE * value for value in values) for values in (record.mean, record.std))
    return Graph(
        path=folder.verified(record.name, record.graph, "" if record.exported_from else record.file.sha256),
        layout="NCHW",
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
        output=record.output,
        first_token=record.first_token,
    )


def folder_with(name: str, settings: Settings) -> ModelFolder:
    """The folder that a model is read from: the first that has it.

    Raises:
        WeightsError: it was never pulled.
    """
    folder = find(model_folders(settings), name)
    if folder is None:
        raise not_pulled(name)
    return folder


def _digest(record: HubRecord, settings: Settings) -> str:
    """The SHA-256 of a model's file: from its record, else from the lock of its first pull."""
    if record.file.sha256:
        return record.file.sha256
    entry = folder_with(record.name, settings).entries()[record.name]
    locked = (entry.files | entry.made_from).get(record.file.path)
    if locked is None:
        raise not_pulled(record.name, " as a whole")
    return locked.sha256


def _fingerprint(record: HubRecord, digest: str) -> str:
    """Eight hexadecimal digits over all that determines a vector."""
    names = ("dimension", "mean", "std", "output", "first_token")
    deciding = {name: getattr(record, name) for name in names} | {"sha256": digest, "input": asdict(record.input)}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:8]
