"""Read AREAS of a command line, and check them for ``lipgeo check``.

AREAS are a file, registry ids, census units (``CSD:3501004,DPL:350123``), or a set that
``lipgeo compile`` wrote. A check looks at the file as it came, then at the areas, then at the
census.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lipgeo.cli.options import Reading, is_there
from lipgeo.cli.registry import registered_areas
from lipgeo.cli.reporting import open_store
from lipgeo.errors import AreaError, CRSError, LipgeoError, ZoneError

if TYPE_CHECKING:
    from lipgeo.areas.service_areas import ServiceAreas
    from lipgeo.census.census import Census
    from lipgeo.report import CheckReport

__all__ = ["check_areas", "listed_units", "read_areas"]


def read_areas(
    given: str, census: Census | None, reading: Reading, *, draft: bool = False
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
    from lipgeo.readers.areas import read_service_areas

    known = registered_areas(given, census, draft=draft)
    if known is not None:
        return known
    listed = listed_units(given)
    if listed is not None:
        return _area_of_units(given, listed, census, reading)
    return read_service_areas(given, census=census, **reading)


#: id of an area that is a list of units, where none is given
LISTED_ID = "area"


def listed_units(given: str) -> tuple[list[str], list[str]] | None:
    """Return the units that AREAS list and those they leave out; ``None`` where they are a file."""
    from lipgeo.readers.areas import units_in_words

    return None if is_there(given) else units_in_words(given)


def _area_of_units(
    given: str, listed: tuple[list[str], list[str]], census: Census | None, reading: Reading
) -> ServiceAreas:
    """Return the one area that a list of units on the command line is."""
    from lipgeo.areas.service_areas import ServiceAreas
    from lipgeo.errors import InputError

    if census is None:
        raise AreaError("readers.needs_census", path=given)
    area = reading["as_one"] or LISTED_ID
    others = [name for name, value in reading.items() if value and not name.startswith("as_one")]
    if others:
        options = [f"--{name.replace('_', '-')}" for name in others]
        raise InputError("cli.list_alone", areas=given, id=area, options=options)
    inside, outside = listed
    areas = ServiceAreas.from_units(
        {area: inside}, census, exclude={area: outside} if outside else None
    )
    return areas.with_names({area: (reading["as_one_name_en"], reading["as_one_name_fr"])})


def _as_findings(error: LipgeoError) -> CheckReport:
    """Turn an error about an input into a finding: a check tells, it does not stop."""
    from lipgeo.report import CheckReport, finding_of

    return CheckReport([finding_of(error)])


def _id_of(frame: Any, reading: Reading) -> str | None:
    """Return the column that names rows: the one given, or the one plainly meant."""
    from lipgeo.areas.fields import obvious_id

    named: str | None = reading["id"]
    if named or reading["as_one"] or reading["group_by"]:
        return named
    try:
        return obvious_id(frame.drop(columns=frame.geometry.name))
    except AreaError:
        return None


def check_areas(path: str, store: Path, vintage: int | None, reading: Reading) -> CheckReport:
    """Check a file of service areas, and against the census where a store is there.

    Parameters
    ----------
    path
        The file, or a list of units.
    store, vintage
        The census to hold it against; a store that does not exist is left out, with a note.
    reading
        Options of :func:`lipgeo.read_service_areas`.

    Raises
    ------
    FileError
        The file cannot be read at all.
    """
    from lipgeo.readers.areas import form_of, read_service_areas
    from lipgeo.readers.layers import read_layer
    from lipgeo.report import CheckReport, finding, notes_of
    from lipgeo.zones.zones import check_layer

    report = CheckReport()
    if listed_units(path) is not None:
        opened = open_store(store, vintage)
        try:
            listed = read_areas(path, opened, reading)
        except AreaError as error:
            return _as_findings(error)
        return listed.report + listed.against(opened)
    if form_of(path) == "layer":
        given = {name: reading[name] for name in ("layer", "encoding", "crs")}
        try:
            frame = read_layer(path, **given)
        except (CRSError, ZoneError) as error:
            return _as_findings(error)
        rows = frame.set_axis(range(1, len(frame) + 1))  # the first is 1, as elsewhere
        report += notes_of(frame) + check_layer(rows, _id_of(rows, reading))
    census = open_store(store, vintage) if is_there(store) else None
    if census is None:
        report += CheckReport([finding("cli.no_store", "note", store, store=store)])
    try:
        areas = read_service_areas(path, census=census, **reading)
    except (AreaError, CRSError, ZoneError) as error:
        if error.key == "areas.no_such_column":  # the call is wrong, not the file
            raise
        return report + _as_findings(error)
    already = {found.message for found in report}
    report += CheckReport(f for f in areas.report if f.message not in already)
    return report if census is None else report + areas.against(census)
