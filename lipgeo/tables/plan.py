"""``Plan``: which counts of a long table are summed, for whom, and by what weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lipgeo.tables.columns import Reader, rounding_of
from lipgeo.tables.family import Family
from lipgeo.tables.pairs import Pairs
from lipgeo.tables.variables import Variable

__all__ = ["Cell", "Plan", "groups_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: measure of what nothing else is known of: what the crosswalk weighs by
_WEIGHT = "weight"


class Cell(NamedTuple):
    """Where a variable stands in the long table, and what no cell of it can exceed.

    Attributes
    ----------
    characteristic
        Its characteristic.
    column
        Its column of values (``total``).
    whole
        Characteristic of its denominator, ``None`` where that is no ceiling.
    """

    characteristic: int
    column: str
    whole: int | None


class _Rule(NamedTuple):
    """What cells of one characteristic are summed by."""

    characteristic: int
    whole: int | None
    limit: float
    held: int
    ceiling: int


@dataclass(frozen=True)
class Plan:
    """What the expression joins the table with, and how its result is read.

    Attributes
    ----------
    variables, cells
        The counts asked for, and where they stand.
    columns
        Columns of values that are summed.
    rules
        ``v, characteristic, whole, limit, held, ceiling``: one row a way of summing.
    rule
        Row of ``rules`` by variable.
    homes
        One row a source in the table: ``unit, group_id`` (the target it lies in wholly, else -1)
        and for each kind of measure ``held, inverse``, numbered.
    links
        ``unit, group_id`` and weights of units that give less than all, or to more than one;
        ``kept`` on the first of a unit's.
    places
        Homes and links together, as lost cells are summed: ``once`` is 1 for homes alone.
    kin
        ``unit, group_id, share`` of groups that are no targets: parents, splits, units of none.
    pairs, family
        The crosswalk.
    kinds
        Measure by source, one a kind: people, dwellings, what the crosswalk weighs by.
    absent
        Sources that the table does not hold.
    level, vintage
        Of the table.
    """

    variables: tuple[Variable, ...]
    cells: tuple[Cell, ...]
    columns: tuple[str, ...]
    rules: pd.DataFrame
    rule: Ints
    homes: pd.DataFrame
    links: pd.DataFrame
    places: pd.DataFrame
    kin: pd.DataFrame
    pairs: Pairs
    family: Family | None
    kinds: Mapping[str, Floats]
    absent: npt.NDArray[np.bool_]
    level: str | None
    vintage: int | None

    @classmethod
    def of(
        cls,
        variables: Sequence[Variable],
        cells: Sequence[Cell],
        units: Ints,
        reader: Reader,
        family: Family | None,
    ) -> Plan:
        """Plan the sums of some counts.

        Parameters
        ----------
        variables, cells
            The counts, and where each stands.
        units
            Number of each source in the long table, -1 where it is not in it.
        reader
            The table's people, dwellings and households by source, as far as it has them.
        family
            Parents to sum besides.
        """
        pairs = reader.pairs
        held = [reader.held_kind(one) or _WEIGHT for one in variables]
        ceilings = [
            one.ceiling
            if one.ceiling is not None and reader.counted(one.ceiling) is not None
            else None
            for one in variables
        ]
        kinds = {
            kind: pairs.held if kind == _WEIGHT else np.asarray(reader.counted(kind))
            for kind in dict.fromkeys([*held, *(c for c in ceilings if c is not None)])
        }
        number = {kind: at for at, kind in enumerate(kinds)}
        table = reader.table
        rules: dict[_Rule, int] = {}
        rule = [
            rules.setdefault(
                _Rule(
                    cell.characteristic,
                    cell.whole,
                    rounding_of(one, table.level).limit,
                    number[measure],
                    -1 if ceiling is None else number[ceiling],
                ),
                len(rules),
            )
            for one, cell, measure, ceiling in zip(variables, cells, held, ceilings, strict=True)
        ]
        frame = pd.DataFrame(list(rules), columns=list(_Rule._fields))
        frame.insert(0, "v", np.arange(len(frame), dtype=np.int32))
        measures = list(kinds.values())
        homes = _homes(pairs, units, measures)
        links = _links(pairs, units, measures)
        return cls(
            variables=tuple(variables),
            cells=tuple(cells),
            columns=tuple(dict.fromkeys(cell.column for cell in cells)),
            rules=frame.astype({"characteristic": "int32", "whole": "Int32"}),
            rule=np.array(rule, dtype=np.int64),
            homes=homes.drop(columns=["target", "once"]),
            links=links.drop(columns=["touching", *_held(links)]),
            places=_places(homes, links),
            kin=_kin(pairs, family, units, measures),
            pairs=pairs,
            family=family,
            kinds=kinds,
            absent=units < 0,
            level=table.level,
            vintage=table.vintage,
        )

    @property
    def by_whole(self) -> bool:
        """Whether some denominator is a ceiling."""
        return bool(self.rules["whole"].notna().any())


def _whole(pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Return the pairs that give all a source holds."""
    return np.asarray(pairs.inside & (pairs.share == 1.0))


def _home(pairs: Pairs) -> Ints:
    """Return the first target each source lies in wholly, -1 where in none."""
    rows = np.flatnonzero(_whole(pairs))[::-1]
    home = np.full(len(pairs.sources), -1, dtype=np.int64)
    home[pairs.source[rows]] = pairs.target[rows]
    return home


def _homes(pairs: Pairs, units: Ints, kinds: Sequence[Floats]) -> pd.DataFrame:
    """Return each source at home, and again for every other target it lies in wholly."""
    home = _home(pairs)
    rows = np.flatnonzero(_whole(pairs))
    again = rows[pairs.target[rows] != home[pairs.source[rows]]]
    source = np.concatenate([np.arange(len(home)), pairs.source[again]])
    target = np.concatenate([home, pairs.target[again]])
    once = np.arange(len(source)) < len(home)
    frame = pd.DataFrame(
        {
            "unit": units[source].astype(np.int32),
            "target": target.astype(np.int32),
            "once": once.astype(np.float64),
            # apart, so that a sum of homes counts nothing twice
            "group_id": np.where(once, target, target + len(pairs.targets)).astype(np.int32),
        }
    )
    for at, held in enumerate(kinds):
        frame[f"held_{at}"] = held[source]
        inverse = np.divide(1.0, held, out=np.zeros(len(held)), where=held > 0)
        frame[f"inverse_{at}"] = inverse[source]
    return frame[frame["unit"] >= 0].reset_index(drop=True)


def groups_of(pairs: Pairs, family: Family | None, kinds: int) -> dict[str, range]:
    """Return the numbers of the groups: targets, once more, parents, splits, and units of none."""
    sizes = {
        "target": len(pairs.targets),
        "again": len(pairs.targets),
        "parent": 0 if family is None else family.unions.shape[0],
        "split": 0 if family is None else family.fine.shape[0],
        "empty": kinds,
    }
    starts = np.concatenate([[0], np.cumsum(list(sizes.values()))])
    return {name: range(starts[at], starts[at + 1]) for at, name in enumerate(sizes)}


def _links(pairs: Pairs, units: Ints, kinds: Sequence[Floats]) -> pd.DataFrame:
    """Return the pairs that give less than all."""
    rest = np.flatnonzero(~_whole(pairs))
    touching = pairs.inside | pairs.straddling | (pairs.share > 0)
    parts = [
        pd.DataFrame(
            {
                "source": pairs.source[rest],
                "group_id": pairs.target[rest],
                "share": pairs.share[rest],
                "inside": pairs.inside[rest].astype(np.float64),
                "straddling": pairs.straddling[rest].astype(np.float64),
                "touching": touching[rest].astype(np.float64),
                "doubt": pairs.doubt[rest],
            }
        )
    ]

    # what lies at home nowhere is kept but for what is shared out, which its first link says
    kept = pairs.kept - (_home(pairs) < 0)
    linked = np.zeros(len(kept), dtype=bool)
    linked[pairs.source[rest]] = True
    source = np.flatnonzero((kept != 0) & ~linked)
    parts.append(pd.DataFrame({"source": source, "group_id": 0, "share": 0.0}))
    links = pd.concat(parts, ignore_index=True).fillna(0.0)
    links["square"] = links["share"] ** 2
    links["kept"] = np.where(links["source"].duplicated(), 0.0, kept[links["source"]])
    links["unit"] = units[links["source"]].astype(np.int32)
    for at, held in enumerate(kinds):
        links[f"held_{at}"] = held[links["source"]]
    links = links[links["unit"] >= 0].drop(columns="source")
    return links.astype({"group_id": "int32"}).reset_index(drop=True)


def _held(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if name.startswith("held_")]


def _places(homes: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Return homes and links as one frame of weights."""
    whole = homes[["unit", "once", *_held(homes)]].assign(
        group_id=homes["target"], share=1.0, square=1.0, inside=1.0, straddling=0.0, touching=1.0
    )
    part = links.drop(columns=["doubt", "kept"]).assign(once=0.0)
    return pd.concat([whole, part[whole.columns]], ignore_index=True)


def _kin(pairs: Pairs, family: Family | None, units: Ints, kinds: Sequence[Floats]) -> pd.DataFrame:
    """Return what is summed for groups that are no targets."""
    groups = groups_of(pairs, family, len(kinds))
    parts = []
    if family is not None:
        for name, matrix in (("parent", family.unions), ("split", family.fine)):
            held = matrix.tocoo()
            parts.append((family.rows[held.col], groups[name].start + held.row, held.data))
    for at, held in enumerate(kinds):
        source = np.flatnonzero(~(held > 0))
        group = np.full(len(source), groups["empty"].start + at)
        parts.append((source, group, np.ones(len(source))))
    source, group, share = (np.concatenate(some) for some in zip(*parts, strict=True))
    frame = pd.DataFrame(
        {"unit": units[source], "group_id": group, "share": share.astype(np.float64)}
    )
    kept = frame[frame["unit"] >= 0].reset_index(drop=True)
    return kept.astype({"unit": "int32", "group_id": "int32"})
