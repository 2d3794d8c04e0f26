"""The first job: a catalogue's images into the dataset's folder, and a table of them beside."""

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
from image_similarity.fitting.placeholders import notes_on
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
    """How a run ended. ``counts.failed`` is the number of ``failures``; ``folder`` holds the images."""

    counts: Counts
    failures: list[Failure]
    folder: Path
    notes: tuple[str, ...] = ()
    """What is to be known of the catalogue: what was guessed, joined or left out; images that could be used and are
    odd: one placeholder for many products, images of a few pixels; files of images that it lists no longer; hosts
    that were given up."""


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
        UsageError: the department or the domain cannot be right.
    """
    number, domain_id = department
    listing, named = open_department(number, domain_id, settings), Dataset.department(number)
    with CatalogueSnapshot(listing, progress) as source:
        return extract(source, named, settings, options, progress, notes)


def extract(
    source: CatalogueSnapshot,
    dataset: Dataset,
    settings: Settings,
    options: ExtractOptions | None = None,
    progress: Progress = no_progress,
    notes: Notes = no_notes,
) -> ExtractReport:
    """Download a catalogue's images to ``data/dataset/{dataset}/{image_id}`` and write ``listing.csv`` beside them.

    A file that is there is not asked for again, unless ``downloads.refresh`` says so. An image of this machine is left
    where it is, and is known when its file exists. The listing names the images whose files are there at the end, with
    their products' titles, descriptions and attributes: a fit of the folder reads it.

    However a run ends, every image in the folder is whole; the next run goes on from there. The listing is the old
    one until a run has ended.

    The failures are kept in the store too (``failures_{DATASET}``). ``notes`` is told, as early as it is seen, what is
    to be known of the catalogue.

    Raises:
        RemovalError: it no longer lists too many of the products that the listing has; nothing was downloaded.
        OutputError: the folder cannot be written, or another run is writing into it.
        UsageError: headers are for the catalogue's only host, and it has several.
    """
    options, told = options or ExtractOptions(), NoteLog(notes)
    headers = HostHeaders(options.downloads.headers)
    told.add_all(source.notes)
    folder = Folders(settings.root).images(dataset)
    with FetchLog(folder) as fetched, Listing() as ledger:
        # Only now that no other run has the folder is a temporary file one that nobody will finish.
        remove_leftovers(folder, older_than=0)
        run = _Run(folder, ledger, progress)
        run.take(source)
        if not options.allow_removal:
            _check_removal(run, settings)
        headers.check_hosts(image.location for _, image in ledger.images() if image.is_remote)
        told.add_all(download_all(run.wanted(), run.heard, settings, options.downloads, fetched))
        ledger.write(folder / LISTING)
        told.add_all(notes_on(fetched, ledger))
    with Database(Folders(settings.root).database, dataset, create=True, timeout=settings.lock_timeout) as database:
        CatalogueRecords(database).record_failures("extract", run.failures)
    return ExtractReport(run.counts, run.failures, folder, told.texts)


def _check_removal(run: _Run, settings: Settings) -> None:
    """Hold what is to be listed against the listing that is there."""
    path = run.folder / LISTING
    if not path.exists():
        return
    former = set[str]()
    with suppress(CatalogueError):  # damaged: it is written anew
        former.update(image.product_id for image in open_source(path, settings=settings))
    gone = sorted(former - run.ledger.product_ids())
    first = f"; {len(run.failures):,} rows failed, the first: {run.failures[0].reason}" if run.failures else ""
    why = f"the catalogue lists {len(run.ledger):,} images and none of these products{first}. Is it truncated?"
    RemovalLimit(settings.max_removal).check(gone, len(former), lambda: why)


@dataclass(slots=True)
class _Run:
    """The bookkeeping of one run."""

    folder: Path
    ledger: Listing
    progress: Progress
    counts: Counts = field(default_factory=Counts)
    failures: list[Failure] = field(default_factory=list)
    total: int = 0

    def take(self, source: CatalogueSnapshot) -> None:
        """Take the whole catalogue into the ledger."""
        for image in source:
            self._take(image)
        for failure in source.failures:
            self._fail(failure)
        for product in source.products():
            self.ledger.add_product(product)
        for failure in source.product_failures:
            self._fail(failure)
        self.total = self.counts.seen + len(self.ledger)

    def _take(self, image: CatalogueImage) -> None:
        reason = unsafe_reason(image.image_id) if image.is_remote else None
        other = None if reason else self.ledger.add_image(image)
        if reason is None and other is None:
            self.progress("list", self.counts.seen + len(self.ledger))
        elif other is None:
            self._fail(failure_of(image, "list", str(reason)))
        elif isinstance(instead := resolve_id_clash(image, other), CatalogueImage):
            self._take(instead)
        elif instead is None:
            self.counts.known += 1  # the same line once more
        else:
            self._fail(failure_of(image, "list", instead))

    def wanted(self) -> Iterator[Download]:
        """The images that have to come from the network; the others are settled on the way."""
        root = self.folder.resolve()
        for position, image in self.ledger.images():
            path = image.file(self.folder)
            wanted = Download(position, image, path)
            if not image.is_remote:
                missing = failure_of(image, "read", "there is no such file, or it is empty")
                self.heard(wanted, "known" if has_bytes(path) else missing)
            elif reason := _blocked(path, self.folder, root):
                self.heard(wanted, failure_of(image, "list", reason))
            else:
                yield wanted

    def heard(self, wanted: Download, outcome: Outcome) -> None:
        """Count what became of one image."""
        if isinstance(outcome, Failure):
            self._fail(outcome)
        elif outcome in ("done", "repaired"):
            self.counts.done += 1
            self.counts.repaired += outcome == "repaired"
        else:
            self.counts.known += 1
        # One that failed to come anew is still in the catalogue while its older file is there.
        if has_bytes(wanted.path):
            file = wanted.image.image_id if wanted.image.is_remote else str(wanted.path.absolute())
            self.ledger.set_file(wanted.position, file)
        self.progress("download", self.counts.seen, self.total)

    def _fail(self, failure: Failure) -> None:
        self.counts.failed += 1
        self.failures.append(failure)


def _blocked(path: Path, folder: Path, root: Path) -> str | None:
    """Why a safe name still cannot be written: a folder has it, or a file or a link stands where its folder would.

    ``root`` is ``folder`` with all links followed.
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
