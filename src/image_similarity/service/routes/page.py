"""The page: `/` and its files under `/page/`, served from the package. Not part of the OpenAPI document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class PageFiles(StaticFiles):
    """Static files with fixed media types: the machine's own table may differ, and browsers insist on these."""

    def file_response(self, full_path: Any, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(full_path, *arguments, **options)
        if "content-type" in response.headers:
            response.headers["content-type"] = KINDS[Path(full_path).suffix]
        return response


FILES = PageFiles(packages=[("image_similarity.service", "page")])


async def index(request: Request) -> Response:
    """The page's HTML."""
    return await FILES.get_response("index.html", request.scope)


routes = (Route("/", index), Mount("/page", FILES))
