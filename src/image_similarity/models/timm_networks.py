"""Any network of timm's by its name on the hub: ``timm:vit_small_patch14_dinov2.lvd142m``.

A pull downloads the weights, exports a graph (``timm_export``), and writes a description beside it. From then on it is
handled like a user's own model with a description.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from image_similarity.errors import ModelError, UsageError
from image_similarity.models.definition import Definition
from image_similarity.models.described import NAME, graph_of, read_description
from image_similarity.models.hub_records import NEWEST
from image_similarity.models.model_folder import LockedFile, LockEntry, find, not_pulled
from image_similarity.models.pull import locked_file
from image_similarity.options import ModelChoice
from image_similarity.settings import model_folders
from image_similarity.util.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.models.graph import Graph
    from image_similarity.models.model_folder import ModelFolder
    from image_similarity.models.pull import Hub
    from image_similarity.models.timm_export import Exported, Exporter
    from image_similarity.settings import Settings
    from image_similarity.types import Progress

WEIGHTS, GRAPH, DESCRIPTION = "model.safetensors", "model.onnx", "model.toml"
FORBIDDEN = re.compile(r"\bnc\b|non.?commercial|research.only")  # in a licence's name
NOT_STATED = "not stated by timm: see the page of its weights"


def definition(choice: ModelChoice, settings: Settings) -> Definition:
    """The definition of an exported network. Loading checks the description and the graph by their digests.

    Raises:
        UsageError: the name is malformed, or the choice gives weights.
        WeightsError: it was never pulled.
        ModelError: its description cannot be read.
    """
    if choice.weights is not None or choice.weights_digest is not None:
        raise UsageError(f"{choice.name} is run as it was pulled: leave `weights` out")
    repository = repository_of(choice.name)
    folder = find(model_folders(settings), choice.name)
    if folder is None:
        raise not_pulled(choice.name)
    described = read_description(ModelChoice(str(folder.path_of(repository, DESCRIPTION))))

    def load(_: Progress) -> Graph:
        folder.verified(choice.name, DESCRIPTION)
        return graph_of(described)

    return Definition(replace(described.spec, name=choice.name), load)


def repository_of(name: str) -> str:
    """The hub's repository of ``timm:NAME``.

    Raises:
        UsageError: the name is malformed.
    """
    bare = name.removeprefix("timm:")
    if not NAME.fullmatch(bare):
        raise UsageError(f"{name!r} is no name of timm's: an example is timm:vit_small_patch14_dinov2.lvd142m")
    return f"timm/{bare}"


def pull_timm(name: str, models: ModelFolder, hub: Hub, exporter: Exporter) -> LockEntry:
    """Download a network's weights, export and lock it, unless it is there and unaltered.

    Raises:
        UsageError: the name is malformed.
        WeightsError, ModelError, OutputError: it cannot be downloaded, exported or written.
    """
    repo = repository_of(name)
    before = models.entries().get(name)
    if before is not None and models.is_complete(name):
        return before
    exporter.check_installed(name)
    commit = hub.commit(repo, before.revision if before else NEWEST, WEIGHTS)
    graph, description = models.path_of(repo, GRAPH), models.path_of(repo, DESCRIPTION)
    with hub.staging(models) as folder:
        weights = hub.fetch(repo, commit, WEIGHTS, folder)
        fetched = locked_file(weights)
        if before is not None and before.made_from.get(WEIGHTS) not in (None, fetched):
            raise ModelError(f"the weights of {name} at {commit} are not those that {models.lock} names")
        exported = exporter.export(repo.removeprefix("timm/"), weights, graph, whole=False)
    with replacing(description) as temporary:
        temporary.write_text(_description(repo, graph, exported, fetched), encoding="utf-8")
    files = {GRAPH: locked_file(graph), DESCRIPTION: locked_file(description)}
    entry = LockEntry(repo, commit, exported.licence or NOT_STATED, files, {WEIGHTS: fetched}, exported.made_by)
    models.add(name, entry)
    return entry


def _description(repo: str, graph: Path, exported: Exported, weights: LockedFile) -> str:
    """The text of the ``.toml`` description."""
    licence = exported.licence or NOT_STATED
    fields: dict[str, object] = {
        "name": repo.removeprefix("timm/"),
        "file": GRAPH,
        "sha256": locked_file(graph).sha256,
        "dimension": exported.dimension,
        "input_size": exported.size,
        **_resizing(repo, exported),
        "interpolation": exported.interpolation,
        "layout": "NCHW",
        "mean": exported.mean,
        "std": exported.std,
        "licence": licence,
        "commercial_use": FORBIDDEN.search(licence.lower()) is None,
        "source": f"{repo} sha256:{weights.sha256}, {exported.made_by}",
    }
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in fields.items())


def _resizing(repo: str, exported: Exported) -> dict[str, object]:
    """timm's resizing for evaluation (``timm.data.transforms_factory``), as fields of a description."""
    shorter = int(exported.size / exported.crop_pct)
    if exported.crop_mode == "squash" and shorter == exported.size:
        return {"resize": "stretch"}
    if exported.crop_mode == "center" and shorter >= exported.size:
        return {"resize": "crop", "shorter_side": shorter}
    raise ModelError(f"{repo} resizes images in an unsupported way: {exported.crop_mode}, {exported.crop_pct}")
