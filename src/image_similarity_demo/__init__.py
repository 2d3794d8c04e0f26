"""A catalogue to try everything with: the products of an imaginary sports shop, drawn from a seed.

The drawing goes one way: ``stock`` chooses what is sold, ``families`` draws each product on a ``canvas``, ``shots``
takes the shop's images of it, and ``catalogue`` writes the files, with customers' photos by the library's simulator.
``demo`` fits that shop with the library's public names, as anybody would, and makes a page of what it answers.
"""

from image_similarity_demo.catalogue import SampleSummary, draw_sample
from image_similarity_demo.demo import DemoResult, run_demo
from image_similarity_demo.families import FAMILIES

__all__ = ["FAMILIES", "DemoResult", "SampleSummary", "draw_sample", "run_demo"]
