"""Names to codes: however a name is written, ambiguities listed, never picked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipgeo.census import Census, MemoryCensus
from lipgeo.census.search import NameIndex, key
from lipgeo.errors import InputError, MissingLevelError
from lipgeo.store import add_census, open_census

_PLACES = [
    ("1001519", "St. John's", "CY", "10"),
    ("1310032", "Saint-Basile / Saint-Basil", "VL", "13"),
    ("1208002", "Windsor", "T", "12"),
    ("2442088", "Windsor", "V", "24"),
    ("2423027", "Québec", "V", "24"),
    ("2473010", "Sainte-Thérèse", "V", "24"),
    ("3537039", "Windsor", "CY", "35"),
    ("3553005", "Greater Sudbury / Grand Sudbury", "CV", "35"),
    ("3506008", "Ottawa", "CV", "35"),
    ("3519036", "Windsor Forks", "TP", "35"),
    ("4717029", "Lloydminster (Part)", "CY", "47"),
    ("4810039", "Lloydminster (Part)", "CY", "48"),
    ("5915001", "Langley", "DM", "59"),
    ("5915002", "Langley", "CY", "59"),
    ("5915899", "L'Île-Dorval Rocks", "IRI", "59"),
]


@pytest.fixture(scope="module")
def census() -> Census:
    """Return fifteen places, a CMA in two provinces, and provinces."""
    csd = pd.DataFrame(_PLACES, columns=["unit_id", "unit_name", "unit_type", "PR"])
    csd["CD"] = csd["unit_id"].str[:4]
    csd["CMA"] = csd["unit_id"].map({"4717029": "840", "4810039": "840"})
    csd["population"] = range(100, 100 + len(csd))
    cma = pd.DataFrame({"unit_id": ["840"], "unit_name": ["Lloydminster"], "unit_type": ["D"]})
    pr = pd.DataFrame(
        {
            "unit_id": ["24", "35"],
            "unit_name": ["Quebec", "Ontario"],
            "name_fr": ["Québec", "Ontario"],
        }
    )
    published = {"published": {"CSD": {"3506008": {"population": 1_017_449}}}}
    return Census(MemoryCensus(2021, {"CSD": csd, "CMA": cma, "PR": pr}, {}, published))


def exact(census: Census, name: str) -> list[str]:
    """Return ids of the exact candidates."""
    frame = census.find(name)
    return frame.loc[frame["match"] == "exact", "unit_id"].tolist()


@pytest.mark.parametrize(
    ("written", "units"),
    [
        ("Québec", {"2423027", "24"}),
        ("quebec", {"2423027", "24"}),
        ("  QUÉBEC ", {"2423027", "24"}),
        ("Ville de Québec", {"2423027", "24"}),
        ("St Johns", {"1001519"}),
        ("Saint John’s", {"1001519"}),
        ("Ste. Therese", {"2473010"}),
        ("sainte-thérèse", {"2473010"}),
        ("Grand Sudbury", {"3553005"}),
        ("greater sudbury", {"3553005"}),
        ("Greater Sudbury / Grand Sudbury", {"3553005"}),
        ("St-Basile", {"1310032"}),
        ("City of Ottawa", {"3506008"}),
        ("lloydminster", {"4717029", "4810039", "840"}),
        ("ile dorval rocks", set()),
        ("l'ile-dorval rocks", {"5915899"}),
    ],
)
def test_however_it_is_written(census: Census, written: str, units: set[str]):
    """Accents, case, spacing, punctuation, saints, bilingual halves and prefixes do not count."""
    assert set(exact(census, written)) == units


def test_ambiguities_are_listed_not_picked(census: Census):
    """Three Windsors are three rows, then the names that begin so; the contract's columns."""
    frame = census.find("Windsor")
    assert frame.columns.tolist() == [
        "level",
        "unit_id",
        "name",
        "type",
        "province",
        "population",
        "match",
    ]
    assert set(frame["unit_id"][:3]) == {"1208002", "2442088", "3537039"}
    assert frame.iloc[3][["unit_id", "match"]].tolist() == ["3519036", "starts"]


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("Windsor, ON", "3537039"),
        ("Windsor, Québec", "2442088"),
        ("Langley (DM)", "5915001"),
        ("Langley, CY", "5915002"),
    ],
)
def test_a_province_or_type_behind_the_name(census: Census, written: str, unit: str):
    """What tells units apart may stand behind the name."""
    assert exact(census, written) == [unit]


def test_level_and_province_narrow(census: Census):
    """Level and province may be codes, names or abbreviations, in either language."""
    assert census.find("Québec", level="province")["unit_id"].tolist() == ["24"]
    assert census.find("windsor", province="Nouvelle-Écosse")["unit_id"].tolist() == ["1208002"]
    assert census.find("windsor", "CSD", "24")["unit_id"].tolist() == ["2442088"]


def test_a_unit_in_two_provinces(census: Census):
    """A CMA that crosses a boundary names both provinces and is found in either."""
    (row,) = census.find("Lloydminster", level="CMA").itertuples()
    assert row.province == "SK;AB"
    assert len(census.find("Lloydminster", level="CMA", province="AB")) == 1


@pytest.mark.parametrize("code", ["3506008", "CSD:3506008", "csd: 3506008", "2021A00053506008"])
def test_a_code_finds_its_unit(census: Census, code: str):
    """A plain code, a level with a code and a DGUID find the unit."""
    (row,) = census.find(code).itertuples()
    assert (row.level, row.unit_id, row.name, row.match) == ("CSD", "3506008", "Ottawa", "code")


def test_the_published_population_is_shown(census: Census):
    """A store that holds part of a unit shows the unit's published population."""
    assert census.find("Ottawa")["population"].tolist() == [1_017_449.0]


def test_near_spellings_are_marked(census: Census):
    """A misspelt name finds near ones, marked; not where the name itself exists."""
    frame = census.find("Otawa")
    assert frame[["unit_id", "match"]].to_numpy().tolist() == [["3506008", "close"]]
    assert "close" not in set(census.find("Windsor")["match"])


@pytest.mark.parametrize("nothing", ["xyzzy", "", "  ", "***", "99999999", "CSD:9999999"])
def test_nothing_found_is_an_empty_table(census: Census, nothing: str):
    """A name nobody bears gives no rows, in the same columns."""
    frame = census.find(nothing)
    assert len(frame) == 0
    assert "match" in frame


def test_a_level_that_is_not_there(census: Census):
    """A level the census lacks, and one that is none, are told apart."""
    with pytest.raises(MissingLevelError, match="needs the level DPL"):
        census.find("Ottawa", level="designated place")
    with pytest.raises(InputError, match="ward"):
        census.find("Ottawa", level="ward")
    with pytest.raises(InputError, match="Texas"):
        census.find("Ottawa", province="Texas")


@given(st.text(max_size=30))
def test_any_text_may_be_asked(text: str):
    """No text breaks the search, and every name finds itself."""
    names = pd.Series(["Ottawa", text, None])
    rows, match = NameIndex(names).find(text)
    if key(text):
        assert match[rows.tolist().index(1)] == "exact"
    else:
        assert len(rows) == 0


@pytest.mark.realdata
def test_all_subdivisions_of_2016(realdata: Path, tmp_path: Path):
    """In the official table every name finds its own unit."""
    add_census(tmp_path, realdata / "canada" / "lcsd000b16a_e.dbf")
    census = open_census(tmp_path)
    units = census.units("CSD")["unit_name"].sample(60, random_state=1)
    for unit, name in units.items():
        assert unit in exact(census, name)
    windsor = census.find("Windsor", level="CSD")
    assert {"1208002", "2442088", "3537039"} <= set(windsor["unit_id"])


def test_a_census_without_names_says_so():
    """A census whose units have no names still finds codes; a name is answered by what to add."""
    bare = pd.DataFrame({"unit_id": ["3506008"]}).astype("string")
    nameless = Census(MemoryCensus(2021, {"CSD": bare}, {}, {}))
    assert nameless.find("CSD:3506008")["match"].tolist() == ["code"]
    with pytest.raises(MissingLevelError, match="has no names, so Ottawa cannot be found by name"):
        nameless.find("Ottawa")
