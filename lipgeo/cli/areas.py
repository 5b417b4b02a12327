"""AREAS on a command line: a file, registry ids, or a set that ``lipgeo compile`` wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lipgeo.cli.registry import registered_areas

if TYPE_CHECKING:
    from lipgeo.areas import ServiceAreas
    from lipgeo.census import Census

__all__ = ["read_areas"]


def read_areas(
    given: str, census: Census | None, reading: dict[str, Any], *, draft: bool = False
) -> ServiceAreas:
    """Read AREAS.

    Parameters
    ----------
    given
        What stands on the command line.
    census
        The opened census, if any.
    reading
        Options of :func:`lipgeo.read_service_areas`, for files.
    draft
        Whether registry entries that are not settled go on as drafts.
    """
    from lipgeo.readers import read_service_areas

    known = registered_areas(given, census, draft=draft)
    return read_service_areas(given, census=census, **reading) if known is None else known
