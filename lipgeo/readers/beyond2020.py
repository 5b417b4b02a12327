"""``as_units_by_rows``: a Beyond 20/20 export, its units down the side.

The browser saves the view on screen: units down or across, their codes inside labels
(``Toronto (3520005) 00000 (4.2%)``), totals of other dimensions above the table, notes below.
"""

from __future__ import annotations

import re

import pandas as pd

from lipgeo import geography
from lipgeo.areas.faults import finding
from lipgeo.readers.geocolumn import codes_in_labels
from lipgeo.report import Finding

__all__ = ["as_units_by_rows"]

#: share of headers with a code that says that units stand across
_ACROSS = 0.5
#: the mark the browser leaves on a header of a blank corner
_BLANK = re.compile(r"^column_\d+$")


def as_units_by_rows(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[Finding]]:
    """Return a table with one row a unit, turned where its headers bear the units' codes.

    Parameters
    ----------
    frame
        As the file stands.
    name
        How messages call it.

    Returns
    -------
    pandas.DataFrame
        The same frame, or the turned one: index the position of the column (1 is the first),
        ``geography`` with the labels, one column a row of the file.
    list of Finding
        One note where it was turned.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.readers.beyond2020 import as_units_by_rows
    >>> frame = pd.DataFrame({"Characteristics": ["Immigrants"], "Ottawa (3506008) 00000": ["9"],
    ...                       "Clarence-Rockland (3502036) 00000": ["8"]})
    >>> as_units_by_rows(frame, "table.csv")[0].iloc[0].tolist()
    ['Ottawa (3506008) 00000', '9']
    """
    headers = pd.Series([str(column) for column in frame.columns], dtype="string")
    first, others = headers.iloc[:1], headers.iloc[1:]
    if len(others) < 2:
        return frame, []
    coded = codes_in_labels(others).notna()
    known = any(geography.id_column(str(column)) for column in frame.columns)
    year_like = others.str.fullmatch(r"\d{4}").all()
    if known or year_like or coded.mean() <= _ACROSS:
        return frame, []
    rows = frame.iloc[:, 0].astype("string")
    there = rows.notna()
    turned = frame.loc[there].iloc[:, 1:].T
    turned.columns = _unique([" ".join(label.split()) for label in rows[there]])
    turned.insert(0, "geography", others.to_numpy())
    turned.index = pd.Index(range(2, len(others) + 2), name="row")
    corner = "" if _BLANK.match(str(first.iloc[0])) else str(first.iloc[0])
    return turned[coded.to_numpy()], [finding("readtable.turned", "note", name, corner=corner)]


def _unique(labels: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        result.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return result
