"""The template of the concordance: which columns, in what order, under what headers."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from lipgeo.errors import OrderError
from lipgeo.spreadsheets import XLSX_ROWS
from lipgeo.words import say

__all__ = ["FIELDS", "REQUIRED", "Template", "read_template"]

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
    except (OSError, ValueError) as error:
        raise OrderError("order.template_unreadable", path=name, reason=error) from error
    columns = given.get("columns")
    listed = isinstance(columns, list) and all(isinstance(column, dict) for column in columns)
    if not listed or not columns:
        raise OrderError("order.template_no_columns", path=name)
    return _checked(name, given, columns)


def _checked(name: str, given: dict[str, Any], columns: list[dict[str, Any]]) -> Template:
    fields = [str(column.get("field", "")).strip() for column in columns]
    headers = [str(column.get("header", "")).strip() for column in columns]
    faults: list[str] = []
    keys = {key for column in columns for key in column} - {"field", "header"}
    if other := sorted(keys | (set(given) - {"columns", "max_rows"})):
        faults.append(say("order.template_unknown_keys", keys=other))
    if unknown := [field for field in fields if field not in FIELDS]:
        faults.append(say("order.template_unknown_fields", fields=unknown, known=" ".join(FIELDS)))
    if missing := [field for field in REQUIRED if field not in fields]:
        faults.append(say("order.template_missing_fields", fields=missing))
    if twice := sorted({h for h in headers if headers.count(h) > 1 or not h}):
        faults.append(say("order.template_headers", headers=[f'"{h}"' for h in twice]))
    rows = given.get("max_rows", XLSX_ROWS)
    if not isinstance(rows, int) or isinstance(rows, bool) or not 1 < rows <= XLSX_ROWS:
        faults.append(say("order.template_rows", rows=rows, limit=XLSX_ROWS))
    if faults:
        raise OrderError(
            "order.template_refused",
            [{"fault": fault} for fault in faults],
            path=name,
            faults=" ".join(faults),
        )
    return Template(tuple(headers), tuple(fields), rows)
