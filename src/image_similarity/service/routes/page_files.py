"""The page's files: `/` and `/page/{name}`, straight from the package."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
FIRST = "index.html"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",  # blob: a photo before it is sent, and pictures that were fetched with a key
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may load: its own files and this service's answers, nothing else."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of the page, as it is sent."""

    body: bytes
    headers: dict[str, str]


def page_files() -> dict[str, PageFile]:
    """Every file of the page by its name. They are small, so they are read once and kept."""
    folder = resources.files("image_similarity.service") / "page"
    found = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        kind = KINDS.get(entry.name.rpartition(".")[2])
        if kind:
            body = entry.read_bytes()
            headers = {
                "Content-Type": kind,
                "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
                "Cache-Control": "no-cache",  # kept, but asked for again: an update is seen at once
                "Content-Security-Policy": POLICY,
            }
            found[entry.name] = PageFile(body, headers)
    return found


def page_routes() -> list[Route]:
    """Routes for the application: `/` is the page, `/page/{name}` are its files; other names raise a 404."""
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    files = page_files()

    async def answer(request: Request) -> Response:
        name = request.path_params.get("name", FIRST)
        if name not in files:
            raise HTTPException(404, f"the page has no file {name!r}")
        return _sent(files[name], request.headers.get("if-none-match", ""))

    # Not part of the API, so neither is in its description.
    return [Route(path, answer, methods=["GET"], include_in_schema=False) for path in ("/", "/page/{name}")]


def _sent(file: PageFile, known: str) -> Response:
    """The file, or 304 for who has it. ``known``: the request's If-None-Match."""
    from starlette.responses import Response

    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    if file.headers["ETag"] in tags:
        return Response(status_code=304, headers={k: v for k, v in file.headers.items() if k != "Content-Type"})
    return Response(file.body, headers=file.headers)
