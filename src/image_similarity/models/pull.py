"""Brings files from the Hugging Face hub onto a shelf.

A file is taken at one commit, hashed, compared with the digest that is known of it (from the record, else from the
lock of an earlier pull), and only then moved to its place. The first pull of a file of which no digest is known
trusts what comes, and locks it.

The hub is asked with plain HTTP, without a token: ``HEAD`` on a file's address answers with its commit and its size,
``GET`` with the file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

from image_similarity.errors import OutputError, WeightsError
from image_similarity.models.download import DownloadError, client, download, failure
from image_similarity.models.hub_records import NEWEST
from image_similarity.models.model_folder import Locked, LockedFile, sha256_of
from image_similarity.util.files import replacing

if TYPE_CHECKING:
    import httpx

    from image_similarity.models.hub_records import HubFile, HubRecord
    from image_similarity.models.model_folder import ModelFolder
    from image_similarity.models.timm_export import Exporter
    from image_similarity.types import Progress

HUB = "https://huggingface.co"
ANSWERS = {
    "RepoNotFound": "the hub has no such repository",
    "GatedRepo": "the repository is open to accounts only",
    "RevisionNotFound": "the repository has no such commit",
    "EntryNotFound": "the repository has no such file",
}
"""What the hub answers, by its own word for it."""
MOST_STEPS = 5  # from a repository's former name to its present one
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
        with _told(f"{path} of {repo}"):
            found = self._described(repo, revision, path).headers.get("X-Repo-Commit")
        if not found:
            address = self._address(repo, revision, path)
            raise WeightsError(f"cannot pull {repo}: {address} answers without a commit: it is no hub of models")
        return str(found)

    def bring(self, repo: str, commit: str, path: str, folder: Path) -> Path:
        """One file at one commit, into a folder of its own. Raises as :meth:`commit`, and OutputError."""
        target = folder / path
        with _told(f"{path} of {repo}"):
            known = self._described(repo, commit, path).headers
            size = int(known.get("X-Linked-Size") or known.get("Content-Length") or 0)
            target.parent.mkdir(parents=True, exist_ok=True)
            stage = f"download {path}"
            with target.open("wb") as file:
                download(self._address(repo, commit, path), file, size, lambda done: self.progress(stage, done, size))
                if file.tell() != size:
                    raise DownloadError(f"{file.tell()} bytes came of a file that should be of size {size}")
        return target

    def _address(self, repo: str, revision: str, path: str) -> str:
        hub = (self.address or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
        return f"{hub}/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def _described(self, repo: str, revision: str, path: str) -> httpx.Response:
        """What the hub says of a file; where it sends one elsewhere for the file itself, nobody goes there yet."""
        import httpx

        address = httpx.URL(self._address(repo, revision, path))
        try:
            with client() as asking:
                for _ in range(MOST_STEPS):
                    answer = asking.head(address, follow_redirects=False)
                    onward = httpx.URL(answer.headers.get("Location", ""))
                    if not answer.has_redirect_location or onward.is_absolute_url:
                        break
                    address = address.join(onward)
            if answer.is_error:
                answer.raise_for_status()
            return answer
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise failure(error) from error

    @contextmanager
    def staging(self, shelf: ModelFolder) -> Iterator[Path]:
        """A folder for what is not checked yet, on the shelf's own disk; gone afterwards."""
        folder = shelf.place(f".{uuid4().hex[:8]}.part")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def pull(record: HubRecord, shelf: ModelFolder, hub: Hub, exporter: Exporter) -> Locked:
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
        exporter.check_installed(record.name)
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
        entry = _exported(record, files, commit, shelf, exporter)
    else:
        entry = Locked(record.repo, commit, record.licence, files)
    shelf.keep(record.name, entry)
    return entry


def _exported(
    record: HubRecord, files: dict[str, LockedFile], commit: str, shelf: ModelFolder, exporter: Exporter
) -> Locked:
    """Make the graph out of the weights, which are then no longer needed."""
    weights, graph = shelf.place(record.repo, record.file.path), shelf.place(record.repo, record.graph)
    exported = exporter.export(record.exported_from, weights, graph, whole=True)
    made = {record.graph: locked_file(graph)}
    weights.unlink()
    return Locked(record.repo, commit, record.licence, made, files, exported.made_by)


def _is_whole(record: HubRecord, entry: Locked, shelf: ModelFolder) -> bool:
    """Whether all of a model is here, unaltered, and what its record asks for."""
    if record.revision not in (NEWEST, entry.revision):
        return False
    wanted = {record.graph} if record.exported_from else {file.path for file in record.files}
    known = (entry.files | entry.made_from).items()
    stated = {file.path: file.sha256 for file in record.files if file.sha256}
    agreed = all(stated.get(path, locked.sha256) == locked.sha256 for path, locked in known)
    return agreed and wanted <= set(entry.files) and shelf.is_whole(record.name)


def _brought(
    record: HubRecord, file: HubFile, expected: str, shelf: ModelFolder, bring: Callable[[], Path]
) -> LockedFile:
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


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Whatever goes wrong while something is downloaded, as one line that says what to do."""
    try:
        yield
    except DownloadError as error:
        known = ANSWERS.get(error.code)
        raise WeightsError(f"cannot pull {what}: {known or f'{error}. {CARRY}'}") from error
    except OSError as error:
        raise OutputError(f"cannot keep {what}: {error.strerror or error}. Nothing was kept") from error
