"""Write a made census as Statistics Canada publishes one: boundary files and tables.

Attribute files have one row a block, every parent named, in the layouts of ``layouts.toml``, the
table the readers read by. Made tables come as the Census Profile of 2021 is published, and the
correspondence file 92-156 links two censuses of one made country.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import pyproj
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from lipgeo import geography
from lipgeo.arrays import Ints, Texts
from lipgeo.census.census import Census
from lipgeo.errors import InputError
from lipgeo.facts import fact_table
from lipgeo.files import MAKER, file_in_one_step, require_free_file, write_zip
from lipgeo.geography.hierarchy import facts
from lipgeo.readers.statcan.columns import Layout, layout, layouts
from lipgeo.readers.statcan.columns import facts as layout_facts
from lipgeo.store.catalogue import boundary_file, table_file
from lipgeo.synthetic.census import Country, country_of
from lipgeo.synthetic.figures import MadeTable
from lipgeo.workplace import scratch_folder

__all__ = [
    "block_fields",
    "correspondence",
    "write_correspondence",
    "write_files",
    "write_layout",
    "write_profile",
]

#: parents named in the files, by the name the files use
_NAMED = {
    "FED": "fed",
    "ER": "er",
    "CD": "cd",
    "CSD": "csd",
    "CCS": "ccs",
    "DPL": "dpl",
    "CMA": "cma",
    "POPCTR": "popctrra",
    "UA": "popctrra",
}
_RURAL = "9999"  # stands for no population centre; the class says so too
_OUTSIDE = {True: "000", False: "998"}  # no metropolitan area: in the territories, elsewhere


def block_fields(census: Census) -> pd.DataFrame:
    """Return what an attribute file says of each block, all text.

    Returns
    -------
    pandas.DataFrame
        One row a block; columns are the English field names of the layouts without year and
        punctuation, in lower case (``dbuid``, ``csdname``, ``popctrradguid``); empty text where a
        block has no such unit.
    """
    vintage = census.vintage
    blocks = census.units("DB")
    found: dict[str, npt.NDArray[np.object_] | pd.Series] = {
        "dbuid": blocks.index.to_series(),
        "dbdguid": blocks["dguid"],
        "dbpop": _whole(blocks["population"].fillna(0)),
        "dbtdwell": _whole(blocks["dwellings"].fillna(0)),
        "dburdwell": _whole(blocks["households"].fillna(0)),
        "dbarea": blocks["land_km2"].map("{:.4f}".format),
        "dbir": blocks["incomplete_reserve"].map({True: "T", False: "F"}),
        "dauid": blocks["DA"],
    }
    found |= _areas(census, blocks["DA"])
    for level, name in _NAMED.items():
        if level in blocks:
            units = census.units(level)
            found[f"{name}uid"] = blocks[level]
            found |= {
                f"{name}{end}": _of(units[column], blocks[level])
                for end, column in (("name", "unit_name"), ("type", "unit_type"))
            }
            found[f"{name}dguid"] = _of(units["dguid"], blocks[level])
    found |= _provinces(census, blocks["PR"])
    for level in ("CAR", "ADA", "CT"):
        if level in blocks:
            found[f"{level.lower()}uid"] = blocks[level]
            found[f"{level.lower()}dguid"] = _of(census.units(level)["dguid"], blocks[level])
    if "ADA" in blocks:
        found["adacode"] = blocks["ADA"].str[4:]
    found |= _metropolitan(blocks, found, vintage)
    found |= _centres(census, blocks, vintage)
    frame = pd.DataFrame({name: np.asarray(values, dtype=object) for name, values in found.items()})
    return frame.where(frame.notna(), "")


def _whole(values: pd.Series) -> pd.Series:
    return values.round().astype("int64").astype(str)


def _of(values: pd.Series, ids: pd.Series) -> npt.NDArray[np.object_]:
    """Return the value of each block's parent."""
    found = values.reindex(pd.Index(ids)).to_numpy(dtype=object, na_value="")
    return np.asarray(found, dtype=object)


def _areas(census: Census, da: pd.Series) -> dict[str, npt.NDArray[np.object_]]:
    """Return what is said of the dissemination area: DGUID and representative point."""
    units = census.units("DA")
    to_degrees = pyproj.Transformer.from_crs(census.crs, 4269, always_xy=True)
    longitude, latitude = to_degrees.transform(units["x"].to_numpy(), units["y"].to_numpy())
    said = {"dadguid": units["dguid"]}
    for end, values, form in (
        ("lamx", units["x"].to_numpy(), "{:.6f}"),
        ("lamy", units["y"].to_numpy(), "{:.6f}"),
        ("lat", latitude, "{:.6f}"),
        ("long", longitude, "{:.6f}"),
    ):
        said[end] = pd.Series([form.format(value) for value in values], index=units.index)
    rows = {"dadguid": _of(said.pop("dadguid"), da)}
    for end, values in said.items():
        rows[f"da{end}"] = rows[f"darp{end}"] = _of(values, da)
    return rows


def _provinces(census: Census, pr: pd.Series) -> dict[str, npt.NDArray[np.object_]]:
    known = facts()["provinces"]
    said = {
        "prname": {
            code: " / ".join(dict.fromkeys([row["en"], row["fr"]])) for code, row in known.items()
        },
        "prename": {code: row["en"] for code, row in known.items()},
        "prfname": {code: row["fr"] for code, row in known.items()},
        "preabbr": {code: row["abbr"][1] for code, row in known.items()},
        "prfabbr": {code: row["abbr"][-1] for code, row in known.items()},
    }
    rows = {name: _of(pd.Series(values), pr) for name, values in said.items()}
    return rows | {
        "pruid": pr.to_numpy(dtype=object),
        "prdguid": _of(census.units("PR")["dguid"], pr),
    }


def _metropolitan(
    blocks: pd.DataFrame, found: dict[str, npt.NDArray[np.object_] | pd.Series], vintage: int
) -> dict[str, npt.NDArray[np.object_]]:
    """Return what is said of metropolitan areas, their provincial parts and tracts.

    Outside them the code is that of the zone of influence, and a tract is all zeros.
    """
    inside = blocks["CMA"].notna().to_numpy()
    north = blocks["PR"].isin(["60", "61", "62"]).to_numpy()
    outside = np.where(north, _OUTSIDE[True], _OUTSIDE[False])
    code = np.where(inside, blocks["CMA"].fillna("").to_numpy(dtype=object), outside)
    kind = np.asarray(found["cmatype"], dtype=object)
    sac = np.select(
        [kind == "B", kind == "K", kind == "D", north], ["1", "2", "3", "8"], default="6"
    )
    part = blocks["PR"].to_numpy(dtype=object) + code
    part_guid = np.full(len(blocks), "", dtype=object)
    part_guid[inside] = geography.dguids("CMAP", part[inside], vintage, kind[inside]).to_numpy(
        dtype=object
    )
    tract = blocks["CT"].fillna("").to_numpy(dtype=object)
    none = (tract == "") & inside
    tract = np.where(none, code + "0000.00", tract)
    return {
        "cmauid": code.astype(object),
        "sactype": sac.astype(object),
        "saccode": code.astype(object),
        "cmapuid": np.where(inside, part, ""),
        "cmapdguid": part_guid,
        "ctuid": tract,
        "ctcode": np.array([text[3:7] for text in tract], dtype=object),
        "ctname": np.array([text[3:] for text in tract], dtype=object),
    }


def _centres(
    census: Census, blocks: pd.DataFrame, vintage: int
) -> dict[str, npt.NDArray[np.object_]]:
    """Return what is said of population centres: their class by size, class 1 for rural areas."""
    level = "POPCTR" if "POPCTR" in blocks else "UA"
    people = census.units(level)["population"].reindex(pd.Index(blocks[level]))
    inside = blocks[level].notna().to_numpy()
    size = people.fillna(0).to_numpy()
    grade = np.select([~inside, size < 30_000, size < 100_000], ["1", "2", "3"], default="4")
    code = blocks[level].fillna(_RURAL).to_numpy(dtype=object)
    part = blocks["PR"].to_numpy(dtype=object) + code
    part_guid = np.full(len(blocks), "", dtype=object)
    if level == "POPCTR":
        part_guid[inside] = geography.dguids("POPCTRP", part[inside], vintage).to_numpy(object)
    name = _of(census.units(level)["unit_name"], blocks[level])
    dguid = _of(census.units(level)["dguid"], blocks[level])
    return {
        "popctrrauid": code,
        "popctrrapuid": part,
        "popctrraname": np.where(inside, name, "Rural area / Région rurale"),
        "popctrradguid": dguid,
        "popctrrapdguid": part_guid,
        "popctrdguid": dguid,
        "popctrpdguid": part_guid,
        "popctrratype": np.where(inside, "4", "5").astype(object),
        "popctrraclass": grade.astype(object),
    }


def write_layout(fields: pd.DataFrame, name: str, vintage: int, path: Path) -> None:
    """Write blocks in a layout of ``layouts.toml``: fixed width or delimited, Windows-1252."""
    found = layouts()[name]
    names = found.names(vintage)
    columns = [fields[_key(column)].astype(str) for column in names]
    if found.form == "fixed":
        _write_fixed(columns, found, path)
    else:
        table = pd.concat(columns, axis=1, keys=list(names))
        table.to_csv(
            path, index=False, encoding=found.encoding, sep=found.delimiter, lineterminator="\r\n"
        )


def _key(column: str) -> str:
    """Return the key of a column: its English half without year and punctuation."""
    english = column.split("/", maxsplit=1)[0]
    bilingual = "_" in english and not english.startswith("DB_")
    english = english.split("_")[0] if bilingual else english
    return re.sub(r"\d{4}$", "", english.replace("_", "").lower())


def _write_fixed(columns: list[pd.Series], layout: Layout, path: Path) -> None:
    line: pd.Series | None = None
    for column, width in zip(columns, layout.widths, strict=True):
        cut = column.str.slice(0, width).str.ljust(width)
        line = cut if line is None else line + cut
    if line is not None:
        text = "\r\n".join(line.tolist()) + "\r\n"
        path.write_bytes(text.encode(layout.encoding, errors="replace"))


#: the 23 columns; SYMBOL stands six times
COLUMNS = (
    "CENSUS_YEAR", "DGUID", "ALT_GEO_CODE", "GEO_LEVEL", "GEO_NAME", "TNR_SF", "TNR_LF",
    "DATA_QUALITY_FLAG", "CHARACTERISTIC_ID", "CHARACTERISTIC_NAME", "CHARACTERISTIC_NOTE",
    "C1_COUNT_TOTAL", "SYMBOL", "C2_COUNT_MEN+", "SYMBOL", "C3_COUNT_WOMEN+", "SYMBOL",
    "C10_RATE_TOTAL", "SYMBOL", "C11_RATE_MEN+", "SYMBOL", "C12_RATE_WOMEN+", "SYMBOL",
)  # fmt: skip


def write_profile(census: Census, tables: Sequence[MadeTable], folder: str | Path) -> list[Path]:
    """Write tables as the Census Profile is published by PR, CD, CSD and DA (98-401-X2021006).

    One file a region, Windows-1252, 23 columns of which ``SYMBOL`` stands six times; a unit's
    rows stand together, characteristic after characteristic. Men and women are halves of the
    total, rounded on their own.

    Parameters
    ----------
    census
        The census the tables are of.
    tables
        Tables of PR, CD, CSD or DA (:func:`~lipgeo.synthetic.table`).
    folder
        Where to write.

    Returns
    -------
    list of pathlib.Path
        The files of regions that have units.

    Raises
    ------
    InputError
        A table of another level, or a census whose edition is not known.
    OutputError
        Files of these names stand there (made ones are not told from published ones, so none
        gives way), or the folder cannot be written.
    """
    facts = fact_table("made_profile")
    editions = facts["editions"]
    edition = editions.get(str(census.vintage))
    known = list(dict.fromkeys(level for one in editions.values() for level in one["levels"]))
    strange = [made.level for made in tables if made.level not in known]
    if edition is None or strange:
        raise InputError(
            "synthetic.no_profile",
            levels=strange,
            vintage=str(census.vintage),
            editions=list(editions),
            known=", ".join(known),
        )
    in_order = sorted(tables, key=lambda made: edition["levels"].index(made.level))
    parts = [_rows(census, made, edition["rows"]) for made in in_order]
    whole = pd.concat(parts, ignore_index=True)
    mine_of = {}
    for region, provinces in facts["regions"].items():
        mine = whole[whole["ALT_GEO_CODE"].str[:2].isin(provinces)]
        if not mine.empty:
            name = f"{edition['product']}_English_CSV_data_{region}.csv"
            mine_of[require_free_file(Path(folder) / name)] = mine
    for path, mine in mine_of.items():
        with file_in_one_step(path) as temporary:
            mine.to_csv(
                temporary, index=False, header=list(COLUMNS), encoding="cp1252",
                errors="replace", lineterminator="\r\n",
            )  # fmt: skip
    return list(mine_of)


def _rows(census: Census, made: MadeTable, rows: list[dict[str, Any]]) -> pd.DataFrame:
    units = census.units(made.level).reindex(made.frame.index)
    land = made.frame.assign(land_km2=units["land_km2"].round(4))
    signs = made.symbols.assign(land_km2="")
    known = [row for row in rows if row["variable"] in land]
    variables = [row["variable"] for row in known]
    per_unit = len(known)
    names = units["unit_name"].fillna(units.index.to_series()).to_numpy(dtype=object)
    head = {
        "CENSUS_YEAR": str(census.vintage),
        "DGUID": units["dguid"].to_numpy(dtype=object),
        "ALT_GEO_CODE": units.index.to_numpy(dtype=object),
        "GEO_LEVEL": fact_table("made_profile")["geo_level"][made.level],
        "GEO_NAME": names,
        "TNR_SF": "3.1",
        "TNR_LF": "4.3",
        "DATA_QUALITY_FLAG": "00000",
    }
    frame = pd.DataFrame(head).loc[np.repeat(np.arange(len(units)), per_unit)]
    frame = frame.reset_index(drop=True)
    frame["id"] = np.tile([str(row["id"]) for row in known], len(units))
    frame["name"] = np.tile(np.array([row["name"] for row in known], dtype=object), len(units))
    frame["note"] = ""
    values = land[variables].to_numpy()
    symbols = signs[variables].to_numpy(dtype=object)
    halves = np.where(np.isin(variables, ["dwellings", "households", "land_km2"]), np.nan, 0.49)
    bases = _bases(known, values)
    counts = (values, np.round(values * halves / 5) * 5, np.round(values * (1 - halves) / 5) * 5)
    for place, count in enumerate(counts):
        frame[f"count{place}"], frame[f"sign{place}"] = _cells(count, symbols)
    for place, _ in enumerate(counts):
        rate = np.round(100 * values / np.where(bases > 0, bases, np.nan), 1)
        told = np.where(np.isnan(bases), "...", symbols)
        frame[f"rate{place}"], frame[f"ratesign{place}"] = _cells(rate, told)
    return frame


def _bases(known: list[dict[str, Any]], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the total each value is a share of, missing where it is a share of none."""
    bases = np.full(values.shape, np.nan)
    at = {row["id"]: column for column, row in enumerate(known)}
    for column, row in enumerate(known):
        if "of" in row:
            bases[:, column] = values[:, at[row["of"]]]
    return bases


def _cells(values: npt.NDArray[np.float64], symbols: Texts) -> tuple[Texts, Texts]:
    """Return the texts of values, empty where there is none, and of the symbols beside them."""
    flat = values.ravel()
    text = np.array([f"{v:.4f}".rstrip("0").rstrip(".") for v in flat.tolist()], dtype=object)
    text[np.isnan(flat)] = ""
    signs = np.where(np.isnan(values) & (symbols == ""), "...", symbols).ravel()
    text[signs != ""] = ""
    return text, signs.astype(object)


def correspondence(newer: Census, older: Census, level: Literal["DA", "DB"] = "DA") -> pd.DataFrame:
    """Say which units of an older census the land of each newer block was in.

    Parameters
    ----------
    newer, older
        Two censuses of one made country (same blocks, same seed).
    level
        Level that is compared.

    Returns
    -------
    pandas.DataFrame
        One row a newer block and older unit that share land: ``new_id, old_id, db_id`` (text) and
        ``flag`` (1 one to one, 2 one new unit from several old, 3 several new from one old,
        4 several to several: told by all units that hang together).

    Raises
    ------
    InputError
        A census is not a made one, or they are of two countries.

    Examples
    --------
    >>> from lipgeo import synthetic
    >>> now, then = synthetic.census(500), synthetic.census(500, vintage=2016)
    >>> bool((synthetic.correspondence(now, then)["flag"] == "1").mean() > 0.5)
    True
    """
    now, then = country_of(newer), country_of(older)
    if now.land != then.land:
        raise InputError("synthetic.two_countries")
    block, old = _pairs(now, then, level)
    new = block if level == "DB" else now.units.da[block]
    flag = _flags(new, old)
    ids = {
        name: country.ids[level].to_numpy(dtype=object)
        for name, country in _name_countries(now, then)
    }
    frame = pd.DataFrame(
        {
            "new_id": ids["new"][new],
            "old_id": ids["old"][old],
            "db_id": now.ids["DB"].to_numpy(dtype=object)[block],
            "flag": flag,
        }
    )
    return frame.sort_values(["new_id", "db_id", "old_id"], ignore_index=True)


def _name_countries(now: Country, then: Country) -> tuple[tuple[str, Country], tuple[str, Country]]:
    return ("new", now), ("old", then)


def _pairs(now: Country, then: Country, level: str) -> tuple[Ints, Ints]:
    """Return the pairs of newer block and older unit that share a cell, or the same water."""
    wet_now, wet_then = (np.flatnonzero(c.units.water >= 0) for c in (now, then))
    block = np.concatenate([now.units.block, wet_now])
    old_block = np.concatenate([then.units.block, wet_then])
    old = old_block if level == "DB" else then.units.da[old_block]
    pairs = np.unique(np.column_stack([block, old]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _flags(new: Ints, old: Ints) -> npt.NDArray[np.object_]:
    """Return the kind of change of each pair, by the units that hang together."""
    span = int(new.max()) + 1
    size = span + int(old.max()) + 1
    links = csr_matrix((np.ones(len(new)), (new, span + old)), shape=(size, size))
    group = connected_components(links, directed=False)[1]
    news = np.bincount(group[:span], minlength=size)
    olds = np.bincount(group[span:], minlength=size)
    here = group[new]
    single_new, single_old = news[here] == 1, olds[here] == 1
    kinds = np.select([single_new & single_old, single_new, single_old], ["1", "2", "3"], "4")
    return np.asarray(kinds, dtype=object)


def write_correspondence(
    newer: Census,
    older: Census,
    folder: str | Path,
    level: Literal["DA", "DB"] = "DA",
    *,
    replace: bool = False,
) -> Path:
    """Write the correspondence file 92-156 of two made censuses, zipped, under its name.

    From 2021 the columns carry DGUIDs and names joined by ``_``; before, names joined by ``/``
    (files before 2016 were published in another form, which is not known here: these are
    written as that of 2016).

    Parameters
    ----------
    newer, older, level
        As for :func:`correspondence`.
    folder
        Where to write.
    replace
        Whether an earlier made file gives way; nothing else does, and never a published file.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        See :func:`correspondence`.
    OutputError
        A file of its name stands there, or the folder cannot be written.
    """
    frame = correspondence(newer, older, level)
    year, before = newer.vintage, older.vintage
    french = geography.level(level).stems[1]
    written = layout_facts()["correspondence"][str(year)]
    mark = written["joint"]
    heads = {
        "new_id": f"{level}UID{year}{mark}{french}IDU{year}",
        "old_id": f"{level}UID{before}{mark}{french}IDU{before}",
        "db_id": f"DBUID{year}{mark}IDIDU{year}",
    }
    flag = written["flag"].format(level=level, french=french)
    columns = ["new_id", "old_id"] if level == "DB" else ["new_id", "old_id", "db_id"]
    named = frame[[*columns, "flag"]].rename(columns=heads | {"flag": flag})
    if level == "DB":
        named = named.drop_duplicates(ignore_index=True)
    if written["dguids"]:
        for column, of, vintage in (("new_id", level, year), ("old_id", level, before)):
            head = f"{of}DGUID{vintage}_{french}IDUGD{vintage}"
            named[head] = geography.dguids(of, frame[column], vintage).to_numpy(dtype=object)
        if level == "DA":
            guids = geography.dguids("DB", frame["db_id"], year)
            named[f"DBDGUID{year}_IDIDUGD{year}"] = guids.to_numpy(dtype=object)
    known = table_file("correspondence", year, level)
    name = known.name if known is not None else f"{year}_92-156_{level}_{french}_csv.zip"
    path = require_free_file(Path(folder) / name, replace=replace)
    stem = path.stem.removesuffix("_txt").removesuffix("_csv")
    member = f"{stem}/{stem}.csv" if written["folder"] else f"{stem}.csv"
    with file_in_one_step(path) as zipped, scratch_folder() as place:
        text = Path(place) / "table.csv"
        named.to_csv(text, index=False, encoding="utf-8", lineterminator="\r\n")
        write_zip(zipped, {member: text}, MAKER)
    return path


Language = Literal["en", "fr"]

#: columns of the files that are not made of a level's stem
_COMMON = {
    "en": {"dguid": "DGUID", "land": "LANDAREA", "x": "DBRPLAMX", "y": "DBRPLAMY"},
    "fr": {"dguid": "IDUGD", "land": "SUPTERRE", "x": "IDRPLAMX", "y": "IDRPLAMY"},
}
_WORDS = {"en": ("NAME", "TYPE"), "fr": ("NOM", "GENRE")}
#: stem of the columns of population centres and urban areas
_STEMS = {"POPCTR": ("PC", "CP"), "UA": ("UA", "RU")}
_PARENTS = ("PR", "CD", "CCS", "CSD", "ER", "CMA", "CT", "ADA")


def write_files(
    census: Census,
    folder: str | Path,
    *,
    levels: Sequence[str] | None = None,
    boundary_type: Literal["cartographic", "digital"] = "cartographic",
    language: Language = "en",
    replace: bool = False,
) -> list[Path]:
    """Write a census in the files Statistics Canada publishes, under their names.

    A zipped shapefile a level (``lda_000b21a_e.zip``: EPSG:3347 from 2016, degrees of NAD83
    before; from 2021 own id, DGUID, name, type and land area, with French columns if asked; before
    2021 the parents too), the geographic attribute file 92-151 of the year (fixed width for 2006
    and 2011, text between commas after), from 2021 the relationship file 98-26-0004, and plain
    tables of the population and dwellings of provinces, divisions and subdivisions, which prove
    a store of them complete.

    Parameters
    ----------
    census
        A made census, or any with names and parents.
    folder
        Where to write; made if it is not there.
    levels
        Levels whose boundaries are written; all of the year unless given.
    boundary_type
        The kind the names say. The polygons are the census's own.
    language
        Language of names and columns of the boundary files; French exists for 2021.
    replace
        Whether earlier made files give way; nothing else does, and never a published file.

    Returns
    -------
    list of pathlib.Path
        The files, boundaries first, as the census lists its levels.

    Raises
    ------
    MissingLevelError
        A level the census does not hold.
    OutputError
        Files of these names stand there, or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from lipgeo import synthetic
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = synthetic.write_files(synthetic.census(500), folder, levels=["DA"])
    ...     [path.name for path in made[:3]]
    ['lda_000b21a_e.zip', '2021_92-151_X.zip', '2021_98260004.zip']
    """
    target = Path(folder)
    vintage = census.vintage
    boundaries = {
        level: boundary_file(level, vintage, boundary_type, language)
        for level in map(census.require_level, census.levels if levels is None else levels)
    }
    tables = [table_file(role, vintage) for role in ("attributes", "relationship")]
    # what stands there is looked at before the work begins
    names = [one.name for one in (*boundaries.values(), *tables) if one is not None]
    names += [_totals_name(level, vintage) for level in _TOTALS]
    for name in names:
        require_free_file(target / name, replace=replace)
    written: list[Path] = []
    for level, published in boundaries.items():
        layer = _layer(census, level, published.lang)
        written.append(_write_shapefile(layer, target / published.name, published.crs, vintage))
    fields = block_fields(census)
    for table in tables:
        if table is not None:
            described = layout(table.product, vintage)
            written.append(_write_table(fields, described, target / table.name, vintage))
    return written + [_write_totals(census, level, target) for level in _TOTALS]


_TOTALS = ("CSD", "CD", "PR")


def _totals_name(level: str, vintage: int) -> str:
    return f"population_dwellings_{level.lower()}_{vintage}.csv"


def _write_totals(census: Census, level: str, folder: Path) -> Path:
    """Write the population and dwelling counts of a level, a plain table."""
    units = census.units(level)
    counts = units[["population", "dwellings", "households"]].round().astype("Int64")
    table = counts.rename_axis(_id_column(level, "en")).reset_index()
    path = folder / _totals_name(level, census.vintage)
    with file_in_one_step(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    return path


def _layer(census: Census, level: str, lang: str) -> gpd.GeoDataFrame:
    """Return a level with the columns its boundary file has; units without polygon left out."""
    units = census.units(level)
    polygons = census.data.geometry(level)
    held = ~shapely.is_missing(polygons)
    units = units[held]
    columns: dict[str, npt.NDArray[np.object_] | pd.Series] = {}
    columns[_id_column(level, lang)] = units.index.to_numpy(dtype=object)
    common = _COMMON[lang]
    alone = layout_facts()["boundaries"][str(census.vintage)]["carries"] == "own"
    if alone:
        columns[common["dguid"]] = units["dguid"]
    _add_names(columns, level, units, lang)
    if level == "DB" and alone:
        columns[common["x"]], columns[common["y"]] = units["x"], units["y"]
    if alone:
        columns[common["land"]] = units["land_km2"]
        if level != "PR" and "PR" in units:
            columns[_id_column("PR", lang)] = units["PR"]
    else:
        _add_parents(columns, census, units)
    frame = pd.DataFrame(
        {name: np.asarray(values, dtype=object) for name, values in columns.items()}
    )
    numbers = [name for name in (common["land"], common["x"], common["y"]) if name in frame]
    frame[numbers] = frame[numbers].astype(np.float64)
    texts = frame.columns.difference(numbers)
    frame[texts] = frame[texts].astype("string")
    return gpd.GeoDataFrame(frame, geometry=polygons[held], crs=census.crs)


def _stem(level: str, lang: str) -> str:
    pair = _STEMS.get(level, geography.level(level).stems[:2])
    return str(pair[lang == "fr"])


def _id_column(level: str, lang: str) -> str:
    return _stem(level, lang) + ("IDU" if lang == "fr" else "UID")


def _add_names(
    columns: dict[str, npt.NDArray[np.object_] | pd.Series],
    level: str,
    units: pd.DataFrame,
    lang: str,
) -> None:
    name, kind = _WORDS[lang]
    stem = _stem(level, lang)
    if level == "PR":
        both = units["unit_name"].astype(str) + " / " + units["name_fr"].astype(str)
        same = units["unit_name"] == units["name_fr"]
        columns[stem + name] = both.mask(same, units["unit_name"])
        english, french = ("PRANOM", "PRFNOM") if lang == "fr" else ("PRENAME", "PRFNAME")
        columns[english], columns[french] = units["unit_name"], units["name_fr"]
        return
    if level not in ("DA", "DB", "ADA", "FSA") and units["unit_name"].notna().any():
        columns[stem + name] = units["unit_name"]
    if units["unit_type"].notna().any():
        columns[stem + kind] = units["unit_type"]


def _add_parents(
    columns: dict[str, npt.NDArray[np.object_] | pd.Series],
    census: Census,
    units: pd.DataFrame,
) -> None:
    """Add the parents of a unit as older files have them: id, name and type of each."""
    for parent in _PARENTS:
        if parent not in units:
            continue
        above = census.units(parent)
        columns[_id_column(parent, "en")] = units[parent]
        parents = pd.Index(units[parent])
        if parent == "PR":
            columns["PRNAME"] = above["unit_name"].reindex(parents).to_numpy(dtype=object)
        elif parent not in ("CT", "ADA"):
            for word, column in zip(_WORDS["en"], ("unit_name", "unit_type"), strict=True):
                if above[column].notna().any():
                    values = above[column].reindex(parents).to_numpy(dtype=object)
                    columns[_stem(parent, "en") + word] = values


def _write_shapefile(layer: gpd.GeoDataFrame, path: Path, crs: str, vintage: int) -> Path:
    """Write a zipped shapefile; that of old censuses in Windows-1252 without a word about it."""
    if crs != layer.crs.to_string():
        layer = layer.to_crs(crs)
    with file_in_one_step(path) as zipped, scratch_folder() as folder:
        shape = Path(folder) / f"{path.stem}.shp"
        written = layout_facts()["boundaries"][str(vintage)]
        pyogrio.write_dataframe(layer, shape, driver="ESRI Shapefile", encoding=written["encoding"])
        members = {file.name: file for file in Path(folder).iterdir()}
        if not written["code_page_file"]:
            members.pop(f"{path.stem}.cpg", None)
        write_zip(zipped, members, MAKER)
    return path


def _write_table(fields: pd.DataFrame, described: Layout, path: Path, vintage: int) -> Path:
    """Write a zipped table."""
    ending = ".txt" if described.form == "fixed" else ".csv"
    name = path.stem.removesuffix("_txt").removesuffix("_csv") + ending
    with file_in_one_step(path) as zipped, scratch_folder() as folder:
        table = Path(folder) / name
        write_layout(fields, described.name, vintage, table)
        write_zip(zipped, {name: table}, MAKER)
    return path
