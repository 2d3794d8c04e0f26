"""The errors that only a service has. Each knows its HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from image_similarity.errors import ImageSimilarityError


class ServiceError(ImageSimilarityError):
    """A request that cannot be answered as it was asked."""

    status = 500
    headers: ClassVar[Mapping[str, str]] = {}


class BadRequestError(ServiceError):
    """The request is not what it says it is: no JSON, no form, a body that ended too soon."""

    status = 400


class NotThereError(ServiceError):
    """There is no such thing."""

    status = 404


class ReadOnlyError(ServiceError):
    """There is such a thing, but it can only be looked at."""

    status = 405
    headers: ClassVar[Mapping[str, str]] = {"Allow": "GET"}


class ConflictError(ServiceError):
    """The request contradicts what there is."""

    status = 409


class UnsupportedError(ServiceError):
    """The body is of a kind that is not read here."""

    status = 415


class UnusableError(ServiceError):
    """The request is well formed and cannot be carried out."""

    status = 422


class BusyError(ServiceError):
    """There is more to do than can be done: come back later."""

    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}
