"""Gather findings and faults, and show objects as one card, in HTML and in plain text.

Every object that a person meets describes itself once, as a :class:`Card`; :class:`Shown` turns
that into what notebooks (``_repr_html_``) and the ``rich`` library (``__rich__``) ask for. Names
come from files: everything is escaped, so markup in a name is shown and never obeyed.

Pages of our own (checks of an order, maps) have one shell, one style and one way in: a template
of the package, filled with values that are all escaped (:func:`fill_template`). The way in stands
here, on the lowest floor that writes HTML, so that every room above can use it.

A :class:`CheckReport` says what was looked at and what was found, one row a finding.
:class:`Faults` gathers everything that is wrong with an input, then raises it as one error.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from lipgeo.errors import AmbiguousNameError, AreaError, LipgeoError
from lipgeo.words import Sentence, Sentences, catalogue, language, name_of, number, say, visible

if TYPE_CHECKING:
    import jinja2

__all__ = [
    "Card",
    "CheckReport",
    "Faults",
    "Finding",
    "Severity",
    "Shown",
    "fill_template",
    "finding",
    "finding_of",
    "flag_words",
    "heads",
    "keep_notes",
    "notes_of",
    "script_json",
    "text_of",
]

#: rows of a table shown before the rest is counted
_ROWS = 12
#: widest cell of a table in a terminal
_WIDE = 40
#: what rich takes for a style, with the backslashes before it
_TAG = re.compile(r"(?<!\\)(\\*)(\[[a-z#/@][^[]*?])")


@dataclass(frozen=True)
class Card:
    """What an object says of itself.

    Attributes
    ----------
    title
        One sentence.
    table
        Rows to look at first; the first dozen are shown and the rest counted.
    heads
        Heading of each column shown, in order; other columns are not shown.
    shares
        Columns written as percentages.
    of
        Rows there are, where the table is only the first of them.
    """

    title: str
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    heads: Mapping[str, str] = field(default_factory=dict)
    shares: Sequence[str] = ()
    of: int | None = None

    def _columns(self) -> list[tuple[str, bool, list[str]]]:
        """Return heading, whether it holds numbers, and cells of each column that says anything."""
        rows = self.table.head(_ROWS)
        columns = [
            (
                head,
                _numeric(rows[name]),
                [_cell(value, name in self.shares) for value in rows[name]],
            )
            for name, head in self.heads.items()
        ]
        return [column for column in columns if any(column[2])]

    def _more(self) -> str:
        more = (len(self.table) if self.of is None else self.of) - _ROWS
        return say("report.more", more=more) if more > 0 else ""

    def html(self) -> str:
        """Return the card as HTML, for a notebook."""
        columns = self._columns()
        rows = [list(row) for row in zip(*(cells for _, _, cells in columns), strict=True)]
        return fill_template(
            "page/card.html.jinja",
            title=self.title,
            heads=[head for head, _, _ in columns],
            rows=rows,
            sides=["right" if numeric else "left" for _, numeric, _ in columns],
            more=self._more(),
        )

    def text(self) -> str:
        """Return the card as plain text, for a terminal."""
        return "\n".join([self.title, *self._lines()])

    def markup(self) -> str:
        """Return the card in rich's markup, square brackets of names escaped."""
        return "\n".join(
            [
                f"[bold]{_escape_markup(self.title)}[/bold]",
                *(_escape_markup(line) for line in self._lines()),
            ]
        )

    def _lines(self) -> list[str]:
        columns = self._columns()
        if not columns:
            return []
        aligned = []
        for place, (head, numeric, cells) in enumerate(columns):
            last = place == len(columns) - 1
            words = [head, *cells] if last else [_shorten(cell) for cell in (head, *cells)]
            width = 0 if last and not numeric else max(map(len, words))
            aligned.append([w.rjust(width) if numeric else w.ljust(width) for w in words])
        lines = ["  ".join(row).rstrip() for row in zip(*aligned, strict=True)]
        return [*lines, *([self._more()] if self._more() else [])]


@cache
def text_of(name: str) -> str:
    """Return a text file of the package, such as ``"page/style.css"``."""
    return resources.files("lipgeo").joinpath(name).read_text(encoding="utf-8")


@cache
def _templates() -> jinja2.Environment:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        # files of the package alone: no text of a user is ever part of a template
        loader=jinja2.FunctionLoader(text_of),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["text_of"] = lambda name: Markup(text_of(name))
    environment.filters["css_text"] = css_text
    environment.filters["groups_in_order"] = groups_in_order
    return environment


def css_text(text: str) -> str:
    r"""Return what stands between the quotes of a text in a style, whatever somebody typed.

    Examples
    --------
    >>> from lipgeo.report import css_text
    >>> print(css_text('Été "A" (x'))
    Été \22 A\22  \28 x
    """
    # all but letters, digits and a few harmless signs as the number of the sign
    return re.sub(r"[^\w .,:%-]", lambda found: f"\\{ord(found[0]):x} ", str(text))


def groups_in_order(items: Iterable[Any], *names: str) -> list[tuple[tuple[Any, ...], list[Any]]]:
    """Return runs of neighbours that are alike in some attributes, in their order."""
    runs = itertools.groupby(items, key=attrgetter(*names))
    return [(key, list(mine)) for key, mine in runs]


def fill_template(name: str, /, **values: Any) -> str:
    """Fill a template of the package; every value is escaped, but what is ``Markup`` already.

    Parameters
    ----------
    name
        The template: ``page/`` holds the shell that pages extend, its style, and tables; a room's
        own templates stand beside its code (``"maps/map.html.jinja"``).
    **values
        What the template names; one that is missing is an error.

    Examples
    --------
    >>> from lipgeo.report import fill_template
    >>> print(fill_template("page/card.html.jinja", title="{{ 6 * 7 }} <b>", heads=[], more=""))
    <p><strong>{{ 6 * 7 }} &lt;b&gt;</strong></p>
    """
    return _templates().get_template(name).render(lang=language(), **values)


#: what would end a script, open a tag or an entity, or break a line of an older script
_UNSAFE = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})


def script_json(value: Any) -> str:
    r"""Return JSON that stands safely in a script: the only way data enters one.

    Examples
    --------
    >>> from lipgeo.report import script_json
    >>> print(script_json({"name": "</script>"}))
    {"name":"\u003c/script\u003e"}
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_UNSAFE)


class Shown:
    """An object that shows itself; its class gives :meth:`_card`."""

    def _card(self) -> Card:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return self._card().html()

    def __rich__(self) -> str:
        return self._card().markup()


def heads(*columns: str) -> dict[str, str]:
    """Return the heading of each column, in the language in force."""
    return {name: say(f"report.head_{name}") for name in columns}


def _numeric(values: pd.Series) -> bool:
    types = pd.api.types
    return types.is_numeric_dtype(values) and not types.is_bool_dtype(values)


def _cell(value: object, share: bool) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return say("report.yes") if value else say("report.no")
    if isinstance(value, int | float | np.integer | np.floating):
        if share:
            return say("report.percent", share=float(value))
        whole = float(value).is_integer() or abs(float(value)) >= 1000
        return number(float(value), 0 if whole else 3)
    return visible(" ".join(str(value).split()))


def _shorten(cell: str) -> str:
    return cell if len(cell) <= _WIDE else cell[: _WIDE - 1] + "…"


def _escape_markup(text: str) -> str:
    # as rich.markup.escape: [word] would be a style, and a last backslash would escape ours
    escaped = _TAG.sub(r"\1\1\\\2", text)
    return escaped + "\\" if escaped.endswith("\\") and not escaped.endswith("\\\\") else escaped


def flag_words(flags: str) -> str:
    """Return ``;``-joined flags in words; a flag without words stays as it is.

    Examples
    --------
    >>> from lipgeo.report import flag_words
    >>> flag_words("below_floor;overlap")
    'below the floor; shares units with another area'
    """
    known = catalogue()
    return "; ".join(
        say(f"report.flag_{flag}") if f"report.flag_{flag}" in known else flag
        for flag in flags.split(";")
    )


Severity = Literal["note", "warning", "error"]
_RANK: dict[str, int] = {"note": 0, "warning": 1, "error": 2}
#: columns of :attr:`CheckReport.frame`
_COLUMNS = ("check", "severity", "subject", "message", "value", "limit")


@dataclass(frozen=True)
class Finding:
    """One finding.

    The key and the values say it again in either language (:attr:`sentence`), also after it was
    written to a file and read back (:meth:`to_record`, :meth:`from_record`).

    Attributes
    ----------
    check
        Short stable name of the check (``duplicate_id``, ``below_floor``).
    severity
        ``error`` (makes a number or an order wrong), ``warning`` (should be looked at), ``note``
        (for the record).
    subject
        Id of the zone, unit, area, row or file it is about; empty for the whole.
    message
        The sentence shown, in the language in force when it was found.
    value, limit
        The number found and the one it was held against, if any; units are in the message.
    key
        Key of its sentence in the catalogue; empty where the message is all there is.
    values
        What fills the sentence: plain values, lists of them, and sentences.

    Examples
    --------
    >>> from lipgeo.report import Finding, finding
    >>> from lipgeo.words import speaking
    >>> found = finding("areas.whole_ids", "note", "WARD", column="WARD", came="7.0", id="7")
    >>> with speaking("fr"):
    ...     Finding.from_record(found.to_record()).message[:32]
    'Les identifiants de WARD étaient'
    """

    check: str
    severity: Severity
    subject: str
    message: str
    value: float | None = None
    limit: float | None = None
    key: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def sentence(self) -> str:
        """The sentence in the language in force; the message where the key is not known."""
        if self.key not in catalogue():  # told without one, or by another version
            return self.message
        try:
            return say(self.key, **self.values)
        except (KeyError, ValueError, TypeError):  # another version filled it otherwise
            return self.message

    def to_record(self) -> dict[str, Any]:
        """Return plain values for JSON, by attribute."""
        record = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**record, "values": {name: _to_json(one) for name, one in self.values.items()}}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Finding:
        """Return the finding of a record, its message in the language in force."""
        values = {name: _from_json(one) for name, one in record.get("values", {}).items()}
        found = cls(**{**record, "values": values})
        return replace(found, message=found.sentence)


def _plain_value(value: Any) -> Any:
    """Return a value that fills a sentence as JSON and every language can hold it."""
    if value is None or isinstance(value, str | bool | int | float | Sentence):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return value.item()  # a NumPy scalar is no JSON
    if isinstance(value, LipgeoError):
        return Sentence(value.key, _plain_values(value.values))
    if isinstance(value, Iterable) and not isinstance(value, bytes | os.PathLike):
        return [_plain_value(one) for one in value]
    return str(value)


def _plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(one) for name, one in values.items()}


def _to_json(value: Any) -> Any:
    if isinstance(value, Sentence):
        return {"key": value.key, "values": {k: _to_json(v) for k, v in value.values.items()}}
    if isinstance(value, list):
        return [_to_json(one) for one in value]
    # JSON has no number that is not finite: the words for it read back as one
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Sentence(value["key"], {k: _from_json(v) for k, v in value["values"].items()})
    return [_from_json(one) for one in value] if isinstance(value, list) else value


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
    def gravest_first(self) -> CheckReport:
        """The findings by severity; within one severity as they were made, none twice."""
        unique = dict.fromkeys(self.findings)
        return CheckReport(sorted(unique, key=lambda found: -_RANK[found.severity]))

    @property
    def frame(self) -> pd.DataFrame:
        """One row a finding: ``check, severity, subject, message, value, limit``."""
        rows = [[getattr(f, name) for name in _COLUMNS] for f in self.findings]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    @classmethod
    def from_records(cls, records: Iterable[Mapping[str, Any]]) -> CheckReport:
        """Return the report of records, its messages in the language in force."""
        return cls(Finding.from_record(record) for record in records)

    def to_records(self) -> list[dict[str, Any]]:
        """Return plain dictionaries for JSON: a finding's attributes, its key and values too."""
        return [found.to_record() for found in self.findings]

    def __repr__(self) -> str:
        shown = (f"  {f.severity}: {visible(f.message)}" for f in self.gravest_first.findings[:20])
        return "\n".join([self.counted, *shown])

    @property
    def counted(self) -> str:
        """How many findings of each severity there are, in words."""
        if not self.findings:
            return say("report.clean")
        counts = Counter(f.severity for f in self.findings)
        shown = [
            say(f"report.{name}s", count=counts[name])
            for name in ("error", "warning", "note")
            if counts[name]
        ]
        return ", ".join(shown)

    def _card(self) -> Card:
        table = self.gravest_first.frame
        table["severity"] = [say(f"report.severity_{name}") for name in table["severity"]]
        return Card(self.counted, table, heads("severity", "subject", "message"))


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
    return CheckReport.from_records(frame.attrs.get("notes", ()))


class Faults:
    """The faults of one input, in the order found.

    Attributes
    ----------
    rows
        One mapping a fault, with ``fault``, the name of its sentence.
    parts
        One sentence a kind of fault, told in the language in force when it is shown.

    Examples
    --------
    >>> from lipgeo.report import Faults
    >>> faults = Faults()
    >>> faults.add("areas.missing_ids", [{"row": 2}], rows=[2], column="WARD")
    >>> faults.rows
    [{'row': 2, 'fault': 'missing_ids'}]
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.parts: list[Sentence] = []

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def sentences(self) -> list[str]:
        """The sentences in the language in force."""
        return [str(one) for one in self.parts]

    def add(self, key: str, rows: Iterable[Mapping[str, Any]], /, **values: Any) -> None:
        """Add one kind of fault: its sentence and one mapping a row; nothing when no rows."""
        faults = [{**row, "fault": name_of(key)} for row in rows]
        if faults:
            self.add_as_told(key, faults, **values)

    def add_as_told(
        self, key: str, rows: Iterable[Mapping[str, Any]] | None = None, /, **values: Any
    ) -> None:
        """Add one kind of fault whose rows say themselves what they are.

        Parameters
        ----------
        key
            Key of the sentence.
        rows
            One mapping a row; a fault of no row in particular is one row, its sentence.
        **values
            What fills the sentence.
        """
        sentence = Sentence(key, values)
        self.parts.append(sentence)
        self.rows += [{"fault": str(sentence)}] if rows is None else [dict(row) for row in rows]

    def raise_if_any(
        self, key: str, /, *, error: type[LipgeoError] = AreaError, **values: Any
    ) -> None:
        """Raise all faults as one error whose sentence is ``key``.

        Parameters
        ----------
        key
            Key of the sentence; it gets ``faults``, the sentences of all kinds of fault.
        error
            What is raised.
        **values
            What else fills the sentence.

        Raises
        ------
        AmbiguousNameError
            Every fault is a name that several units bear.
        LipgeoError
            There are other faults: ``error``; ``problems`` has one row each.
        """
        if not self:
            return
        ambiguous = {row.get("fault") for row in self.rows} == {"ambiguous_names"}
        kind = AmbiguousNameError if ambiguous else error
        raise kind(key, self.rows, faults=Sentences(tuple(self.parts)), **values)


def finding(
    key: str,
    severity: Severity,
    subject: object,
    /,
    *,
    check: str | None = None,
    value: float | None = None,
    limit: float | None = None,
    **values: Any,
) -> Finding:
    """Make a finding whose sentence is ``key``; its check is the key's name in its room or given.

    A value that is itself said in words is a :class:`~lipgeo.words.Sentence`.
    """
    measured = None if value is None else float(value)  # a NumPy scalar is no JSON
    bound = None if limit is None else float(limit)
    held = _plain_values(values if limit is None else {"limit": bound, **values})
    name = check or name_of(key)
    return Finding(name, severity, str(subject), say(key, **held), measured, bound, key, held)


def finding_of(error: LipgeoError, *, check: str | None = None) -> Finding:
    """Turn an error about an input into a finding: a check tells, it does not stop."""
    return finding("report.as_told", "error", "", check=check or name_of(error.key), error=error)
