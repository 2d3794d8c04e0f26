"""The errors that only a service has. Each knows its HTTP status."""

from __future__ import annotations

from image_similarity.errors import ImageSimilarityError


class ServiceError(ImageSimilarityError):
    """A request that cannot be answered as it was asked."""

    status = 500
    title = "Internal error"


class BadRequestError(ServiceError):
    """The request is not what it says it is: no JSON, no form, a file that is missing."""

    status = 400
    title = "Bad request"


class NotThereError(ServiceError):
    """There is no such thing."""

    status = 404
    title = "Not found"


class ReadOnlyError(ServiceError):
    """There is such a thing, but it can only be looked at."""

    status = 405
    title = "Method not allowed"


class ConflictError(ServiceError):
    """The request contradicts what there is."""

    status = 409
    title = "Conflict"


class UnsupportedError(ServiceError):
    """The body is of a kind that is not read here."""

    status = 415
    title = "Unsupported media type"


class UnusableError(ServiceError):
    """The request is well formed and cannot be carried out."""

    status = 422
    title = "Unusable request"


class BusyError(ServiceError):
    """There is more to do than can be done: come back later."""

    status = 503
    title = "Busy"
    retry_after = 1
    """Seconds."""
