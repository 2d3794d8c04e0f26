"""Brings files from the Hugging Face hub onto a shelf. The only place that knows ``huggingface_hub``.

A file is taken at one commit, hashed, compared with the digest that is known of it (from the record, else from the
lock of an earlier pull), and only then moved to its place. The first pull of a file of which no digest is known
trusts what comes, and locks it.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EACCES, EDQUOT, EFBIG, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from image_similarity.errors import ImageSimilarityError, ModelError, OutputError, WeightsError
from image_similarity.models.hub_records import NEWEST
from image_similarity.models.model_folder import Locked, LockedFile, sha256_of
from image_similarity.util.files import replacing

if TYPE_CHECKING:
    from image_similarity.models.hub_records import HubFile, HubRecord
    from image_similarity.models.model_folder import Shelf
    from image_similarity.types import Progress

INSTALL = "pulling models needs huggingface_hub: pip install 'image-similarity[hub]'"
# No messages to its makers, no token, no helper programs: a plain download.
QUIET = ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_DISABLE_XET")
DISK = {ENOSPC, EDQUOT, EFBIG, EACCES, EPERM, EROFS, ENOTDIR}
# What the hub answers, by the class that stands for it: the messages say "404" and little more.
ANSWERS = {
    "RepositoryNotFoundError": "the hub has no such repository",
    "GatedRepoError": "the repository is open to accounts only",
    "RevisionNotFoundError": "the repository has no such commit",
    "RemoteEntryNotFoundError": "the repository has no such file",
}
CARRY = "Without internet, pull it on another machine into a folder (`to`) and carry that here"


@dataclass(frozen=True, slots=True)
class Hub:
    """Where models come from; ``address`` None leaves the choice to ``HF_ENDPOINT``."""

    address: str | None
    progress: Progress

    def commit(self, repo: str, revision: str, path: str) -> str:
        """The commit that a revision stands for now.

        Raises:
            WeightsError: the hub cannot be reached, or has no such file.
        """
        hub = _huggingface_hub()
        with _one_line(f"{path} of {repo}"):
            address = hub.hf_hub_url(repo, path, revision=revision, endpoint=self.address)
            found = hub.get_hf_file_metadata(address, token=False, endpoint=self.address).commit_hash
        if not found:
            raise WeightsError(f"cannot pull {repo}: {address} answers without a commit: it is no hub of models")
        return str(found)

    def bring(self, repo: str, commit: str, path: str, folder: Path) -> Path:
        """One file at one commit, into a folder of its own. Raises as :meth:`commit`, and OutputError."""
        hub = _huggingface_hub()
        with _one_line(f"{path} of {repo}"):
            return Path(
                hub.hf_hub_download(
                    repo,
                    path,
                    revision=commit,
                    endpoint=self.address,
                    token=False,
                    local_dir=folder,
                    tqdm_class=_listener(f"download {path}", self.progress),
                )
            )

    @contextmanager
    def staging(self, shelf: Shelf) -> Iterator[Path]:
        """A folder for what is not checked yet, on the shelf's own disk; gone afterwards."""
        folder = shelf.place(f".{uuid4().hex[:8]}.part")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def pull(record: HubRecord, shelf: Shelf, hub: Hub) -> Locked:
    """Bring what is missing of a model, check it, and lock it. What is here and sound is not brought again.

    Raises:
        WeightsError: it cannot be had, or what came is not it. Nothing of that is kept.
        ModelError: a package that it needs is not installed, or its graph cannot be made.
        OutputError: it cannot be written.
    """
    before = shelf.entries().get(record.name)
    if before is not None and _is_whole(record, before, shelf):
        return before
    if record.exported_from:
        from image_similarity.models.timm_export import check_installed

        check_installed(record.name)
    known = {} if before is None else before.files | before.made_from
    revision = record.revision
    if revision == NEWEST and before is not None:
        revision = before.revision  # a lock is a lock: the same files again, not newer ones
    commit = hub.commit(record.repo, revision, record.file.path)
    with hub.staging(shelf) as folder:

        def brought(file: HubFile) -> LockedFile:
            expected = file.sha256 or (known[file.path].sha256 if file.path in known else "")
            return _brought(record, file, expected, shelf, lambda: hub.bring(record.repo, commit, file.path, folder))

        files = {file.path: brought(file) for file in record.files}
    if record.exported_from:
        entry = _exported(record, files, commit, shelf)
    else:
        entry = Locked(record.repo, commit, record.licence, files)
    shelf.keep(record.name, entry)
    return entry


def _exported(record: HubRecord, files: dict[str, LockedFile], commit: str, shelf: Shelf) -> Locked:
    """Make the graph out of the weights, which are then no longer needed."""
    from image_similarity.models.timm_export import export

    weights, graph = shelf.place(record.repo, record.file.path), shelf.place(record.repo, record.graph)
    exported = export(record.exported_from, weights, graph, whole=True)
    made = {record.graph: locked_file(graph)}
    weights.unlink()
    return Locked(record.repo, commit, record.licence, made, files, exported.made_by)


def _is_whole(record: HubRecord, entry: Locked, shelf: Shelf) -> bool:
    """Whether all of a model is here, unaltered, and what its record asks for."""
    if record.revision not in (NEWEST, entry.revision):
        return False
    wanted = {record.graph} if record.exported_from else {file.path for file in record.files}
    known = (entry.files | entry.made_from).items()
    stated = {file.path: file.sha256 for file in record.files if file.sha256}
    agreed = all(stated.get(path, locked.sha256) == locked.sha256 for path, locked in known)
    return agreed and wanted <= set(entry.files) and shelf.is_whole(record.name)


def _brought(record: HubRecord, file: HubFile, expected: str, shelf: Shelf, bring: Callable[[], Path]) -> LockedFile:
    place = shelf.place(record.repo, file.path)
    if expected and place.exists() and sha256_of(place, "") == expected:
        return LockedFile(expected, place.stat().st_size)
    came = bring()
    found = locked_file(came)
    if expected and found.sha256 != expected:
        raise WeightsError(
            f"{file.path} of {record.repo} is not what {record.name} is made of: sha256 {found.sha256} and "
            f"{found.bytes} bytes, expected {expected}. Nothing was kept. Is the hub's address a mirror that is out of "
            "date, or was the download cut short?"
        )
    with replacing(place) as temporary:
        came.replace(temporary)
    return found


def locked_file(path: Path) -> LockedFile:
    """What a file is now."""
    return LockedFile(sha256_of(path, "It was there a moment ago"), path.stat().st_size)


def _huggingface_hub() -> Any:
    """``huggingface_hub``, imported without its messages."""
    before = {name: os.environ.get(name) for name in QUIET}
    os.environ.update(dict.fromkeys(QUIET, "1"))  # read when it is imported
    try:
        import huggingface_hub
        import huggingface_hub.utils.logging as logging
    except ImportError as error:
        raise ModelError(INSTALL) from error
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    logging.set_verbosity_error()
    return huggingface_hub


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Whatever goes wrong while something is downloaded, as one line that says what to do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the disk may be too small, before it is
            yield
    except ImageSimilarityError:
        raise
    except Exception as error:  # an HTTP library's errors, the hub's own, the disk's
        answer = ANSWERS.get(type(error).__name__)
        reason = answer or next(iter(str(_root(error)).strip().splitlines()), "").rstrip(".") or type(error).__name__
        if isinstance(error, OSError) and error.errno in DISK:
            raise OutputError(f"cannot keep {what}: {error.strerror or reason}. Nothing was kept") from error
        raise WeightsError(f"cannot pull {what}: {reason}" + ("" if answer else f". {CARRY}")) from error


def _root(error: BaseException) -> BaseException:
    """The error behind an error that only says that there was one."""
    cause = error.__cause__
    return error if cause is None or not type(error).__name__.startswith("LocalEntryNotFound") else cause


def _listener(stage: str, progress: Progress) -> type:
    """What ``huggingface_hub`` takes for a progress bar."""

    class Listener:
        def __init__(self, *_: object, total: int | None = None, initial: int = 0, **__: object) -> None:
            self.n, self.total = initial, total

        def update(self, more: float = 1) -> None:
            self.n += int(more)
            progress(stage, self.n, self.total)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def close(self) -> None:
            pass

    return Listener
