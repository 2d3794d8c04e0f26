"""``/v1/jobs``: bulk imports, from JSON or from a table with image addresses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import APIRouter, Depends, Path as InPath, Request, Response
from pydantic import ValidationError

from image_similarity.catalogue import TableSource
from image_similarity.errors import CatalogueError
from image_similarity.service import schemas
from image_similarity.service.app_state import found
from image_similarity.service.bodies import FORM, JSON, Body
from image_similarity.service.dependencies import State, may_read, may_write
from image_similarity.service.errors import UnusableError
from image_similarity.service.openapi import problems
from image_similarity.service.routes.import_worker import ImportWorker
from image_similarity.service.storage.bulk_imports import BulkImports, NewImport
from image_similarity.settings import TableLimits
from image_similarity.types import NoteLog

if TYPE_CHECKING:
    from image_similarity.settings import Settings

router = APIRouter(tags=["jobs"])
TABLE_LIMITS = TableLimits(
    unpacked_bytes=100_000_000, rows=200_000, columns=500, cell_bytes=1_000_000, document_bytes=1_000_000
)
ADDRESSES_ONLY = "only images with an http or https address can be imported"
BODY = Body({JSON: schemas.JobRequest, FORM: schemas.TableForm}, parts=1_000_000)


async def import_worker(request: Request) -> ImportWorker:
    """The import worker, as a dependency."""
    return cast("ImportWorker", request.app.state.import_worker)


@router.post(
    "/jobs",
    status_code=202,
    responses=problems(400, 413, 415, 422, 503),
    openapi_extra=BODY.openapi,
    dependencies=[may_write],
    summary="Import many products",
)
async def add(
    response: Response,
    state: State,
    worker: Annotated[ImportWorker, Depends(import_worker)],
    body: Annotated[schemas.JobRequest | schemas.TableForm, Depends(BODY.read)],
) -> schemas.Job:
    """The response is sent when the import is stored; from then on it is carried out even if the service is killed."""
    if isinstance(body, schemas.JobRequest):
        new = await asyncio.to_thread(NewImport.of, body.valid, body.refused)
    else:
        new = await asyncio.to_thread(_read_table, body.file, state.settings)
    job = await state.store.write(lambda database: BulkImports(database).add(new))
    worker.wake()
    response.headers["Location"] = f"/v1/jobs/{job.job_id}"
    return job


@router.get("/jobs", dependencies=[may_read], summary="List the bulk imports")
async def jobs(state: State) -> schemas.Jobs:
    """The latest first."""
    return schemas.Jobs(jobs=await state.store.read(lambda database: BulkImports(database).all()))


@router.get(
    "/jobs/{job_id}", responses=problems(404, 422), dependencies=[may_read], summary="Get the state of a bulk import"
)
async def job(state: State, job_id: Annotated[str, InPath(max_length=100)]) -> schemas.Job:
    """Counts, the first failures with their reasons, and notes on the table."""
    return found(await state.store.read(lambda database: BulkImports(database).find(job_id)), f"job {job_id!r}")


def _read_table(data: bytes, settings: Settings) -> NewImport:
    """Read a table: its products, each with the images of all of its rows; the unusable rows; the notes."""
    with TemporaryDirectory(prefix="image-similarity-") as folder:
        path = Path(folder) / "table"
        path.write_bytes(data)
        source = TableSource(str(path), replace(settings, tables=TABLE_LIMITS))
        notes = NoteLog()
        try:
            source.check()
            notes.add_all(source.notes)
            products, failures = _products_of(source)
            notes.add_all(source.notes)
            return NewImport.of(products, failures, [note.replace(str(path), "the table") for note in notes.texts])
        except CatalogueError as error:
            raise UnusableError(str(error).replace(str(path), "the table")) from None


def _products_of(source: TableSource) -> tuple[list[schemas.BulkProduct], list[schemas.JobFailure]]:
    images = dict[str, list[str]]()
    attributes = dict[str, dict[str, str]]()
    failures = []
    for image in source:
        if image.is_remote:
            images.setdefault(image.product_id, []).append(image.location)
            attributes.setdefault(image.product_id, {}).update(image.attributes)
        else:
            failures.append(_failure(image.product_id, image.image_id, ADDRESSES_ONLY))
    for each in source.failures:  # the reason must not reveal whether a file exists on this machine
        reason = ADDRESSES_ONLY if "file" in each.reason else each.reason
        failures.append(_failure(each.product_id, each.image_id, reason))
    texts = {product.product_id: product for product in source.products()}
    products = []
    for product_id, of_product in images.items():
        text = texts.get(product_id)
        try:
            products.append(
                schemas.BulkProduct(
                    product_id=product_id,
                    title=text.title if text else "",
                    description=text.description if text else "",
                    attributes={**(text.attributes if text else {}), **attributes[product_id]},
                    images=[schemas.Image(address=address) for address in of_product],
                )
            )
        except ValidationError as error:
            failures.append(schemas.JobFailure.refused(product_id, error))
    return products, failures


def _failure(product_id: str, image: str, reason: str) -> schemas.JobFailure:
    return schemas.JobFailure(product_id=product_id, image=image, stage="list", reason=reason)
