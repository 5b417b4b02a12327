"""Write what people read in an order: ``README.md``, ``LISEZMOI.md``, the page of the checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from lipgeo._version import __version__
from lipgeo.geography.floors import floor_universes, floors, floors_of_universe
from lipgeo.geography.hierarchy import Fact, level
from lipgeo.order.content import Content
from lipgeo.report import CheckReport, fill_template
from lipgeo.words import language, number, say, speaking

__all__ = ["checks_page", "readme"]


def readme(
    content: Content, report: CheckReport, *, contact: str | None, tables: int, lang: str
) -> str:
    """Return the order's README in one language, for a clerk who knows no GIS."""
    with speaking("fr" if lang == "fr" else "en"):
        return "\n".join(_readme(content, report, contact, tables)) + "\n"


def _readme(
    content: Content, report: CheckReport, contact: str | None, tables: int
) -> Iterable[str]:
    meta, areas = content.meta, content.areas
    vintage = str(content.vintage)
    yield "# " + say("order.readme_title", vintage=vintage, areas=len(areas))
    yield ""
    yield say("order.readme_intro", areas=len(areas), units=len(content.units), vintage=vintage)
    yield from ("", "## " + say("order.readme_files"), "")
    for name in (
        "shapefile", "geopackage", "geojson", "kmz", "concordance", "fewest", "areas", "each",
        "checks", "map", *(["tables"] if tables else []), "manifest",
    ):  # fmt: skip
        yield "- " + say(f"order.readme_file_{name}", vintage=vintage)
    yield from ("", "## " + say("order.readme_method"), "")
    yield from _method(content)
    yield from ("", "## " + say("order.readme_fit"), "")
    yield from _fit(content)
    yield from ("", "## " + say("order.readme_floors"), "")
    yield from _floors(content, report)
    yield from ("", "## " + say("order.readme_areas"), "")
    yield from _table(content)
    if len(content.left_out):
        yield from ("", "## " + say("order.readme_left_out"), "")
        yield say("order.readme_left_out_why")
        yield ""
        yield from (
            f"- {_cell(a.area_id)}: {_cell(_name(a))} ({say(f'order.reason_{a.reason}')})"
            for a in content.left_out.itertuples()
        )
    yield from ("", "## " + say("order.readme_source"), "")
    yield content.attribution
    for source in meta.get("sources", []):
        yield f"- {source.get('name')} (sha256 {source.get('sha256')})"
    yield ""
    yield say("order.readme_property")
    yield from ("", "## " + say("order.readme_contact"), "")
    yield contact if contact else say("order.readme_no_contact")
    yield ""
    yield say("order.readme_made_by", version=__version__)


def _name(area: Any) -> str:
    return str(area.name_fr if language() == "fr" else area.name_en)


def _cell(text: Any) -> str:
    """Return text that Markdown shows as it is."""
    shown = str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    return shown.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("`", "\\`")


def _method(content: Content) -> Iterable[str]:
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


def _fit(content: Content) -> Iterable[str]:
    fitted = content.areas[content.areas["definition"].eq("drawn")]
    if fitted.empty:
        yield say("order.readme_exact")
        return
    total = fitted["population_drawn"].sum()
    omitted, added = fitted["population_omitted"].sum(), fitted["population_added"].sum()
    yield say(
        "order.readme_misfit", drawn=total, omitted=omitted, added=added,
        share=float((omitted + added) / total) if total > 0 else 0.0,
    )  # fmt: skip


def _floors(content: Content, report: CheckReport) -> Iterable[str]:
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
    shown = [f for f in report.gravest_first if f.severity != "note"]
    yield ""
    if not shown:
        yield say("order.readme_nothing_found")
        return
    yield say("order.readme_findings", count=len(shown))
    yield ""
    yield from (f"- {_cell(found.sentence)}" for found in shown[:20])
    if len(shown) > 20:
        yield "- " + say("order.readme_more", more=len(shown) - 20)


def _table(content: Content) -> Iterable[str]:
    heads = ("custom_id", "name", "units", "fewest", "people", "misfit", "floor")
    yield "| " + " | ".join(say(f"order.head_{head}") for head in heads) + " |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    fewest = content.cover["custom_id"].value_counts()
    for area in content.areas.itertuples():
        people = "" if pd.isna(area.population_union) else number(area.population_union)
        misfit = "" if pd.isna(area.misfit_share) else say("order.pct", share=area.misfit_share)
        floor = number(area.floor_persons) + (" !" if area.below_floor else "")
        cells = (
            _cell(area.custom_id), _cell(_name(area)), number(area.unit_count),
            number(fewest.get(area.custom_id, 0)), people, misfit, floor,
        )  # fmt: skip
        yield "| " + " | ".join(cells) + " |"


def checks_page(content: Content, report: CheckReport) -> str:
    """Return the findings as a page that loads nothing, gravest first; in the language in force."""
    found = report.gravest_first
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
