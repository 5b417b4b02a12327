"""What is known of each census of a comparison, and how far correspondences lead back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lipgeo.census import Census
from lipgeo.correspondence import Correspondence
from lipgeo.errors import InputError, LipgeoError, TableError
from lipgeo.tables import CensusTable, Variable, variable
from lipgeo.tables.columns import parts_needed
from lipgeo.words import say

__all__ = ["Leg", "Tables", "as_of", "chain_to", "chosen_of", "legs_of"]

Tables = CensusTable | Sequence[CensusTable]


@dataclass(frozen=True)
class Leg:
    """What is known of one census."""

    year: int
    census: Census | None
    tables: dict[str, CensusTable]

    @property
    def base(self) -> CensusTable:
        """The table of the finest level."""
        return next(iter(self.tables.values()))

    def holds(self, name: str) -> bool:
        """Whether every table has what a variable is made from."""
        if not self.tables:
            return False
        try:
            needed = set(parts_needed(as_of(name, self)))
        except TableError:  # another census's table has it under a name of its own
            return False
        return all(needed <= set(table.columns) for table in self.tables.values())


def legs_of(given: Mapping[int, tuple[Census | None, Tables | None]]) -> list[Leg]:
    """Return the censuses given, oldest first, finest table first; refuse what cannot be."""
    if len(given) < 2:
        raise InputError("comparison.two_years", years=[str(year) for year in given])
    legs, wrong = [], []
    for year in sorted(given):
        census, tables = given[year]
        several = [tables] if isinstance(tables, CensusTable) else list(tables or ())
        if not several and year == max(given):
            raise InputError("comparison.no_table", year=str(year))
        wrong += [
            {"year": year, "table": table.vintage, "level": table.level}
            for table in several
            if table.vintage != year or table.level is None
        ]
        if census is not None and census.vintage != year:
            wrong.append({"year": year, "table": census.vintage, "level": "census"})
        order = ["DB", "DA"]
        several.sort(
            key=lambda table: (order.index(table.level) if table.level in order else 2, -len(table))
        )
        legs.append(Leg(int(year), census, {str(table.level): table for table in several}))
    if wrong:
        shown = [f"{one['year']}: {one['table']} {one['level']}" for one in wrong]
        raise TableError("comparison.other_year", wrong, tables=shown)
    if legs[-1].census is None:
        raise InputError("comparison.newest_closed", year=str(legs[-1].year))
    return legs


def chosen_of(legs: Sequence[Leg], variables: Sequence[str] | None) -> list[str]:
    """Return the names to compare: those asked for, else all the newest table can weight."""
    newest = legs[-1]
    if variables is None:
        return [name for name, one in newest.base.variables.items() if one.rule != "index"]
    if not any(newest.holds(name) for name in variables):
        # nothing could be compared with anything
        raise TableError(
            "comparison.no_variable",
            [{"variable": name} for name in variables],
            variables=list(variables),
        )
    lost = [name for name in variables if not any(leg.holds(name) for leg in legs)]
    if lost:
        raise TableError(
            "comparison.no_variable", [{"variable": name} for name in lost], variables=lost
        )
    return list(dict.fromkeys(variables))


def as_of(name: str, leg: Leg) -> Variable:
    """Return a variable as the census of a leg has it."""
    own = leg.base.variables.get(name) if leg.tables else None
    return own if own is not None else variable(name, leg.year)


def chain_to(
    links: Sequence[Correspondence], newest: int, year: int
) -> tuple[Correspondence | None, str]:
    """Return the correspondence from the newest census to a year, or why there is none."""
    found: Correspondence | None = None
    at = newest
    while at > year:
        steps = [one for one in links if one.vintage == at and one.old_vintage >= year]
        if not steps:
            return None, say("comparison.no_link", newest=str(at), year=str(year))
        same = [one for one in steps if found is not None and one.block_level == found.old_level]
        # by blocks on the way, so that nothing is lost there; by areas at the end
        step = min(
            same or steps,
            key=lambda one: (
                one.old_vintage,
                one.level != ("DA" if one.old_vintage == year else "DB"),
            ),
        )
        try:
            found = step if found is None else found.chain(step)
        except LipgeoError as error:
            return None, str(error)
        at = found.old_vintage
    return found, ""
