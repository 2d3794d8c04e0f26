"""The application: every route, and around them what every request passes through."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from image_similarity import __version__
from image_similarity.service import metrics, schemas
from image_similarity.service.app_state import Desk
from image_similarity.service.guards.access import AccessLog
from image_similarity.service.guards.headers import SecurityHeaders
from image_similarity.service.guards.hosts import Guard
from image_similarity.service.guards.keys import FILE, Keys
from image_similarity.service.guards.limits import BodyLimit, RateLimiter
from image_similarity.service.guards.load_shedding import TurnAway
from image_similarity.service.problem_handlers import add_handlers, problems
from image_similarity.service.routes import about, products
from image_similarity.service.routes import images_and_feedback as sharing
from image_similarity.service.routes import jobs as importing
from image_similarity.service.routes import search as searching
from image_similarity.service.routes.import_worker import Importer
from image_similarity.service.routes.page_files import page_routes
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from starlette.types import ASGIApp

    from image_similarity.service.options import ServiceOptions
    from image_similarity.settings import Settings

BURST = 4  # seconds' worth of requests that a client may make at once
UNLIMITED = 1e9
BODIES = 10  # of the largest that there may be, in hand at once: a few hundred megabytes
ANYWHERE = (401, 403, 429, 503)  # no key, one that may not, too many requests, a store that is locked
RECORDS = (
    schemas.SearchRequest,
    schemas.ProductChange,
    schemas.JobRequest,
    schemas.Mark,
    schemas.Problem,
)
ALLOWED_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-ID")


def create_app(
    options: ServiceOptions, settings: Settings, progress: Progress = no_progress, desk: Desk | None = None
) -> ASGIApp:
    """The service as an ASGI application.

    Args:
        options: what is served, and within which limits.
        settings: where the workspace is.
        progress: told of what takes long at the start.
        desk: what is open already, and closed by whoever opened it; None: it is opened when the application starts.
    """
    app = routes(options, settings, progress, desk)
    counted: ASGIApp = app.state.metrics.around(app)
    inner: ASGIApp = BodyLimit(counted, lambda _: options.max_body_bytes, BODIES * options.max_body_bytes)
    if options.origins:
        inner = CORSMiddleware(
            inner,
            allow_origins=options.origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=ALLOWED_HEADERS,
            expose_headers=("Location", "Retry-After", "X-Request-ID"),
        )
    guarded = Guard(inner, (options.host, *options.hosts), options.origins)

    def full() -> bool:
        """Whether there are as many searches as there may be."""
        desk: Desk | None = getattr(app.state, "desk", None)
        return desk is not None and desk.searching >= options.queue

    return AccessLog(SecurityHeaders(TurnAway(guarded, full), cross_origin=bool(options.origins)))


def routes(
    options: ServiceOptions, settings: Settings, progress: Progress = no_progress, desk: Desk | None = None
) -> FastAPI:
    """The routes alone."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.desk = desk or Desk(options, settings, progress)
        app.state.importer = Importer(app.state.desk)
        app.state.importer.start()
        try:
            yield
        finally:
            await app.state.importer.stop()
            if desk is None:
                app.state.desk.close()

    app = FastAPI(
        title="image-similarity",
        version=__version__,
        summary="Visual product similarity: products that look like a photo, or like a product.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # they are pages of another site's scripts
        redoc_url=None,
    )
    app.state.metrics = metrics.Metrics()
    app.state.keys = Keys(settings.root / FILE) if options.wants_keys else None
    rate = options.rate or UNLIMITED
    app.state.limiter = RateLimiter(rate, burst=max(1, int(rate * BURST)))
    add_handlers(app)
    for router in (searching.router, products.router, sharing.router, importing.router, about.router):
        app.include_router(router, prefix="/v1", responses=problems(*ANYWHERE))
    app.include_router(metrics.router, responses=problems(*ANYWHERE))
    app.include_router(about.health)
    app.router.routes.extend(page_routes())
    _complete(app)
    return app


def _complete(app: FastAPI) -> None:
    """Let OpenAPI know the records of problems, and of the bodies that routes read themselves."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            known = schema.setdefault("components", {}).setdefault("schemas", {})
            for record in RECORDS:
                own = record.model_json_schema(ref_template="#/components/schemas/{model}")
                known.update(own.pop("$defs", {}))
                known[record.__name__] = own
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
