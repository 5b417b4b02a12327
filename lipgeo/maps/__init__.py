"""Own pictures of boundaries: a page that opens with no network, and one sheet of paper."""

from __future__ import annotations

from lipgeo.maps.preview import PreviewMap, preview

__all__ = ["PreviewMap", "preview"]
