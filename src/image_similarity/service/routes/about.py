"""What the service says of itself: models, the catalogue's state, failures, health."""

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

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from image_similarity.fitting.upsert import uploads
from image_similarity.index.facets import facets
from image_similarity.service import schemas
from image_similarity.service.errors import BusyError
from image_similarity.service.problem_handlers import problems
from image_similarity.service.routing import answered, desk_of, may_read
from image_similarity.settings import Folders
from image_similarity.store.recommendations import RecommendationStore
from image_similarity.store.records import CatalogueRecords

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from image_similarity.service.answering.served_model import ServedModel
    from image_similarity.service.app_state import Desk
    from image_similarity.store.database import Database

router = APIRouter(tags=["about"], dependencies=[Depends(may_read)])
health = APIRouter(tags=["about"])
FAILURES = 50  # on a page


@router.get("/models", response_model=schemas.Models, summary="The models that answer")
async def models(request: Request) -> Response:
    """The first answers where a request names none."""
    desk = desk_of(request)
    return answered(await asyncio.to_thread(_models, desk))


@router.get("/catalogue", response_model=schemas.Catalogue, summary="The state of the catalogue")
async def catalogue(request: Request) -> Response:
    """Counts, failures, sizes on disk, and what products can be filtered by."""
    desk = desk_of(request)
    failed = await desk.store.read(_failed)
    last_fit = await desk.store.read(partial(_last_fit, desk))
    return answered(await asyncio.to_thread(_catalogue, desk, failed, last_fit))


@router.get("/failures", response_model=schemas.Failures, responses=problems(422), summary="Images that are no use")
async def failures(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**53, description="The `next` of the page before.")] = 0,
    number: Annotated[int, Query(ge=1, le=schemas.MOST_NUMBER)] = FAILURES,
) -> Response:
    """Of the latest extract and of the latest fit, with the reasons."""

    def some(database: Database) -> list[schemas.Failure]:
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

    found = await desk_of(request).store.read(some)
    more = str(after + number) if len(found) > number else None
    return answered(schemas.Failures(failures=found[:number], next=more))


@health.get("/healthz", response_model=schemas.Status, summary="Whether the process is up")
async def healthz() -> Response:
    """Always ok where anything answers."""
    return answered(schemas.Status(status="ok"))


@health.get("/readyz", response_model=schemas.Status, responses=problems(503), summary="Whether searches are answered")
async def readyz(request: Request) -> Response:
    """Whether the models are loaded and the store can be read."""
    desk = getattr(request.app.state, "desk", None)
    if desk is None:
        raise BusyError("the models are being loaded")
    await desk.store.read(lambda database: database.generation())
    if desk.health.troubles:
        raise BusyError("searches are answered, but " + _troubles(desk.health.troubles))
    return answered(schemas.Status(status="ready"))


def _troubles(troubles: Mapping[str, str]) -> str:
    """What does not go well, without what only the machine's owner is to read in the log."""
    return "; ".join(f"{name} fails and is tried again ({kind})" for name, kind in sorted(troubles.items()))


def _models(desk: Desk) -> schemas.Models:
    default, *others = desk.lineup.models
    return schemas.Models(
        dataset=desk.dataset.name, models=[_model(default, True), *(_model(each, False) for each in others)]
    )


def _model(served: ServedModel, default: bool) -> schemas.Model:
    specs = served.chosen.specs
    return schemas.Model(
        name=served.name,
        default=default,
        dimension=served.state.base.manifest.dimension,
        precision=" and ".join(dict.fromkeys(spec.precision for spec in specs if spec.precision)),
        text=served.text is not None,
        like=served.likes,
        calibrated=served.calibrated,
        licence=" and ".join(dict.fromkeys(spec.licence for spec in specs)),
        commercial_use=all(spec.commercial_use for spec in specs),
    )


def _failed(database: Database) -> Counter[tuple[str, str]]:
    """Failures by job and stage."""
    return Counter((job, each.stage) for job, each in CatalogueRecords(database).failures())


def _last_fit(desk: Desk, database: Database) -> float | None:
    """When recommendations of one of the models were last written."""
    store = RecommendationStore(database, Folders(desk.settings.root).trained_models, desk.dataset)
    finished = (store.finished(model.state.recipe.key) for model in desk.lineup.models)
    return max((each for each in finished if each is not None), default=None)


def _catalogue(desk: Desk, failed: Counter[tuple[str, str]], last_fit: float | None) -> schemas.Catalogue:
    folders, dataset = Folders(desk.settings.root), desk.dataset
    lineup = desk.lineup
    default = lineup.model(None)
    products, images = default.state.counts
    return schemas.Catalogue(
        dataset=dataset.name,
        products=products,
        images=images,
        failures=[schemas.FailureCount(job=job, stage=stage, images=n) for (job, stage), n in sorted(failed.items())],
        last_fit=None if last_fit is None else _moment(last_fit),
        models=[
            schemas.ModelState(name=each.name, images=each.state.counts[1], index_bytes=_size(each.state.base.folder))
            for each in lineup.models
        ],
        store_bytes=_bytes(folders.database.parent.glob(f"{folders.database.name}*")),
        pictures_bytes=_size(uploads(desk.settings, dataset)),
        attributes=[
            schemas.Attribute(
                name=facet.name,
                kind="number" if facet.bounds else "text",
                values=[schemas.AttributeValue(value=value, products=count) for value, count in facet.values],
                low=facet.bounds[0] if facet.bounds else None,
                high=facet.bounds[1] if facet.bounds else None,
            )
            for facet in facets(default.state.base)
        ],
    )


def _size(folder: Path) -> int:
    return _bytes(Path(at) / name for at, _, names in os.walk(folder) for name in names)


def _bytes(paths: Iterable[Path]) -> int:
    """Of files that may go while they are looked at."""
    size = 0
    for path in paths:
        with suppress(OSError):
            size += path.stat().st_size
    return size


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
