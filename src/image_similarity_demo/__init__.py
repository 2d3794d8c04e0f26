"""A sample catalogue: the products of an imaginary sports shop, drawn from a seed.

``stock`` chooses the products, ``families`` draws each of them on a ``canvas``, ``shots`` makes the images of it,
and ``catalogue`` writes the files, with customers' photos by the library's simulator. ``demo`` fits and searches that
shop with the library's public API, and writes a page with the results.
"""

from image_similarity_demo.catalogue import SampleSummary, draw_sample
from image_similarity_demo.demo import DemoResult, run_demo
from image_similarity_demo.families import FAMILIES

__all__ = ["FAMILIES", "DemoResult", "SampleSummary", "draw_sample", "run_demo"]
