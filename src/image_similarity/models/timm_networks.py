"""Any network of timm's by its name on the hub: ``timm:vit_small_patch14_dinov2.lvd142m``.

A pull brings the weights, exports them (``timm_export``), and writes a description beside the graph as a user would:
from then on it is a described model like any other.
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
from image_similarity.models.model_folder import Locked, LockedFile, find, not_pulled
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
    """An exported network. Loading it checks the description against the lock, and the graph against both.

    Raises:
        UsageError: its name is none, or weights of one's own are given.
        WeightsError: it was never pulled.
        ModelError: its description cannot be read.
    """
    if choice.weights is not None or choice.weights_digest is not None:
        raise UsageError(f"{choice.name} is run as it was pulled: leave `weights` out")
    repository = repository_of(choice.name)
    shelf = find(model_folders(settings), choice.name)
    if shelf is None:
        raise not_pulled(choice.name)
    described = read_description(ModelChoice(str(shelf.place(repository, DESCRIPTION))))

    def load(_: Progress) -> Graph:
        shelf.verified(choice.name, DESCRIPTION)
        return graph_of(described)

    return Definition(replace(described.spec, name=choice.name), load)


def repository_of(name: str) -> str:
    """Where the weights of ``timm:NAME`` are.

    Raises:
        UsageError: it is no name.
    """
    bare = name.removeprefix("timm:")
    if not NAME.fullmatch(bare):
        raise UsageError(f"{name!r} is no name of timm's: they are like timm:vit_small_patch14_dinov2.lvd142m")
    return f"timm/{bare}"


def pull_timm(name: str, shelf: ModelFolder, hub: Hub, exporter: Exporter) -> Locked:
    """Bring a network's weights, export it, lock what was made; one that is here and sound is left as it is.

    Raises:
        UsageError, WeightsError, ModelError, OutputError: as the parts do.
    """
    repo = repository_of(name)
    before = shelf.entries().get(name)
    if before is not None and shelf.is_whole(name):
        return before
    exporter.check_installed(name)
    commit = hub.commit(repo, before.revision if before else NEWEST, WEIGHTS)
    graph, description = shelf.place(repo, GRAPH), shelf.place(repo, DESCRIPTION)
    with hub.staging(shelf) as folder:
        weights = hub.bring(repo, commit, WEIGHTS, folder)
        came = locked_file(weights)
        if before is not None and before.made_from.get(WEIGHTS) not in (None, came):
            raise ModelError(f"the weights of {name} at {commit} are not those that {shelf.lock} names")
        exported = exporter.export(repo.removeprefix("timm/"), weights, graph, whole=False)
    with replacing(description) as temporary:
        temporary.write_text(_described(repo, graph, exported, came), encoding="utf-8")
    files = {GRAPH: locked_file(graph), DESCRIPTION: locked_file(description)}
    entry = Locked(repo, commit, exported.licence or NOT_STATED, files, {WEIGHTS: came}, exported.made_by)
    shelf.keep(name, entry)
    return entry


def _described(repo: str, graph: Path, exported: Exported, weights: LockedFile) -> str:
    """The text of the description."""
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
    """timm's way to a square in our words (``timm.data.transforms_factory``, for evaluation)."""
    shorter = int(exported.size / exported.crop_pct)
    if exported.crop_mode == "squash" and shorter == exported.size:
        return {"resize": "stretch"}
    if exported.crop_mode == "center" and shorter >= exported.size:
        return {"resize": "crop", "shorter_side": shorter}
    way = f"{exported.crop_mode}, {exported.crop_pct}"
    raise ModelError(f"{repo} takes its images in a way that is not known here: {way}")
