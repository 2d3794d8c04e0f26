"""Extract a catalogue: download its images into the dataset's folder, and write a table of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from image_similarity.catalogue import (
    LISTING,
    CatalogueSnapshot,
    Listing,
    failure_of,
    open_department,
    open_source,
    resolve_id_clash,
    unsafe_reason,
)
from image_similarity.dataset import Dataset
from image_similarity.errors import CatalogueError
from image_similarity.fitting.placeholders import placeholder_notes
from image_similarity.images import Download, FetchLog, HostHeaders, Outcome, download_all, has_bytes
from image_similarity.options import ExtractOptions
from image_similarity.settings import Folders, Settings
from image_similarity.store import CatalogueRecords, Database, RemovalLimit
from image_similarity.types import (
    CatalogueImage,
    Counts,
    Failure,
    NoteLog,
    Notes,
    Progress,
    no_notes,
    no_progress,
)
from image_similarity.util.files import remove_leftovers


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """The result of an extract. ``counts.failed`` is the number of ``failures``; ``folder`` holds the images."""

    counts: Counts
    failures: list[Failure]
    folder: Path
    notes: tuple[str, ...] = ()
    """Notes on the catalogue: what was guessed, joined or left out; suspicious images, such as one placeholder for many
    products or images of a few pixels; files of images that it no longer lists; hosts that could not be reached."""


def extract_department(
    department: tuple[int, str],
    settings: Settings,
    options: ExtractOptions | None = None,
    progress: Progress = no_progress,
    notes: Notes = no_notes,
) -> ExtractReport:
    """Extract one of the first version's departments from its listing on S3; see :func:`extract`.

    ``department``: its number, 0 for all, and the domain of the listing.

    Raises:
        UsageError: invalid department or domain.
    """
    number, domain_id = department
    department_listing, dataset = open_department(number, domain_id, settings), Dataset.department(number)
    with CatalogueSnapshot(department_listing, progress) as source:
        return extract(source, dataset, settings, options, progress, notes)


def extract(
    source: CatalogueSnapshot,
    dataset: Dataset,
    settings: Settings,
    options: ExtractOptions | None = None,
    progress: Progress = no_progress,
    notes: Notes = no_notes,
) -> ExtractReport:
    """Download a catalogue's images to ``data/dataset/{dataset}/{image_id}`` and write ``listing.csv`` beside them.

    An existing file is not requested again unless ``downloads.refresh`` is set. A local image stays where it is, and
    counts as known if its file exists. The listing has the images whose files exist at the end, with their products'
    titles, descriptions and attributes: a fit of the folder reads it.

    However a run ends, every image in the folder is complete, and the next run continues from there. The listing is
    replaced only when a run ends.

    Failures are also stored in the database (``failures_{DATASET}``). ``notes`` receives each note as soon as it is
    known.

    Raises:
        RemovalError: too many products of the existing listing are missing; nothing was downloaded.
        OutputError: the folder cannot be written, or another run is writing into it.
        UsageError: headers without a host, and the catalogue has several hosts.
    """
    options, note_log = options or ExtractOptions(), NoteLog(notes)
    headers = HostHeaders(options.downloads.headers)
    note_log.add_all(source.notes)
    folder = Folders(settings.root).images(dataset)
    with FetchLog(folder) as fetch_log, Listing() as listing:
        # The lock is held, so any temporary file is the leftover of a killed run.
        remove_leftovers(folder, older_than=0)
        run = _Run(folder, listing, progress)
        run.add_all(source)
        if not options.allow_removal:
            _check_removal(run, settings)
        headers.check_hosts(image.location for _, image in listing.images() if image.is_remote)
        note_log.add_all(download_all(run.downloads(), run.record, settings, options.downloads, fetch_log))
        listing.write(folder / LISTING)
        note_log.add_all(placeholder_notes(fetch_log, listing))
    with Database(Folders(settings.root).database, dataset, create=True, timeout=settings.lock_timeout) as database:
        CatalogueRecords(database).record_failures("extract", run.failures)
    return ExtractReport(run.counts, run.failures, folder, note_log.texts)


def _check_removal(run: _Run, settings: Settings) -> None:
    """Compare the catalogue with the existing listing."""
    path = run.folder / LISTING
    if not path.exists():
        return
    former = set[str]()
    with suppress(CatalogueError):  # damaged: it will be replaced
        former.update(image.product_id for image in open_source(path, settings=settings))
    missing = sorted(former - run.listing.product_ids())
    first = f"; {len(run.failures):,} rows failed, the first: {run.failures[0].reason}" if run.failures else ""
    why = f"the catalogue lists {len(run.listing):,} images and none of these products{first}. Is it truncated?"
    RemovalLimit(settings.max_removal).check(missing, len(former), lambda: why)


@dataclass(slots=True)
class _Run:
    """The listing, counts and failures of one run."""

    folder: Path
    listing: Listing
    progress: Progress
    counts: Counts = field(default_factory=Counts)
    failures: list[Failure] = field(default_factory=list)
    total: int = 0

    def add_all(self, source: CatalogueSnapshot) -> None:
        """Add the whole catalogue to the listing."""
        for image in source:
            self._add(image)
        for failure in source.failures:
            self._fail(failure)
        for product in source.products():
            self.listing.add_product(product)
        for failure in source.product_failures:
            self._fail(failure)
        self.total = self.counts.seen + len(self.listing)

    def _add(self, image: CatalogueImage) -> None:
        reason = unsafe_reason(image.image_id) if image.is_remote else None
        other = None if reason else self.listing.add_image(image)
        if reason is None and other is None:
            self.progress("list", self.counts.seen + len(self.listing))
        elif other is None:
            self._fail(failure_of(image, "list", str(reason)))
        elif isinstance(resolved := resolve_id_clash(image, other), CatalogueImage):
            self._add(resolved)
        elif resolved is None:
            self.counts.known += 1  # a repeated row
        else:
            self._fail(failure_of(image, "list", resolved))

    def downloads(self) -> Iterator[Download]:
        """The images to download; the outcomes of all others are recorded along the way."""
        root = self.folder.resolve()
        for position, image in self.listing.images():
            path = image.file(self.folder)
            download = Download(position, image, path)
            if not image.is_remote:
                missing = failure_of(image, "read", "there is no such file, or it is empty")
                self.record(download, "known" if has_bytes(path) else missing)
            elif reason := _blocked(path, self.folder, root):
                self.record(download, failure_of(image, "list", reason))
            else:
                yield download

    def record(self, download: Download, outcome: Outcome) -> None:
        """Record the outcome of one image."""
        if isinstance(outcome, Failure):
            self._fail(outcome)
        elif outcome in ("done", "repaired"):
            self.counts.done += 1
            self.counts.repaired += outcome == "repaired"
        else:
            self.counts.known += 1
        # An image whose refresh failed is still listed as long as its older file exists.
        if has_bytes(download.path):
            file = download.image.image_id if download.image.is_remote else str(download.path.absolute())
            self.listing.set_file(download.position, file)
        self.progress("download", self.counts.seen, self.total)

    def _fail(self, failure: Failure) -> None:
        self.counts.failed += 1
        self.failures.append(failure)


def _blocked(path: Path, folder: Path, root: Path) -> str | None:
    """Why a safe id still cannot be written: it is a folder, or a file or a link takes the place of its folder.

    ``root`` is ``folder`` with all links resolved.
    """
    if path.is_dir():
        return "the image id is both a file and a folder"
    if path.parent == folder:
        return None
    parent = path.parent.resolve()
    if not parent.is_relative_to(root):
        return "the image's folder is a link that leads out of the dataset's folder"
    if next((above for above in (parent, *parent.parents) if above.exists()), root).is_file():
        return "the image id is both a file and a folder"
    return None
