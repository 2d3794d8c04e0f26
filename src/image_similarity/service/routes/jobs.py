"""``/v1/jobs``: many products at once, from JSON or from a table with addresses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import APIRouter, Depends, Request
from fastapi import Path as InPath
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import Response

from image_similarity.catalogue.columns import as_text
from image_similarity.catalogue.tables import TableSource
from image_similarity.errors import CatalogueError
from image_similarity.service import schemas
from image_similarity.service.app_state import found
from image_similarity.service.bodies import JSON, body_of, form_of, json_body, kind_of, only
from image_similarity.service.errors import BadRequestError, UnusableError
from image_similarity.service.problem_handlers import problems
from image_similarity.service.routing import answered, desk_of, may_read, may_write
from image_similarity.service.storage.bulk_imports import Imports, NewImport
from image_similarity.settings import TableLimits
from image_similarity.types import Told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.service.routes.import_worker import Importer
    from image_similarity.settings import Settings

router = APIRouter(tags=["jobs"])
TABLE_LIMITS = TableLimits(
    unpacked_bytes=100_000_000, rows=200_000, columns=500, cell_bytes=1_000_000, document_bytes=1_000_000
)
ADDRESSES_ONLY = "only pictures with an http or https address can be imported"
TABLE = "A CSV, JSON or Parquet table or a feed, as docs/catalogues.md has them: its content says which it is."
BODY = body_of("JobRequest", {"file": {"type": "string", "format": "binary", "description": TABLE}}, ["file"])


class Jobs(BaseModel):
    """All bulk imports, the latest first."""

    jobs: list[schemas.Job]


@router.post(
    "/jobs",
    status_code=202,
    response_model=schemas.Job,
    responses=problems(400, 413, 415, 422, 503),
    openapi_extra=BODY,
    dependencies=[Depends(may_write)],
    summary="Put many products",
)
async def add(request: Request) -> Response:
    """Answered once it is safe on the disk; carried out after that, also if the service is killed meanwhile."""
    if kind_of(request) == JSON:
        wanted = await json_body(request, schemas.GivenProducts)
        products, failures = await asyncio.to_thread(_sound, wanted.products)
        new = await asyncio.to_thread(NewImport.of, products, failures)
    else:
        async with form_of(request, files=1) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise BadRequestError("send the table as a file named file")
            only(form, "file")
            table = await asyncio.to_thread(_read_table, await file.read(), desk_of(request).settings)
        new = await asyncio.to_thread(NewImport.of, *table)
    job = await desk_of(request).store.write(lambda database: Imports(database).add(new))
    _importer(request).look_now()
    return answered(job, 202, {"Location": f"/v1/jobs/{job.job_id}"})


@router.get("/jobs", response_model=Jobs, dependencies=[Depends(may_read)], summary="All bulk imports")
async def jobs(request: Request) -> Response:
    """The latest first."""
    return answered(Jobs(jobs=await desk_of(request).store.read(lambda database: Imports(database).all())))


@router.get(
    "/jobs/{job_id}",
    response_model=schemas.Job,
    responses=problems(404, 422),
    dependencies=[Depends(may_read)],
    summary="How a bulk import stands",
)
async def job(request: Request, job_id: Annotated[str, InPath(max_length=100)]) -> Response:
    """Counts, the first failures with their reasons, and what is to be known of its table."""
    job = await desk_of(request).store.read(lambda database: Imports(database).find(job_id))
    return answered(found(job, f"job {job_id!r}"))


def _read_table(
    data: bytes, settings: Settings
) -> tuple[list[schemas.BulkProduct], list[schemas.JobFailure], list[str]]:
    """The products of a table, each with all of its rows' pictures; the rows that cannot be used; and its notes."""
    with TemporaryDirectory(prefix="image-similarity-") as folder:
        path = Path(folder) / "table"
        path.write_bytes(data)
        source = TableSource(str(path), replace(settings, tables=TABLE_LIMITS))
        told = Told()
        try:
            source.check()
            told.all(source.notes)
            products, failures = _products_of(source)
            told.all(source.notes)
            return products, failures, [note.replace(str(path), "the table") for note in told.texts]
        except CatalogueError as error:
            raise UnusableError(str(error).replace(str(path), "the table")) from None


def _sound(given: Sequence[dict[str, Any]]) -> tuple[list[schemas.BulkProduct], list[schemas.JobFailure]]:
    """Those products that are as products must be, and why the others are not.

    Raises:
        ValidationError: none is.
    """
    products, failures, first = list[schemas.BulkProduct](), list[schemas.JobFailure](), None
    for each in given:
        try:
            products.append(schemas.BulkProduct.model_validate(each))
        except ValidationError as error:
            first = first or error
            name = each.get("product_id")
            failures.append(_refused(as_text(name)[: schemas.LONGEST_ID], error))
    if first is not None and not products:
        raise first
    return products, failures


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
    for each in source.failures:  # whether there is such a file here is nobody's business either
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
            failures.append(_refused(product_id, error))
    return products, failures


def _refused(product_id: str, error: ValidationError) -> schemas.JobFailure:
    first = error.errors()[0]
    field = ".".join(str(part)[:100] for part in first["loc"]) or "the product"
    return _failure(product_id, "", f"the product is not as products must be: {field}: {first['msg']}")


def _failure(product_id: str, image: str, reason: str) -> schemas.JobFailure:
    return schemas.JobFailure(product_id=product_id, image=image, stage="list", reason=reason)


def _importer(request: Request) -> Importer:
    """What carries bulk imports out."""
    return cast("Importer", request.app.state.importer)
