"""The ASGI application: routes, middleware, error handlers, and the state held open while it runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware

from image_similarity import __version__
from image_similarity.service import metrics
from image_similarity.service.app_state import AppState
from image_similarity.service.guards.access import AccessLog
from image_similarity.service.guards.api_keys import FILE, ApiKeys
from image_similarity.service.guards.headers import SecurityHeaders
from image_similarity.service.guards.hosts import HostGuard
from image_similarity.service.guards.limits import BodyLimit, RateLimiter
from image_similarity.service.guards.load_shedding import LoadShedding
from image_similarity.service.openapi import problems
from image_similarity.service.problem_handlers import HANDLERS, unexpected
from image_similarity.service.routes import about, feedback, images, jobs, page, products, search
from image_similarity.service.routes.import_worker import ImportWorker
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from image_similarity.service.options import ServiceOptions
    from image_similarity.settings import Settings

BURST = 4  # seconds' worth of requests that a client may make at once
UNLIMITED = 1e9
BODIES = 10  # bodies of the largest size that fit in memory together: a few hundred megabytes
ANYWHERE = problems(401, 403, 429, 503)  # no key, a key of too small a scope, too many requests, a locked store


def create_app(
    options: ServiceOptions, settings: Settings, progress: Progress = no_progress, state: AppState | None = None
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        options: what is served, and within which limits.
        settings: where the workspace is.
        progress: reports steps of the start that take long.
        state: open state, which the caller closes; None: the application opens and closes its own.

    Raises:
        UsageError: a listed host or origin is malformed.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = state or AppState(options, settings, progress)
        app.state.import_worker = ImportWorker(app.state.service)
        app.state.import_worker.start()
        try:
            yield
        finally:
            await app.state.import_worker.stop()
            if state is None:
                app.state.service.close()

    measured = metrics.Metrics()
    app = FastAPI(
        title="image-similarity",
        version=__version__,
        summary="Visual product similarity: products that look like a photo, or like a product.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        middleware=_middleware(options, measured),
        exception_handlers=HANDLERS,
        routes=[*page.routes],
        openapi_url="/v1/openapi.json",
        docs_url=None,  # these pages load scripts from another site
        redoc_url=None,
    )
    for module in (search, products, images, feedback, jobs, about):
        app.include_router(module.router, prefix="/v1", responses=ANYWHERE)
    app.include_router(metrics.router, responses=ANYWHERE)
    app.include_router(about.health)
    app.state.metrics = measured
    app.state.keys = ApiKeys(settings.root / FILE) if options.requires_keys else None
    rate = options.rate or UNLIMITED
    app.state.limiter = RateLimiter(rate, burst=max(1, int(rate * BURST)))
    app.middleware_stack = app.build_middleware_stack()  # now: a malformed host is reported before the first request
    return app


def _middleware(options: ServiceOptions, measured: metrics.Metrics) -> list[Middleware]:
    """The middleware, outermost first."""
    cross_origin = Middleware(
        CORSMiddleware,
        allow_origins=options.cors_origins,
        allow_methods=("GET", "POST", "PUT", "DELETE"),
        allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-ID"),
        expose_headers=("Location", "Retry-After", "X-Request-ID"),
    )
    return [
        Middleware(AccessLog),
        Middleware(SecurityHeaders, cross_origin=bool(options.cors_origins)),
        Middleware(LoadShedding),
        Middleware(HostGuard, hosts=(options.host, *options.allowed_hosts), origins=options.cors_origins),
        *([cross_origin] if options.cors_origins else ()),
        Middleware(BodyLimit, most=options.max_body_bytes, together=BODIES * options.max_body_bytes),
        Middleware(metrics.RequestMetrics, metrics=measured),
        Middleware(ExceptionMiddleware, handlers={Exception: unexpected}),  # innermost: its response passes the others
    ]
