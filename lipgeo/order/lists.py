"""Write the lists of an order as CSV and workbook: concordance, fewest units, areas.

A template says which columns the concordance has, in what order, under what headers.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo import geography
from lipgeo.errors import OrderError
from lipgeo.files import XLSX_ROWS, CsvStyle, Sheet, write_csv, write_workbook
from lipgeo.order.content import Content
from lipgeo.report import Faults
from lipgeo.words import say, speaking

__all__ = [
    "FIELDS",
    "REQUIRED",
    "Template",
    "area_list",
    "concordance",
    "read_template",
    "write_list",
    "write_lists",
]

#: what a column may hold
FIELDS = (
    "VINTAGE", "LEVEL", "LEVEL_NAME_EN", "LEVEL_NAME_FR", "UNIT_CODE", "UNIT_NAME", "UNIT_TYPE",
    "DGUID", "CUSTOM_ID", "AREA_ID", "AREA_NAME_EN", "AREA_NAME_FR",
)  # fmt: skip
#: without these the areas cannot be rebuilt from the concordance alone
REQUIRED = ("VINTAGE", "LEVEL", "UNIT_CODE", "CUSTOM_ID")


@dataclass(frozen=True)
class Template:
    """Columns of the concordance.

    Attributes
    ----------
    headers, fields
        What the columns are called and what they hold, in order.
    max_rows
        Rows the receiver's format holds, header included.
    """

    headers: tuple[str, ...]
    fields: tuple[str, ...]
    max_rows: int

    def apply(self, frame: pd.DataFrame, name: str) -> pd.DataFrame:
        """Return a frame of :data:`FIELDS` in the template's columns.

        Raises
        ------
        OrderError
            The frame has more rows than the receiver's format holds.
        """
        if len(frame) + 1 > self.max_rows:
            raise OrderError("order.too_many_rows", name=name, rows=len(frame), limit=self.max_rows)
        return frame[list(self.fields)].set_axis(list(self.headers), axis=1)

    def to_record(self) -> dict[str, Any]:
        """Return plain values for the manifest."""
        columns = [
            {"header": header, "field": field}
            for header, field in zip(self.headers, self.fields, strict=True)
        ]
        return {"columns": columns, "max_rows": self.max_rows}


def read_template(path: str | Path | None = None) -> Template:
    """Read a template, or the one that comes with lipgeo.

    Parameters
    ----------
    path
        A TOML file: an array of tables ``columns``, each with ``header`` and ``field``, and
        ``max_rows`` if the receiver's format holds fewer rows than an ``.xlsx`` sheet.

    Raises
    ------
    OrderError
        The file is missing or no TOML, a field is unknown or a needed one missing, or a header is
        empty or stands twice; one error tells all.

    Examples
    --------
    >>> from lipgeo.order import read_template
    >>> read_template().headers[:3]
    ('VINTAGE', 'LEVEL', 'UNIT_CODE')
    """
    shipped = resources.files("lipgeo.order") / "template.toml"
    name = "template.toml" if path is None else str(path)
    try:
        text = (
            shipped.read_text(encoding="utf-8")
            if path is None
            else Path(path).read_text(encoding="utf-8-sig")
        )
        given = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise OrderError("order.template_unreadable", path=name, reason=error) from error
    columns = given.get("columns")
    listed = isinstance(columns, list) and all(isinstance(column, dict) for column in columns)
    if not listed or not columns:
        raise OrderError("order.template_no_columns", path=name)
    return _check_template(name, given, columns)


def _check_template(name: str, given: dict[str, Any], columns: list[dict[str, Any]]) -> Template:
    fields = [str(column.get("field", "")).strip() for column in columns]
    headers = [str(column.get("header", "")).strip() for column in columns]
    faults = Faults()
    keys = {key for column in columns for key in column} - {"field", "header"}
    if other := sorted(keys | (set(given) - {"columns", "max_rows"})):
        faults.add_as_told("order.template_unknown_keys", keys=other)
    if unknown := [field for field in fields if field not in FIELDS]:
        faults.add_as_told("order.template_unknown_fields", fields=unknown, known=" ".join(FIELDS))
    if missing := [field for field in REQUIRED if field not in fields]:
        faults.add_as_told("order.template_missing_fields", fields=missing)
    if twice := sorted({h for h in headers if headers.count(h) > 1 or not h}):
        faults.add_as_told("order.template_headers", headers=[f'"{h}"' for h in twice])
    rows = given.get("max_rows", XLSX_ROWS)
    if not isinstance(rows, int) or isinstance(rows, bool) or not 1 < rows <= XLSX_ROWS:
        faults.add_as_told("order.template_rows", rows=rows, limit=XLSX_ROWS)
    faults.raise_if_any("order.template_refused", error=OrderError, path=name)
    return Template(tuple(headers), tuple(fields), rows)


def concordance(content: Content, *, cover: bool = False) -> pd.DataFrame:
    """Return one row a unit of each area: only units that are in, no shares.

    Parameters
    ----------
    content
        The order.
    cover
        Whether to list the fewest, largest units that are exactly the area instead of the units
        chosen.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`lipgeo.order.lists.FIELDS`, all text; a missing French area name shows
        the English one.
    """
    units = content.cover if cover else content.units
    areas = content.areas.set_index("custom_id")
    levels = {code: geography.level(code) for code in units["level"].unique()}
    return pd.DataFrame(
        {
            "VINTAGE": str(content.vintage),
            "LEVEL": units["level"],
            "LEVEL_NAME_EN": units["level"].map({c: of.name_en for c, of in levels.items()}),
            "LEVEL_NAME_FR": units["level"].map({c: of.name_fr for c, of in levels.items()}),
            "UNIT_CODE": units["unit_id"],
            "UNIT_NAME": units["unit_name"],
            "UNIT_TYPE": units["unit_type"],
            "DGUID": units["dguid"],
            "CUSTOM_ID": units["custom_id"],
            "AREA_ID": units["area_id"],
            "AREA_NAME_EN": units["custom_id"].map(areas["name_en"]),
            "AREA_NAME_FR": units["custom_id"].map(areas["name_fr"]),
        },
        dtype="string",
    ).reset_index(drop=True)


def area_list(content: Content) -> pd.DataFrame:
    """Return one row an area: its ids, names, levels, counts and flags.

    Returns
    -------
    pandas.DataFrame
        ``CUSTOM_ID, AREA_ID, AREA_NAME_EN, AREA_NAME_FR, VINTAGE, LEVELS, FEWEST_UNITS_LEVELS,
        CLASS`` (text), ``UNIT_COUNT, FEWEST_UNIT_COUNT``, ``POPULATION, DWELLINGS`` (persons,
        dwellings of the union; missing stays empty), ``LAND_KM2``, ``MISFIT_SHARE`` (0 to 1),
        ``PARTS, FLOOR_PERSONS, BELOW_FLOOR, FLAGS``. Areas left out stand last, with 0 units.
    """
    areas, left = content.areas, content.left_out

    def levels(units: pd.DataFrame) -> pd.Series:
        found = units.groupby("custom_id")["level"].agg(lambda of: " ".join(sorted(set(of))))
        return areas["custom_id"].map(found).astype("string")

    fewest = content.cover["custom_id"].value_counts()
    made = pd.DataFrame(
        {
            "CUSTOM_ID": areas["custom_id"],
            "AREA_ID": areas["area_id"].astype("string"),
            "AREA_NAME_EN": areas["name_en"],
            "AREA_NAME_FR": areas["name_fr"],
            "VINTAGE": areas["vintage"].astype("string"),
            "LEVELS": levels(content.units),
            "FEWEST_UNITS_LEVELS": levels(content.cover),
            "CLASS": areas["classification"],
            "UNIT_COUNT": areas["unit_count"].astype("int64"),
            "FEWEST_UNIT_COUNT": areas["custom_id"].map(fewest).fillna(0).astype("int64"),
            "POPULATION": areas["population_union"],
            "DWELLINGS": areas["dwellings_union"],
            "LAND_KM2": areas["land_km2_union"].round(4),
            "MISFIT_SHARE": areas["misfit_share"].round(6),
            "PARTS": areas["part_count"].astype("int64"),
            "FLOOR_PERSONS": areas["floor_persons"].astype("int64"),
            "BELOW_FLOOR": areas["below_floor"].map({True: "yes", False: "no"}).astype("string"),
            "FLAGS": areas["flags"].astype("string"),
        }
    )
    if not len(left):
        return made
    rest = pd.DataFrame(
        {
            "AREA_ID": left["area_id"].astype("string"),
            "AREA_NAME_EN": left["name_en"],
            "AREA_NAME_FR": left["name_fr"],
            "VINTAGE": str(content.vintage),
            "UNIT_COUNT": 0,
            "FEWEST_UNIT_COUNT": 0,
            "FLAGS": left["flags"],
        }
    )
    # a frame of missing columns would decide dtypes: the list's own stay
    whole = pd.concat([made, rest.reindex(columns=made.columns).dropna(axis=1, how="all")])
    return whole[made.columns].reset_index(drop=True)


def write_lists(
    content: Content,
    send: Path,
    yours: Path,
    *,
    template: Template | None = None,
    csv: CsvStyle = "en",
) -> list[Path]:
    """Write the concordance as CSV and workbook to send; the fewest units and the areas beside.

    For each CSV ``*.csv-metadata.json`` (CSV on the Web) names vintage, licence and columns: a CSV
    itself has no place for them. The workbook says them on its last sheet.

    Returns
    -------
    list of pathlib.Path
        The files written.
    """
    form = template or read_template()
    lists = {
        "concordance": form.apply(concordance(content), "concordance"),
        "fewest_units": form.apply(concordance(content, cover=True), "fewest_units"),
        "areas": area_list(content),
    }
    written = []
    for name, frame in lists.items():
        folder = send if name == "concordance" else yours
        beside = write_list(content, name, frame, yours, csv, where=folder)
        written += [folder / f"{name}.csv", beside]
    book = send / "concordance.xlsx"
    sheets = [Sheet(name, lists[name]) for name in ("concordance", "areas")]
    write_workbook([*sheets, Sheet("about", _about_sheet(content))], book)
    return [*written, book]


def write_list(
    content: Content,
    name: str,
    frame: pd.DataFrame,
    folder: Path,
    csv: CsvStyle,
    *,
    where: Path | None = None,
) -> Path:
    """Write one list as CSV, and into a folder what it is; return the path of the latter.

    The CSV itself goes ``where`` said, else into the same folder.
    """
    place = where or folder
    write_csv(frame, place / f"{name}.csv", csv)
    url = f"{name}.csv" if place == folder else f"../{place.name}/{name}.csv"
    beside = folder / f"{name}.csv-metadata.json"
    beside.write_text(_about(content, name, frame, csv, url), encoding="utf-8", newline="\n")
    return beside


def _about(content: Content, name: str, frame: pd.DataFrame, csv: CsvStyle, url: str) -> str:
    """Return the CSV's description, as W3C's CSV on the Web has it."""
    words = {}
    for lang in ("en", "fr"):
        with speaking("fr" if lang == "fr" else "en"):
            words[lang] = say(f"order.list_{name}", vintage=str(content.vintage))
    separator, decimal = (";", ",") if csv == "fr" else (",", ".")
    columns = []
    for column in frame.columns:
        number = pd.api.types.is_numeric_dtype(frame[column])
        kind = {"base": "number", "format": {"decimalChar": decimal}} if number else "string"
        columns.append({"titles": str(column), "datatype": kind})
    described = {
        "@context": "http://www.w3.org/ns/csvw",
        "url": url,
        "dc:title": words,
        "dc:temporal": str(content.vintage),
        "dc:rights": {lang: content.attribution_in(lang) for lang in ("en", "fr")},
        "dialect": {"delimiter": separator, "encoding": "utf-8", "header": True},
        "tableSchema": {"columns": columns},
    }
    return json.dumps(described, ensure_ascii=False, indent=1) + "\n"


def _about_sheet(content: Content) -> pd.DataFrame:
    rows = [("VINTAGE", str(content.vintage), str(content.vintage))]
    both = []
    for lang in ("en", "fr"):
        with speaking("fr" if lang == "fr" else "en"):
            names = ("concordance", "areas")
            said = [say(f"order.list_{n}", vintage=str(content.vintage)) for n in names]
            both.append([*said, content.attribution])
    labels = ("concordance", "areas", "SOURCE")
    rows += list(zip(labels, *both, strict=True))
    return pd.DataFrame(rows, columns=["ABOUT", "EN", "FR"], dtype="string")
