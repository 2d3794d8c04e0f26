"""``/v1/models``, ``/v1/catalogue``, ``/v1/failures``, ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request

from image_similarity.fitting import upload_folder
from image_similarity.index import facets_of
from image_similarity.service import schemas
from image_similarity.service.dependencies import State, may_read
from image_similarity.service.errors import BusyError
from image_similarity.service.openapi import problems
from image_similarity.settings import Folders
from image_similarity.store import CatalogueRecords, RecommendationStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from image_similarity.service.answering.served_model import ServedModel
    from image_similarity.service.app_state import AppState
    from image_similarity.store import Database

router = APIRouter(tags=["about"], dependencies=[may_read])
health = APIRouter(tags=["about"])
FAILURES = 50  # of one page


@router.get("/models", summary="List the served models")
async def models(state: State) -> schemas.Models:
    """The first is the default."""
    return await asyncio.to_thread(_models, state)


@router.get("/catalogue", summary="Get the state of the catalogue")
async def catalogue(state: State) -> schemas.Catalogue:
    """Counts, failures, sizes on disk, and the attributes to filter by."""
    failed = await state.store.read(_failed)
    last_fit = await state.store.read(partial(_last_fit, state))
    return await asyncio.to_thread(_catalogue, state, failed, last_fit)


@router.get("/failures", responses=problems(422), summary="List images that could not be used")
async def failures(
    state: State,
    after: Annotated[int, Query(ge=0, le=2**53, description="The `next` of the previous page.")] = 0,
    number: Annotated[int, Query(ge=1, le=schemas.MOST_NUMBER)] = FAILURES,
) -> schemas.Failures:
    """From the latest extract and the latest fit, with the reasons."""

    def page(database: Database) -> list[schemas.Failure]:
        return [
            schemas.Failure(
                job=job,
                stage=each.stage,
                reason=each.reason.replace(each.location, each.image_id) if each.location else each.reason,
                product_id=each.product_id,
                image_id=Path(each.image_id).name if each.image_id.startswith("/") else each.image_id,
            )
            for job, each in islice(CatalogueRecords(database).failures(), after, after + number + 1)
        ]

    found = await state.store.read(page)
    more = str(after + number) if len(found) > number else None
    return schemas.Failures(failures=found[:number], next=more)


@health.get("/healthz", summary="Check that the process is up")
async def healthz() -> schemas.Status:
    """Always ok."""
    return schemas.Status(status="ok")


@health.get("/readyz", responses=problems(503), summary="Check that searches are answered")
async def readyz(request: Request) -> schemas.Status:
    """Ready when the models are loaded, the store can be read, and background work succeeds."""
    state: AppState | None = getattr(request.app.state, "service", None)
    if state is None:
        raise BusyError("the models are being loaded")
    await state.store.read(lambda database: database.generation())
    if state.health.failures:
        raise BusyError("searches are answered, but " + _summary(state.health.failures))
    return schemas.Status(status="ready")


def _summary(failures: Mapping[str, str]) -> str:
    """The failing work with the type of its error; the details are in the log only."""
    return "; ".join(f"{name} fails and is retried ({kind})" for name, kind in sorted(failures.items()))


def _models(state: AppState) -> schemas.Models:
    default, *others = state.served.models
    return schemas.Models(
        dataset=state.dataset.name, models=[_model(default, True), *(_model(each, False) for each in others)]
    )


def _model(served: ServedModel, default: bool) -> schemas.Model:
    specs = served.collection.model.specs
    return schemas.Model(
        name=served.name,
        default=default,
        dimension=served.state.base.manifest.dimension,
        precision=" and ".join(dict.fromkeys(spec.precision for spec in specs if spec.precision)),
        text=served.reads_text,
        match=served.matches,
        calibrated=served.collection.calibrated,
        licence=" and ".join(dict.fromkeys(spec.licence for spec in specs)),
        commercial_use=all(spec.commercial_use for spec in specs),
    )


def _failed(database: Database) -> Counter[tuple[str, str]]:
    """Number of failures by job and stage."""
    return Counter((job, each.stage) for job, each in CatalogueRecords(database).failures())


def _last_fit(state: AppState, database: Database) -> float | None:
    """When the recommendations of any served model were last written; None: never."""
    store = RecommendationStore(database, Folders(state.settings.root).trained_models, state.dataset)
    finished = (store.finished(model.collection.model.recipe.key) for model in state.served.models)
    return max((each for each in finished if each is not None), default=None)


def _catalogue(state: AppState, failed: Counter[tuple[str, str]], last_fit: float | None) -> schemas.Catalogue:
    folders, dataset = Folders(state.settings.root), state.dataset
    served = state.served
    default = served.model(None)
    products, images = default.state.counts
    return schemas.Catalogue(
        dataset=dataset.name,
        products=products,
        images=images,
        failures=[schemas.FailureCount(job=job, stage=stage, images=n) for (job, stage), n in sorted(failed.items())],
        last_fit=None if last_fit is None else _moment(last_fit),
        models=[
            schemas.ModelState(name=each.name, images=each.state.counts[1], index_bytes=_size(each.state.base.folder))
            for each in served.models
        ],
        store_bytes=_bytes(folders.database.parent.glob(f"{folders.database.name}*")),
        images_bytes=_size(upload_folder(state.settings, dataset)),
        attributes=[
            schemas.Attribute(
                name=facet.name,
                kind="number" if facet.bounds else "text",
                values=[schemas.AttributeValue(value=value, products=count) for value, count in facet.values],
                low=facet.bounds[0] if facet.bounds else None,
                high=facet.bounds[1] if facet.bounds else None,
            )
            for facet in facets_of(default.state.base)
        ],
    )


def _size(folder: Path) -> int:
    return _bytes(Path(at) / name for at, _, names in os.walk(folder) for name in names)


def _bytes(paths: Iterable[Path]) -> int:
    """Total size of files, any of which may be deleted meanwhile."""
    size = 0
    for path in paths:
        with suppress(OSError):
            size += path.stat().st_size
    return size


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
