"""``/metrics``: numbers of requests, their duration and the searches waiting, for Prometheus."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response

from image_similarity.service.dependencies import State, may_admin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

router = APIRouter(tags=["about"], dependencies=[may_admin])
SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)
UNKNOWN = "none"  # a path without a route: clients' paths must not become names of series


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("image_similarity_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "image_similarity_seconds",
            "Seconds until the response began.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.searching = Gauge("image_similarity_searching", "Searches running or waiting.", registry=self.registry)
        self.images = Gauge("image_similarity_images", "Images in the index.", ("model",), registry=self.registry)


class RequestMetrics:
    """Counts requests and measures the time until their response begins."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = _route(scope)
                self.metrics.requests.labels(scope["method"], route, message["status"]).inc()
                self.metrics.seconds.labels(scope["method"], route).observe(perf_counter() - began)
            await send(message)

        await self.app(scope, receive, counted)


def _route(scope: Scope) -> str:
    path: str = getattr(scope.get("route"), "path", UNKNOWN)
    return f"/v1{path}" if scope["path"].startswith("/v1/") and not path.startswith("/v1/") else path


@router.get("/metrics", response_class=Response, summary="Get metrics for Prometheus")
async def metrics(request: Request, state: State) -> Response:
    """In Prometheus' text format."""
    measured: Metrics = request.app.state.metrics
    measured.searching.set(state.searching)
    measured.images.clear()  # removes models that are no longer served
    for model in state.served.models:
        measured.images.labels(model.name).set(model.state.counts[1])
    return Response(generate_latest(measured.registry), media_type=CONTENT_TYPE_LATEST)
