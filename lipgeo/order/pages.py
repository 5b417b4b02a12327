"""Write what people read in an order: the README for its receiver, the page of the checks.

A README is the same parts as text and as HTML, once in each language.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lipgeo._version import __version__
from lipgeo.geography.floors import floor_universes, floors, floors_of_universe
from lipgeo.geography.hierarchy import Fact, level
from lipgeo.order.content import Content
from lipgeo.order.tables import Asked
from lipgeo.report import fill_template
from lipgeo.words import language, number, say, speaking

__all__ = ["checks_page", "readme"]

#: characters a line of the README as text holds
_WIDTH = 78


@dataclass(frozen=True)
class _Part:
    """A part of a README: heading, sentences, a list, a table (``sides``: one a column)."""

    heading: str = ""
    sentences: Sequence[str] = ()
    items: Sequence[str] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    sides: Sequence[str] = ()

    def text(self) -> Iterator[str]:
        """Give the lines of the part as plain text, a blank one before each block."""
        if self.heading:
            yield from ("", self.heading, "-" * len(self.heading))
        for sentence in self.sentences:
            yield from ("", *textwrap.wrap(sentence, _WIDTH, break_long_words=False))
        if self.items:
            yield ""
        for item in self.items:
            yield from textwrap.wrap(f"- {item}", _WIDTH, subsequent_indent="  ")
        if self.rows:
            yield ""
            lines = [self.heads, *self.rows]
            widths = [max(len(line[at]) for line in lines) for at in range(len(self.heads))]
            for line in lines:
                cells = (
                    cell.rjust(width) if side == "right" else cell.ljust(width)
                    for cell, width, side in zip(line, widths, self.sides, strict=True)
                )
                yield "  ".join(cells).rstrip()


def readme(
    content: Content, *, contact: str | None, tables: Sequence[Asked], lang: str
) -> tuple[str, str]:
    """Return the README of an order in one language, as text and as HTML.

    It speaks to whoever receives the order and knows no GIS: what each file is, how the areas are
    made of census units, the floors they were held against, who to ask.
    """
    with speaking("fr" if lang == "fr" else "en"):
        vintage = str(content.vintage)
        title = say("order.readme_title", vintage=vintage, areas=len(content.areas))
        parts = list(_parts(content, contact, tables))
        lines = [title, "=" * len(title), *(line for part in parts for line in part.text())]
        page = fill_template(
            "order/readme.html.jinja", title=title, parts=parts, attribution=content.attribution
        )
        return "\n".join(lines) + "\n", page + "\n"


def _parts(content: Content, contact: str | None, tables: Sequence[Asked]) -> Iterator[_Part]:
    areas, vintage = content.areas, str(content.vintage)
    intro = say("order.readme_intro", areas=len(areas), units=len(content.units), vintage=vintage)
    yield _Part(sentences=[intro])
    files = [
        say(f"order.readme_file_{name}", vintage=vintage) for name in ("shapefile", "concordance")
    ]
    yield _Part(say("order.readme_files"), items=files)
    if tables:
        asked = [f"{one.table} - {one.title}" if one.title else one.table for one in tables]
        yield _Part(say("order.readme_tables"), items=asked)
    yield _areas(content)
    if len(content.left_out):
        left = [
            f"{one.area_id}: {_name(one)} ({say(f'order.reason_{one.reason}')})"
            for one in content.left_out.itertuples()
        ]
        why = say("order.readme_left_out_why")
        yield _Part(say("order.readme_left_out"), sentences=[why], items=left)
    yield _Part(say("order.readme_method"), sentences=list(_method(content)))
    yield _Part(say("order.readme_floors"), sentences=list(_floors(content)))
    source = [content.attribution, say("order.readme_property")]
    names = [str(one.get("name")) for one in content.meta.get("sources", [])]
    yield _Part(say("order.readme_source"), sentences=source, items=names)
    yield _Part(
        say("order.readme_contact"),
        sentences=[
            contact or say("order.readme_no_contact"),
            say("order.readme_made_by", version=__version__),
        ],
    )


def _name(area: Any) -> str:
    return str(area.name_fr if language() == "fr" else area.name_en)


def _areas(content: Content) -> _Part:
    heads = ("custom_id", "name", "units", "people", "floor")
    rows = []
    for area in content.areas.itertuples():
        people = "" if pd.isna(area.population_union) else number(area.population_union)
        floor = number(area.floor_persons) + (" !" if area.below_floor else "")
        name = " ".join(_name(area).split())
        rows.append((str(area.custom_id), name, number(area.unit_count), people, floor))
    return _Part(
        say("order.readme_areas"),
        heads=[say(f"order.head_{head}") for head in heads],
        rows=rows,
        sides=("left", "left", "right", "right", "right"),
    )


def _method(content: Content) -> Iterator[str]:
    meta, areas = content.meta, content.areas
    drawn = int(areas["definition"].eq("drawn").sum())
    unit = meta.get("unit")
    shown = say("order.mixed_levels") if unit in (None, "mixed") else level(unit).name
    if drawn:
        yield say(
            "order.readme_drawn", areas=drawn, unit=shown,
            rule=say(f"boundary.rule_{meta['rule']}"), by=say(f"boundary.by_{meta['by']}"),
        )  # fmt: skip
    if drawn < len(areas):
        yield say("order.readme_listed", areas=len(areas) - drawn)
    kind = str(meta.get("boundary_type") or "")
    known = kind in ("cartographic", "digital")
    yield say(f"order.readme_{kind}" if known else "order.readme_boundary_unknown")
    yield say("order.readme_retrieval")


def _floors(content: Content) -> Iterator[str]:
    known: dict[str, Fact] = floors(content.vintage)
    yield say(
        "order.readme_floor_values",
        standard=known["floor_standard"].value,
        blocks=known["floor_blocks"].value,
        income=known["income_population"].value,
        households=known["income_households"].value,
    )
    for universe in floor_universes():
        if universe != "income":  # its floors are in the sentence above
            limits = {
                fact.counts.split()[-1]: fact.value
                for fact in floors_of_universe(universe, content.vintage).values()
            }
            yield say(f"order.readme_floor_{universe}", **limits)
    unsure = {fact.certainty for fact in known.values()} - {"verified"}
    if unsure:
        yield say("order.readme_floors_unsure", vintage=str(content.vintage))
    below = content.areas.loc[content.areas["below_floor"].astype(bool), "custom_id"]
    key = "order.readme_below" if len(below) else "order.readme_none_below"
    yield say(key, count=len(below), areas=below)


def checks_page(content: Content, lang: str) -> str:
    """Return the findings as a page that loads nothing, gravest first; in one language."""
    with speaking("fr" if lang == "fr" else "en"):
        found = content.report.gravest_first
        page = fill_template(
            "order/checks.html.jinja",
            title=say("order.checks_title", vintage=str(content.vintage)),
            caption=say("order.checks_caption", count=len(found)),
            heads=[say(f"order.head_{name}") for name in ("severity", "subject", "message")],
            rows=[(say(f"cli.severity_{f.severity}"), f.subject, f.sentence) for f in found],
            classes=[f.severity for f in found],
            clean=say("report.clean"),
            attribution=content.attribution,
        )
        return page + "\n"
