"""Answers to one HTML page that carries its pictures inside and needs nothing from outside.

Fill in the records of :mod:`~image_similarity.html.page`, then :func:`write` a file, :func:`render` a text, or show
a :func:`fragment` in a notebook.
"""

from image_similarity.html.document import chunks, fragment, render, write
from image_similarity.html.page import Card, Figure, Page, Picture, Plot, Point, Row, Section, Table

__all__ = [
    "Card",
    "Figure",
    "Page",
    "Picture",
    "Plot",
    "Point",
    "Row",
    "Section",
    "Table",
    "chunks",
    "fragment",
    "render",
    "write",
]
