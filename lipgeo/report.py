"""``CheckReport``: what was looked at and what was found, one row a finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from lipgeo.show import Card, Shown, heads
from lipgeo.words import say

__all__ = ["CheckReport", "Finding", "Severity", "keep_notes", "notes_of"]

Severity = Literal["note", "warning", "error"]
_RANK: dict[str, int] = {"note": 0, "warning": 1, "error": 2}


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes
    ----------
    check
        Short stable name of the check (``duplicate_id``, ``below_floor``).
    severity
        ``note`` (for the record), ``warning`` (the user must see it), ``error`` (work stops).
    subject
        Id of the zone, unit, area, row or file it is about; empty for the whole.
    message
        The sentence shown, in the language in force when it was found.
    value, limit
        The number found and the one it was held against, if any; units are in the message.
    """

    check: str
    severity: Severity
    subject: str
    message: str
    value: float | None = None
    limit: float | None = None


class CheckReport(Shown):
    """Findings in the order they were made; an empty report says all is well.

    Parameters
    ----------
    findings
        The findings.

    Examples
    --------
    >>> from lipgeo.report import CheckReport, Finding
    >>> report = CheckReport([Finding("duplicate_id", "error", "a", "id a stands twice")])
    >>> report.worst, len(report)
    ('error', 1)
    """

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __add__(self, other: CheckReport) -> CheckReport:
        return CheckReport(self.findings + other.findings)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CheckReport) and self.findings == other.findings

    __hash__ = None  # type: ignore[assignment]

    @property
    def worst(self) -> Severity | None:
        """The gravest severity found, or ``None`` when there is no finding."""
        return max((f.severity for f in self.findings), key=_RANK.__getitem__, default=None)

    @property
    def ok(self) -> bool:
        """Whether nothing graver than a note was found."""
        return self.worst in (None, "note")

    def only(self, check: str | None = None, severity: Severity | None = None) -> CheckReport:
        """Return the findings of one check, one severity, or both."""
        return CheckReport(
            f
            for f in self.findings
            if (check is None or f.check == check) and (severity is None or f.severity == severity)
        )

    @property
    def frame(self) -> pd.DataFrame:
        """One row a finding: ``check, severity, subject, message, value, limit``."""
        columns = list(Finding.__dataclass_fields__)
        return pd.DataFrame([asdict(f) for f in self.findings], columns=columns)

    def to_records(self) -> list[dict[str, Any]]:
        """Return plain dictionaries for JSON."""
        return [asdict(f) for f in self.findings]

    def __repr__(self) -> str:
        shown = (f"  {f.severity}: {f.message}" for f in self.findings[:20])
        return "\n".join([self._head(), *shown])

    def _head(self) -> str:
        if not self.findings:
            return say("report.clean")
        counts = Counter(f.severity for f in self.findings)
        return say(
            "report.head", errors=counts["error"], warnings=counts["warning"], notes=counts["note"]
        )

    def _card(self) -> Card:
        table = self.frame
        table["severity"] = [say(f"show.severity_{name}") for name in table["severity"]]
        return Card(self._head(), table, heads("severity", "subject", "message"))


def keep_notes(frame: pd.DataFrame, report: CheckReport) -> None:
    """Leave a report in ``frame.attrs["notes"]``, as plain records.

    Plain, because GeoPandas writes ``attrs`` into GeoParquet as JSON.
    """
    frame.attrs["notes"] = report.to_records()


def notes_of(frame: pd.DataFrame) -> CheckReport:
    """Return the report :func:`keep_notes` left in a frame, empty when there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.report import CheckReport, Finding, keep_notes, notes_of
    >>> frame = pd.DataFrame()
    >>> keep_notes(frame, CheckReport([Finding("encoding", "note", "", "taken as UTF-8")]))
    >>> [note.check for note in notes_of(frame)]
    ['encoding']
    """
    return CheckReport(Finding(**record) for record in frame.attrs.get("notes", ()))
