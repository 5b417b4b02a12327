"""Files of numbers to take away: the long table with its description, and a workbook an area.

No file holds the middle of an estimate that may only be told as a range.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.files import (
    Bars,
    Sheet,
    json_text,
    sha256_of,
    write_csv,
    write_csv_rows,
    write_workbook,
)
from lipgeo.portal.observations import COLUMNS, KEY, NUMBERS
from lipgeo.portal.pages.blocks import RECORD, AreaBlocks, Topic
from lipgeo.portal.pages.charts import Chart, chart_words
from lipgeo.words import LANGUAGES, language, say, speaking

__all__ = ["column_words", "write_area_rows", "write_area_workbook", "write_long_table"]

#: letters of a sheet's name that Excel takes, with room for a number
_TAB = 26
#: letters a column of a workbook may be wide: numbers and their notes stand side by side
_WIDEST = 26


def column_words() -> list[list[str]]:
    """Return name and meaning of each column of the long table, in the language in force."""
    return [[name, say(f"site.column_{name}")] for name in COLUMNS]


def write_long_table(frame: pd.DataFrame, folder: Path, stem: str, title: str) -> list[str]:
    """Write the long table as CSV and Parquet, each described in both languages.

    Parameters
    ----------
    frame
        Rows as an audience may see them, without middles that may not be told.
    folder
        Where to.
    stem
        Name of the files before their ending.
    title
        Name of the portal.

    Returns
    -------
    list of str
        The files: the CSV, its CSVW metadata (``-metadata.json``), the Parquet file and a data
        package (``datapackage.json``).
    """
    table, parquet = f"{stem}.csv", f"{stem}.parquet"
    write_csv(frame, folder / table)
    typed = frame.astype({name: "string" for name in COLUMNS if name not in NUMBERS})
    typed.to_parquet(folder / parquet, index=False)
    described, package = f"{table}-metadata.json", f"{stem}.datapackage.json"
    (folder / described).write_text(_csvw(table, title), encoding="utf-8", newline="\n")
    files = [(table, "csv", "text/csv"), (parquet, "parquet", "application/vnd.apache.parquet")]
    (folder / package).write_text(
        _package(folder, files, stem, title), encoding="utf-8", newline="\n"
    )
    return [table, described, parquet, package]


def _in_both(key: str) -> dict[str, str]:
    told: dict[str, str] = {}
    for lang in LANGUAGES:
        with speaking(lang):
            told[lang] = say(key)
    return told


def _csvw(table: str, title: str) -> str:
    columns = [
        {
            "name": name,
            "titles": name,
            "dc:description": _in_both(f"site.column_{name}"),
            "datatype": "number" if name in NUMBERS else "string",
            "required": name in ("area_id", "definition", "indicator", "period", "origin"),
        }
        for name in COLUMNS
    ]
    return json_text(
        {
            "@context": ["http://www.w3.org/ns/csvw", {"language": "en"}],
            "url": table,
            "dc:title": title,
            "dialect": {"encoding": "utf-8", "delimiter": ",", "header": True},
            "tableSchema": {"columns": columns, "primaryKey": list(KEY)},
        },
        sort=False,
    )


def _package(folder: Path, files: Sequence[tuple[str, str, str]], stem: str, title: str) -> str:
    fields = [
        {
            "name": name,
            "type": "number" if name in NUMBERS else "string",
            "description": _in_both(f"site.column_{name}")["en"],
            "description_fr": _in_both(f"site.column_{name}")["fr"],
        }
        for name in COLUMNS
    ]
    resources = [
        {
            "name": f"{stem}-{form}",
            "path": name,
            "format": form,
            "mediatype": media,
            "hash": f"sha256:{sha256_of(folder / name)}",
            "schema": {"fields": fields, "primaryKey": list(KEY), "missingValues": [""]},
        }
        for name, form, media in files
    ]
    return json_text({"name": stem, "title": title, "resources": resources}, sort=False)


# ---------------------------------------------------------------------- the workbook of an area


def write_area_workbook(blocks: AreaBlocks, path: Path, chart: Chart | None = None) -> None:
    """Write an area's tables as a workbook, with a chart of its own where one is given.

    A sheet that says what it is, and a sheet a topic: indicators down, places and periods across,
    and beside each number a note with its count, its range and where it is from.
    """
    about = [*blocks.notices, blocks.lead, *blocks.sentences, *blocks.series, *blocks.sources]
    lines = [one for one in (*about, blocks.citation) if one]
    sheets = [Sheet(say("site.sheet_about"), {blocks.title: lines}, wrap=100)]
    sheets += [_wide(name, topic) for name, topic in zip(_tabs(blocks), blocks.topics, strict=True)]
    if chart is not None:
        sheets.insert(1, _drawn(chart))
    write_workbook(sheets, path)


def _drawn(chart: Chart) -> Sheet:
    """Return a chart as a sheet: what is measured down, places across, and the bars under it."""
    places = list(dict.fromkeys(bar.place for group in chart.groups for bar in group.bars))
    held = [{bar.place: bar for bar in group.bars} for group in chart.groups]
    frame: dict[str, list[Any]] = {
        say("site.head_indicator"): [group.label for group in chart.groups],
        **{
            place: [mine[place].value if place in mine else None for mine in held]
            for place in places
        },
    }
    # a range has no bar: it stands in words
    frame[say("site.head_note")] = [
        "; ".join(say("site.bar_note", place=bar.place, text=bar.text) for bar in group.bars)
        for group in chart.groups
    ]
    bars = Bars(chart.title, say("site.chart_axis"), chart_words(chart))
    formats = ["0.0"] * len(chart.groups)
    return Sheet(say("site.sheet_chart"), frame, row_formats=formats, wrap=_WIDEST, bars=bars)


def _wide(name: str, topic: Topic) -> Sheet:
    """Return a topic with indicators down, places and periods across, a note beside each."""
    named: dict[str, list[Any]] = {key: [] for key in ("code", "indicator", "universe")}
    rows: dict[tuple[str, str], int] = {}
    cells: dict[tuple[str, str], tuple[list[Any], list[Any]]] = {}
    formats: list[str] = []
    count = len({(line.code, line.subject) for line in topic.lines})
    for line in topic.lines:
        key = (line.code, line.subject)
        if key not in rows:
            rows[key] = len(rows)
            named["code"].append(line.code)
            named["indicator"].append(line.subject)
            named["universe"].append(line.universe)
            formats.append("#,##0.0" if line.decimals else "#,##0")
        at = rows[key]
        for place, cell in zip(topic.places, line.cells, strict=True):
            if (place, line.period) not in cells:
                cells[place, line.period] = ([None] * count, [None] * count)
            values, notes = cells[place, line.period]
            values[at] = cell.number
            words = [cell.value, *cell.details] if cell.number is None else cell.details
            notes[at] = "; ".join(words) or None
    columns = {say(f"site.head_{key}"): of for key, of in named.items()}
    for (place, period), (values, notes) in cells.items():
        head = say("site.place_and_period", place=place, period=period)
        columns[head] = values
        columns[say("site.note_of", column=head)] = notes
    return Sheet(name, columns, title=topic.title, row_formats=formats, wrap=_WIDEST)


def _tabs(blocks: AreaBlocks) -> list[str]:
    """Return names of sheets that Excel takes: short, each once, without its own signs."""
    made: list[str] = []
    used = {say(f"site.sheet_{one}").casefold() for one in ("about", "chart")}
    for at, topic in enumerate(blocks.topics, start=1):
        plain = "".join(" " if one in "[]:*?/\\'" else one for one in topic.title)[:_TAB].strip()
        name = plain if plain and plain.casefold() not in used else f"{plain} {at}".strip()
        used.add(name.casefold())
        made.append(name)
    return made


def write_area_rows(blocks: AreaBlocks, path: Path) -> None:
    """Write every number of an area as CSV, in the form of the language in force.

    What the area is held against has a file of its own.
    """
    heads = [say(f"site.head_{one}") for one in RECORD]
    records = (one for topic in blocks.topics for one in topic.records)
    write_csv_rows(heads, records, path, language())
