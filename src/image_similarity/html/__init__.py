"""Write results as one HTML page with its images inside: no scripts, nothing loaded from elsewhere.

Fill in the records of :mod:`~image_similarity.html.page`, then :func:`write` them to a file, or show a
:func:`fragment` in a notebook.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.html.document import (
        fragment as fragment,
        write as write,
    )
    from image_similarity.html.page import (
        Card as Card,
        CardImage as CardImage,
        Figure as Figure,
        Page as Page,
        Plot as Plot,
        Point as Point,
        Row as Row,
        Section as Section,
        Table as Table,
        Why as Why,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        document="fragment write",
        page="Card Figure Page CardImage Plot Point Row Section Table Why",
    )
