"""``Faults``: gather everything that is wrong with an input, then raise it as one error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lipgeo.errors import AmbiguousNameError, AreaError
from lipgeo.report import Finding, Severity
from lipgeo.words import say

__all__ = ["Faults", "finding"]


class Faults:
    """The faults of one input, in the order found.

    Attributes
    ----------
    rows
        One mapping a fault, with ``fault``, the name of its sentence.
    sentences
        One sentence a kind of fault.

    Examples
    --------
    >>> from lipgeo.areas.faults import Faults
    >>> faults = Faults()
    >>> faults.add("areas.missing_ids", [{"row": 2}], rows=[2], column="WARD")
    >>> faults.rows
    [{'row': 2, 'fault': 'missing_ids'}]
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.sentences: list[str] = []

    def add(self, key: str, rows: Iterable[Mapping[str, Any]], /, **values: Any) -> None:
        """Add one kind of fault: its sentence and one mapping a row; nothing when no rows."""
        faults = [{**row, "fault": key.partition(".")[2]} for row in rows]
        if faults:
            self.sentences.append(say(key, **values))
            self.rows += faults

    def raise_if_any(self, key: str, /, **values: Any) -> None:
        """Raise all faults as one error whose sentence is ``key``.

        Raises
        ------
        AmbiguousNameError
            Every fault is a name that several units bear.
        AreaError
            There are other faults; ``problems`` has one row each.
        """
        if not self.rows:
            return
        ambiguous = {row["fault"] for row in self.rows} == {"ambiguous_names"}
        error = AmbiguousNameError if ambiguous else AreaError
        raise error(key, self.rows, faults=" ".join(self.sentences), **values)


def finding(
    key: str,
    severity: Severity,
    subject: object,
    /,
    *,
    value: float | None = None,
    limit: float | None = None,
    **values: Any,
) -> Finding:
    """Make a finding whose sentence is ``key`` and whose check is the key's name in its room."""
    sentence = say(key, **values)
    measured = None if value is None else float(value)  # a NumPy scalar is no JSON
    return Finding(key.partition(".")[2], severity, str(subject), sentence, measured, limit)
