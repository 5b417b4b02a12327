"""``write_facts``: two pages on an area, as a page, workbook, Word document or PDF.

All are made of the same blocks. What does not fit on two pages is left to the workbook, and said.
"""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lipgeo.census.census import Census
from lipgeo.errors import InputError, OutputError, require_path
from lipgeo.files import file_in_one_step, require_free_file
from lipgeo.portal.areas import resolve_area
from lipgeo.portal.pages.blocks import AreaBlocks, Line, Material, area_blocks, facts_lines
from lipgeo.portal.pages.charts import Chart, chart_words, draw_chart
from lipgeo.portal.pages.downloads import write_area_workbook
from lipgeo.portal.pages.site import fill_page
from lipgeo.portal.pages.site_state import SiteState, state_of
from lipgeo.portal.portal import Audience, Portal
from lipgeo.report import text_of
from lipgeo.words import LANGUAGES, Language, say, speaking

__all__ = ["write_each_facts", "write_facts"]

_ENDINGS = (".html", ".xlsx", ".docx", ".pdf")
_DATE = datetime.datetime(1980, 1, 1)
#: pages a document may have
_PAGES = 2
#: the indicator whose topic is drawn, and how many of its indicators
_LEADING = "immigrants"
_GROUPS = 3
#: width of a Word page between its margins, in centimetres
_WIDE = 18.39
#: width of a drawing in a document, in points
_WIDTH = 500
#: rows that what follows the table takes the place of, as a rule
_FOLLOWING = 3
#: part of a page that is counted as its room: Word sets lines a little wider than Typst
_ROOM_FOR_WORD = 0.8


def write_facts(
    portal: Portal,
    area: str,
    path: str | Path,
    *,
    lang: Language = "en",
    audience: Audience = "public",
    census: Census | None = None,
    replace: bool = False,
) -> Path:
    """Write the Fast Facts of one area; the ending of the file says its kind.

    Parameters
    ----------
    portal
        The portal.
    area
        ``id@definition``, or an id with one definition.
    path
        ``.html``, ``.xlsx``, ``.docx`` or ``.pdf``; the last two need the extra ``documents``.
    lang
        ``en`` or ``fr``.
    audience
        ``public`` or ``members``; the name of a members' file gets ``-members``.
    census
        As for :func:`lipgeo.build_site`.
    replace
        Whether an earlier file gives way.

    Returns
    -------
    pathlib.Path
        The file. Word and PDF files have at most two pages.

    Raises
    ------
    InputError
        The ending, language or audience is none, or the audience may not know of the area.
    OutputError
        The file exists, cannot be written, or the extra ``documents`` is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import lipgeo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     portal = lipgeo.open_portal(
    ...         pathlib.Path(folder, "portal"), create=True, areas="nb-moncton")
    ...     lipgeo.write_facts(portal, "nb-moncton", pathlib.Path(folder, "facts.html")).name
    'facts.html'
    """
    wanted = [(area, lang, require_path(path))]
    return next(write_each_facts(portal, wanted, audience=audience, census=census, replace=replace))


def write_each_facts(
    portal: Portal,
    wanted: Sequence[tuple[str, Language, Path]],
    *,
    audience: Audience = "public",
    census: Census | None = None,
    replace: bool = False,
) -> Iterator[Path]:
    """Write the Fast Facts of areas one after the other, and yield each file.

    Parameters
    ----------
    portal, audience, census, replace
        As for :func:`write_facts`.
    wanted
        Area, language and file of each.

    Raises
    ------
    InputError, OutputError
        As for :func:`write_facts`, before anything is written.
    """
    files = [(area, lang, _target(path, audience)) for area, lang, path in wanted]
    for _, lang, target in files:
        if lang not in LANGUAGES:
            raise InputError("site.bad_lang", known=list(LANGUAGES), given=lang)
        require_free_file(target, replace=replace, endings=[target.suffix.lower()])
    state = state_of(portal, audience, census)
    rows = {area: _area_row(portal, state, area) for area, _, _ in files}
    materials: dict[Language, Material] = {}
    made: dict[tuple[str, Language], _Short] = {}
    recorded: set[frozenset[str]] = set()
    for area, lang, target in files:
        with speaking(lang):
            if lang not in materials:
                materials[lang] = state.material()
            if (area, lang) not in made:
                blocks = area_blocks(materials[lang], rows[area])
                heads, lines = facts_lines(materials[lang], rows[area])
                made[area, lang] = _Short(blocks, heads, lines, _chart(blocks), list(blocks.series))
            whole = made[area, lang]
            with file_in_one_step(target) as temporary:
                _write(whole, target.suffix.lower(), lang, temporary)
        # comparators stand in the document too: all that could be in it counts as seen
        codes = frozenset(whole.blocks.codes)
        # what an earlier file of this call told is written down already
        new = state.whole["indicator"].isin(codes if codes not in recorded else ())
        portal.record_build("facts", target, audience, state.whole[new])
        recorded.add(codes)
        yield target


def _area_row(portal: Portal, state: SiteState, area: str) -> dict[str, Any]:
    id, definition = resolve_area(area, portal.areas)
    mine = state.areas["area_id"].eq(id) & state.areas["definition"].eq(definition)
    if not mine.any():
        raise InputError("site.facts_not_told", area=area)
    row: dict[str, Any] = state.areas[mine].iloc[0].to_dict()
    return row


def _target(target: Path, audience: Audience) -> Path:
    if target.suffix.lower() not in _ENDINGS:
        raise InputError("site.facts_suffix", known=list(_ENDINGS), given=target.suffix)
    if audience == "members" and not target.stem.endswith("-members"):
        target = target.with_name(f"{target.stem}-members{target.suffix}")
    return target


def _write(whole: _Short, ending: str, lang: str, path: Path) -> None:
    if ending == ".html":
        drawing = Markup(draw_chart(whole.chart)) if whole.chart else ""
        text = fill_page(
            whole.blocks.title, area=whole.blocks, is_facts=True, drawing=drawing,
            lines=whole.lines, heads=whole.heads, running=whole.blocks.running,
        )  # fmt: skip
        path.write_text(text, encoding="utf-8", newline="\n")
    elif ending == ".xlsx":
        write_area_workbook(whole.blocks, path, whole.chart)
    else:
        short = _fit(whole, lang, _ROOM_FOR_WORD if ending == ".docx" else 1.0)
        path.write_bytes(_word(short, lang) if ending == ".docx" else _pdf(short, lang))


def _chart(blocks: AreaBlocks) -> Chart | None:
    """Return the chart of immigrants, else the first, cut to what two pages have room for."""
    drawn = [topic for topic in blocks.topics if topic.chart is not None]
    leading = [one for one in drawn if any(line.code == _LEADING for line in one.lines)]
    for topic in (*leading, *drawn):
        if topic.chart is not None:
            return replace(topic.chart, groups=topic.chart.groups[:_GROUPS])
    return None


# ---------------------------------------------------------------------- two pages


@dataclass(frozen=True)
class _Short:
    """What stands on two pages."""

    blocks: AreaBlocks
    heads: Sequence[str]
    lines: Sequence[Line]
    chart: Chart | None
    notes: Sequence[str]

    def sections(self) -> list[tuple[str, list[str]]]:
        """Return title and lines of what stands under the table."""
        found = [
            (say("site.notes"), list(self.notes)),
            (say("site.sources"), list(self.blocks.sources)),
            (say("site.cite"), [self.blocks.citation] if self.blocks.citation else []),
        ]
        return [one for one in found if one[1]]


def _fit(whole: _Short, lang: str, room: float) -> _Short:
    """Return as much as two pages hold; that something is left out is said."""
    pages, most = _laid_out(whole, lang, room)
    if pages <= _PAGES:
        return whole
    # remarks on pairs of censuses go first: the pages of the site have them
    short = replace(whole, notes=[say("site.more_rows")])

    # the most rows that fit: as a rule a few less than stand there now, for what follows the
    # table has to stand there too; each look at it is a document laid out
    low, high = 0, most
    guess, step = most - _FOLLOWING, 1
    while low < high:
        at = guess if low < guess <= high else (low + high + 1) // 2
        cut = replace(short, lines=whole.lines[:at])
        if _laid_out(cut, lang, room)[0] <= _PAGES:
            low, guess = at, at + step
        else:
            high, guess = at - 1, at - step
        step *= 2
    short = replace(short, lines=whole.lines[:low])
    return short if low or short.chart is None else replace(short, chart=None)


def _laid_out(short: _Short, lang: str, room: float) -> tuple[int, int]:
    """Return on how many pages all stands, and how many rows begin on those there may be."""
    source = text_of("portal/pages/facts.typ").encode("utf-8")
    page = _page(short, lang, room=room)
    told = _typst().query(
        source, "<laid>", field="value", one=True, sys_inputs={"page": json.dumps(page)},
        font_paths=_fonts(),
    )  # fmt: skip
    laid = json.loads(told)
    return int(laid["pages"]), sum(page <= _PAGES for page in laid["rows"])


@cache
def _fonts() -> Any:
    """Return the fonts there are: looked for once, and not once a document."""
    return _typst().Fonts()


def _typst() -> Any:
    try:
        import typst
    except ImportError as error:
        raise OutputError("site.no_documents") from error
    return typst


def _page(short: _Short, lang: str, *, room: float = 1.0) -> dict[str, Any]:
    blocks = short.blocks
    return {
        "title": blocks.title, "lang": lang, "notices": blocks.notices, "lead": blocks.lead,
        "large": blocks.large, "sentences": blocks.sentences, "heads": short.heads,
        "table": say("site.facts"), "room": room,
        "lines": [
            {
                "subject": one.subject,
                "cells": [{"value": cell.value, "details": list(cell.details)}
                          for cell in one.cells],
            }
            for one in short.lines
        ],
        "drawing": draw_chart(short.chart, width=_WIDTH, font="Libertinus Serif")
        if short.chart else "",
        "alt": chart_words(short.chart) if short.chart else "",
        "chart_note": say("site.chart_note"),
        "lists": short.sections(), "running": blocks.running,
    }  # fmt: skip


def _pdf(short: _Short, lang: str) -> bytes:
    made: bytes = _typst().compile(
        text_of("portal/pages/facts.typ").encode("utf-8"), format="pdf", pdf_standards="ua-1",
        sys_inputs={"page": json.dumps(_page(short, lang))}, font_paths=_fonts(),
    )  # fmt: skip
    return made


def _png(chart: Chart) -> bytes:
    """Return a chart as a picture for Word."""
    drawing = draw_chart(chart, width=_WIDTH, font="Libertinus Serif")
    source = (
        f"#set page(width: {_WIDTH}pt, height: auto, margin: 0pt)\n"
        '#image(bytes(sys.inputs.drawing), format: "svg")'
    )
    made = _typst().compile(
        source.encode("utf-8"), format="png", ppi=200.0, sys_inputs={"drawing": drawing},
        font_paths=_fonts(),
    )  # fmt: skip
    return bytes(made[0] if isinstance(made, list) else made)


# ---------------------------------------------------------------------- Word


def _word(short: _Short, lang: str) -> bytes:
    try:
        import docx
        from docx.shared import Cm, Pt
    except ImportError as error:
        raise OutputError("site.no_documents") from error
    blocks = short.blocks
    book = docx.Document()
    about = book.core_properties
    about.title, about.author, about.comments = blocks.title, "", "lipgeo"
    about.created = about.modified = _DATE
    about.language = f"{lang}-CA"
    _set_styles(book, lang)
    page = book.sections[0]
    page.page_width, page.page_height = Cm(21.59), Cm(27.94)
    page.left_margin = page.right_margin = Cm(1.6)
    page.top_margin = page.bottom_margin = Cm(1.4)
    page.footer.paragraphs[0].text = blocks.citation
    book.add_heading(blocks.title, level=1)
    for text in blocks.notices:
        book.add_paragraph().add_run(text).bold = True
    book.add_paragraph(blocks.lead)
    if blocks.large:
        _large(book, blocks.large)
    if blocks.sentences:
        book.add_paragraph(" ".join(blocks.sentences))
    if short.chart is not None:
        picture = book.add_picture(io.BytesIO(_png(short.chart)), width=Cm(11.5))
        described = picture._inline.docPr
        described.set("descr", chart_words(short.chart))
        described.set("name", short.chart.title)
        note = book.add_paragraph(say("site.chart_note"))
        note.runs[0].font.size = Pt(8)
    if short.lines:
        book.add_heading(say("site.facts"), level=2)
        _table(book, short.heads, short.lines)
    for title, lines in short.sections():
        if title == say("site.cite"):
            continue
        book.add_heading(title, level=2)
        for text in lines:
            book.add_paragraph(text).runs[0].font.size = Pt(8)
    held = io.BytesIO()
    book.save(held)
    return _dateless(held)


def _set_styles(book: Any, lang: str) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    normal = book.styles["Normal"]
    spoken = OxmlElement("w:lang")
    spoken.set(qn("w:val"), f"{lang}-CA")
    normal.element.get_or_add_rPr().append(spoken)
    normal.font.name, normal.font.size = "Calibri", Pt(9)
    normal.paragraph_format.space_after = Pt(3)
    for level, size in ((1, 18), (2, 12)):
        style = book.styles[f"Heading {level}"]
        style.font.size, style.font.color.rgb = Pt(size), RGBColor(0, 0x33, 0x55)
        style.paragraph_format.space_before = Pt(0 if level == 1 else 6)
        style.paragraph_format.space_after = Pt(3)


def _large(book: Any, large: Sequence[tuple[str, str]]) -> None:
    from docx.shared import Pt

    for value, label in large:
        line = book.add_paragraph()
        run = line.add_run(value)
        run.bold, run.font.size = True, Pt(16)
        line.add_run(f"  {label}")


def _table(book: Any, heads: Sequence[str], lines: Iterable[Line]) -> None:
    from docx.oxml import OxmlElement
    from docx.shared import Cm, Pt

    table = book.add_table(rows=1, cols=len(heads))
    table.style = "Table Grid"
    table.autofit = False
    first = _WIDE * 0.28
    widths = [first, *([(_WIDE - first) / (len(heads) - 1)] * (len(heads) - 1))]
    for column, wide in zip(table.columns, widths, strict=True):
        column.width = Cm(wide)
    for cell, text in zip(table.rows[0].cells, heads, strict=True):
        cell.text = ""
        cell.paragraphs[0].add_run(text).bold = True
    # the first row is a header on every page, and for who listens
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    for one in lines:
        row = table.add_row()
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
        texts = [(one.subject, "", False)]
        texts += [(cell.value, "; ".join(cell.details), True) for cell in one.cells]
        for cell, (text, more, bold) in zip(row.cells, texts, strict=True):
            paragraph = cell.paragraphs[0]
            paragraph.add_run(text).bold = bold
            if more:
                paragraph.add_run(f" {more}").font.size = Pt(7)
    for row in table.rows:
        for cell, of in zip(row.cells, widths, strict=True):
            cell.width = Cm(of)
            for paragraph in cell.paragraphs:
                paragraph.paragraph_format.space_after = Pt(0)
                for run in paragraph.runs:
                    run.font.size = run.font.size or Pt(8)


def _dateless(held: Any) -> bytes:
    """Return a zip without the hour it was made: equal contents give equal bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(held) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, _DATE.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            new.writestr(info, old.read(name))
    return made.getvalue()
