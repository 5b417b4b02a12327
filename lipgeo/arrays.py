"""Name the types of arrays, so that a signature says what an array holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Bytes", "Flags", "Floats", "Ints", "Ints32", "Shapes", "Texts"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
#: polygons, lines or points, as shapely keeps them
Shapes = npt.NDArray[np.object_]
#: text, as pandas keeps it
Texts = npt.NDArray[np.object_]
