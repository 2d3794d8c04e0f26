"""The service's own errors, each with its HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from image_similarity.errors import ImageSimilarityError


class ServiceError(ImageSimilarityError):
    """A request that cannot be answered. The message may be shown to the client."""

    status = 500
    headers: ClassVar[Mapping[str, str]] = {}


class BadRequestError(ServiceError):
    """The body is malformed: invalid JSON, an invalid form, or one that ended too soon."""

    status = 400


class NotFoundError(ServiceError):
    """The requested product, image, photo or job does not exist."""

    status = 404


class ReadOnlyError(ServiceError):
    """The resource can be read, not changed."""

    status = 405
    headers: ClassVar[Mapping[str, str]] = {"Allow": "GET"}


class ConflictError(ServiceError):
    """The request conflicts with the current state."""

    status = 409


class UnsupportedError(ServiceError):
    """The body has a media type or charset that the route does not read."""

    status = 415


class UnusableError(ServiceError):
    """The request is well formed but cannot be carried out."""

    status = 422


class BusyError(ServiceError):
    """The service is overloaded: the client may retry later."""

    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}
