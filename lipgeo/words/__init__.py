"""Every sentence a user reads, English and French, in one catalogue.

The catalogue is the TOML files beside this module, one a room; a sentence's key is
``room.name`` (``zones.invalid`` is the table ``[invalid]`` of ``zones.toml``), or
``room.file.name`` where files of a room say one thing in different words
(``readers.layers.empty`` and ``readers.empty``). Reports and lists of problems name a sentence
by its last part (:func:`name_of`). Each table has ``en`` and ``fr``; placeholders are those of
:meth:`str.format` with these additions:

* a list, tuple, array or Series is shown as its first five members and how many more;
* ``{x:n}`` writes a number as the language does (``1,392`` / ``1 392``), ``{x:n2}`` with
  two decimals;
* ``{x:n|unit|units}`` writes the number and the noun that goes with it (``1 unit``,
  ``2 units``); ``{x:|is|are}`` only the word. French counts 0 as one, English as many; a
  list counts by its length;
* ``{x:s}`` writes a measure with three figures that count (``112,435``, ``0.00632``);
* ``{x:pct}`` and ``{x:pct2}`` write a share as a percentage.

What Python and the command line call differently stands as both: ``level= (--level)``,
``compare() (lipgeo compare)``. On the command line only what is in brackets is said.
"""

from __future__ import annotations

import contextvars
import math
import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

__all__ = [
    "LANGUAGES",
    "Language",
    "Sentence",
    "Sentences",
    "catalogue",
    "language",
    "listing",
    "name_of",
    "number",
    "on_command_line",
    "say",
    "speaking",
    "visible",
]

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")

_language: contextvars.ContextVar[Language] = contextvars.ContextVar("language", default="en")

#: thousands separator and decimal mark of each language (French: narrow no-break space)
_MARKS: dict[str, tuple[str, str]] = {"en": (",", "."), "fr": ("\u202f", ",")}
_FIRST = 5


def language() -> Language:
    """Return the language in force, ``"en"`` unless set."""
    return _language.get()


def use(lang: Language) -> None:
    """Set the language for the rest of this context (the command line's ``--lang``)."""
    if lang not in LANGUAGES:
        raise ValueError(f"lang needs to be one of {', '.join(LANGUAGES)}; {lang!r} was given")
    _language.set(lang)


@contextmanager
def speaking(lang: Language) -> Iterator[None]:
    r"""Speak a language inside a ``with`` block.

    Examples
    --------
    >>> from lipgeo.words import number, speaking
    >>> with speaking("fr"):
    ...     number(1392.5, 1).replace("\u202f", " ")
    '1 392,5'
    """
    before = _language.get()
    use(lang)
    try:
        yield
    finally:
        _language.set(before)


_command_line: contextvars.ContextVar[bool] = contextvars.ContextVar("command_line", default=False)
#: an argument, a call or an attribute of Python, and in brackets what it is on the command line
_BOTH = re.compile(
    r"(?:[\w.]+\((?:[^()]|\([^()]*\))*\)"
    r"|\w+=(?:\"[^\"]*\"|'[^']*'|\{+[^}]*\}+|\w+)?"
    r"|(?:[Tt]he error's )?`problems`(?: de l'erreur)?) "
    r"\(((?:--|`?lipgeo )[^()]*)\)"
)
#: what the problems of an error hold: nobody at the command line has the error
_PROBLEMS = re.compile(r"[;.] `?problems`? [^.]*\.")


@contextmanager
def on_command_line() -> Iterator[None]:
    """Speak to somebody at the command line inside a ``with`` block: nobody calls Python there.

    Examples
    --------
    >>> from lipgeo.words import on_command_line, say
    >>> say("readers.mixed_levels", name="t.csv", levels=["CD", "CSD"])[-36:]
    'Say which one with level= (--level).'
    >>> with on_command_line():
    ...     say("readers.mixed_levels", name="t.csv", levels=["CD", "CSD"])[-27:]
    'Say which one with --level.'
    """
    before = _command_line.set(True)
    try:
        yield
    finally:
        _command_line.reset(before)


@cache
def _without_python(template: str) -> str:
    return _PROBLEMS.sub(".", _BOTH.sub(r"\1", template))


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return the whole catalogue: key to its sentence in each language."""
    found: dict[str, dict[str, str]] = {}
    for entry in sorted(resources.files(__name__).iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".toml"):
            room = entry.name.removesuffix(".toml")
            for name, table in tomllib.loads(entry.read_text(encoding="utf-8")).items():
                if "en" in table:
                    found[f"{room}.{name}"] = table
                else:
                    found |= {f"{room}.{name}.{last}": said for last, said in table.items()}
    return found


#: what no shell parts
_ONE_WORD = re.compile(r"[\w./\\:~+,@=%-]+")
#: what a terminal obeys or what turns the order of letters: controls but the line break, marks of
#: direction, line and paragraph separators, half a character
_OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Return text whose control characters are seen and not obeyed; line breaks stay.

    Names and file names come from others: an escape sequence in one would write on the terminal
    of who reads it, and a mark of direction would show another name than there is.

    Examples
    --------
    >>> from lipgeo.words import visible
    >>> print(visible("a\x1b]0;title\x07 b"))
    a\x1b]0;title\x07 b
    """
    return _OBEYED.sub(lambda found: repr(found[0])[1:-1], text)


def _as_typed(text: str) -> str:
    """Return a value as it is typed in a command: in quotes where a shell would part it."""
    return text if _ONE_WORD.fullmatch(text) else f'"{text}"'


def name_of(key: str) -> str:
    """Return the name of a sentence without its room, as reports and lists of problems give it.

    Examples
    --------
    >>> from lipgeo.words import name_of
    >>> name_of("readers.layers.empty")
    'empty'
    """
    return key.rpartition(".")[2]


def say(key: str, /, **values: Any) -> str:
    """Return a sentence of the catalogue in the language in force, filled with ``values``.

    Raises
    ------
    KeyError
        The key is not in the catalogue (a programming error; the tests look for it).
    """
    template = catalogue()[key][language()]
    if _command_line.get():
        template = _without_python(template)
    return _FORMATTER.fill(template, values)


@dataclass(frozen=True)
class Sentence:
    """A sentence of the catalogue that is said when it is shown, in the language then in force.

    Attributes
    ----------
    key
        Key of the sentence.
    values
        What fills it.

    Examples
    --------
    >>> from lipgeo.words import Sentence, speaking
    >>> basis = Sentence("boundary.by_dwellings")
    >>> with speaking("fr"):
    ...     f"{basis}"
    'les logements'
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return say(self.key, **self.values)


@dataclass(frozen=True)
class Sentences:
    """Several sentences, said one after the other when they are shown.

    Attributes
    ----------
    parts
        The sentences.
    """

    parts: tuple[Sentence, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.parts))


def listing(items: Any, first: int = _FIRST) -> str:
    """Show the first members of a list and how many more there are; of an empty one that it is.

    Examples
    --------
    >>> from lipgeo.words import listing
    >>> listing(["a", "b", "c"], first=2)
    'a, b and 1 more'
    >>> listing([])
    'none'
    """
    members = [visible(str(item)) for item in items]
    if not members:
        return say("words.none")
    shown = ", ".join(members[:first])
    more = len(members) - first
    if more <= 0:
        return shown
    return say("words.and_more", shown=shown, more=more)


def number(value: float, decimals: int = 0) -> str:
    """Write a number with the thousands separator and decimal mark of the language in force."""
    thousands, decimal = _MARKS[language()]
    text = f"{value:,.{decimals}f}"
    return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)


def _one(value: Any, decimals: int) -> bool:
    """Whether a count, as it is shown, takes the singular in the language in force."""
    if hasattr(value, "__len__") and not isinstance(value, str | bytes):
        value = len(value)
    shown = abs(round(float(value), decimals))
    return shown < 2 if language() == "fr" else shown == 1


@cache
def _parts(template: str) -> tuple[list[tuple[str, str | None, str]], bool]:
    """Return texts, names and forms of a sentence, and whether that is all there is to it."""
    parts, plain = [], True
    for text, name, form, conversion in string.Formatter().parse(template):
        plain &= conversion is None and "{" not in (form or "")
        plain &= name is None or name.isidentifier()
        parts.append((text, name, form or ""))
    return parts, plain


class _Formatter(string.Formatter):
    """``str.format`` with lists, language-aware numbers, plurals, percentages and quotes.

    Examples
    --------
    >>> said = _Formatter()
    >>> [said.format("{units:n|unit|units} {units:|is|are} out", units=n) for n in (0, 1, 2)]
    ['0 units are out', '1 unit is out', '2 units are out']
    >>> said.format("{rows:|row|rows} {rows}", rows=[4])
    'row 4'
    >>> [said.format("`lipgeo verify {folder:q}`", folder=one) for one in ("order", "my order")]
    ['`lipgeo verify order`', '`lipgeo verify "my order"`']
    >>> [said.format("{km2:s}", km2=size) for size in (112434.66, 9.876, 0.0063214, 0)]
    ['112,435', '9.88', '0.00632', '0.00']
    >>> with speaking("fr"):
    ...     [said.format("{units:n|unité omise|unités omises}", units=n) for n in (0, 1.4, 2)]
    ['0 unité omise', '1 unité omise', '2 unités omises']
    """

    def fill(self, template: str, values: Mapping[str, Any]) -> str:
        """Fill a sentence; one that is said thousands of times is taken apart once."""
        parts, plain = _parts(template)
        if len(parts) == 1 and parts[0][1] is None:  # nothing to fill in
            return parts[0][0]
        if not plain:  # attributes, conversions, fields in a field: the long way
            return self.vformat(template, (), values)
        made = []
        for text, name, form in parts:
            made.append(text)
            if name is not None:
                value = values[name]
                short = not form and type(value) is str
                made.append(visible(value) if short else self.format_field(value, form))
        return "".join(made)

    def format_field(self, value: Any, format_spec: str) -> str:
        if "|" in format_spec:
            written, one, many = format_spec.split("|")
            word = one if _one(value, int(written[1:] or 0)) else many
            return f"{self.format_field(value, written)} {word}" if written else word
        if format_spec.startswith("pct"):
            decimals = int(format_spec[3:] or 1)
            sign = "\u00a0%" if language() == "fr" else "%"
            return number(100 * float(value), decimals) + sign
        if (format_spec.startswith("n") and format_spec[1:].isdigit()) or format_spec == "n":
            return number(float(value), int(format_spec[1:] or 0))
        if format_spec == "s":
            whole = 1 + math.floor(math.log10(abs(value))) if value else 1
            return number(float(value), min(max(3 - whole, 0), 9))
        if not format_spec and not isinstance(value, str | bytes) and hasattr(value, "__iter__"):
            return listing(value)
        quoted = format_spec == "q"
        text = visible(str(super().format_field(value, "" if quoted else format_spec)))
        return _as_typed(text) if quoted else text


_FORMATTER = _Formatter()
