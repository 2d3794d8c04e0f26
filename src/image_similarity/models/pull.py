"""Pull files from the Hugging Face hub into a folder of models.

A file is downloaded at one commit, hashed, compared with its known digest (from the record, else from the lock of an
earlier pull), and only then moved to its place. A file without a known digest is trusted at its first pull, and locked.

The hub is used by plain HTTP, without a token: ``HEAD`` on a file's address returns its commit and its size, ``GET``
the file.
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
from image_similarity.models.hub_records import NEWEST
from image_similarity.models.model_folder import LockedFile, LockEntry, sha256_of
from image_similarity.util.download import DownloadError, download, download_error, http_client
from image_similarity.util.files import replacing

if TYPE_CHECKING:
    import httpx

    from image_similarity.models.hub_records import HubFile, HubRecord
    from image_similarity.models.model_folder import ModelFolder
    from image_similarity.models.timm_export import Exporter
    from image_similarity.types import Progress

HUB = "https://huggingface.co"
REASONS = {
    "RepoNotFound": "the hub has no such repository",
    "GatedRepo": "the repository is open to accounts only",
    "RevisionNotFound": "the repository has no such commit",
    "EntryNotFound": "the repository has no such file",
}
"""The meaning of the hub's error codes."""
MAX_REDIRECTS = 5  # from a repository's former name to its present one
CARRY = "Without internet, pull it on another machine into a folder (`to`) and carry that here"


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub that models are pulled from. ``address``: None for that in ``HF_ENDPOINT``, else the public one."""

    address: str | None
    progress: Progress

    def commit(self, repo: str, revision: str, path: str) -> str:
        """The commit that a revision names now.

        Raises:
            WeightsError: the hub cannot be reached, or has no such file.
        """
        with _explained(f"{path} of {repo}"):
            found = self._head(repo, revision, path).headers.get("X-Repo-Commit")
        if not found:
            address = self._address(repo, revision, path)
            raise WeightsError(f"cannot pull {repo}: {address} answers without a commit: it is no hub of models")
        return str(found)

    def fetch(self, repo: str, commit: str, path: str, folder: Path) -> Path:
        """Download a file at a commit into a folder. Raises as :meth:`commit`, and OutputError."""
        target = folder / path
        with _explained(f"{path} of {repo}"):
            headers = self._head(repo, commit, path).headers
            size = int(headers.get("X-Linked-Size") or headers.get("Content-Length") or 0)
            target.parent.mkdir(parents=True, exist_ok=True)
            stage = f"download {path}"
            with target.open("wb") as file:
                download(self._address(repo, commit, path), file, size, lambda done: self.progress(stage, done, size))
                if file.tell() != size:
                    raise DownloadError(f"{file.tell()} bytes received of a file that should be of size {size}")
        return target

    def _address(self, repo: str, revision: str, path: str) -> str:
        hub = (self.address or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
        return f"{hub}/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def _head(self, repo: str, revision: str, path: str) -> httpx.Response:
        """The hub's own response about a file: a redirect to the file's storage on another host is not followed."""
        import httpx

        address = httpx.URL(self._address(repo, revision, path))
        try:
            with http_client() as http:
                for _ in range(MAX_REDIRECTS):
                    response = http.head(address, follow_redirects=False)
                    location = httpx.URL(response.headers.get("Location", ""))
                    if not response.has_redirect_location or location.is_absolute_url:
                        break
                    address = address.join(location)
            if response.is_error:
                response.raise_for_status()
            return response
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise download_error(error) from error

    @contextmanager
    def staging(self, models: ModelFolder) -> Iterator[Path]:
        """A temporary folder for unchecked files, on the same disk as the folder of models."""
        folder = models.path_of(f".{uuid4().hex[:8]}.part")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def pull(record: HubRecord, models: ModelFolder, hub: Hub, exporter: Exporter) -> LockEntry:
    """Download the missing or altered files of a model, check them, and lock them.

    Raises:
        WeightsError: a file cannot be downloaded, or is not the expected one; it is not kept.
        ModelError: a package that it needs is not installed, or its graph cannot be exported.
        OutputError: it cannot be written.
    """
    before = models.entries().get(record.name)
    if before is not None and _is_complete(record, before, models):
        return before
    if record.exported_from:
        exporter.check_installed(record.name)
    known = {} if before is None else before.files | before.made_from
    revision = record.revision
    if revision == NEWEST and before is not None:
        revision = before.revision  # a lock is a lock: the same files again, not newer ones
    commit = hub.commit(record.repo, revision, record.file.path)
    with hub.staging(models) as folder:

        def fetch(file: HubFile) -> LockedFile:
            expected = file.sha256 or (known[file.path].sha256 if file.path in known else "")
            return _fetch(record, file, expected, models, lambda: hub.fetch(record.repo, commit, file.path, folder))

        files = {file.path: fetch(file) for file in record.files}
    if record.exported_from:
        entry = _export(record, files, commit, models, exporter)
    else:
        entry = LockEntry(record.repo, commit, record.licence, files)
    models.add(record.name, entry)
    return entry


def _export(
    record: HubRecord, files: dict[str, LockedFile], commit: str, models: ModelFolder, exporter: Exporter
) -> LockEntry:
    """Export the graph from the weights, and remove the weights."""
    weights, graph = models.path_of(record.repo, record.file.path), models.path_of(record.repo, record.graph)
    exported = exporter.export(record.exported_from, weights, graph, whole=True)
    made = {record.graph: locked_file(graph)}
    weights.unlink()
    return LockEntry(record.repo, commit, record.licence, made, files, exported.made_by)


def _is_complete(record: HubRecord, entry: LockEntry, models: ModelFolder) -> bool:
    """Whether all files of a model exist, are unaltered, and match its record."""
    if record.revision not in (NEWEST, entry.revision):
        return False
    needed = {record.graph} if record.exported_from else {file.path for file in record.files}
    known = (entry.files | entry.made_from).items()
    stated = {file.path: file.sha256 for file in record.files if file.sha256}
    agreed = all(stated.get(path, locked.sha256) == locked.sha256 for path, locked in known)
    return agreed and needed <= set(entry.files) and models.is_complete(record.name)


def _fetch(
    record: HubRecord, file: HubFile, expected: str, models: ModelFolder, download_file: Callable[[], Path]
) -> LockedFile:
    """A file's lock entry; the file is downloaded unless the expected one is there already."""
    place = models.path_of(record.repo, file.path)
    if expected and place.exists() and sha256_of(place, "") == expected:
        return LockedFile(expected, place.stat().st_size)
    downloaded = download_file()
    found = locked_file(downloaded)
    if expected and found.sha256 != expected:
        raise WeightsError(
            f"{file.path} of {record.repo} is not what {record.name} is made of: sha256 {found.sha256} and "
            f"{found.bytes} bytes, expected {expected}. Nothing was kept. Is the hub's address a mirror that is out of "
            "date, or was the download cut short?"
        )
    with replacing(place) as temporary:
        downloaded.replace(temporary)
    return found


def locked_file(path: Path) -> LockedFile:
    """A file's SHA-256 and size, for the lock."""
    return LockedFile(sha256_of(path, "It was there a moment ago"), path.stat().st_size)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn errors of a download into one line that says what to do."""
    try:
        yield
    except DownloadError as error:
        reason = REASONS.get(error.code)
        raise WeightsError(f"cannot pull {what}: {reason or f'{error}. {CARRY}'}") from error
    except OSError as error:
        raise OutputError(f"cannot keep {what}: {error.strerror or error}. Nothing was kept") from error
