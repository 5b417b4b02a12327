"""Census attribute tables as they come: units, counts, parents and names.

:func:`read_attributes` reads the geographic attribute file of any census, the relationship file,
the attribute table of a boundary file and plain tables; the layouts are in ``layouts.toml``.
"""

from __future__ import annotations

from lipgeo.attributes.layouts import Layout, layout, layouts
from lipgeo.attributes.table import AttributeTable, from_frame, read_attributes

__all__ = ["AttributeTable", "Layout", "from_frame", "layout", "layouts", "read_attributes"]
