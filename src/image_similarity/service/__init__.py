"""The HTTP service: the API for a shop's web team, and the page for its merchandisers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.service.guards.api_keys import (
        FILE as FILE,
        ApiKeys as ApiKeys,
        KeyScope as KeyScope,
        utc_now as utc_now,
    )
    from image_similarity.service.options import ServiceOptions as ServiceOptions
    from image_similarity.service.running import run as run
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        guards__api_keys="ApiKeys FILE KeyScope utc_now",
        options="ServiceOptions",
        running="run",
    )
