"""``write_facts``: one area as a page, workbook, Word document or PDF, all of the same blocks."""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from lipgeo.census.census import Census
from lipgeo.errors import InputError, OutputError, require_path
from lipgeo.files import file_in_one_step, require_free_file
from lipgeo.portal.areas import resolve_area
from lipgeo.portal.blocks import AreaBlocks
from lipgeo.portal.portal import Audience, Portal
from lipgeo.portal.site import fill_page, state_of, write_area_workbook
from lipgeo.report import text_of
from lipgeo.words import LANGUAGES, Language, say, speaking

__all__ = ["write_facts"]

_ENDINGS = (".html", ".xlsx", ".docx", ".pdf")
_DATE = datetime.datetime(1980, 1, 1)


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
        The file.

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
    target = require_path(path)
    ending = target.suffix.lower()
    if ending not in _ENDINGS:
        raise InputError("site.facts_suffix", known=list(_ENDINGS), given=target.suffix)
    if lang not in LANGUAGES:
        raise InputError("site.bad_lang", known=list(LANGUAGES), given=lang)
    if audience == "members" and not target.stem.endswith("-members"):
        target = target.with_name(f"{target.stem}-members{target.suffix}")
    require_free_file(target, replace=replace, endings=[ending])
    state = state_of(portal, audience, census)
    id, definition = resolve_area(area, portal.areas)
    mine = state.areas["area_id"].eq(id) & state.areas["definition"].eq(definition)
    if not mine.any():
        raise InputError("site.facts_not_told", area=area)
    with speaking(lang):
        blocks = state.blocks(state.areas[mine].iloc[0])
        with file_in_one_step(target) as temporary:
            _write(blocks, ending, lang, temporary)
    # comparators stand in the document too: all that could be in it counts as seen
    told = {one for topic in blocks.topics for one in topic.frame.iloc[:, 0]}
    portal.record_build("facts", target, audience, state.frame[state.frame["indicator"].isin(told)])
    return target


def _write(blocks: AreaBlocks, ending: str, lang: str, path: Path) -> None:
    if ending == ".html":
        text = fill_page(blocks.title, area=blocks)
        path.write_text(text, encoding="utf-8", newline="\n")
    elif ending == ".xlsx":
        write_area_workbook(blocks, path)
    elif ending == ".docx":
        path.write_bytes(_word(blocks, lang))
    else:
        path.write_bytes(_pdf(blocks, lang))


def _lists(blocks: AreaBlocks) -> list[tuple[str, list[str]]]:
    lists = [
        (say("site.series"), list(blocks.series)),
        (say("site.sources"), list(blocks.sources)),
        (say("site.cite"), [blocks.citation] if blocks.citation else []),
    ]
    return [one for one in lists if one[1]]


def _pdf(blocks: AreaBlocks, lang: str) -> bytes:
    try:
        import typst
    except ImportError as error:
        raise OutputError("site.no_documents") from error
    page = {
        "title": blocks.title, "lang": lang, "notices": blocks.notices, "lead": blocks.lead,
        "large": blocks.large, "sentences": blocks.sentences, "heads": blocks.heads,
        "topics": [{"title": one.title, "rows": one.rows} for one in blocks.topics],
        "lists": _lists(blocks),
    }  # fmt: skip
    source = text_of("portal/facts.typ").encode("utf-8")
    made: bytes = typst.compile(
        source, format="pdf", pdf_standards="ua-1", sys_inputs={"page": json.dumps(page)}
    )
    return made


def _word(blocks: AreaBlocks, lang: str) -> bytes:
    try:
        import docx
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn
    except ImportError as error:
        raise OutputError("site.no_documents") from error
    book = docx.Document()
    about = book.core_properties
    about.title, about.author, about.comments = blocks.title, "", "lipgeo"
    about.created = about.modified = _DATE
    about.language = f"{lang}-CA"
    spoken = OxmlElement("w:lang")
    spoken.set(qn("w:val"), f"{lang}-CA")
    font = book.styles["Normal"].element.get_or_add_rPr()
    font.append(spoken)
    book.add_heading(blocks.title, level=1)
    for text in (*blocks.notices, blocks.lead):
        book.add_paragraph(text)
    for value, label in blocks.large:
        line = book.add_paragraph()
        line.add_run(value).bold = True
        line.add_run(f" {label}")
    if blocks.sentences:
        book.add_paragraph(" ".join(blocks.sentences))
    for topic in blocks.topics:
        book.add_heading(topic.title, level=2)
        table = book.add_table(rows=1, cols=len(blocks.heads))
        table.style = "Table Grid"
        for cell, text in zip(table.rows[0].cells, blocks.heads, strict=True):
            cell.text = text
        # the first row is a header on every page, and for who listens
        table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
        for row in topic.rows:
            for cell, text in zip(table.add_row().cells, row, strict=True):
                cell.text = text
    for title, lines in _lists(blocks):
        book.add_heading(title, level=2)
        for text in lines:
            book.add_paragraph(text)
    held = io.BytesIO()
    book.save(held)
    return _dateless(held)


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
