"""Convert float16 to float32 by shifting bits, several times as fast as NumPy's conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# IEEE 754: float16 has 1 + 5 + 10 bits, float32 1 + 8 + 23. Shifted by 13, the exponent and mantissa of a float16 lie
# where those of a float32 do; the biases differ by 127 - 15 = 112.
SHIFT, BIAS = 13, np.float32(2.0**112)
SIGN_AND_VALUE = np.array([0x8FFFE000], np.uint32).view(np.int32)[0]


def to_float32(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Finite ``float16`` values as ``float32``, exactly; ``float32`` values unchanged, without a copy."""
    if values.dtype != np.float16:
        return values.astype(np.float32, copy=False)
    singles = np.empty(values.shape, np.float32)
    write_float32(values, singles)
    return singles


def write_float32(values: NDArray[np.float16], singles: NDArray[np.float32]) -> None:
    """Write finite values as ``float32`` into a contiguous array of the same shape."""
    bits = singles.view(np.int32)
    bits[...] = np.ascontiguousarray(values).view(np.int16)
    np.left_shift(bits, SHIFT, out=bits)
    np.bitwise_and(bits, SIGN_AND_VALUE, out=bits)
    np.multiply(singles, BIAS, out=singles)
