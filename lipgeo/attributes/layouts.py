"""The layouts of the census attribute files, from ``layouts.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["Layout", "facts", "layout", "layouts"]


@dataclass(frozen=True)
class Layout:
    """The layout of one published file.

    Attributes
    ----------
    name
        Its name in ``layouts.toml`` (``gaf_2011``).
    product
        Catalogue number (``92-151``).
    form
        ``fixed`` or ``delimited``.
    vintages
        Census years it was published for.
    encoding, delimiter
        As published; ``delimiter`` is empty for fixed width.
    columns
        Column names in order, ``{year}`` standing for the census year.
    widths
        Characters of each column, in order; empty for a delimited file.
    line
        Characters of a line; ``None`` where it is not known or not fixed.
    certainty
        Census year to ``verified``, ``one source`` or ``general knowledge``.
    """

    name: str
    product: str
    form: str
    vintages: tuple[int, ...]
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    line: int | None
    certainty: tuple[tuple[int, str], ...]

    def names(self, vintage: int) -> tuple[str, ...]:
        """Return the column names of a census year."""
        return tuple(column.format(year=vintage) for column in self.columns)

    def slices(self, vintage: int) -> dict[str, tuple[int, int]]:
        """Return column name to its start (first character 0) and width."""
        found, start = {}, 0
        for name, width in zip(self.names(vintage), self.widths, strict=True):
            found[name] = (start, width)
            start += width
        return found


@cache
def facts() -> dict[str, Any]:
    """Return the table as it stands in ``layouts.toml``."""
    return tomllib.loads((resources.files("lipgeo") / "layouts.toml").read_text("utf-8"))


@cache
def layouts() -> dict[str, Layout]:
    """Return all layouts by name.

    Examples
    --------
    >>> from lipgeo.attributes.layouts import layouts
    >>> gaf = layouts()["gaf_2011"]
    >>> sum(gaf.widths), gaf.slices(2011)["CTuid"]
    (940, (807, 10))
    """
    found = {}
    for name, row in facts()["files"].items():
        fixed = row["form"] == "fixed"
        fields = row["fields"]
        found[name] = Layout(
            name=name,
            product=row["product"],
            form=row["form"],
            vintages=tuple(row["vintages"]),
            encoding=row["encoding"],
            delimiter=row.get("delimiter", ""),
            columns=tuple(field[0] for field in fields) if fixed else tuple(fields),
            widths=tuple(field[1] for field in fields) if fixed else (),
            line=row.get("line"),
            certainty=tuple((int(year), text) for year, text in row["certainty"].items()),
        )
    return found


def layout(product: str, vintage: int) -> Layout:
    """Return the layout in which a product of a census year is written (the first one listed).

    Raises
    ------
    KeyError
        The product was not published for that year.
    """
    for found in layouts().values():
        if found.product == product and vintage in found.vintages:
            return found
    raise KeyError(f"{product} {vintage}")
