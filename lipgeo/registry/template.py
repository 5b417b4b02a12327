"""Write the workbook that partnerships fill in, and read it back as Excel leaves it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import openpyxl
import pandas as pd
import xlsxwriter

from lipgeo.census.census import Census
from lipgeo.errors import FileError, RegistryError, tell_damage
from lipgeo.files import WORKBOOK_PROPERTIES, close_workbook, file_in_one_step, require_free_file
from lipgeo.geography.hierarchy import (
    fold,
    level,
    levels_for,
    require_vintage,
    usual_vintage,
)
from lipgeo.readers.sheets import Sheet, read_sheet
from lipgeo.registry.resolving import units
from lipgeo.registry.table import open_registry
from lipgeo.words import LANGUAGES, say, speaking

__all__ = ["About", "read_template", "write_template"]

UNITS, ABOUT, HELP = "Units - Unités", "Partnership - Partenariat", "Instructions"
#: empty rows formatted as text, so that codes typed into them stay as typed
_ROWS = 500
_COLUMNS = ("level", "unit_code", "unit_name", "province", "mode")
_FIELDS = (
    "lip_id", "kind", "name_en", "name_fr", "contact", "email", "vintage", "valid_from",
    "valid_to", "overlaps", "remarks", "known",
)  # fmt: skip
_STEPS = 8
#: the example of the instructions
_EXAMPLE = (
    ("CMA", "505", "Ottawa - Gatineau", "", ""),
    ("CSD", "3506008", "Ottawa", "ON", "exclude"),
    ("DPL", "", "(a name) / (un nom)", "ON", ""),
)


@dataclass(frozen=True)
class About:
    """What a filled-in workbook says of its partnership; empty where nothing is said.

    Attributes
    ----------
    values
        Field (``lip_id, kind, name_en, name_fr, contact, email, vintage, valid_from, valid_to,
        overlaps, remarks, known``) to what stands beside it.
    """

    values: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def overlaps(self) -> list[str]:
        """Ids of the areas it means to overlap."""
        return [one for one in re.split(r"[;,\s]+", self["overlaps"]) if one]


_USUAL = usual_vintage()


def write_template(
    path: str | Path,
    *,
    vintage: int = _USUAL,
    lip_id: str | None = None,
    census: Census | None = None,
    folder: str | Path | None = None,
    replace: bool = False,
) -> Path:
    """Write the bilingual workbook in which a partnership lists the units of its area.

    Parameters
    ----------
    path
        The ``.xlsx`` to write.
    vintage
        Census year the units are to be of.
    lip_id
        A partnership of the registry: its id, its names, what is known of its area in words, and
        the units the registry has for it, to be corrected by whoever knows.
    census
        A census that holds the units: their names and provinces are filled in too.
    folder
        A registry of one's own.
    replace
        Whether a workbook as lipgeo wrote it gives way; one that somebody saved since does not.

    Returns
    -------
    pathlib.Path
        The workbook: a sheet of instructions, one about the partnership, one of units whose
        cells are text, so that Excel leaves codes as typed. :func:`lipgeo.compile_set` and
        :func:`lipgeo.read_service_areas` read it.

    Raises
    ------
    InputError
        No such census.
    RegistryError
        The partnership is not in the registry.
    OutputError
        The name does not end in ``.xlsx``, something stands there, or the place cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from lipgeo import write_template
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_template(pathlib.Path(folder, "intake.xlsx"), lip_id="nb-moncton").name
    'intake.xlsx'
    """
    require_free_file(path, replace=replace, endings=[".xlsx"])
    known = {"vintage": str(require_vintage(vintage))}
    listed: list[tuple[str, str, str, str]] = []
    if lip_id is not None:
        entry = open_registry(folder).entries([lip_id]).iloc[0]
        known |= {"lip_id": lip_id} | {key: entry[key] for key in ("kind", "name_en", "name_fr")}
        known["known"] = entry["service_area_text"]
        listed = _known_units(lip_id, census, folder)
    with file_in_one_step(path) as temporary:
        book = xlsxwriter.Workbook(
            str(temporary),
            # its parts never lie in files of their own
            {"strings_to_numbers": False, "strings_to_formulas": False, "in_memory": True},
        )
        book.set_properties(WORKBOOK_PROPERTIES)
        formats = {
            "head": book.add_format(
                {"bold": True, "bottom": 1, "num_format": "@", "text_wrap": True, "valign": "top"}
            ),
            "shown": book.add_format({"num_format": "@", "italic": True, "font_color": "#555555"}),
            "text": book.add_format({"num_format": "@"}),
            "wrapped": book.add_format({"text_wrap": True, "valign": "top"}),
            "label": book.add_format({"text_wrap": True, "valign": "top", "bold": True}),
        }
        # the units come first: a reader that asks for no sheet takes the first
        _units_sheet(book.add_worksheet(UNITS), formats, listed)
        _about_sheet(book.add_worksheet(ABOUT), formats, known)
        _help_sheet(book.add_worksheet(HELP), formats)
        close_workbook(book)
    return Path(path)


def _both(key: str) -> list[str]:
    texts = []
    for language in LANGUAGES:
        with speaking(language):
            texts.append(say(key))
    return texts


def _header(name: str) -> str:
    return " / ".join(dict.fromkeys(_both(f"registry.column_{name}")))


def _known_units(
    lip_id: str, census: Census | None, folder: str | Path | None
) -> list[tuple[str, str, str, str]]:
    """Return level, code, name and province of the units the registry has; none where unsure."""
    try:
        codes = units(lip_id, folder=folder)["unit"]
    except RegistryError:
        return []
    rows = []
    for unit in codes:
        kind, _, code = str(unit).partition(":")
        name = province = ""
        if census is not None and kind in census.levels:
            found = census.find(code, level=kind)
            found = found[found["match"].eq("code") & found["unit_id"].eq(code)]
            if len(found):
                name, province = found[["name", "province"]].iloc[0].fillna("")
        rows.append((kind, code, name, province))
    return rows


def _units_sheet(
    page: xlsxwriter.worksheet.Worksheet,
    formats: dict[str, object],
    listed: list[tuple[str, str, str, str]],
) -> None:
    for at, name in enumerate(_COLUMNS):
        page.write_string(0, at, _header(name), formats["head"])
        page.write_comment(0, at, "\n".join(_both(f"registry.column_{name}_help")))
        page.set_column(at, at, 28, formats["text"])
        for row in range(1, _ROWS + 1):
            page.write_blank(row, at, None, formats["text"])
    for row, cells in enumerate(listed, start=1):
        for at, cell in enumerate(cells):
            page.write_string(row, at, cell, formats["text"])
    choices = {0: list(levels_for("workbook")), _COLUMNS.index("mode"): ["include", "exclude"]}
    for at, source in choices.items():
        page.data_validation(
            1, at, _ROWS, at, {"validate": "list", "source": source, "error_type": "warning"}
        )
    page.freeze_panes(1, 0)


def _about_sheet(
    page: xlsxwriter.worksheet.Worksheet, formats: dict[str, object], known: dict[str, str]
) -> None:
    page.set_column(0, 0, _WIDTH)
    page.set_column(1, 1, _WIDTH, formats["text"])
    for row, name in enumerate(_FIELDS):
        label = " / ".join(_both(f"registry.field_{name}"))
        page.set_row(row, _height([label, known.get(name, "")]))
        page.write_string(row, 0, label, formats["label"])
        form = formats["wrapped"] if name == "known" else formats["text"]
        page.write_string(row, 1, known.get(name, ""), form)


def _help_sheet(page: xlsxwriter.worksheet.Worksheet, formats: dict[str, object]) -> None:
    page.set_column(0, 1, _WIDTH)
    page.set_column(2, len(_COLUMNS) - 1, 24)
    for row in range(_STEPS):
        texts = _both(f"registry.instruction_{row + 1}")
        page.set_row(row, _height(texts))
        for column, text in enumerate(texts):
            page.write_string(row, column, text, formats["wrapped"])
    top = _STEPS + 1
    page.write_string(top, 0, " / ".join(_both("registry.example")), formats["label"])
    for at, name in enumerate(_COLUMNS):
        page.write_string(top + 1, at, _header(name), formats["head"])
    for row, cells in enumerate(_EXAMPLE, start=top + 2):
        for at, cell in enumerate(cells):
            page.write_string(row, at, cell, formats["shown"])
    top += len(_EXAMPLE) + 3
    page.write_string(top, 0, " / ".join(_both("registry.levels_are")), formats["label"])
    for row, code in enumerate(levels_for("workbook"), start=top + 1):
        found = level(code)
        page.write_string(row, 0, f"{code}: {found.name_en}", formats["wrapped"])
        page.write_string(row, 1, f"{code} : {found.name_fr}", formats["wrapped"])
    page.activate()


#: width of a column of sentences in characters, and height of a line in points
_WIDTH, _LINE = 70, 15


def _height(texts: list[str]) -> int:
    """Return the height of a row that shows its texts whole: not every program finds it itself."""
    return _LINE * max(1, *(-(-len(text) // (_WIDTH - 8)) for text in texts))


def read_template(path: Path) -> tuple[Sheet, About] | None:
    """Read a workbook made by :func:`write_template`; ``None`` for any other file.

    Returns
    -------
    Sheet
        The rows of units; cells as text, trimmed.
    About
        What is said of the partnership.

    Raises
    ------
    FileError
        The workbook cannot be read, or no unit is filled in.
    """
    if path.suffix.casefold() not in (".xlsx", ".xlsm"):
        return None
    names = _sheet_names(path)
    about = next((name for name in names if fold(name) == fold(ABOUT)), None)
    listed = next((name for name in names if fold(name) == fold(UNITS)), None)
    if about is None or listed is None:
        return None
    sheet = read_sheet(path, listed)
    if sheet.frame.empty:
        raise FileError("registry.template_empty", path=path.name)
    return sheet, _about(path, about)


def _sheet_names(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            book = openpyxl.load_workbook(stream, read_only=True)
            names = [str(name) for name in book.sheetnames]
            book.close()
    except Exception:  # a broken workbook is explained by whoever reads it next
        return []
    return names


def _about(path: Path, sheet: str) -> About:
    with tell_damage(FileError, "readers.broken_workbook", path=path), path.open("rb") as stream:
        page = openpyxl.load_workbook(stream, data_only=True)[sheet]
        rows = [
            tuple(pd.NA if cell is None else cell for cell in row[:2])
            for row in page.iter_rows(min_col=1, max_col=2, values_only=True)
        ]
    labels = {fold(" / ".join(_both(f"registry.field_{name}"))): name for name in _FIELDS}
    values = {}
    for label, value in rows:
        name = labels.get(fold(str(label)))
        if name is not None and not pd.isna(value):
            values[name] = _plain(value)
    return About(values)


def _plain(value: object) -> str:
    if hasattr(value, "date"):  # Excel makes a day of what looks like one
        return str(value.date().isoformat())
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return re.sub(r'^="(.*)"$|^\'', r"\1", str(value).strip())
