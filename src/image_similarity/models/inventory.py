"""The table of models with their state on this machine; pulling models, and verifying pulled files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError, WeightsError
from image_similarity.models import timm_export
from image_similarity.models.hub_records import RECORDS
from image_similarity.models.keras_networks import NETWORKS, WEIGHTS
from image_similarity.models.model_folder import ModelFolder, find
from image_similarity.models.pull import Hub, pull
from image_similarity.models.registry import MODELS, define
from image_similarity.models.resolver import expression_of
from image_similarity.models.standard import LATEST, RECIPES, STANDARD
from image_similarity.models.suitability import SUITABILITY, Suitability
from image_similarity.models.timm_networks import pull_timm
from image_similarity.models.weights import fetch, verify
from image_similarity.options import ModelChoice
from image_similarity.settings import Folders, Settings, model_folders
from image_similarity.types import Progress, no_progress
from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from image_similarity.models.timm_export import Exporter
    from image_similarity.types import InputSpec, ModelSpec

PULLED, NOT_PULLED, BUILT_IN, AT_FIRST_USE = "pulled", "not pulled", "built in", "at first use"
RESIZED = {"stretch": "stretched", "pad": "padded", "crop": "middle"}


@dataclass(frozen=True, slots=True)
class ModelRow(Record):
    """One model of the table.

    ``good_for``: what to take it for; empty for timm's. ``work``: billions of multiplications for one image; 0 for a
    model that is no network, and where it is not known. ``words``: whether it supports text queries. ``size``: the
    bytes of all of its files; approximate where they were never pulled. ``folder``: where they are.
    """

    name: str
    good_for: str
    work: float
    source: str
    revision: str
    dimension: int
    input: str
    preprocessing: str
    words: bool
    licence: str
    commercial_use: bool
    size: int
    sha256: dict[str, str]
    state: str
    folder: str


@dataclass(frozen=True, slots=True)
class PulledModel(Record):
    """One requested model: its folder, whether it is new, and which of its files had no known digest (``trusted``)."""

    name: str
    folder: Path
    new: bool
    revision: str
    bytes: int
    licence: str
    commercial_use: bool
    trusted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckedFile(Record):
    """One pulled file. ``problem`` is empty where the file matches its lock."""

    name: str
    path: str
    problem: str


def table(settings: Settings) -> list[ModelRow]:
    """Every model of the table, in its order, then timm's that were pulled.

    Raises:
        WeightsError: a lock cannot be read.
    """
    folders = model_folders(settings)
    rows = [_standard_row(settings), *(_row(name, settings) for name in MODELS)]
    entries = (name for folder in map(ModelFolder, folders) for name in folder.entries())
    pulled = dict.fromkeys(name for name in entries if name.startswith("timm:"))
    return rows + [_timm_row(name, settings) for name in pulled]


def pull_models(
    names: Sequence[str],
    settings: Settings,
    to: Path | None = None,
    progress: Progress = no_progress,
    exporter: Exporter = timm_export,
) -> list[PulledModel]:
    """Pull models into the workspace, or into a folder to be copied to another machine.

    Args:
        names: from the table, or ``timm:NAME``.
        settings: the workspace and the hub's address.
        to: the folder, if not the workspace's.
        progress: receives the bytes downloaded.
        exporter: exports graphs from timm's weights.

    Raises:
        UsageError: there is no such model; nothing was pulled.
        WeightsError, ModelError, OutputError: as :func:`~image_similarity.models.pull.pull`.
    """
    for name in names:
        if name not in MODELS and not ModelChoice(name).is_timm:
            raise UsageError(f"there is no model {name!r} to pull: there are {', '.join(MODELS)}, and timm:NAME")
    folder = ModelFolder(to or Folders(settings.root).models)
    hub = Hub(settings.hub_address, progress)
    return [_pull(name, folder, hub, settings, exporter) for name in dict.fromkeys(names)]


def verify_models(settings: Settings) -> list[CheckedFile]:
    """Hash every pulled file, in all folders of models, and compare it with its lock.

    Raises:
        WeightsError: a lock cannot be read.
    """
    checked = []
    for folder in map(ModelFolder, model_folders(settings)):
        for name, entry in folder.entries().items():
            checked += [
                _checked(name, folder.path_of(entry.repo, path), partial(folder.verified, name, path))
                for path in entry.files
            ]
        for name, network in NETWORKS.items():
            file, record = folder.path / WEIGHTS / network.weights.file, network.weights
            if file.exists():
                checked.append(_checked(name, file, partial(verify, file, record.digest, record.size, name)))
    return checked


def _checked(name: str, path: Path, check: Callable[[], object]) -> CheckedFile:
    try:
        check()
    except WeightsError as error:
        return CheckedFile(name, str(path), str(error))
    return CheckedFile(name, str(path), "")


def _pull(name: str, folder: ModelFolder, hub: Hub, settings: Settings, exporter: Exporter) -> PulledModel:
    before = folder.entries().get(name)
    if name in NETWORKS:
        file = fetch(NETWORKS[name].weights, name, settings.weights_address, folder.path / WEIGHTS, hub.progress)
        spec = define(ModelChoice(name), settings).spec
        return PulledModel(name, file.parent, True, "", file.stat().st_size, spec.licence, spec.commercial_use, ())
    if ModelChoice(name).is_timm:
        entry = pull_timm(name, folder, hub, exporter)
        spec = define(ModelChoice(name), replace(settings, models=folder.path)).spec
        trusted, allowed = tuple(entry.made_from), spec.commercial_use
    elif name in RECORDS:
        record = RECORDS[name]
        entry = pull(record, folder, hub, exporter)
        trusted, allowed = tuple(file.path for file in record.files if not file.sha256), record.commercial_use
    else:
        spec = define(ModelChoice(name), settings).spec
        return PulledModel(name, folder.path, False, "", 0, spec.licence, spec.commercial_use, ())
    new = before != entry
    size = sum(each.bytes for each in entry.files.values())
    path = folder.path_of(entry.repo)
    return PulledModel(name, path, new, entry.revision, size, entry.licence, allowed, trusted if new else ())


def _standard_row(settings: Settings) -> ModelRow:
    """The default model: its row sums up those of its parts."""
    parts = [_row(part.name, settings) for part in expression_of(ModelChoice(STANDARD)).parts]
    return replace(
        parts[0],
        name=STANDARD,
        source=f"{LATEST}: {RECIPES[LATEST]}",
        dimension=sum(part.dimension for part in parts),
        input="; ".join(part.input for part in parts),
        preprocessing="; ".join(part.preprocessing for part in parts),
        good_for="things of all kinds: the default",
        work=round(sum(part.work for part in parts), 1),
    )


def _row(name: str, settings: Settings) -> ModelRow:
    record, folders = RECORDS.get(name), model_folders(settings)
    if record is None:
        return _own_row(name, settings)
    folder = find(folders, name)
    entry = folder.entries()[name] if folder else None
    locked = {} if entry is None else entry.files | entry.made_from
    known = {file.path: file.sha256 for file in record.files if file.sha256}
    suitability = SUITABILITY[name]
    return ModelRow(
        name=name,
        good_for=suitability.good_for,
        work=suitability.work,
        source=f"{record.repo} ({record.origin})",
        revision=entry.revision if entry else record.revision,
        dimension=record.dimension,
        input=_input_text(record.input),
        preprocessing=f"mean {list(record.mean)}, std {list(record.std)}",
        words=record.text is not None,
        licence=record.licence,
        commercial_use=record.commercial_use,
        size=sum(locked[file.path].bytes if file.path in locked else file.size for file in record.files),
        sha256={path: each.sha256 for path, each in locked.items()} or known,
        state=PULLED if folder else NOT_PULLED,
        folder=str(folder.path_of(record.repo)) if folder else "",
    )


def _own_row(name: str, settings: Settings) -> ModelRow:
    """A model that is code, or one of the first version's, which are downloaded at first use."""
    network, spec, folders = NETWORKS.get(name), define(ModelChoice(name), settings).spec, model_folders(settings)
    if network is None:
        return _of_spec(spec, "this package", BUILT_IN)
    where = next((folder for folder in folders if (folder / WEIGHTS / network.weights.file).exists()), None)
    row = _of_spec(spec, f"keras.applications.{network.application}", PULLED if where else AT_FIRST_USE)
    return replace(row, size=network.weights.size, folder=str(where / WEIGHTS) if where else "")


def _timm_row(name: str, settings: Settings) -> ModelRow:
    spec = define(ModelChoice(name), settings).spec
    folder = next(folder for folder in map(ModelFolder, model_folders(settings)) if name in folder.entries())
    entry = folder.entries()[name]
    return replace(
        _of_spec(spec, entry.repo, PULLED),
        folder=str(folder.path_of(entry.repo)),
        revision=entry.revision,
        size=sum(each.bytes for each in entry.files.values()),
        sha256={path: each.sha256 for path, each in (entry.files | entry.made_from).items()},
    )


def _of_spec(spec: ModelSpec, source: str, state: str) -> ModelRow:
    suitability = SUITABILITY.get(spec.name, Suitability())
    return ModelRow(
        name=spec.name,
        good_for=suitability.good_for,
        work=suitability.work,
        source=source,
        revision="",
        dimension=spec.dimension,
        input=_input_text(spec.input),
        preprocessing=spec.preprocessing,
        words=False,
        licence=spec.licence,
        commercial_use=spec.commercial_use,
        size=0,
        sha256={},
        state=state,
        folder="",
    )


def _input_text(spec: InputSpec) -> str:
    side = f" of {spec.shorter}" if spec.shorter else ""
    return f"{spec.size}, {RESIZED[spec.resize]}{side}, {spec.interpolation}"
