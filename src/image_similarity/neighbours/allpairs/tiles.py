"""Fast dot products of blocks of rows by OpenVINO, in bfloat16 where the processor has it."""

from __future__ import annotations

from threading import Lock, local
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.models import import_openvino
from image_similarity.neighbours.float16 import write_float32
from image_similarity.util.memory import release
from image_similarity.util.processors import processors

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 1024  # rows of a tile: its scores, 4 MB, stay in the processor's cache
# The most that a score of two unit vectors can be off. bfloat16 keeps 8 bits: each factor is off by at most 2**-9 of
# itself, and the sum of |x * y| of two unit vectors is at most 1. Stored vectors are of unit length to three decimals.
ERROR = {"bf16": 2.0**-8 * 1.01, "f32": 2e-5}


class Tiles:
    """The scores of tiles of a matrix against each other.

    Args:
        vectors: ``(n, dimension)`` float16, about unit length; not copied.

    :meth:`scores` is thread-safe; each call uses one core.
    """

    def __init__(self, vectors: NDArray[np.float16]) -> None:
        openvino = import_openvino()
        from openvino import opset13 as ops

        self._vectors = np.asarray(vectors)
        self.count = -(-len(vectors) // SIDE)
        core = openvino.Core()
        precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        self.error = ERROR[precision]
        shape = [SIDE, vectors.shape[1]]
        # Not float16: OpenVINO never releases the memory of its conversion, 10 MB for each compiled model.
        sides = [ops.parameter(shape, openvino.Type.f32) for _ in range(2)]
        product = ops.matmul(*sides, False, True)
        cores = processors()
        self._compiled = core.compile_model(
            openvino.Model([product], sides),
            "CPU",
            {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores},
        )
        self._of_thread, self._create_lock = local(), Lock()

    def rows(self, tile: int) -> slice:
        """The rows of a tile; the last tile may have fewer."""
        return slice(tile * SIDE, min((tile + 1) * SIDE, len(self._vectors)))

    def scores(self, first: int, second: int) -> NDArray[np.float32]:
        """The scores of two tiles, ``(rows of first, rows of second)``, each off by at most ``error``.

        Valid until this thread's next call. Fastest where ``second`` is the same as in this thread's previous call.
        """
        return self.against(self._vectors[self.rows(first)], self._vectors[self.rows(second)], second)

    def against(
        self, first: NDArray[np.float16], second: NDArray[np.float16], key: int | None = None
    ) -> NDArray[np.float32]:
        """As :meth:`scores`, of any two blocks of at most ``SIDE`` rows. Pages read of a memory map are released.

        ``key``: identifies ``second``, which is not copied again where the previous call had the same key.
        """
        state = self._of_thread
        if not hasattr(state, "request"):
            # One at a time: two threads that each create a tensor of OpenVINO can deadlock.
            with self._create_lock:
                state.request, state.sides, state.scores = self._create_request()
                state.key = None
        _copy(first, state.sides[0])
        if key is None or key != state.key:
            _copy(second, state.sides[1])
        state.key = key
        state.request.infer()
        scores: NDArray[np.float32] = state.scores
        return scores[: len(first), : len(second)]

    def _create_request(self) -> tuple[Any, list[NDArray[np.float32]], NDArray[np.float32]]:
        """An inference request, and its inputs and its output as arrays."""
        request = self._compiled.create_infer_request()
        return request, [request.get_input_tensor(i).data for i in range(2)], request.get_output_tensor(0).data


def _copy(block: NDArray[np.float16], side: NDArray[np.float32]) -> None:
    write_float32(block, side[: len(block)])
    side[len(block) :] = 0
    release(block)
