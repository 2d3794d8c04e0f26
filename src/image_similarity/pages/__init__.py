"""Answers to one HTML page that carries its pictures inside and needs nothing from outside.

Fill in the records of :mod:`~image_similarity.pages.model`, then :func:`write` a file, :func:`render` a text, or show
a :func:`fragment` in a notebook.
"""

from image_similarity.pages.document import chunks, fragment, render, write
from image_similarity.pages.model import Card, Page, Picture, Row, Section

__all__ = ["Card", "Page", "Picture", "Row", "Section", "chunks", "fragment", "render", "write"]
