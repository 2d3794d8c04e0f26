"""A catalogue to try everything with: the products of an imaginary sports shop, drawn from a seed.

The drawing goes one way: ``stock`` chooses what is sold, ``families`` draws each product on a ``canvas``, ``shots``
takes the shop's pictures of it, ``photos`` its users' photos in ``scenes``, and ``catalogue`` writes the files.
"""

from image_similarity.sample.catalogue import SampleSummary, draw_sample

__all__ = ["SampleSummary", "draw_sample"]
