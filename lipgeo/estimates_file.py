"""Estimates on disk: a workbook for people, or CSV files, or one Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lipgeo.atomic import file_in_one_step
from lipgeo.errors import OutputError
from lipgeo.spreadsheets import XLSX_ROWS, CsvStyle, Sheet, write_csv, write_workbook
from lipgeo.tables import Estimates, missing_symbols
from lipgeo.tables.outcome import FLAGS
from lipgeo.words import say

__all__ = ["write_estimates"]

#: rows of explanations written unasked; more are written for the variables asked for
EXPLAINED = 100_000


def write_estimates(
    estimates: Estimates,
    path: str | Path,
    *,
    names: pd.Series | None = None,
    explain: Sequence[str] | None = None,
    csv: CsvStyle = "en",
) -> list[Path]:
    """Write estimates, what they are made of and what was missing; each file whole or not at all.

    Parameters
    ----------
    estimates
        What :func:`lipgeo.weight_table` gave.
    path
        ``.xlsx``: a workbook with the sheets *results, explain, missing, variables, flags,
        sources, findings*; ``.csv``: the results, and beside them ``NAME_explain.csv`` and
        ``NAME_missing.csv``; ``.parquet``: the results alone.
    names
        What areas are called, by id.
    explain
        Variables to explain; all where that is no more than 100,000 rows, else none.
    csv
        Form of CSV files: ``"en"`` or ``"fr"`` (semicolon, decimal comma).

    Returns
    -------
    list of pathlib.Path
        The files written, results first.

    Raises
    ------
    OutputError
        The ending is none of these, a sheet would be too long, or a file cannot be written.
    """
    target = Path(path)
    results = _named(estimates.frame, names)
    if target.suffix.lower() == ".parquet":
        with file_in_one_step(target) as temporary:
            results.to_parquet(temporary, index=False)
        return [target]
    missing = _named(estimates.missing, names)
    made_of = _explained(estimates, explain, names)
    if target.suffix.lower() == ".csv":
        parts = {"": results, "_explain": made_of, "_missing": missing}
        written = []
        for ending, frame in parts.items():
            file = target.with_name(target.stem + ending + target.suffix)
            if frame is not None:
                with file_in_one_step(file) as temporary:
                    write_csv(frame, temporary, csv)
                written.append(file)
        return written
    if target.suffix.lower() != ".xlsx":
        raise OutputError("estimates_file.ending", path=target)
    sheets = [Sheet(say("estimates_file.results"), results, _title(estimates))]
    if made_of is not None:
        starts = range(0, max(len(made_of), 1), XLSX_ROWS - 2)
        for number, start in enumerate(starts, start=1):
            name = say("estimates_file.explain") + (f" {number}" if number > 1 else "")
            sheets.append(Sheet(name, made_of.iloc[start : start + XLSX_ROWS - 2]))
    sheets += [
        Sheet(say("estimates_file.missing"), missing, say("estimates_file.missing_title")),
        Sheet(say("estimates_file.variables"), _variables(estimates)),
        Sheet(say("estimates_file.flags"), _flags()),
        Sheet(say("estimates_file.sources"), estimates.sources),
        Sheet(say("estimates_file.findings"), estimates.report.frame),
    ]
    with file_in_one_step(target) as temporary:
        write_workbook(sheets, temporary)
    return [target]


def _named(frame: pd.DataFrame, names: pd.Series | None) -> pd.DataFrame:
    """Return a frame with what its areas are called beside their ids."""
    if names is None:
        return frame
    labels = pd.Series(names.to_numpy(), index=names.index.astype(str))
    given = frame.copy()
    given.insert(1, "area_name", frame["area_id"].astype(str).map(labels).astype("string"))
    return given


def _explained(
    estimates: Estimates, asked: Sequence[str] | None, names: pd.Series | None
) -> pd.DataFrame | None:
    """Return what numbers are made of: those asked for, else all where they are not too many."""
    if asked is None and estimates.explained_rows() > EXPLAINED:
        return None
    return _named(estimates.explained(asked), names)


def _title(estimates: Estimates) -> str:
    return say(
        "estimates_file.title",
        summary=repr(estimates).strip("<>"),
        likely=estimates.meta["likely"],
        observed=estimates.meta["min_observed"],
    )


def _variables(estimates: Estimates) -> pd.DataFrame:
    """Return what the variables are, and the error model of each."""
    rows = [
        {
            "variable": one.name,
            "label": one.label,
            "rule": one.rule,
            "denominator": one.denominator,
            "basis": one.basis,
            "universe": one.universe,
            "rounding": one.rounding,
            "sampled": say("estimates_file.yes" if one.sampled else "estimates_file.no"),
        }
        for one in estimates.variables.values()
    ]
    return pd.DataFrame(rows).join(estimates.error_model, on="variable")


def _flags() -> pd.DataFrame:
    """Return what flags and symbols mean."""
    flags = [(name, say(f"estimates_file.flag_{name}")) for name in FLAGS]
    return pd.DataFrame([*flags, *missing_symbols().items()], columns=["flag", "meaning"])
