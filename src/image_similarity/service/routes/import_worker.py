"""Carries out bulk imports in the background, one after the other; each product is upserted like a single PUT."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from image_similarity.errors import ImageError, ImageSimilarityError, UsageError
from image_similarity.images import AddressError, ImageData, UnreachableHosts, bytes_of, decode, request_url
from image_similarity.service import schemas
from image_similarity.service.errors import BusyError, ServiceError
from image_similarity.service.guards.fetching import FetchError, UnreachableError
from image_similarity.service.routes.image_source import image_data
from image_similarity.service.routes.upsert import UpsertRequest, upsert
from image_similarity.service.storage.bulk_imports import BulkImports, Outcome

if TYPE_CHECKING:
    from image_similarity.service.app_state import AppState
    from image_similarity.service.storage.bulk_imports import PendingProduct

CHECKED_SIDE = 64  # pixels: every byte of a JPEG is checked without decoding it at full size
AT_A_TIME = 8  # products processed together
PAUSE = 1  # seconds before a retry where there is no memory to decode an image
IMPORTS = "running the imports"
LOG = logging.getLogger(__name__)


class ImportWorker:
    """A task of the event loop. Start it there; it first resumes the imports that a former process left unfinished."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._hosts = UnreachableHosts()
        self._wake_up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._wake_up.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Cancel the task; the next process resumes unfinished imports."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        self._wake_up.set()

    async def _run(self) -> None:
        while True:
            await self._wake_up.wait()
            self._wake_up.clear()
            try:
                for job_id in await self._state.store.read(lambda database: BulkImports(database).unfinished()):
                    await self._finish(job_id)
                self._state.health.succeeded(IMPORTS)
            except Exception as error:  # of any kind: later imports must still be carried out
                await asyncio.sleep(self._state.health.failed(IMPORTS, error))
                self._wake_up.set()

    async def _finish(self, job_id: str) -> None:
        """Carry out one import, or mark it as failed."""
        try:
            await self._carry_out(job_id)
        except Exception as error:  # of this import only: the next one may succeed
            LOG.exception("the import %s failed", job_id)
            await self._set_state(job_id, "failed", _public(error))

    async def _carry_out(self, job_id: str) -> None:
        await self._set_state(job_id, "running")
        while todo := await self._state.store.read(lambda database: BulkImports(database).todo(job_id, AT_A_TIME)):
            await asyncio.gather(*(self._upsert(job_id, each) for each in todo))
        await self._set_state(job_id, "done")

    async def _set_state(self, job_id: str, state: schemas.JobState, reason: str = "") -> None:
        await self._state.store.write(lambda database: BulkImports(database).set_state(job_id, state, reason))

    async def _upsert(self, job_id: str, todo: PendingProduct) -> None:
        product, failures, files = todo.product, list[schemas.JobFailure](), list[ImageData]()
        for number, image in enumerate(product.images or ()):
            try:
                data = await self._image(image)
                await self._state.work(_check, data, self._state.settings.max_pixels)
                files.append(data)
            except BusyError:  # the product stays pending, for the next process if need be
                await asyncio.sleep(PAUSE)
                return
            except (ImageError, UsageError, ServiceError, MemoryError) as error:
                failures.append(_failure(product, image.address or f"image {number + 1}", error))
        put, repaired = bool(files) or not product.images, 0
        if put:
            change = schemas.ProductChange(**product.model_dump(exclude={"product_id", "images"}))
            try:
                result = await upsert(self._state, UpsertRequest(product.product_id, change, files or None))
                repaired = result.repaired
            except BusyError:
                await asyncio.sleep(PAUSE)
                return
            except (ImageError, UsageError, ServiceError, MemoryError) as error:
                failures.append(_failure(product, "", error))
                put = False
        outcome = Outcome(put, failures, repaired)
        await self._state.store.write(lambda database: BulkImports(database).record(job_id, todo, outcome))

    async def _image(self, image: schemas.Image) -> ImageData:
        """An image's bytes; not requested while its host is known to be unreachable."""
        host = _host_of(image)
        reason = self._hosts.skip_reason(host)
        if reason is not None:
            raise FetchError(f"{reason} So were other images of {host}; this one was not requested.")
        try:
            data = await image_data(self._state, image)
        except UnreachableError as error:
            self._hosts.record_failure(host, error.reason)
            raise
        except FetchError:
            self._hosts.record_response(host)
            raise
        self._hosts.record_response(host)
        return data


def _host_of(image: schemas.Image) -> str:
    try:
        return request_url(image.address or "").netloc.decode("ascii")
    except AddressError:
        return ""


def _check(data: ImageData, max_pixels: int) -> None:
    decode(bytes_of(data), max_pixels=max_pixels, min_side=CHECKED_SIDE)


def _failure(product: schemas.BulkProduct, image: str, error: ImageSimilarityError | MemoryError) -> schemas.JobFailure:
    if isinstance(error, MemoryError):
        error = ImageError("decode", "not enough memory to decode it")
    stage = error.stage if isinstance(error, ImageError) else "list"
    reason = error.reason if isinstance(error, ImageError) else str(error)
    return schemas.JobFailure(product_id=product.product_id, image=image, stage=stage, reason=reason)


def _public(error: Exception) -> str:
    return str(error) if isinstance(error, UsageError) else "the store or the disk cannot be used: see the log"
