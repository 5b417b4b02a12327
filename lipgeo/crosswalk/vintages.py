"""Share out the units of an earlier census among today's areas, by the newest census's blocks."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from lipgeo.areas.service_areas import ServiceAreas
from lipgeo.arrays import Floats
from lipgeo.census.census import Census, CensusZones
from lipgeo.census.data import GRID, Measure
from lipgeo.crosswalk.build import build_crosswalk
from lipgeo.crosswalk.correspondence import Correspondence
from lipgeo.crosswalk.crosswalk import Crosswalk, Placement
from lipgeo.errors import CrosswalkError
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.zones.validity import SLIVER_SHARE
from lipgeo.zones.zones import Zones

__all__ = ["points_crosswalk", "vintage_crosswalk"]

_QUALITY = ("quality_index", "best_fit_pct", "coverage", "straddling_share")


def vintage_crosswalk(
    census: Census,
    correspondence: Correspondence,
    target: ServiceAreas | Zones | Crosswalk,
    *,
    weight: Measure = "population",
    held: pd.Series | None = None,
    older: Census | None = None,
    placement: Placement = "auto",
) -> Crosswalk:
    """Share out the units of an earlier census among areas.

    By the older census's own blocks and counts where it is given and holds them: its units are
    laid over the areas as :func:`build_crosswalk` does, so that nobody is put into a subdivision
    that was built since. Else by the newest census's blocks: an older unit's share in an area is
    that of the newest people (dwellings, households) of the blocks its land is in now. That is
    exact where all its blocks lie on one side of the outline and each block was in one older unit;
    else an estimate, and ``meta`` says for how many.

    Parameters
    ----------
    census
        The newest census, to which the correspondence leads back.
    correspondence
        From the newest units to the older (``lipgeo.read_correspondence``, chained as needed and
        :meth:`~Correspondence.raised` to the level of the table at hand).
    target
        Areas or zones; or a crosswalk of the newest census's units (``b.membership``), followed
        by the blocks' parents.
    weight
        What is shared.
    held
        What the older units held of it then, by id, where known (a population of that census).
        It is what ``sources.weight`` says; the newest people of the same land where not given.
    older
        The older census, opened.
    placement
        How people of cut blocks are placed: as for :func:`build_crosswalk`.

    Returns
    -------
    Crosswalk
        Sources: the older units that share land with blocks held. Besides the usual,
        ``meta["by"]`` says whose blocks were counted, the year of a census; ``meta["changes"]``
        counts the units that touch a target by what became of them
        (:meth:`Correspondence.changes`), ``meta["unplaced"]`` has, by target, the share of its
        people that came with older units lying in it only in part: they cannot be placed
        exactly. ``area_share`` is the share of people where a unit is cut for people and not, but
        for a sliver, by area.

    Raises
    ------
    CrosswalkError
        The correspondence leads back from another census, or no block of it is in this one.
    MissingLevelError
        The census holds neither the blocks nor the units of the correspondence.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo import Correspondence, ServiceAreas, synthetic, vintage_crosswalk
    >>> census = synthetic.census(500)
    >>> blocks = census.units("DB")
    >>> links = pd.DataFrame({"block_id": blocks.index, "new_id": blocks["DA"],
    ...                       "old_id": blocks["DA"]})
    >>> same = Correspondence(links, level="DA", vintage=2021, old_level="DA", old_vintage=2016)
    >>> unit = blocks["DA"].iloc[0]
    >>> areas = ServiceAreas.from_units({"here": [f"DA:{unit}"]}, census)
    >>> xw = vintage_crosswalk(census, same, areas)
    >>> xw.vintage, xw.frame["share"].tolist(), xw.meta["unplaced"]
    (2016, [1.0], {'here': 0.0})
    """
    if correspondence.vintage != census.vintage:
        raise CrosswalkError(
            "crosswalk.other_census",
            census=str(census.vintage),
            correspondence=str(correspondence.vintage),
        )
    findings: list[Finding] = []
    then = _older_shares(census, correspondence, target, weight, older, placement)
    if then is not None:
        xw, by = then, correspondence.old_vintage
        people = pd.Series(xw.held, index=xw.sources.index)
    else:
        links, level, findings = _links(census, correspondence)
        # older units to blocks, blocks to targets, one after the other
        to_blocks, people, notes = _units_to_blocks(
            census, links, level, weight, correspondence, held
        )
        findings += notes
        xw, by = (
            to_blocks.compose(_block_shares(census, level, target, weight, placement)),
            census.vintage,
        )
    frame = xw.frame
    frame["area_share"] = _straddling_shares(frame)
    unplaced = _unplaced_shares(xw, frame, people)
    changes = correspondence.changes().reindex(
        pd.Index(frame.loc[frame["area_share"].gt(SLIVER_SHARE), "source_id"].unique())
    )
    number_changed = changes["change"].value_counts()
    parts = [t for t, share in unplaced.items() if share > 0]
    if parts:
        findings.append(
            finding(
                "crosswalk.vintages.unplaced",
                "note",
                "",
                value=max(unplaced.values()),
                vintage=str(correspondence.old_vintage),
                areas=[f"{t} ({100 * unplaced[t]:.1f} %)" for t in parts],
            )
        )
    meta = {
        **xw.meta,
        "changes": {str(kind): int(number) for kind, number in number_changed.items()},
        "unplaced": unplaced,
        "newest": census.vintage,
        "by": by,
    }
    return Crosswalk(
        frame,
        xw.remainder,
        xw.overlaps,
        xw.quality,
        xw.sources,
        meta=meta,
        report=correspondence.report + xw.report + CheckReport(findings),
    )


def _older_shares(  # noqa: PLR0917
    census: Census,
    correspondence: Correspondence,
    target: ServiceAreas | Zones | Crosswalk,
    weight: Measure,
    older: Census | None,
    placement: Placement,
) -> Crosswalk | None:
    """Return the shares by the older census's own blocks; ``None`` where it has none to count."""
    if older is None:
        return None
    if older.vintage != correspondence.old_vintage:
        raise CrosswalkError(
            "crosswalk.vintages.other_older",
            older=str(older.vintage),
            needed=str(correspondence.old_vintage),
        )
    level, finest = correspondence.old_level, older.atom_level
    if level not in older.levels or (weight != "area" and weight not in older.data.columns(finest)):
        return None
    drawn = _drawn_targets(census, target)
    if drawn is None:
        return None
    return build_crosswalk(older.zones(level), drawn, weight=weight, placement=placement)


def _drawn_targets(
    census: Census, target: ServiceAreas | Zones | Crosswalk
) -> ServiceAreas | Zones | None:
    """Return targets as polygons; ``None`` where a crosswalk is no set of whole units."""
    if isinstance(target, Crosswalk):
        pairs = target.frame[target.frame["share"] > 0]
        if target.source_level is None or (pairs["share"] < 1).any():
            return None
        units = (
            pairs["target_id"]
            .groupby(pairs["source_id"].map(lambda unit: f"{target.source_level}:{unit}"))
            .agg(list)
        )
        lists: dict[str, list[str]] = {}
        for unit, areas in units.items():
            for area in areas:
                lists.setdefault(str(area), []).append(str(unit))
        target = ServiceAreas.from_units(lists, census)
    if isinstance(target, CensusZones):
        return Zones(target.ids, target.geometry, target.crs)
    if isinstance(target, ServiceAreas) and len(target.listed):
        frame = target.draw(census).frame
        return Zones(frame.index.to_numpy(dtype=object), frame.geometry.to_numpy(), frame.crs)
    return target


def points_crosswalk(
    older: Census,
    level: str,
    areas: ServiceAreas,
    newest: Census | None,
    weight: Measure,
    *,
    placement: Placement = "auto",
) -> Crosswalk:
    """Share out an older census's units by where its own blocks, or their points, lie.

    For censuses that no correspondence leads back to (2006). Areas that are lists of newer units
    are drawn from the newest census first.

    Raises
    ------
    CrosswalkError
        Areas are lists and no newest census is given to draw them.
    """
    target: ServiceAreas | Zones = areas
    if len(areas.listed):
        if newest is None:
            raise CrosswalkError("crosswalk.vintages.not_drawn", areas=list(areas.listed))
        frame = areas.draw(newest).frame
        target = Zones(frame.index.to_numpy(dtype=object), frame.geometry.to_numpy(), frame.crs)
    return build_crosswalk(older.zones(level), target, weight=weight, placement=placement)


def _links(
    census: Census, correspondence: Correspondence
) -> tuple[pd.DataFrame, str, list[Finding]]:
    """Return ``atom_id, old_id, weight, is_held`` at the finest level both have."""
    links = correspondence.frame.rename(columns={"block_id": "atom_id"})
    level, findings = correspondence.block_level, []
    if level not in census.levels:
        census.require_level(correspondence.level)
        level = correspondence.level
        links = links.groupby(["new_id", "old_id"], as_index=False)["weight"].sum()
        links["weight"] /= links.groupby("new_id")["weight"].transform("sum")
        links = links.rename(columns={"new_id": "atom_id"})
        findings.append(finding("crosswalk.vintages.no_blocks", "warning", "", level=level))
    links["is_held"] = census.find_rows(level, links["atom_id"]) >= 0
    mine = links["old_id"].isin(links.loc[links["is_held"], "old_id"].unique())
    links = links[mine].sort_values(["old_id", "atom_id"], ignore_index=True)
    if not len(links):
        raise CrosswalkError("crosswalk.no_link", vintage=str(census.vintage), level=level)
    outside = links.loc[~links["is_held"], "old_id"].unique()
    if len(outside):
        findings.append(
            finding("crosswalk.blocks_absent", "note", "", value=len(outside), units=list(outside))
        )
    return links, level, findings


def _units_to_blocks(  # noqa: PLR0917
    census: Census,
    links: pd.DataFrame,
    level: str,
    weight: Measure,
    correspondence: Correspondence,
    held: pd.Series | None,
) -> tuple[Crosswalk, pd.Series, list[Finding]]:
    """Return the crosswalk from older units to blocks, and the newest people of older units."""
    old, ids = pd.factorize(links["old_id"], sort=True)
    is_held = links["is_held"].to_numpy(dtype=bool)
    part = links["weight"].to_numpy()
    count = len(ids)
    # what lies in blocks that are not held is in none of the targets: by number of blocks
    kept = np.bincount(old, part * is_held, count) / np.bincount(old, part, count)
    # what each block holds of the measures the shares may go by
    at = pd.Index(links["atom_id"].astype(object))
    counts = census.counts(level).reindex(at)
    surface_of = _surface(census, level).reindex(at).to_numpy(dtype=np.float64)
    amounts: dict[str, Floats] = {
        name: counts[name].to_numpy(dtype=np.float64)
        # by land alone where land is asked for
        for name in (() if weight == "area" else dict.fromkeys([weight, "dwellings"]))
    }
    amounts["area"] = np.where(np.nan_to_num(surface_of) > 0, surface_of, 1.0)
    # each measure in turn takes the units whose blocks all know it
    share = np.zeros(len(links))
    basis = np.full(count, "", dtype=object)
    total = np.zeros(count)
    for name, amount in amounts.items():
        given = np.where(is_held, amount * part, 0.0)
        summed = np.bincount(old, given, count)
        open_units = (basis == "") & np.isfinite(summed) & (summed > 0)
        basis[open_units], total[open_units] = name, summed[open_units]
        rows = open_units[old]
        share[rows] = given[rows] / summed[old[rows]] * kept[old[rows]]
    given = np.where(is_held, amounts["area"] * part, 0.0)
    surface = given / np.bincount(old, given, count)[old] * kept[old]
    # what the units held then, where that is known
    own = np.full(count, np.nan) if held is None else held.reindex(ids).to_numpy(dtype=np.float64)
    mine = basis == weight
    known = np.where(mine & np.isfinite(own), own, total)
    sources = pd.DataFrame(
        {"weight": known, "share_basis": basis},
        index=pd.Index(ids.astype(object), name="source_id"),
    )
    frame = pd.DataFrame(
        {
            "source_id": links["old_id"].astype(object),
            "target_id": links["atom_id"].astype(object),
            "share": np.minimum(share, 1.0),
            "area_share": np.minimum(surface, 1.0),
            "weight": share * known[old],
            "share_basis": basis[old],
        }
    )[is_held].reset_index(drop=True)
    # what lies in blocks not held is in no target
    left = np.where(kept >= 1 - 1e-12, 0.0, 1 - kept)
    targets = np.unique(frame["target_id"].astype(str)).astype(object)
    quality = pd.DataFrame(
        {"target_id": targets, **{name: np.full(len(targets), 1.0) for name in _QUALITY}}
    )
    meta = {
        "source_level": correspondence.old_level,
        "target_level": level,
        "target_kind": "zones",
        "listed": [],
        "vintage": correspondence.old_vintage,
        "weight": weight,
        "placement": "surface",
        "sources": count,
        "targets": len(targets),
        "pairs": len(frame),
    }
    remainder = pd.DataFrame({"source_id": sources.index.to_numpy(), "share": left})
    findings: list[Finding] = []
    if held is not None and not np.isfinite(own[mine]).all():
        lost = ids[mine & ~np.isfinite(own)]
        findings.append(
            finding("crosswalk.not_held", "note", "", value=len(lost), units=list(lost))
        )
    empty = pd.DataFrame(
        {name: pd.Series(dtype=object) for name in ("target_id", "other_id", "source_id")}
        | {name: pd.Series(dtype=np.float64) for name in ("share", "area_share")}
    )
    xw = Crosswalk(frame, remainder, empty, quality, sources, meta=meta)
    people = pd.Series(np.where(mine, total, 0.0), index=sources.index)
    return xw, people, findings


def _surface(census: Census, level: str) -> pd.Series:
    """Return square metres by unit: of its polygon where there is one, else of its land."""
    if GRID in census.data.columns(level):
        frame = census.data.attributes(level, ["unit_id", GRID]).set_index("unit_id")
        return frame[GRID].set_axis(frame.index.astype(object))
    land = census.units(level)["land_km2"] * 1e6
    return land.set_axis(land.index.astype(object))


def _block_shares(
    census: Census,
    level: str,
    target: ServiceAreas | Zones | Crosswalk,
    weight: Measure,
    placement: Placement,
) -> Crosswalk:
    """Return the shares of the newest blocks in the targets."""
    if not isinstance(target, Crosswalk):
        return build_crosswalk(census.zones(level), target, weight=weight, placement=placement)
    if target.vintage != census.vintage or target.source_level is None:
        raise CrosswalkError(
            "crosswalk.other_target", census=str(census.vintage), target=str(target.vintage)
        )
    if target.source_level == level:
        return target
    return _shares_by_parents(census, level, target, weight)


def _shares_by_parents(census: Census, level: str, target: Crosswalk, weight: Measure) -> Crosswalk:
    """Return shares of blocks that have those of the unit they lie in."""
    units = census.units(level)
    parent = str(target.source_level)
    if parent not in units:
        raise CrosswalkError("crosswalk.vintages.no_parent", level=level, parent=parent)
    above = units[parent].astype(object)
    held = units[weight] if weight != "area" else units["land_km2"] * 1e6
    amount = held.to_numpy(dtype=np.float64)
    sources = pd.DataFrame(
        {"weight": amount, "share_basis": weight}, index=units.index.astype(object)
    )
    sources = sources.rename_axis("source_id").sort_index()
    linked = pd.DataFrame({"source_id": units.index.astype(object), "parent": above.to_numpy()})
    shares = target.frame[["source_id", "target_id", "share", "area_share"]]
    frame = linked.merge(shares.rename(columns={"source_id": "parent"}), on="parent")
    frame = frame.sort_values(["source_id", "target_id"], ignore_index=True)
    frame["weight"] = frame["share"] * sources["weight"].reindex(frame["source_id"]).to_numpy()
    frame["share_basis"] = weight
    rest = target.remainder.set_index("source_id")["share"]
    outside = above.reindex(sources.index).map(rest).fillna(1.0).to_numpy(dtype=np.float64)
    overlaps = linked.merge(target.overlaps.rename(columns={"source_id": "parent"}), on="parent")
    columns = ["target_id", "other_id", "source_id", "share", "area_share"]
    return Crosswalk(
        frame[["source_id", "target_id", "share", "area_share", "weight", "share_basis"]],
        pd.DataFrame({"source_id": sources.index.to_numpy(), "share": outside}),
        overlaps[columns],
        target.quality,
        sources,
        meta={**target.meta, "source_level": level, "weight": weight},
        report=target.report,
    )


def _straddling_shares(frame: pd.DataFrame) -> pd.Series:
    """Return area shares; those of people where only they say that a unit is cut.

    A town and the country around it may have been one unit: the town is a sliver by area, and no
    accident of drawing, for blocks are whole.
    """
    cut = frame["share"].between(SLIVER_SHARE, 1 - SLIVER_SHARE, inclusive="neither")
    seen = frame["area_share"].between(SLIVER_SHARE, 1 - SLIVER_SHARE, inclusive="neither")
    return frame["area_share"].mask(cut & ~seen, frame["share"])


def _unplaced_shares(xw: Crosswalk, frame: pd.DataFrame, people: pd.Series) -> dict[str, float]:
    """Return by target the share of its newest people whose older unit lies in it in part."""
    inside = frame["share"] * people.reindex(frame["source_id"]).to_numpy()
    partly = frame["area_share"].between(SLIVER_SHARE, 1 - SLIVER_SHARE, inclusive="neither")
    known = pd.DataFrame(
        {"t": frame["target_id"], "all": inside, "part": inside.where(partly, 0.0)}
    )
    summed = known.groupby("t")[["all", "part"]].sum()
    share = (summed["part"] / summed["all"].where(summed["all"] > 0)).fillna(0.0)
    targets = cast("pd.Series", xw.quality["target_id"])
    return {str(one): float(share.get(one, 0.0)) for one in targets}
