"""Compute the missing features of a catalogue: read, look up, decode, embed and store a few images at a time.

Each chunk is stored in one transaction, so an interrupted run loses at most one; the next run finds the rest known.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

from image_similarity.catalogue import failure_of, resolve_id_clash
from image_similarity.errors import ImageError
from image_similarity.images import decoded_inputs, read_bytes, stack, white_background
from image_similarity.models import embed_each
from image_similarity.settings import MOST_FILE_BYTES
from image_similarity.store import (
    CatalogueRecords,
    FeatureRow,
    FeatureStore,
    ListedProducts,
    Overrides,
    RemovalLimit,
    encode,
)
from image_similarity.types import CatalogueImage, Counts, Failure
from image_similarity.util.processors import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from image_similarity.catalogue import CatalogueSnapshot
    from image_similarity.store import Database
    from image_similarity.types import EmbeddingModel, ModelSpec, Progress

T = TypeVar("T")
R = TypeVar("R")

CHUNK = 16  # images looked up, embedded and stored together: the maximum lost to a kill
LISTED = 1024  # images of the catalogue checked together
AHEAD = 16  # images read or decoded in advance


@dataclass(frozen=True, slots=True)
class _Read:
    """An image's file in memory, or the failure to read it."""

    image: CatalogueImage
    data: bytes = b""
    digest: bytes = b""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class _Decoded:
    """An image's input pixels by the index of each model that lacks it, or the failure to decode it."""

    image: CatalogueImage
    digest: bytes
    pixels: dict[int, NDArray[np.uint8]]
    failure: Failure | None = None
    repaired: bool = False


_Outcome: TypeAlias = "tuple[_Decoded, NDArray[np.uint8], NDArray[np.float32] | ImageError]"
"""An image, its views' pixels, and their vectors or the error."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """Images being decoded, and duplicates of them, which are looked up again once these are stored."""

    decoding: list[Future[_Decoded]]
    digests: frozenset[bytes]
    duplicates: list[_Read]


NOTHING = _Pending([], frozenset(), [])


@dataclass(slots=True)
class LazyModel:
    """A model that is loaded when the first image needs it."""

    spec: ModelSpec
    load: Callable[[], EmbeddingModel]
    _loaded: EmbeddingModel | None = None

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As :meth:`~image_similarity.types.EmbeddingModel.embed`; the first call loads the model."""
        return self._model().embed(pixels)

    def each(self, stacks: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32] | ImageError]:
        """The vectors of each image's views, or the error of that image."""
        model = self._model()  # outside embed(): a failure to load is not an error of an image

        def embed(some: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
            return model.embed(np.concatenate(some)).reshape(len(some), len(some[0]), -1)

        return embed_each(embed, stacks)

    def _model(self) -> EmbeddingModel:
        if self._loaded is None:
            self._loaded = self.load()
        return self._loaded

    def release(self) -> None:
        """Release the model's memory; the next call loads it again."""
        self._loaded = None


@dataclass(slots=True)
class FeaturesRun:
    """One run over a catalogue; the results are in ``counts`` and ``failures``."""

    database: Database
    models: Sequence[LazyModel]
    """Each gets its missing features, in a single pass over the images."""
    views: Sequence[str]
    folder: Path
    """The folder of downloaded images."""
    max_pixels: int
    progress: Progress
    limit: RemovalLimit = field(default_factory=RemovalLimit)
    max_file_bytes: int = MOST_FILE_BYTES
    strict: bool = False
    counts: Counts = field(default_factory=Counts)
    failures: list[Failure] = field(default_factory=list)
    overridden: int = 0
    """Products of the catalogue that keep their upserted state, or were deleted during the run."""
    store: FeatureStore = field(init=False)
    records: CatalogueRecords = field(init=False)
    overrides: Overrides = field(init=False)
    _total: int = 0

    def __post_init__(self) -> None:
        self.store, self.records = FeatureStore(self.database), CatalogueRecords(self.database)
        self.overrides = Overrides(self.database)

    def run(self, source: CatalogueSnapshot) -> None:
        """Embed and store missing features, then deactivate what the catalogue no longer lists.

        Raises:
            RemovalError: more products would be removed than allowed; none was.
            StoreError: the store is locked, damaged or full; everything stored before stays.
        """
        listed_products = self._check_listed(source)
        for model in self.models:
            self.store.add_model(model.spec)
        self.overrides.forget_deleted()
        with ThreadPoolExecutor(processors()) as pool:
            try:
                previous = NOTHING
                images = chain(self._claimed(source), self._upserted())
                for chunk in _chunks(_in_order(pool, self._read, images), CHUNK):
                    # This chunk is decoded while the previous one is embedded, so that no processor is idle.
                    pending = self._begin(pool, self._readable(chunk), previous.digests)
                    self._finish(pool, previous)
                    previous = pending
                self._finish(pool, previous)
            finally:
                pool.shutdown(cancel_futures=True)
                for model in self.models:
                    model.release()  # the next steps of a fit need the memory
        for failure in source.failures:
            self._fail(failure)
        self.records.list_products(source.products())
        for failure in source.product_failures:
            self._fail(failure)
        self.records.record_failures("fit", self.failures)
        with self.database.writing():  # one transaction, which also sees concurrent upserts and deletes
            self.limit.check(listed_products.unusable(), listed_products.products(), self._why_unusable)
            self.overridden = listed_products.overridden()
            self.store.activate_seen()
            self.records.delete_unseen()
            self.store.delete_old_inactive()

    def _check_listed(self, source: CatalogueSnapshot) -> ListedProducts:
        """Check how many products would be removed, before anything is changed."""
        listed_products, self._total = ListedProducts(self.database), source.images
        for chunk in _chunks(source, LISTED):
            listed_products.add(image.product_id for image in chunk)

        def why() -> str:
            bad = source.failures
            unread = f"; it could not read {len(bad):,} rows, the first: {bad[0].reason}" if bad else ""
            return f"the catalogue lists {self._total:,} images and none of these products{unread}. Is it truncated?"

        self.limit.check(listed_products.not_listed(), listed_products.products(), why)
        return listed_products

    def _why_unusable(self) -> str:
        first = f"; the first, {self.failures[0].location}: {self.failures[0].reason}" if self.failures else ""
        return f"none of their images could be used, {self.counts.failed:,} failed{first}. Are they unreachable?"

    def _upserted(self) -> Iterator[CatalogueImage]:
        """The images of upserted products, which may lack features of these models or some views."""
        for image_id, product_id, location in self.overrides.images():
            yield CatalogueImage(image_id, product_id, location)

    def _claimed(self, source: Iterable[CatalogueImage]) -> Iterator[CatalogueImage]:
        """The catalogue's images, each id once."""
        for listed in _chunks(self._valid(source), CHUNK):
            overridden = self.overrides.among([image.product_id for image in listed])
            chunk = [image for image in listed if image.product_id not in overridden]
            if len(chunk) < len(listed):
                self._known(len(listed) - len(chunk))  # upserted or deleted
            for image, other in zip(chunk, self.records.claim(chunk), strict=True):
                if other is None:
                    yield image
                elif isinstance(resolved := resolve_id_clash(image, other), CatalogueImage):
                    yield from self._claimed([resolved])
                elif resolved is None:
                    self._known(1)  # a repeated row
                else:
                    self._fail(failure_of(image, "list", resolved))

    def _valid(self, source: Iterable[CatalogueImage]) -> Iterator[CatalogueImage]:
        """The images whose ids the store can distinguish."""
        for image in source:
            if "\0" in image.image_id:  # SQLite's text functions end at a NUL
                self._fail(failure_of(image, "list", "the image id holds a NUL character"))
            else:
                yield image

    def _read(self, image: CatalogueImage) -> _Read:
        try:
            data = read_bytes(image.file(self.folder), self.max_file_bytes)
        except ImageError as error:
            reason = f"{error.reason}; run extract first" if image.is_remote else error.reason
            return _Read(image, failure=failure_of(image, "read", reason))
        return _Read(image, data, sha256(data).digest())

    def _decode(self, read: _Read, places: Sequence[int]) -> _Decoded:
        """Decode the input pixels of the models at these indices."""
        inputs = [self.models[place].spec.input for place in places]
        try:
            found, repaired = decoded_inputs(read.data, inputs, self.max_pixels, strict=self.strict)
        except ImageError as error:
            return _Decoded(read.image, read.digest, {}, failure_of(read.image, "decode", error.reason))
        return _Decoded(read.image, read.digest, dict(zip(places, found, strict=True)), repaired=repaired)

    def _readable(self, chunk: list[_Read]) -> list[_Read]:
        self._fail_all([(each.image, each.failure) for each in chunk])
        return [read for read in chunk if read.failure is None]

    def _begin(
        self, pool: ThreadPoolExecutor, reads: list[_Read], in_progress: frozenset[bytes] = frozenset()
    ) -> _Pending:
        """Look images up and start decoding the missing ones; the digests ``in_progress`` are being embedded."""
        images = [(read.image, read.digest) for read in reads]
        flags = [self.store.missing(images, model.spec.key, self.views) for model in self.models]
        missing = [
            (read, [place for place, misses in enumerate(of_models) if misses])
            for read, of_models in zip(reads, zip(*flags, strict=True), strict=True)
            if any(of_models)
        ]
        self._known(len(reads) - len(missing))
        first: dict[bytes, _Read] = {}
        decoding = []
        for read, places in missing:
            if read.digest not in in_progress and first.setdefault(read.digest, read) is read:
                decoding.append(pool.submit(self._decode, read, places))
        duplicates = [read for read, _ in missing if first.get(read.digest) is not read]
        return _Pending(decoding, frozenset(first), duplicates)

    def _finish(self, pool: ThreadPoolExecutor, pending: _Pending) -> None:
        """Embed and store pending images; then process their duplicates, which find these features in the store."""
        decoded = [each.result() for each in pending.decoding]
        self._fail_all([(each.image, each.failure) for each in decoded])
        usable = [each for each in decoded if each.failure is None]
        failures: dict[str, tuple[CatalogueImage, Failure]] = {}
        embedded = self._embed(pool, usable)
        if embedded:
            with self.database.writing():  # one transaction for all models
                for place, outcomes in embedded.items():
                    failures |= self._store(self.models[place].spec.key, outcomes)
        self._fail_all(list(failures.values()))
        self.counts.done += len(usable) - len(failures)
        self.counts.repaired += sum(each.repaired for each in usable if each.image.image_id not in failures)
        self._report_progress()
        if pending.duplicates:
            self._finish(pool, self._begin(pool, pending.duplicates))

    def _embed(self, pool: ThreadPoolExecutor, images: Sequence[_Decoded]) -> dict[int, list[_Outcome]]:
        """Embed images with the models that lack them; returns the outcomes by the models' indices.

        Networks use all processors, one network after the other; beside them, models that are code run in the pool.
        """

        def outcomes(place: int) -> list[_Outcome]:
            some = [image for image in images if place in image.pixels]
            stacks = [stack(image.pixels[place], self.views) for image in some]
            return list(zip(some, stacks, self.models[place].each(stacks), strict=True))

        places = sorted({place for image in images for place in image.pixels})
        networks = [place for place in places if self.models[place].spec.precision] or places
        code = {place: pool.submit(outcomes, place) for place in places if place not in networks}
        embedded = {place: outcomes(place) for place in networks}
        return embedded | {place: started.result() for place, started in code.items()}

    def _store(self, key: str, outcomes: Sequence[_Outcome]) -> dict[str, tuple[CatalogueImage, Failure]]:
        """Store the features of a model; returns failures by image id."""
        self.store.add(
            (
                FeatureRow(image.image, view, image.digest, white_background(pixels), encode(vector))
                for image, views, rows in outcomes
                if not isinstance(rows, ImageError)
                for view, pixels, vector in zip(self.views, views, rows, strict=True)
            ),
            key,
        )
        return {
            image.image.image_id: (image.image, failure_of(image.image, rows.stage, rows.reason))
            for image, _, rows in outcomes
            if isinstance(rows, ImageError)
        }

    def _known(self, number: int) -> None:
        self.counts.known += number
        self._report_progress()

    def _fail_all(self, outcomes: Iterable[tuple[CatalogueImage, Failure | None]]) -> None:
        failed = [(image, failure) for image, failure in outcomes if failure is not None]
        # A failed image may belong to a product that was upserted or deleted meanwhile: then it is no failure.
        if overridden := self.overrides.among([image.product_id for image, _ in failed]):
            obsolete = [
                each for each in failed if each[0].product_id in overridden and not self.records.image(each[0].image_id)
            ]
            failed = [each for each in failed if each not in obsolete]
            self._known(len(obsolete))
        if failed:
            self.records.mark_unusable(image for image, _ in failed)
        for _, failure in failed:
            self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        self.counts.failed += 1
        self.failures.append(failure)
        self._report_progress()

    def _report_progress(self) -> None:
        self.progress("features", self.counts.seen, self._total)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _in_order(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield results in the order of the items, starting a bounded number of them in advance."""
    started: deque[Future[R]] = deque()
    for item in items:
        started.append(pool.submit(work, item))
        if len(started) > AHEAD:
            yield started.popleft().result()
    while started:
        yield started.popleft().result()
