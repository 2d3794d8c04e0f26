"""Security headers: the page may use the service's own files and API, every other response may do nothing."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The service's own files and responses, and images from memory (blob:): a chosen photo, one fetched with a key."""

ANSWER_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""A response that is opened directly in a browser is shown, and may load and run nothing."""

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
}


def is_page(path: str) -> bool:
    """Whether a path is that of the page or of one of its files."""
    return path == "/" or path.startswith("/page/")


class SecurityHeaders:
    """Adds the headers that a response has not set itself.

    ``cross_origin``: other sites may show the images; else only the service's own page may.
    """

    def __init__(self, app: ASGIApp, cross_origin: bool = False) -> None:
        self.app = app
        self.resources = "cross-origin" if cross_origin else "same-origin"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        page = is_page(scope["path"])
        defaults = EVERYWHERE | {
            "Content-Security-Policy": PAGE_POLICY if page else ANSWER_POLICY,
            "Cross-Origin-Resource-Policy": "same-origin" if page else self.resources,
            "Cache-Control": "no-cache" if page else "no-store",
        }

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in defaults.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)
