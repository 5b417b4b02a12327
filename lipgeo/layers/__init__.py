"""Read a layer of polygons from any vector file, as it comes."""

from lipgeo.layers.reading import (
    members,
    read_layer,
)

__all__ = [
    "members",
    "read_layer",
]
