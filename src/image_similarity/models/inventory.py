"""The table of models: what there is, what is here; bringing models, and checking what was brought."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError, WeightsError
from image_similarity.models import timm_export
from image_similarity.models.hub_records import RECORDS
from image_similarity.models.keras_networks import NETWORKS, WEIGHTS
from image_similarity.models.model_folder import ModelFolder, find, shelves
from image_similarity.models.pull import Hub, pull
from image_similarity.models.registry import MODELS, define
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
WAYS = {"stretch": "stretched", "pad": "padded", "crop": "middle"}


@dataclass(frozen=True, slots=True)
class ModelRow(Record):
    """One model of the table, as people and programs want it.

    ``words``: whether it can be searched by words. ``size``: the bytes of all of its files; about, where they were
    never pulled and no digest is known. ``folder``: where they are.
    """

    name: str
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
class Pulled(Record):
    """One model that was asked for: where it is now, and which of its digests were not known beforehand."""

    name: str
    folder: Path
    new: bool
    revision: str
    bytes: int
    licence: str
    commercial_use: bool
    trusted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked(Record):
    """One file of a shelf. ``problem`` is empty where it is what was locked."""

    name: str
    path: str
    problem: str


def table(settings: Settings) -> list[ModelRow]:
    """Every model by name, those first that need no pull; then timm's that were pulled.

    Raises:
        WeightsError: a lock cannot be read.
    """
    folders = model_folders(settings)
    rows = [_row(name, settings) for name in MODELS]
    pulled = dict.fromkeys(name for shelf in shelves(folders) for name in shelf.entries() if name.startswith("timm:"))
    return rows + [_timm_row(name, settings) for name in pulled]


def pull_models(
    names: Sequence[str],
    settings: Settings,
    to: Path | None = None,
    progress: Progress = no_progress,
    exporter: Exporter = timm_export,
) -> list[Pulled]:
    """Bring models onto a shelf: the workspace's own, or a folder to be carried elsewhere.

    Args:
        names: from the table, or ``timm:NAME``.
        settings: where the workspace and the hub are.
        to: another folder than the workspace's.
        progress: told the bytes so far.
        exporter: makes graphs of timm's weights.

    Raises:
        UsageError: there is no such model; nothing was brought.
        WeightsError, ModelError, OutputError: as :func:`~image_similarity.models.pull.pull`.
    """
    for name in names:
        if name not in MODELS and not ModelChoice(name).is_timm:
            raise UsageError(f"there is no model {name!r} to pull: there are {', '.join(MODELS)}, and timm:NAME")
    shelf = ModelFolder(to or Folders(settings.root).models)
    hub = Hub(settings.hub_address, progress)
    return [_pull(name, shelf, hub, settings, exporter) for name in dict.fromkeys(names)]


def verify_models(settings: Settings) -> list[Checked]:
    """Hash every file that was pulled, of the carried folder and of the workspace's own.

    Raises:
        WeightsError: a lock cannot be read.
    """
    checked = []
    for shelf in shelves(model_folders(settings)):
        for name, entry in shelf.entries().items():
            checked += [
                _checked(name, shelf.place(entry.repo, path), partial(shelf.verified, name, path))
                for path in entry.files
            ]
        for name, network in NETWORKS.items():
            file, record = shelf.folder / WEIGHTS / network.weights.file, network.weights
            if file.exists():
                checked.append(_checked(name, file, partial(verify, file, record.digest, record.size, name)))
    return checked


def _checked(name: str, path: Path, check: Callable[[], object]) -> Checked:
    try:
        check()
    except WeightsError as error:
        return Checked(name, str(path), str(error))
    return Checked(name, str(path), "")


def _pull(name: str, shelf: ModelFolder, hub: Hub, settings: Settings, exporter: Exporter) -> Pulled:
    before = shelf.entries().get(name)
    if name in NETWORKS:
        file = fetch(NETWORKS[name].weights, name, settings.weights_address, shelf.folder / WEIGHTS, hub.progress)
        spec = define(ModelChoice(name), settings).spec
        return Pulled(name, file.parent, True, "", file.stat().st_size, spec.licence, spec.commercial_use, ())
    if ModelChoice(name).is_timm:
        entry = pull_timm(name, shelf, hub, exporter)
        spec = define(ModelChoice(name), replace(settings, models=shelf.folder)).spec
        trusted, allowed = tuple(entry.made_from), spec.commercial_use
    elif name in RECORDS:
        record = RECORDS[name]
        entry = pull(record, shelf, hub, exporter)
        trusted, allowed = tuple(file.path for file in record.files if not file.sha256), record.commercial_use
    else:
        spec = define(ModelChoice(name), settings).spec
        return Pulled(name, shelf.folder, False, "", 0, spec.licence, spec.commercial_use, ())
    new = before != entry
    size = sum(each.bytes for each in entry.files.values())
    where = shelf.place(entry.repo)
    return Pulled(name, where, new, entry.revision, size, entry.licence, allowed, trusted if new else ())


def _row(name: str, settings: Settings) -> ModelRow:
    record, folders = RECORDS.get(name), model_folders(settings)
    if record is None:
        return _own_row(name, settings)
    shelf = find(folders, name)
    entry = shelf.entries()[name] if shelf else None
    locked = {} if entry is None else entry.files | entry.made_from
    known = {file.path: file.sha256 for file in record.files if file.sha256}
    return ModelRow(
        name=name,
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
        state=PULLED if shelf else NOT_PULLED,
        folder=str(shelf.place(record.repo)) if shelf else "",
    )


def _own_row(name: str, settings: Settings) -> ModelRow:
    """A model that is code, or one of the first version's, which come by themselves when first used."""
    network, spec, folders = NETWORKS.get(name), define(ModelChoice(name), settings).spec, model_folders(settings)
    if network is None:
        return _of_spec(spec, "this package", BUILT_IN)
    where = next((folder for folder in folders if (folder / WEIGHTS / network.weights.file).exists()), None)
    row = _of_spec(spec, f"keras.applications.{network.application}", PULLED if where else AT_FIRST_USE)
    return replace(row, size=network.weights.size, folder=str(where / WEIGHTS) if where else "")


def _timm_row(name: str, settings: Settings) -> ModelRow:
    spec = define(ModelChoice(name), settings).spec
    shelf = next(shelf for shelf in shelves(model_folders(settings)) if name in shelf.entries())
    entry = shelf.entries()[name]
    return replace(
        _of_spec(spec, entry.repo, PULLED),
        folder=str(shelf.place(entry.repo)),
        revision=entry.revision,
        size=sum(each.bytes for each in entry.files.values()),
        sha256={path: each.sha256 for path, each in (entry.files | entry.made_from).items()},
    )


def _of_spec(spec: ModelSpec, source: str, state: str) -> ModelRow:
    return ModelRow(
        name=spec.name,
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
    return f"{spec.size}, {WAYS[spec.resize]}{side}, {spec.interpolation}"
