"""``Check``: one thing an import looked at and found, with every unit it concerns."""

from __future__ import annotations

from typing import Any

from lipgeo.report import Finding, Severity
from lipgeo.words import say, speaking

__all__ = ["Check"]

#: units kept by id in the manifest; the number is always whole
_KEPT = 1000


class Check:
    """A finding of an import, before it is put in words.

    Parameters
    ----------
    name
        Short stable name (``nesting``).
    severity
        ``note``, ``warning`` or ``error``.
    subject
        The level or file it is about.
    key
        Key of its sentence in the catalogue.
    units
        Ids of the units it is about; the sentence may use ``{units}`` and ``{count}``.
    limit
        The number it was held against, if any.
    **values
        What else fills the sentence.
    """

    def __init__(
        self,
        name: str,
        severity: Severity,
        subject: str,
        key: str,
        *,
        units: tuple[str, ...] = (),
        limit: float | None = None,
        **values: Any,
    ) -> None:
        self.name = name
        self.severity = severity
        self.subject = subject
        self.key = key
        self.units = units
        self.limit = limit
        self.values = values

    def _sentence(self) -> str:
        values = {"subject": self.subject, "limit": self.limit, **self.values}
        return say(self.key, units=self.units, count=len(self.units), **values)

    @property
    def finding(self) -> Finding:
        """The finding in the language in force; its value is the number of units."""
        value = float(len(self.units)) if self.units else None
        sentence = self._sentence()
        return Finding(self.name, self.severity, self.subject, sentence, value, self.limit)

    def record(self) -> dict[str, Any]:
        """Return it for the manifest: in English, with the first thousand ids."""
        with speaking("en"):
            message = self._sentence()
        return {
            "check": self.name,
            "severity": self.severity,
            "subject": self.subject,
            "message": message,
            "count": len(self.units),
            "limit": self.limit,
            "units": list(self.units[:_KEPT]),
        }
