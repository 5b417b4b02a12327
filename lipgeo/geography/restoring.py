"""Bring damaged identifiers back where only one reading is possible; refuse the rest by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lipgeo.arrays import Flags
from lipgeo.errors import IdError
from lipgeo.geography.dguids import DGUID, level_of
from lipgeo.geography.hierarchy import (
    Level,
    facts,
    geography_years,
    id_form,
    level,
    levels,
    require_level,
    vintages,
)
from lipgeo.geography.identifiers import (
    as_series,
    describe_form,
    id_pattern,
    matches,
    shape_pattern,
    to_arrow,
)
from lipgeo.report import CheckReport, Severity, finding
from lipgeo.words import Sentence, say

__all__ = ["RestoredIds", "require_ids", "restore_ids"]

#: rows looked through for different examples
_EXAMPLES = 1000

#: what can be done to an id, each a bit since one id may need several; in the order applied
CHANGES = ("spaces", "case", "dguid", "comma", "decimal", "zeros", "tract", "part")
_BIT = {change: 1 << place for place, change in enumerate(CHANGES)}

_Changes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RestoredIds:
    """Ids as they should be, what was done to them, and those refused.

    Attributes
    ----------
    ids
        Text, on the index given; missing where the id was missing or refused.
    restored
        One row an id restored: ``row`` (its label in the index), ``given``, ``restored``, ``kind``
        (short stable names, ``;``-joined: ``spaces, case, dguid, comma, decimal, zeros, tract,
        part``) and ``change`` (the same in words).
    refused
        One row an id refused: ``row``, ``given``, ``reason``.
    report
        One finding for each kind of restoration (``id_tract`` ...; a note, ``id_part`` a warning)
        and for each reason of refusal (``id_refused``, an error): rows and first examples.
    """

    ids: pd.Series
    restored: pd.DataFrame
    refused: pd.DataFrame
    report: CheckReport


def restore_ids(values: Any, name: str | Level, vintage: int) -> RestoredIds:
    """Bring damaged ids back where only one reading is possible; refuse the rest row by row.

    Restored: spaces and quotes around an id; a DGUID of the level given for it; ``35060001.0``; a
    decimal comma; lost zeros of a census tract (``5050125.4``,
    ``5050125``) or its point (``505012504``); leading zeros lost by
    reading a CMA, population centre or tract as a number; a provincial part of a CMA given for the
    CMA (certain for where a row lies, not for what a service area is: :func:`parse_units` is
    stricter); small letters in an FSA.

    Parameters
    ----------
    values
        Ids of any type: text, whole numbers, floats. A Series keeps its index.
    name, vintage
        Level and census year they are ids of.

    Returns
    -------
    RestoredIds
        Missing values stay missing and are not refused (land outside tracted places has no
        tract); empty text is missing.

    Raises
    ------
    InputError
        No such level in that census.

    Examples
    --------
    >>> from lipgeo.geography import restore_ids
    >>> done = restore_ids(["5050125.04", "5050125.4", "5050125", "505125.04"], "CT", 2021)
    >>> done.ids.tolist()
    ['5050125.04', '5050125.40', '5050125.00', <NA>]
    >>> done.restored["given"].tolist(), done.refused["given"].tolist()
    (['5050125.4', '5050125'], ['505125.04'])
    """
    series, code = as_series(values), require_level(name, vintage).code
    text, exact = to_arrow(series), _keep_digits(series, id_form(name, vintage))
    valid = np.asarray(text.is_valid())
    rows = np.flatnonzero(~_are_right(text, exact, code, vintage) & valid)
    given = text.take(pa.array(rows))
    fixed, changes = _restore(given, code, vintage)
    right = _are_right(fixed, exact[rows], code, vintage)
    # nothing but spaces is no id at all: missing, not refused
    left = ~right & np.asarray(pc.not_equal(pc.utf8_length(fixed), 0), dtype=bool)

    result = np.array(text.to_numpy(zero_copy_only=False), dtype=object)
    result[rows] = np.where(right, fixed.to_numpy(zero_copy_only=False), None)
    restored = _text_frame(
        {
            "row": series.index[rows[right]],
            "given": given.filter(pa.array(right)).to_numpy(zero_copy_only=False),
            "restored": result[rows[right]],
            "kind": _spell_changes(changes[right], ";".join),
            "change": _spell_changes(
                changes[right],
                lambda kinds: "; ".join(say(f"geography.change_{kind}") for kind in kinds),
            ),
        }
    )
    refused = _text_frame(
        {
            "row": series.index[rows[left]],
            "given": given.filter(pa.array(left)).to_numpy(zero_copy_only=False),
            "reason": _reasons(
                given.filter(pa.array(left)),
                fixed.filter(pa.array(left)),
                exact[rows[left]],
                code,
                vintage,
            ),
        }
    )
    return RestoredIds(
        pd.Series(pd.array(result, dtype="string"), index=series.index, name=series.name),
        restored,
        refused,
        _report(code, restored, changes[right], refused),
    )


def require_ids(
    values: Any, name: str | Level, vintage: int, *, allow_missing: bool = False
) -> RestoredIds:
    """Restore ids, and raise unless every one is then an id of the level.

    Parameters
    ----------
    values, name, vintage
        See :func:`restore_ids`.
    allow_missing
        Whether an id may be missing (parents may, a unit's own id may not).

    Raises
    ------
    IdError
        Ids refused or missing; ``problems`` has every row with its reason.

    Examples
    --------
    >>> from lipgeo.geography import require_ids
    >>> require_ids([3506, 4806], "CD", 2021).ids.tolist()
    ['3506', '4806']
    """
    series, code = as_series(values), require_level(name, vintage).code
    done = restore_ids(series, code, vintage)
    problems = done.refused
    if not allow_missing:
        lacking = done.ids.isna() & ~done.ids.index.isin(done.refused["row"])
        if lacking.any():
            reason = say("geography.reason_missing")
            empty = pd.DataFrame({"row": done.ids.index[lacking], "given": "", "reason": reason})
            problems = pd.concat([problems, empty], ignore_index=True)
    if len(problems):
        raise IdError(
            "geography.ids_refused",
            problems.to_dict("records"),
            level=code,
            vintage=vintage,
            count=len(problems),
            total=len(series),
            needed=describe_form(code, vintage),
            examples=problems["row"].astype(str) + ": " + problems["given"],
            reasons=problems["reason"].unique(),
        )
    return done


def _text_frame(columns: dict[str, Any]) -> pd.DataFrame:
    """Frame whose columns are text also where there is no row, except ``row``."""
    return pd.DataFrame(columns).astype({name: "string" for name in columns if name != "row"})


def _are_right(text: pa.Array, exact: Flags, code: str, vintage: int) -> Flags:
    # 0, 000 and the like are how files write "none": no unit has such an id
    return matches(text, id_pattern(code, vintage)) & ~matches(text, _ALL_ZERO) & exact


_ALL_ZERO = r"^0[0.,]*$"


def _keep_digits(series: pd.Series, form: str) -> Flags:
    """Say where a number can still be the id it was: 32-bit floats keep 24 bits of it."""
    if series.dtype not in (np.float32, np.float16):
        return np.ones(len(series), dtype=bool)
    whole = 2 ** (np.finfo(series.dtype).nmant + 1)
    kept = np.asarray(series.isna() | (series.abs() < whole))
    # a tract's decimals are lost long before: 5050125.04 becomes 5050125.0
    return kept & ("." not in form)


# -- the changes -------------------------------------------------------------------------------


def _restore(text: pa.Array, code: str, vintage: int) -> tuple[pa.Array, _Changes]:
    """Apply every change that leaves one reading; which were applied, as bits."""
    form = id_form(code, vintage)
    changes = np.zeros(len(text), dtype=np.int64)

    def apply(change: str, new: pa.Array) -> None:
        nonlocal text
        changes[np.asarray(pc.not_equal(new, text), dtype=bool)] |= _BIT[change]
        text = new

    def sub(change: str, pattern: str, into: str) -> None:
        apply(change, pc.replace_substring_regex(text, pattern, into))

    # also ="05" and '05, which spreadsheets need to leave an id alone
    edge = r"[\s=\"'\x{00A0}\x{202F}\x{FEFF}]+"
    sub("spaces", f"^{edge}|{edge}$", "")
    if "A" in form:
        apply("case", pc.utf8_upper(text))
    years = "|".join(map(str, geography_years(code, vintage))) or "[0-9]{4}"
    sub("dguid", f"^(?:{years})(?:{_schemas(code)})(.+)$", r"\1")
    part = facts()["levels"][code].get("part")
    if part is not None:
        inside = matches(text, f"^(?:{years})(?:{_schemas(part)})")
        sub("dguid", f"^(?:{years})(?:{_schemas(part)})[0-9]{{2}}(.+)$", r"\1")
        changes[inside] |= _BIT["part"]
    if "." in form:
        sub("comma", r"^([0-9]+),([0-9]{1,2})$", r"\1.\2")
        # 10125.04 is tract 0125.04 of St. John's (001): no other tracted CMA begins with 0, and
        # none begins with 1, so it is not a CMA joined to a name that lost its own zeros. Six
        # digits are left alone: 505125.04 may be 505 and 125.04, or 050 and 5125.04.
        for tracted in facts()["tracted_cma_with_leading_zero"]["ids"]:
            digits = tracted.lstrip("0")
            zeros = tracted.removesuffix(digits)
            sub("zeros", rf"^({digits}[0-9]{{4}}(?:\.[0-9]{{1,2}})?)$", rf"{zeros}\1")
        # a tract's name has exactly two decimals, so 0125.4 can only be 0125.40, never 0125.04:
        # a number drops zeros at its end, not between the point and a digit
        sub("tract", r"^([0-9]{7}\.[0-9])$", r"\10")  # RE2: group 1, then a zero
        sub("tract", r"^([0-9]{7})$", r"\1.00")
        # cross-tabulations write all nine digits without the point
        sub("tract", r"^([0-9]{7})([0-9]{2})$", r"\1.\2")
        return text, changes
    sub("comma", r"^([0-9]+),(0+)$", r"\1.\2")
    sub("decimal", r"^([0-9]+)\.0+$", r"\1")
    if set(form) == {"9"} and id_pattern(code, vintage) == shape_pattern(form) and len(form) > 1:
        # a number drops all its leading zeros: 05 was not read as one and stays refused. Ids that
        # begin with a province have none to lose.
        short = pa.array(matches(text, f"^[1-9][0-9]{{0,{len(form) - 2}}}$"))
        apply("zeros", pc.if_else(short, pc.utf8_lpad(text, len(form), "0"), text))
    if code == "CMA":
        # only where province and CMA go together: 35076 is an electoral district, no part. A part
        # of a population centre has the form of a designated place and stays refused.
        first = facts()["cma_first_digits"].items()
        pairs = "|".join(f"{pr}[{digits}]" for pr, digits in first)
        inside = matches(text, f"^(?:{pairs})[0-9]{{2}}$")
        apply("part", pc.if_else(pa.array(inside), pc.utf8_slice_codeunits(text, start=2), text))
    return text, changes


def _schemas(code: str) -> str:
    return "|".join(schema for _, schema in level(code).schemas)


def _spell_changes(changes: _Changes, spell: Callable[[list[str]], str]) -> npt.NDArray[np.object_]:
    masks, where = np.unique(changes, return_inverse=True)
    spelt = [spell([kind for kind in CHANGES if mask & _BIT[kind]]) for mask in masks]
    return np.array(spelt, dtype=object)[where]


# -- the refusals ------------------------------------------------------------------------------


def _reasons(
    given: pa.Array, text: pa.Array, exact: Flags, code: str, vintage: int
) -> npt.NDArray[np.object_]:
    """Say why each id is refused; a later reason is the better one and replaces an earlier."""
    wanted = describe_form(code, vintage)
    reason = np.full(len(text), say("geography.reason_form", needed=wanted), dtype=object)

    fits = np.zeros(len(text), dtype=np.int64)
    others = [other for other in levels(vintage) if other != code]
    for place, other in enumerate(others):
        fits[matches(text, id_pattern(other, vintage))] |= 1 << place
    for mask in np.unique(fits[fits > 0]):
        named = ", ".join(other for place, other in enumerate(others) if mask & 1 << place)
        reason[fits == mask] = say("geography.reason_level", needed=wanted, levels=named)
    shape = matches(text, shape_pattern(id_form(code, vintage)))
    reason[shape] = say("geography.reason_province")
    for year in vintages():
        if code in levels(year) and id_pattern(code, year) != id_pattern(code, vintage):
            older = matches(text, id_pattern(code, year))
            reason[older] = say(
                "geography.reason_vintage", year=year, vintage=vintage, needed=wanted
            )
    reason[matches(text, r"^[0-9.,]+[eE]\+?[0-9]+$")] = say("geography.reason_scientific")
    reason[matches(text, _ALL_ZERO)] = say("geography.reason_zero")

    parts = pc.extract_regex(pc.utf8_trim_whitespace(given), DGUID)
    head = pc.binary_join_element_wise(
        pc.struct_field(parts, "year"), pc.struct_field(parts, "schema"), ""
    ).dictionary_encode()
    where = head.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    for place, start in enumerate(head.dictionary.to_pylist()):
        reason[where == place] = _dguid_reason(start, code, vintage)
    reason[~exact] = say("geography.reason_float32")
    return reason


def _dguid_reason(start: str, code: str, vintage: int) -> str:
    year, found = int(start[:4]), level_of(start[4:], int(start[:4]))
    if found is None:
        return say("geography.reason_dguid_schema", schema=start[4:])
    if found[0] not in (code, facts()["levels"][code].get("part")):
        return say("geography.reason_dguid_level", found=found[0], level=code)
    years = geography_years(code, vintage)
    if year not in years:
        return say(
            "geography.reason_dguid_year",
            year=year,
            vintage=vintage,
            years=", ".join(map(str, years)),
        )
    return say("geography.reason_dguid_id", needed=describe_form(code, vintage))


def _report(
    code: str, restored: pd.DataFrame, changes: _Changes, refused: pd.DataFrame
) -> CheckReport:
    findings = []
    for kind in CHANGES:
        rows = restored[(changes & _BIT[kind]) > 0]
        if len(rows):
            first = rows.head(_EXAMPLES).drop_duplicates(["given", "restored"]).head(5)
            severity: Severity = "warning" if kind == "part" else "note"
            findings.append(
                finding(
                    "geography.restored",
                    severity,
                    code,
                    check=f"id_{kind}",
                    value=len(rows),
                    level=code,
                    count=len(rows),
                    change=Sentence(f"geography.change_{kind}"),
                    examples=first["given"] + " → " + first["restored"],
                )
            )
    for reason, rows in refused.groupby("reason", sort=False):
        findings.append(
            finding(
                "geography.refused",
                "error",
                code,
                check="id_refused",
                value=len(rows),
                level=code,
                count=len(rows),
                reason=reason,
                examples=rows["given"].head(_EXAMPLES).drop_duplicates().head(5),
            )
        )
    return CheckReport(findings)
