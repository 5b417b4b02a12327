"""Show a number of a workbook as its number format does, where that changes what it means."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["show_number"]

#: a text, an escaped sign, a blank as wide as a sign, a filling sign, a bracket, one sign
_PIECE = re.compile(r'"([^"]*)"|\\(.)|([_*].)|\[([^\]]*)\]|(.)', re.DOTALL)
#: number formats that say how many digits a code has: 0000000, 0000000.00
_DIGITS = re.compile(r"^(0+)(?:\.(0+))?$")
#: signs beside a number that make it another; other words beside it are a label
_MEANING = re.compile(r"[%‰±$€£¥¢]|\d")
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[\d.]+)")
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "=": lambda a, b: a == b, "<>": lambda a, b: a != b,
}  # fmt: skip


@dataclass
class _Section:
    """One part of a number format: what stands around the number, and for which numbers it is."""

    before: str = ""
    after: str = ""
    digits: str = ""
    percent: int = 0
    condition: tuple[str, float] | None = None


def show_number(value: float, number_format: str) -> str:
    """Return a number as text: with the zeros, the percent sign or the currency that it shows.

    Decimals are never cut to what is shown: they are how a number looks, not what it is.

    Examples
    --------
    >>> from lipgeo.readers.number_formats import show_number
    >>> [show_number(20, one) for one in ("General", "0%", '0" %"', '"$"#,##0', "0000", '"x"')]
    ['20', '2000%', '20%', '$20', '0020', 'x']
    """
    if not math.isfinite(value):
        return str(value)
    whole = float(value).is_integer()
    digits = _DIGITS.match(number_format)
    if digits and (whole or digits.group(2)):
        decimals = len(digits.group(2) or "")
        width = len(digits.group(1)) + decimals + bool(decimals)
        return f"{value:0{width}.{decimals}f}"
    plain = str(int(value)) if whole else repr(float(value))
    section = _section_for(value, list(_sections(number_format)))
    if section is None:
        return plain
    if not section.digits or (value == 0 and set(section.digits) == {"?"}):
        literal = (section.before + section.after).strip()
        # a dash for nothing is a nought; a format of nothing at all hides a number that is there
        dash = value == 0 and any(one in literal for one in "-–—")
        if literal and not dash:
            return literal
    if section.percent:
        return f"{value * 100**section.percent:.15g}%"
    before, after = (
        text.strip(" -–—+()") if _MEANING.search(text) else ""
        for text in (section.before, section.after)
    )
    return f"{before}{plain}{after}"


def _sections(number_format: str) -> Iterator[_Section]:
    """Give the parts of a format: of numbers above nought, below it, nought, texts."""
    section = _Section()
    for text, escaped, blank, bracket, sign in _PIECE.findall(number_format):
        if sign == ";":
            yield section
            section = _Section()
            continue
        literal = text or escaped
        if bracket.startswith("$"):
            literal = bracket[1:].split("-")[0]
        elif bracket and (found := _CONDITION.fullmatch(bracket)):
            section.condition = (found.group(1), float(found.group(2)))
        elif sign == "%":
            section.percent += 1
        elif sign and sign in "0#?@GEegeneralhmsyd":
            section.digits += sign
        elif sign and sign not in "-+() .,/:" and not blank:
            literal = sign
        if section.digits:
            section.after += literal
        else:
            section.before += literal
    yield section


def _section_for(value: float, sections: list[_Section]) -> _Section | None:
    """Return the part of a format that shows a number."""
    if any(one.condition for one in sections):
        fits = (
            one for one in sections
            if one.condition is None or _COMPARED[one.condition[0]](value, one.condition[1])
        )  # fmt: skip
        return next(fits, None)
    at = 1 if value < 0 else 2 if value == 0 else 0
    return sections[at] if at < min(len(sections), 3) else sections[0]
