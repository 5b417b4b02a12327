"""Check an order's areas against every confidentiality floor, and against one another.

Each area is held against the floors of its vintage and of its tables; areas are held against one
another and against earlier orders, for what could be found by subtraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lipgeo.census.around import STANDARD
from lipgeo.geography.floors import floor_universes, floors, floors_of_universe
from lipgeo.geography.hierarchy import has_trait, parents_by_id
from lipgeo.order.content import Content
from lipgeo.order.differencing import Difference, Published, differences
from lipgeo.order.manifest import OldOrder, earlier_areas
from lipgeo.report import CheckReport, Finding, finding

if TYPE_CHECKING:
    from lipgeo.boundary.boundaries import Boundaries

__all__ = [
    "check_cells",
    "check_differences",
    "check_income",
    "check_reserves",
    "confidentiality",
    "margins",
]

#: a block's population below this is rounded to base 5 by Statistics Canada: off by up to 4
_ROUNDED_BLOCK = 15
_ROUNDING = 4
#: weighted counts of the long form below this come back as 0 or 10
_ROUNDED_BELOW = 10.0


def margins(areas: pd.DataFrame, ground: pd.DataFrame, vintage: int) -> pd.DataFrame:
    """Hold areas against every floor.

    Parameters
    ----------
    areas
        ``area_id, population_union, dwellings_union, floor_persons``.
    ground
        See :func:`lipgeo.census.around.ground`.
    vintage
        Census year.

    Returns
    -------
    pandas.DataFrame
        One row an area: ``area_id`` (text); ``population``; ``floor_persons`` and ``margin``
        (population less the floor, negative below it, NaN where the population is unknown);
        ``rounding``: how far the population may be off because small blocks are rounded;
        ``households`` (private dwellings occupied; NaN where unknown); for each universe with
        floors of its own ``income_persons, income_households`` (the floors, 0 where there is
        none) and ``income_margin, income_households_margin``; ``certainty, income_certainty`` of
        the floors (text).
    """
    owner = _owners(ground)
    people = ground["population"].to_numpy(np.float64)[owner["cell"]]
    blocks = ground["level"].eq("DB").to_numpy(bool)[owner["cell"]]
    small = blocks & (people > 0) & (people < _ROUNDED_BLOCK)
    homes = ground["households"].to_numpy(np.float64)[owner["cell"]]
    per_area = pd.DataFrame(
        {"area_id": owner["area_id"], "homes": homes, "small": small * float(_ROUNDING)}
    ).groupby("area_id")
    households = per_area["homes"].sum(min_count=1).reindex(areas["area_id"]).to_numpy(np.float64)
    made = pd.DataFrame({"area_id": areas["area_id"].astype("string").to_numpy()})
    made["population"] = areas["population_union"].to_numpy(np.float64)
    made["floor_persons"] = areas["floor_persons"].to_numpy(np.float64)
    made["margin"] = made["population"] - made["floor_persons"]
    rounding = per_area["small"].sum().reindex(areas["area_id"])
    made["rounding"] = rounding.fillna(0.0).to_numpy(np.float64)
    made["households"] = households
    for universe in floor_universes():
        known = floors_of_universe(universe, vintage)
        least = {fact.counts: float(fact.value) for fact in known.values()}
        made[f"{universe}_persons"] = least.get("persons", 0.0)
        made[f"{universe}_households"] = least.get("private households", 0.0)
        made[f"{universe}_margin"] = made["population"] - made[f"{universe}_persons"]
        made[f"{universe}_households_margin"] = made["households"] - made[f"{universe}_households"]
        made[f"{universe}_certainty"] = next(iter(known.values())).certainty
    made["certainty"] = floors(vintage)["floor_standard"].certainty
    return made


def _owners(ground: pd.DataFrame) -> pd.DataFrame:
    """Return pairs ``cell`` (row of the ground), ``area_id``."""
    counts = [len(areas) for areas in ground["areas"]]
    cell = np.repeat(np.arange(len(ground)), counts)
    names = [area for areas in ground["areas"] for area in areas]
    return pd.DataFrame({"cell": cell, "area_id": pd.Series(names, dtype="string")})


def check_income(made: pd.DataFrame, *, vintage: int) -> CheckReport:
    """Find areas too small for income, and those so near a floor that rounding decides.

    ``income_below`` (warning): fewer than 250 people or 40 private households; no income is
    released; any other universe with floors of its own is looked at as income is.
    ``near_floor`` (note): at or above the floor by less than small blocks may be off.
    ``income_unknown`` (note): the households are not known. ``place_of_work`` (note): these floors
    are tested on the employed at their workplace, who are not known here.

    Parameters
    ----------
    made
        What :func:`margins` returned.
    vintage
        Census year.
    """
    findings = [one for universe in floor_universes() for one in _below(made, universe)]
    near = made[(made["margin"] >= 0) & (made["margin"] < made["rounding"])]
    findings += [
        finding(
            "order.near_floor", "note", area.area_id, value=area.margin,
            limit=area.rounding, area=area.area_id, people=area.population,
            floor=area.floor_persons, rounding=area.rounding,
        )
        for area in near.itertuples()
    ]  # fmt: skip
    unknown = list(made.loc[made["households"].isna() & (made["population"] > 0), "area_id"])
    if unknown:
        findings.append(
            finding(
                "order.income_unknown", "note", "", value=len(unknown),
                count=len(unknown), areas=unknown,
            )
        )  # fmt: skip
    if len(made):
        findings.append(finding("order.place_of_work", "note", "", vintage=str(vintage)))
    return CheckReport(findings)


def _format_value(value: float) -> str:
    return "?" if np.isnan(value) else f"{value:.0f}"


def _below(made: pd.DataFrame, universe: str) -> Iterable[Finding]:
    """Find populated areas below a floor of a universe."""
    persons, households = made[f"{universe}_persons"], made[f"{universe}_households"]
    below = (made[f"{universe}_margin"] < 0) | (made[f"{universe}_households_margin"] < 0)
    for at in np.flatnonzero(below & (made["population"] > 0)).tolist():
        area = made.iloc[at]
        yield finding(
            f"order.{universe}_below", "warning", area["area_id"],
            value=area["population"], limit=persons.iloc[at], area=area["area_id"],
            people=area["population"], homes=_format_value(area["households"]),
            floor=persons.iloc[at], households=households.iloc[at],
        )  # fmt: skip


def check_reserves(ground: pd.DataFrame, vintage: int) -> CheckReport:
    """Find areas with blocks not fully enumerated and, of 2006, areas with reserves.

    ``incomplete_enumeration`` (warning): people of some blocks are missing, not zero.
    ``reserves_2006`` (warning): the 2006 questions on citizenship and immigration were not asked
    on reserves; for custom areas nobody takes them out but the one who orders.
    ``reserves_unknown`` (note): which subdivisions are reserves is not held.
    """
    owner = _owners(ground)
    asked_elsewhere = has_trait(vintage, "reserves_not_asked")
    findings: list[Finding] = []
    for mark, key in (("incomplete", "incomplete_enumeration"), ("reserve", "reserves_2006")):
        if mark == "reserve" and not asked_elsewhere:
            continue
        those = owner[ground[mark].to_numpy(bool)[owner["cell"]]]
        for area, cells in those.groupby("area_id", sort=True):
            units = ground.iloc[cells["cell"]]
            named = units["CSD"] if mark == "reserve" else units["unit_id"]
            level = "CSD" if mark == "reserve" else ""
            codes = sorted(set(named if level else units["level"] + ":" + named))
            findings.append(
                finding(
                    f"order.{key}", "warning", area, value=len(codes), area=area,
                    count=len(codes), units=[f"CSD:{c}" if level else c for c in codes],
                )
            )  # fmt: skip
    if asked_elsewhere and not ground["reserve"].any() and len(ground):
        findings.append(finding("order.reserves_unknown", "note", ""))
    return CheckReport(findings)


def check_differences(
    ground: pd.DataFrame,
    vintage: int,
    earlier: Iterable[Mapping[str, Any]] = (),
) -> CheckReport:
    """Find people whom subtracting published areas tells, see :func:`differences`.

    ``differencing`` (warning): what is left has fewer people than the floor.
    ``differencing_known`` (note): the same, but standard areas alone tell as much, so the order
    adds nothing. ``differencing_cut`` (warning): the search was cut for an area.
    ``earlier_not_compared`` (note): areas of an earlier order that are of another census or of
    units not around here.

    Parameters
    ----------
    ground
        See :func:`lipgeo.census.around.ground`.
    vintage
        Census year.
    earlier
        Areas of earlier orders: ``custom_id, vintage, units`` (level to ids).
    """
    known = floors(vintage)
    earlier = list(earlier)
    ground = _extend_ground(ground, [a for a in earlier if int(a["vintage"]) == vintage], vintage)
    limits = (float(known["floor_standard"].value), float(known["floor_blocks"].value))
    published, strange = _published_areas(ground, vintage, earlier)
    fine = ~ground["level"].isin(STANDARD).to_numpy(bool)
    own = _areas_of_pieces(ground)
    found, cut = differences(ground["population"], fine, own, published, limits)
    findings = [_difference(ground, one) for one in found]
    findings += [
        finding("order.differencing_cut", "warning", name, area=name) for name in dict.fromkeys(cut)
    ]
    if strange:
        findings.append(
            finding(
                "order.earlier_not_compared", "note", "", value=len(strange),
                count=len(strange), areas=strange,
            )
        )  # fmt: skip
    return CheckReport(findings)


def _extend_ground(
    ground: pd.DataFrame, earlier: Iterable[Mapping[str, Any]], vintage: int
) -> pd.DataFrame:
    """Add units of earlier areas that lie elsewhere; part the dissemination areas they cut.

    Earlier orders say how many people each of their units has: that is all that is needed.
    """
    da_of = parents_by_id("DB", vintage)["DA"]
    people = {
        (level, unit): np.nan if count is None else float(count)
        for area in earlier
        for level, units in area["units"].items()
        for unit, count in units.items()
    }
    whole = ground[ground["level"].eq("DA")].set_index("unit_id")
    held = {level: set(ground[level].dropna()) for level in STANDARD if level in ground}
    held["DA"] = held.get("DA", set()) | set(whole.index)
    pieces = set(zip(ground["level"], ground["unit_id"], strict=True))
    rows: list[dict[str, Any]] = []
    cut: dict[str, float] = {}
    for (level, unit), count in people.items():
        da = unit[da_of] if level == "DB" else unit if level == "DA" else None
        if (level, unit) in pieces:
            continue
        if level == "DB" and da in whole.index:
            rows.append({**whole.loc[da], "level": level, "unit_id": unit, "population": count})
            cut[str(da)] = cut.get(str(da), 0.0) + np.nan_to_num(count)
        elif (unit if da is None else da) not in held.get(level if da is None else "DA", {unit}):
            rows.append({"level": level, "unit_id": unit, "population": count, "DA": da})
    for da, inside in cut.items():
        rest = max(float(whole.loc[da, "population"]) - inside, 0.0)
        rows.append({**whole.loc[da], "level": "DB", "unit_id": f"{da} *", "population": rest})
    texts = ["level", "unit_id", *(level for level in STANDARD if level in ground)]
    added = pd.DataFrame(rows, columns=[*texts, "population", "areas", "whole"])
    for name in ("areas", "whole"):
        added[name] = [one if isinstance(one, list | np.ndarray) else [] for one in added[name]]
    added = added.astype({**dict.fromkeys(texts, "string"), "population": "float64"})
    kept = ground[~(ground["level"].eq("DA") & ground["unit_id"].isin(list(cut)))]
    return pd.concat([kept[added.columns], added], ignore_index=True)


def _areas_of_pieces(ground: pd.DataFrame) -> Any:
    """Return the number of each piece's dissemination area, -1 for none; or of the piece."""
    if "DA" not in ground:
        return np.where(ground["level"].eq("DB"), -1, np.arange(len(ground)))
    named = ground["unit_id"].where(ground["level"].eq("DA"), ground["DA"])
    return pd.factorize(named)[0]


def _published_areas(
    ground: pd.DataFrame,
    vintage: int,
    earlier: Iterable[Mapping[str, Any]],
) -> tuple[list[Published], list[str]]:
    """Return every area published, as pieces of the ground, and earlier areas that are not."""
    made: list[Published] = []
    owner = _owners(ground)
    for area, cells in owner.groupby("area_id", sort=True)["cell"]:
        made.append(Published(str(area), "order", frozenset(cells.tolist())))
    whole = ground["whole"]
    places: dict[tuple[str, str], frozenset[int]] = {}
    for level in STANDARD:
        ids = ground["unit_id"].where(ground["level"].eq(level))
        ids = ids.fillna(ground[level]) if level in ground else ids
        for unit, rows in pd.Series(np.arange(len(ground))).groupby(ids.to_numpy(dtype=object)):
            places[level, str(unit)] = frozenset(rows.tolist())
            if level in whole.iloc[rows.iloc[0]] or ground["level"].iloc[rows.iloc[0]] == level:
                name = f"{level}:{unit}"
                made.append(Published(name, "standard", places[level, str(unit)], level))
    for at in np.flatnonzero(~ground["level"].isin(STANDARD).to_numpy(bool)):
        places[str(ground["level"].iloc[at]), str(ground["unit_id"].iloc[at])] = frozenset(
            [int(at)]
        )
    strange = []
    for area in earlier:
        wanted = [(level, unit) for level, units in area["units"].items() for unit in units]
        cells = [places.get(unit) for unit in wanted]
        if int(area["vintage"]) != vintage or any(one is None for one in cells):
            strange.append(str(area["custom_id"]))
            continue
        joined = frozenset().union(*(one for one in cells if one is not None))
        made.append(Published(f"{area['custom_id']} *", "earlier", joined))
    return made, strange


def _difference(ground: pd.DataFrame, one: Difference) -> Finding:
    rest = ground.iloc[sorted(one.rest)]
    key = "differencing_known" if one.known and one.blocky else "differencing"
    return finding(
        f"order.{key}",
        "note" if key == "differencing_known" else "warning",
        one.whole.name,
        value=one.people,
        limit=one.floor,
        whole=one.whole.name,
        count=len(one.parts),
        parts=[part.name for part in one.parts],
        people=one.people,
        floor=one.floor,
        units=(rest["level"] + ":" + rest["unit_id"]).tolist(),
    )


def check_cells(areas: pd.Series, estimates: pd.DataFrame) -> CheckReport:
    """Predict cells of tables to order that come back suppressed or rounded to nothing.

    ``cells_rounded`` (note): of an area's estimated counts, how many are below 10; weighted
    counts of the long form below 10 come back as 0 or 10.

    Parameters
    ----------
    areas
        Area ids.
    estimates
        ``area_id, variable, value``, and ``rule`` where known (only counts are looked at).
    """
    found = estimates[estimates["area_id"].isin(areas)]
    if "rule" in found:
        found = found[found["rule"].eq("count")]
    found = found[found["value"].notna()]
    findings = []
    for area, cells in found.groupby("area_id", sort=True):
        low = cells[cells["value"] < _ROUNDED_BELOW]
        if len(low):
            findings.append(
                finding(
                    "order.cells_rounded", "note", area, value=len(low),
                    limit=len(cells), area=area, low=len(low), cells=len(cells),
                    variables=list(low["variable"].astype(str)),
                )
            )  # fmt: skip
    return CheckReport(findings)


def confidentiality(
    b: Boundaries, content: Content, old: OldOrder | None, estimates: pd.DataFrame | None
) -> tuple[CheckReport, pd.DataFrame]:
    """Return the findings of all checks of confidentiality, and each area's margins.

    The floor on persons itself was held against the areas when they were fitted.
    """
    land, vintage = b.land, content.vintage
    made = margins(content.areas, land, vintage)
    report = (
        check_income(made, vintage=vintage)
        + check_reserves(land, vintage)
        + check_differences(land, vintage, earlier_areas(content, old))
    )
    if estimates is not None:
        report += check_cells(content.areas["area_id"], estimates)
    return report, made
