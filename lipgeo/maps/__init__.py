"""Preview maps: one HTML file that opens with no network."""

from lipgeo.maps.preview import PreviewMap, preview

__all__ = ["PreviewMap", "preview"]
