"""The gap between partnerships and data consortia, with and without a census."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from commands import run

import lipgeo
from lipgeo.census import Census, MemoryCensus
from lipgeo.errors import RegistryError
from lipgeo.registry.table import COLUMNS
from lipgeo.words import speaking


@pytest.fixture(scope="module")
def known() -> pd.DataFrame:
    """Return the gaps as far as ids alone tell."""
    return lipgeo.gaps().set_index("lip_id")


def test_every_partnership_gets_one_status_and_a_reason(known):
    """94 partnerships, each with one of four statuses and a sentence that says why."""
    assert len(known) == 94
    assert set(known["status"]) == {"covered", "partly", "not_covered", "unknown"}
    assert known["reason"].str.len().gt(20).all()
    assert known["population"].isna().all()


@pytest.mark.parametrize(
    ("lip", "status", "consortia"),
    [
        ("on-ottawa", "covered", "ottawa"),
        ("on-kfla", "covered", "kfl-a"),
        ("on-toronto-city", "covered", "toronto"),  # a subdivision in the consortium's division
        ("on-toronto-east", "covered", "toronto"),  # no outline of its own, inside the city
        ("on-london-middlesex", "partly", "london"),  # partly at least, under either reading
        ("bc-vancouver", "covered", "vancouver"),  # under either reading
        ("bc-surrey", "unknown", "vancouver"),  # only if the consortium is the larger reading
        ("mb-winnipeg", "unknown", "winnipeg"),  # levels that do not nest by id
        ("ab-brooks", "not_covered", ""),
        ("mb-pembina-valley", "unknown", ""),
    ],
)
def test_status_follows_from_what_is_known(known, lip, status, consortia):
    """Codes, readings and names decide, and never more than they can."""
    assert known.loc[lip, ["status", "consortia"]].tolist() == [status, consortia]


def test_the_pages_that_name_a_consortium_are_told(known):
    """Peterborough is named in 2006 only; Ottawa in both."""
    assert known.loc["on-peterborough", "named_in"] == "release of April 2006"
    assert known.loc["on-ottawa", "named_in"].count("+") == 1
    assert known.attrs["consortia_without_partnership"] == ["montreal", "parry-sound"]


def test_reasons_are_french_in_french():
    """The sentence is in the language in force."""
    with speaking("fr"):
        found = lipgeo.gaps().set_index("lip_id")
    assert found.loc["on-ottawa", "reason"] == "Tout son territoire est dans celui de ottawa."


def census() -> Census:
    """Return two cities, the suburb of one, and the areas around: 10, 20, 30 and 40 people."""
    csd = pd.DataFrame(
        {
            "unit_id": ["4611040", "4611050", "4706027", "4802034"],
            "CMA": ["602", "602", "705", pd.NA],
            "CD": ["4611", "4611", "4706", "4802"],
            "PR": ["46", "46", "47", "48"],
            "population": [10.0, 20.0, 30.0, 40.0],
        }
    )
    parents = {
        level: pd.DataFrame({"unit_id": csd[level].dropna().unique()})
        for level in ("CMA", "CD", "PR")
    }
    return Census(MemoryCensus(2021, {"CSD": csd, **parents}, {}))


def test_a_census_compares_levels_that_do_not_nest_by_id():
    """Winnipeg's metropolitan area is in part the city its consortium is; Regina's is all of it."""
    found = lipgeo.gaps(census()).set_index("lip_id")
    assert found.loc["mb-winnipeg", "status"] == "partly"
    people = found.loc["mb-winnipeg", ["population", "population_covered", "population_uncovered"]]
    assert people.tolist() == [30.0, 10.0, 20.0]
    assert found.loc["sk-regina", "status"] == "covered"
    assert found.loc["ab-brooks", ["status", "population_covered"]].tolist() == ["not_covered", 0.0]
    assert np.isnan(found.loc["on-ottawa", "population"])  # not in this census


def test_totals_with_and_without_double_counting(tmp_path):
    """Two partnerships on one city count it twice, or once."""
    rows = []
    for lip, units in (("mb-a", "CSD:4611040"), ("mb-b", "CMA:602"), ("sk-c", "CMA:705")):
        row = dict.fromkeys(COLUMNS["lips"], "") | {"lip_id": lip, "kind": "LIP", "units": units}
        rows.append(row | {"units_status": "resolved", "source": "a", "existence": "a"})
    pd.DataFrame(rows).to_csv(tmp_path / "lips.csv", index=False)
    found = lipgeo.gaps(census(), folder=tmp_path)
    totals = pd.DataFrame(found.attrs["totals"]).set_index("status")
    assert totals.loc["all", ["partnerships", "people_counted", "people"]].tolist() == [3, 70, 60]
    assert totals["partnerships"].drop("all").sum() == 3


def test_the_command_shows_the_worst_and_writes_all(tmp_path):
    """Twenty rows, those not covered first and the rest counted; --out has each with its reason."""
    shown = run("gaps", "--store", tmp_path / "none", "--out", tmp_path / "gaps.csv")
    assert shown.returncode == 0, shown.stderr
    table, totals = shown.stdout.split("... and 74 more")
    rows = [line for line in table.splitlines() if line.startswith("|")][1:]
    assert len(rows) == 20
    assert all("| not served " in row for row in rows)
    assert max(len(line) for line in shown.stdout.splitlines() if "|" in line) < 110
    assert "not served" in totals
    written = pd.read_csv(tmp_path / "gaps.csv")
    assert len(written) == 94
    assert written["reason"].notna().all()


def test_a_kind_that_there_is_not_is_refused():
    """An unknown kind is no table without rows, in the list and in the gaps; case is nothing."""
    for call in (lipgeo.gaps, lipgeo.registry.list):
        assert len(call(kind="rif")) > 0
        with pytest.raises(RegistryError, match="LIP, ZIP, RIF; XX was given"):
            call(kind="XX")
