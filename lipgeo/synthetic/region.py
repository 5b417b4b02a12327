"""Draw the partnerships of a made city region, as partnerships are in Canada.

Two whose areas ignore census units, one of municipalities and designated places, and one of the
whole city over its four quadrants.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from lipgeo.arrays import Flags, Floats
from lipgeo.census.census import Census
from lipgeo.synthetic.areas import freehand_outline, redrawn_outline

__all__ = ["partnerships"]

#: name in English and French, and whether it is west and north of the middle
_QUADRANTS = (
    ("northwest", "Northwest", "Nord-Ouest", True, True),
    ("northeast", "Northeast", "Nord-Est", False, True),
    ("southwest", "Southwest", "Sud-Ouest", True, False),
    ("southeast", "Southeast", "Sud-Est", False, False),
)
_FREE = 2
_RADIUS_M = 9_000.0  # of a partnership that ignores units
#: share of a partnership's people that another may have too
_SHARED = 0.02


def partnerships(census: Census, *, seed: int = 1) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Draw the partnerships of a made city region.

    Parameters
    ----------
    census
        A census of :func:`~lipgeo.synthetic.census` made with ``region=True``, of any year.
    seed
        The same seed gives the same areas.

    Returns
    -------
    geopandas.GeoDataFrame
        RangeIndex; ``area_id, name_en, name_fr`` (text), ``kind`` (freehand, quadrant),
        ``geometry`` (EPSG:3347): two areas that ignore units, and the city's quadrants.
    pandas.DataFrame
        One row a unit: ``area_id, level, unit_id, mode, name_en, name_fr``: the city, a
        subdivision; and the towns, subdivisions and designated places.

    Examples
    --------
    >>> from lipgeo import synthetic
    >>> outlines, lists = synthetic.partnerships(synthetic.census(1_000, region=True))
    >>> outlines["area_id"].tolist()
    ['east-towns', 'west-towns', 'northwest', 'northeast', 'southwest', 'southeast']
    >>> lists["area_id"].unique().tolist(), lists["level"].unique().tolist()
    (['city', 'towns'], ['CSD', 'DPL'])
    """
    units = census.units("CSD").sort_values("population", ascending=False)
    city = str(units.index[0])
    name = str(units.loc[city, "unit_name"])
    outline = _city(census, city, seed)
    free = _free_areas(census, outline, seed)
    rows = [
        {
            "area_id": f"{side}-towns",
            "name_en": f"{town} and Area Local Immigration Partnership",
            "name_fr": f"Partenariat local en immigration : {town} et environs",
            "kind": "freehand",
            "geometry": shape,
        }
        for side, town, shape in free
    ]
    rows += [
        {
            "area_id": id,
            "name_en": f"{name} {english}",
            "name_fr": f"{name} {french}",
            "kind": "quadrant",
            "geometry": _quadrant(outline, west=west, north=north, seed=seed),
        }
        for id, english, french, west, north in _QUADRANTS
    ]
    drawn = gpd.GeoDataFrame(rows, geometry="geometry", crs=census.crs)
    taken = shapely.union_all([outline, *(shape for _, _, shape in free)])
    return drawn, _lists(census, city, name, taken)


def _city(census: Census, city: str, seed: int) -> shapely.Geometry:
    """Draw a subdivision's outline again, without its holes: reserves in it are the city's too."""
    rows = census.units("DA")["CSD"].eq(city).fillna(False).to_numpy()
    shape = redrawn_outline(census.data.geometry("DA")[rows], seed)
    parts = shapely.get_parts(shape)
    return shapely.polygons(shapely.get_exterior_ring(parts[shapely.area(parts).argmax()]))


def _quadrant(outline: shapely.Geometry, *, west: bool, north: bool, seed: int) -> shapely.Geometry:
    """Cut a quarter off along two roads that meet in the middle and wind a little."""
    middle = shapely.get_coordinates(shapely.centroid(outline))[0]
    reach = float(shapely.length(outline))
    along = np.linspace(-1, 1, 81)
    rng = np.random.default_rng([seed, 14])
    bend = sum(rng.uniform(-1, 1) * np.sin(k * np.pi * along) / k for k in (1, 2, 3, 5))
    road = np.column_stack([along * reach, 0.02 * reach * bend])
    half = shapely.polygons(
        np.vstack([middle + road, middle + np.array([[1, 1], [-1, 1]]) * reach])
    )
    # the other road is the same, turned by a right angle
    turned = middle + road[:, ::-1] * [-1, 1]
    side = shapely.polygons(np.vstack([turned, middle + np.array([[-1, 1], [-1, -1]]) * reach]))
    kept = shapely.intersection(outline, half) if north else shapely.difference(outline, half)
    return shapely.intersection(kept, side) if west else shapely.difference(kept, side)


def _free_areas(
    census: Census, city: shapely.Geometry, seed: int
) -> list[tuple[str, str, shapely.Geometry]]:
    """Draw two outlines that ignore units around towns east and west of the city."""
    rng = np.random.default_rng([seed, 15])
    das = census.units("DA")
    xy = das[["x", "y"]].to_numpy()
    people = das["population"].fillna(0).to_numpy()
    middle = shapely.get_coordinates(shapely.centroid(city))[0]
    away = np.hypot(*(xy - middle).T)
    made = []
    for side, sign in zip(("east", "west"), (1, -1), strict=True):
        there = (sign * (xy[:, 0] - middle[0]) > 0.5 * away) & (away > 2.2 * _RADIUS_M)
        near = np.array([people[_within(xy, one)].sum() for one in xy]) * there
        heart = xy[int(near.argmax())]
        shape = shapely.difference(freehand_outline(heart, _RADIUS_M, rng), city)
        csd = das["CSD"].iloc[int(near.argmax())]
        made.append((side, str(census.units("CSD").loc[csd, "unit_name"]), shape))
    return made


def _within(xy: Floats, heart: Floats) -> Flags:
    return np.asarray(np.hypot(*(xy - heart).T) < 0.7 * _RADIUS_M)


def _lists(census: Census, city: str, name: str, taken: shapely.Geometry) -> pd.DataFrame:
    """List the city, and the municipalities and designated places that nobody has."""
    csd, blocks = census.units("CSD"), census.units("DB")
    xy = blocks[["x", "y"]].to_numpy()
    held = pd.Series(shapely.contains_xy(taken, xy[:, 0], xy[:, 1]), index=blocks.index)
    people = blocks["population"].fillna(0)

    def free(level: str) -> list[str]:
        """Return units, the largest first, those that others have people of last."""
        size = people.groupby(blocks[level]).sum()
        shared = people.where(held, 0).groupby(blocks[level]).sum() > _SHARED * size
        frame = pd.DataFrame({"shared": shared, "size": -size})[size > 0]
        return [str(one) for one in frame.sort_values(["shared", "size"], kind="stable").index]

    province = csd.loc[city, "PR"]
    towns = [one for one in free("CSD") if one != city]
    towns = sorted(towns, key=lambda one: csd.loc[one, "PR"] != province)[:3]
    outside = blocks["DPL"].notna() & ~blocks["CSD"].isin(towns)
    places = [one for one in free("DPL") if one in set(blocks.loc[outside, "DPL"])][:2]
    town = str(csd.loc[towns[0], "unit_name"])
    listed = [("city", "CSD", city, name)]
    listed += [("towns", "CSD", str(one), town) for one in towns]
    listed += [("towns", "DPL", str(one), town) for one in places]
    frame = pd.DataFrame(listed, columns=["area_id", "level", "unit_id", "name"])
    several = frame["area_id"].eq("towns")
    return pd.DataFrame(
        {
            **{column: frame[column] for column in ("area_id", "level", "unit_id")},
            "mode": "include",
            "name_en": frame["name"].mask(several, frame["name"] + " and Area")
            + " Local Immigration Partnership",
            "name_fr": "Partenariat local en immigration : "
            + frame["name"].mask(several, frame["name"] + " et environs"),
        }
    )
