"""The table of census geography, identifiers, DGUIDs, and damaged ids brought back."""

from __future__ import annotations

import re
import string
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipgeo import geography
from lipgeo.errors import IdError, InputError
from lipgeo.geography import (
    Dguid,
    all_levels,
    are_ids,
    censuses_among,
    classify,
    dguid,
    dguids,
    floor_persons,
    floors,
    fold,
    geography_years,
    id_column,
    id_form,
    id_length,
    level,
    levels,
    levels_for,
    national_count,
    nests_in,
    parent_ids,
    parents_by_id,
    parse_dguid,
    parse_dguids,
    parse_unit,
    parse_units,
    part_level,
    province,
    require_ids,
    require_vintage,
    restore_ids,
    vintages,
)
from lipgeo.geography.hierarchy import facts
from lipgeo.words import speaking

ALL = vintages()


@st.composite
def units(draw, standard=False):
    """Draw a census year, a level of it and an id of that level."""
    vintage = draw(st.sampled_from(ALL))
    found = draw(st.sampled_from([x for x in all_levels(vintage) if x.kind != "other"]))
    if standard:
        found = level(draw(st.sampled_from(levels(vintage))))
    form = id_form(found, vintage)
    starts = set(parents_by_id(found, vintage)) & {"PR"} or found.code == "PR"
    unit = draw(st.sampled_from(sorted(facts()["provinces"]))) if starts else ""
    for mark in form[len(unit) :]:
        choice = {"9": string.digits, "A": string.ascii_uppercase}.get(mark, mark)
        unit += draw(st.sampled_from(choice))
    if not set(unit) - set("0."):
        unit = unit[:-1] + "1"
    return vintage, found.code, unit


# -- the table ---------------------------------------------------------------------------------


def test_the_table_is_whole():
    """Every level has both names, its forms for every census it exists in, and known parents."""
    for found in all_levels():
        assert found.name_en
        assert found.name_fr
        assert found.kind == "other" or len(found.columns) >= 2
    for vintage in ALL:
        codes = {found.code for found in all_levels(vintage)}
        for code in codes:
            assert id_length(code, vintage) == len(id_form(code, vintage))
            assert set(nests_in(code, vintage)) <= codes
            assert set(parents_by_id(code, vintage)) <= codes
            assert set(nests_in(code, vintage).values()) <= {"id", "file"}


@pytest.mark.parametrize(
    ("code", "length"),
    [
        ("PR", 2), ("CD", 4), ("CSD", 7), ("CCS", 7), ("FED", 5), ("ER", 4), ("CAR", 4),
        ("CMA", 3), ("CT", 10), ("POPCTR", 4), ("DPL", 6), ("ADA", 8), ("DA", 8), ("DB", 11),
        ("FSA", 3),
    ],
)  # fmt: skip
def test_id_lengths_of_2021(code, length):
    """Lengths are those of Statistics Canada's record layouts."""
    assert id_length(code, 2021) == length


def test_blocks_grew_a_digit_in_2016():
    """Blocks have ten digits in 2006 and 2011, eleven from 2016."""
    assert [id_length("DB", vintage) for vintage in ALL] == [10, 10, 11, 11]


def test_nothing_is_known_of_a_census_to_come():
    """2026 is refused as not published yet, in both languages; 2020 and 2022 are no censuses."""
    for ask in (require_vintage, floors, levels, lambda year: national_count("DA", year)):
        with pytest.raises(InputError, match=r"census of 2026 is not published yet.*2016, 2021"):
            ask(2026)
    with speaking("fr"), pytest.raises(InputError, match="2026 n'est pas encore publié"):
        require_vintage(2026)
    for year in (2020, 2022):
        with pytest.raises(InputError, match="A census year needs to be one of"):
            require_vintage(year)
    assert censuses_among([2013, 2016, 2022]) == {2016}
    with pytest.raises(InputError, match="2026 is not published yet"):
        censuses_among([2021, 2026])


@pytest.mark.parametrize("text", ["2026S051235060001", "2026A00053506008", "2031A00053506008"])
def test_a_dguid_of_a_census_to_come_is_not_read_as_another_s(text):
    """Neither statistical nor administrative areas: the form of their ids is not known."""
    with pytest.raises(IdError, match=r"not published yet.*not read as those of another census"):
        parse_dguid(text)
    with speaking("fr"), pytest.raises(IdError, match="pas encore publié"):
        parse_dguid(text)
    assert parse_dguid("2024A00053506008").censuses == ()


def test_levels_serve_purposes_in_their_order():
    """The order of each purpose is the one written down, whatever the order of the table."""
    assert levels_for("chain") == ("PR", "CD", "CSD", "DA", "DB")
    assert levels_for("map") == ("CSD", "CD", "PR")
    assert set(levels_for("cover")) == {*levels_for("profile"), "DB"}
    assert [part_level(code) for code in ("CMA", "POPCTR", "CSD")] == ["CMAP", "POPCTRP", None]


def test_levels_come_and_go():
    """ADA begins in 2016; urban areas end where population centres begin."""
    assert "ADA" not in levels(2011)
    assert "ADA" in levels(2016)
    assert ("UA" in levels(2006), "POPCTR" in levels(2006)) == (True, False)
    assert ("UA" in levels(2011), "POPCTR" in levels(2011)) == (False, True)
    assert "CMAP" not in levels(2021)


def test_what_does_not_nest_is_not_said_to():
    """Tracts, ADAs, designated places and population centres do not nest in subdivisions."""
    for code in ("CT", "ADA", "DPL", "POPCTR", "FSA"):
        assert "CSD" not in nests_in(code, 2021)
    assert "PR" not in nests_in("CMA", 2021)
    assert "ER" not in nests_in("CD", 2021)
    assert "FSA" not in nests_in("DB", 2021)


def test_a_level_goes_by_any_of_its_names():
    """Codes, names and aliases of both languages, any case, accents, singular or plural."""
    for found in all_levels():
        for name in (found.code, found.name_en, found.name_fr, *found.aliases):
            assert level(name).code == found.code, name
            assert level(name.lower()).code == found.code, name
    for name in ("Subdivisions de recensement", "census subdivisions", "sdr", "MUNICIPALITE"):
        assert level(name).code == "CSD"
    assert level("ilots de diffusion").code == "DB"
    assert level("Dissemination  Areas").code == "DA"
    assert level(level("CT")).code == "CT"


def test_no_two_levels_share_a_name():
    """A name that could be two levels would be picked silently."""
    owners: dict[str, set[str]] = {}
    for found in all_levels():
        for name in (found.code, found.name_en, found.name_fr, *found.aliases):
            owners.setdefault(fold(name), set()).add(found.code)
    assert {name: codes for name, codes in owners.items() if len(codes) > 1} == {}


def test_a_wrong_level_or_year_says_what_there_is():
    """The message lists what could have been meant, in both languages."""
    with pytest.raises(InputError, match=r"one of DB, .*; 'ward' was given|one of .*'ward'"):
        level("ward")
    with pytest.raises(InputError, match=r"2011 census has no level ADA; the censuses 2016, 2021"):
        id_length("ADA", 2011)
    with pytest.raises(InputError, match="one of 2006, 2011, 2016, 2021; 2020 was given"):
        require_vintage(2020)
    with speaking("fr"), pytest.raises(InputError, match="n'a pas de niveau ADA"):
        id_length("ADA", 2011)
    assert level("AD").name == "dissemination area"
    with speaking("fr"):
        assert level("AD").name == "aire de diffusion"


def test_electoral_districts_have_years_of_their_own():
    """FEDs go by the Representation Order; 2021 has two."""
    assert [geography_years("FED", vintage)[0] for vintage in ALL] == [2003, 2003, 2013, 2013]
    assert geography_years("FED", 2021) == (2013, 2023)
    assert geography_years("DA", 2016) == (2016,)


def test_every_name_of_a_province_leads_to_it():
    """Ids, postal codes, abbreviations and names; NT is the territory, not French Nunavut."""
    for code, row in facts()["provinces"].items():
        for name in (code, row["en"], row["fr"], row["abbr"][0]):
            assert province(name) == code
    assert province("quebec") == province("Qc") == "24"
    assert province("NT") == "61"
    with pytest.raises(InputError, match=r"one of NL 10, PE 11, .*'Labrador' was given"):
        province("Labrador")


def test_floors_and_how_sure_they_are():
    """40 for standard units, 100 with blocks; sure to 2016, carried forward in 2021."""
    assert floor_persons(["CSD", "DPL"], 2016).value == 40
    assert floor_persons(["CSD", "DB"], 2021).value == 100
    assert floors(2016)["income_population"] == geography.Fact(250, "persons", "verified")
    assert floors(2011)["income_households"].certainty == "general knowledge"
    assert {fact.certainty for fact in floors(2021).values()} == {"carried forward"}


def test_classification():
    """One standard unit, a union of them, or anything that needs blocks."""
    assert classify(["CD"]) == "standard"
    assert classify(["DA"] * 3) == "semi-custom"
    assert classify(["subdivision de recensement", "LD"]) == "semi-custom"
    assert classify(["DB"]) == classify(["DB", "CD"]) == "custom"
    with pytest.raises(InputError, match="at least one unit"):
        classify([])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DAUID", ("DA", None, False)),
        ("ADIDU", ("DA", None, False)),
        ("DBuid", ("DB", None, False)),
        ("CSDUID_SDRIDU", ("CSD", None, False)),
        ("DAUID2016/ADIDU2016", ("DA", 2016, False)),
        ("DADGUID2021_ADIDUGD2021", ("DA", 2021, True)),
        ("POPCTRPDGUID_CTRPOPPIDUGD", ("POPCTRP", None, True)),
        ("SRIDUGD", ("CT", None, True)),
        ("CMA_UID", ("CMA", None, False)),
        ("PCUID", ("POPCTR", None, False)),
        ("CFSAUID", ("FSA", None, False)),
        ("DGUID", None),
        ("GeoUID", None),
        ("CSDNAME", None),
        ("", None),
        ("DB_ir", None),
    ],
)
def test_id_columns_by_name(name, expected):
    """Names of id columns as published, English, French, bilingual, with a year or not."""
    found = id_column(name)
    assert (found and (found.level, found.vintage, found.dguid)) == expected


@given(st.text())
def test_the_search_key_is_stable(text):
    """Folding twice is folding once, and case, spaces and accents make no difference."""
    key = fold(text)
    assert fold(key) == key
    assert fold(f" {text}-") == key
    assert fold("É" + text) == fold("e" + text)


# -- identifiers -------------------------------------------------------------------------------


@given(units())
def test_an_id_in_form_is_left_alone(unit):
    """Restoring what is right changes nothing and says nothing."""
    vintage, code, given_id = unit
    assert are_ids([given_id], code, vintage).all()
    done = restore_ids([given_id], code, vintage)
    assert done.ids.tolist() == [given_id]
    assert len(done.report) == len(done.restored) == len(done.refused) == 0


@given(units())
def test_a_dguid_taken_apart_is_what_it_was_built_of(unit):
    """Parsing undoes building, for every level and census, and building undoes parsing."""
    vintage, code, given_id = unit
    for unit_type, _ in level(code).schemas:
        for year in geography_years(code, vintage):
            text = dguid(code, given_id, vintage, unit_type or None, year=year)
            found = parse_dguid(text)
            assert found == Dguid(year, code, given_id, unit_type)
            assert str(found) == text
            assert vintage in found.censuses
            assert 10 <= len(text) <= 21
            assert restore_ids([text], code, vintage).ids.tolist() == [given_id]


@given(units(standard=True))
def test_a_unit_written_is_the_unit_read(unit):
    """``LEVEL:code`` goes back to level and code, under every name of the level."""
    vintage, code, given_id = unit
    for name in (code, level(code).name_fr):
        assert parse_unit(f"{name}:{given_id}", vintage) == (code, given_id)


@given(units())
def test_parents_in_an_id_are_ids(unit):
    """What an id holds of its parents is in the parents' form."""
    vintage, code, given_id = unit
    for parent in parents_by_id(code, vintage):
        assert are_ids(parent_ids([given_id], code, vintage, parent), parent, vintage).all()


@given(units(standard=True), st.integers(0, 2))
def test_reading_ids_as_numbers_and_back_gives_the_id_or_a_refusal(unit, way):
    """Damage by a number either comes back exactly or is refused; never another id."""
    vintage, code, given_id = unit
    if code == "FSA":
        return
    number = float(given_id)
    damaged = [number, str(number), f"{number:.10g}"][way]
    done = restore_ids([damaged], code, vintage)
    assert pd.isna(done.ids[0]) or done.ids[0] == given_id
    if way < 2 and parents_by_id(code, vintage).get("PR"):
        assert done.ids[0] == given_id


@given(st.text(alphabet="0123456789.,ASE +'", max_size=22), units(standard=True))
def test_whatever_comes_ends_as_an_id_a_row_refused_or_nothing(text, unit):
    """No text is lost: it is an id, refused with a reason, or was empty."""
    vintage, code, _ = unit
    done = restore_ids([text], code, vintage)
    if pd.isna(done.ids[0]):
        assert len(done.refused) == (text.strip("'= ") != "")
        assert done.refused["reason"].str.len().gt(0).all()
    else:
        assert are_ids(done.ids, code, vintage).all()
        assert len(done.restored) == (done.ids[0] != text)


@pytest.mark.parametrize(
    ("code", "damaged", "whole", "kind"),
    [
        ("CT", "5050125.4", "5050125.40", "tract"),
        ("CT", "5050125", "5050125.00", "tract"),
        ("CT", "5050125.0", "5050125.00", "tract"),
        ("CT", 5050125.4, "5050125.40", "tract"),
        ("CT", 5050125, "5050125.00", "tract"),
        ("CT", "5050125,04", "5050125.04", "comma"),
        ("CT", "5050125,4", "5050125.40", "comma;tract"),
        ("CT", "10125.1", "0010125.10", "zeros;tract"),
        ("CT", "10125", "0010125.00", "zeros;tract"),
        ("CMA", "5", "005", "zeros"),
        ("CMA", 5, "005", "zeros"),
        ("CMA", "505.0", "505", "decimal"),
        ("CMA", 1.0, "001", "decimal;zeros"),
        ("CMA", "48825", "825", "part"),
        ("CMA", "10001", "001", "part"),
        ("CMA", 35505.0, "505", "decimal;part"),
        ("CMA", "2021S0503505", "505", "dguid"),
        ("CMA", "2021S050535505", "505", "dguid;part"),
        ("POPCTR", "944", "0944", "zeros"),
        ("POPCTR", "2021S0511350944", "0944", "dguid;part"),
        ("DA", "35060001.0", "35060001", "decimal"),
        ("DA", "35060001,0", "35060001", "comma;decimal"),
        ("DA", " 35060001\u00a0", "35060001", "spaces"),
        ("DA", '="35060001"', "35060001", "spaces"),
        ("DA", "2021S051235060001", "35060001", "dguid"),
        ("FED", "2013A000435076", "35076", "dguid"),
        ("FED", "2023A000435076", "35076", "dguid"),
        ("FSA", "k1j", "K1J", "case"),
        ("DB", 35060001001.0, "35060001001", "decimal"),
    ],
)
def test_damage_with_one_reading_is_restored(code, damaged, whole, kind):
    """Each restoration is the one reading possible, is a row, and is in the report."""
    done = restore_ids([damaged], code, 2021)
    assert done.ids.tolist() == [whole]
    assert done.restored[["row", "restored", "kind"]].to_numpy().tolist() == [[0, whole, kind]]
    assert [finding.check for finding in done.report] == [f"id_{k}" for k in kind.split(";")]
    assert done.report.worst == ("warning" if "part" in kind else "note")
    assert whole in done.report.findings[0].message


@pytest.mark.parametrize(
    ("code", "damaged", "reason"),
    [
        # 505 and 125.04 joined, or 050 and 5125.04
        ("CT", "505125.04", "form 9999999.99"),
        ("CT", "125.4", "form 9999999.99"),
        ("CT", "5050125.123", "form 9999999.99"),
        ("CT", "50525", "form 9999999.99"),
        # not what reading as a number leaves
        ("CMA", "05", "3 digits"),
        ("CMA", "35076", "3 digits, and this has the form of FED"),
        ("CMA", "0", "zero is no id"),
        ("CMA", "000", "zero is no id"),
        # a designated place, or a part of a population centre
        ("POPCTR", "350944", "4 digits, and this has the form of DPL"),
        ("DA", "3506001", "8 digits, and this has the form of CSD, CCS|CCS, CSD"),
        ("DA", "99060001", "no province or territory"),
        ("DA", "3.506E+07", "scientific notation has lost digits"),
        ("DA", "35060001.5", "8 digits"),
        ("DA", "downtown", "8 digits"),
        ("DA", np.inf, "8 digits"),
        ("DB", "3506000101", "form of the 2011 census; 2021 needs 11 digits"),
        ("DB", "35060001", "11 digits, and this has the form of DA, ADA|ADA, DA"),
        ("DA", "2016S051235060001", "a DGUID of 2016; the 2021 census has 2021"),
        ("DA", "2021A00053506008", "a DGUID of level CSD; DA is needed"),
        ("DA", "2021S0999123", "unknown type and schema, S0999"),
        ("DA", "2021S05123506", "a DGUID whose id is not right: it needs 8 digits"),
    ],
)
def test_damage_with_two_readings_is_refused(code, damaged, reason):
    """What may have been another id is refused by row, saying why."""
    done = restore_ids([damaged], code, 2021)
    assert done.ids.isna().all()
    assert len(done.restored) == 0
    assert done.refused["row"].tolist() == [0]
    assert re.search(reason, done.refused["reason"][0]), done.refused["reason"][0]
    assert done.report.worst == "error"


def test_an_eleven_digit_block_is_no_block_of_2011():
    """The other way round: a block of 2016 or later given for 2011 or 2006."""
    for vintage in (2006, 2011):
        reason = restore_ids(["35060001001"], "DB", vintage).refused["reason"][0]
        assert f"form of the 2021 census; {vintage} needs 10 digits" in reason


def test_numbers_of_32_bits_are_not_trusted():
    """A 32-bit float keeps seven digits: subdivisions survive, areas and tracts do not."""
    assert restore_ids(np.array([3506008], "f4"), "CSD", 2021).ids.tolist() == ["3506008"]
    for code, number in (("DA", 35060001), ("CT", 5050125.5)):
        done = restore_ids(np.array([number], "f4"), code, 2021)
        assert done.ids.isna().all()
        assert "32-bit" in done.refused["reason"][0]


def test_missing_stays_missing_and_keeps_its_place():
    """Land outside tracted places has no tract: that is no damage. The index is kept."""
    values = pd.Series(["5050125.4", None, "", "  ", np.nan], index=list("abcde"), name="CTUID")
    done = restore_ids(values, "CT", 2021)
    assert done.ids.index.tolist() == list("abcde")
    assert done.ids.name == "CTUID"
    assert done.ids.isna().tolist() == [False, True, True, True, True]
    assert len(done.refused) == 0
    assert done.restored["row"].tolist() == ["a"]
    assert len(restore_ids([], "DA", 2021).ids) == 0
    assert restore_ids([np.nan, np.nan], "DA", 2021).ids.isna().all()


@pytest.mark.parametrize("dtype", [object, "string", "category", "Int64", "int64", "Float64"])
def test_any_kind_of_column_gives_text(dtype):
    """Text, categories, whole numbers and nullable types all become the same text."""
    values = pd.Series([35060001, 35060002], dtype="int64")
    if dtype in (object, "string", "category"):
        values = values.astype(str)
    assert restore_ids(values.astype(dtype), "DA", 2021).ids.tolist() == ["35060001", "35060002"]


def test_what_is_given_is_not_changed():
    """Restoring leaves the caller's column as it was."""
    values = pd.Series(["5050125.4"])
    restore_ids(values, "CT", 2021)
    assert values.tolist() == ["5050125.4"]


def test_require_ids_tells_every_row_at_once():
    """All refused and missing rows are in one error, first five in the message."""
    values = pd.Series(["35060001", "x1", None, *(f"y{n}" for n in range(6))], index=range(10, 19))
    with pytest.raises(
        IdError, match=r"8 of 9 DA ids cannot be used: .*2021 census needs 8 digits.*11: x1"
    ) as caught:
        require_ids(values, "DA", 2021)
    assert caught.value.problems["row"].tolist() == [11, 13, 14, 15, 16, 17, 18, 12]
    assert caught.value.problems["reason"].iloc[-1] == "the id is missing"
    assert "and 3 more" in str(caught.value)
    allowed = require_ids(["35060001", None], "DA", 2021, allow_missing=True)
    assert allowed.ids.isna().tolist() == [False, True]


def test_one_id_is_not_a_list_of_its_letters():
    """A single text where a column is needed is an error, not eight ids of one digit."""
    with pytest.raises(InputError, match="list, an array or a column; '35060001' was given"):
        restore_ids("35060001", "DA", 2021)


def test_a_parent_that_is_not_in_the_id():
    """The subdivision of an area is not in its id; the message says what is."""
    with pytest.raises(InputError, match=r"id of its CSD and does not; it holds: CD, PR\."):
        parent_ids(["35060001"], "DA", 2021, "CSD")


# -- DGUIDs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2011A000011124", "2016A00014", "2011A000224", "2011A00033520", "2013A000435076",
        "2011A00053520005", "2016A0006350045", "2013A00074834", "2015A00083502", "2011A0011K1J",
        "2011S05003530", "2011S05015905", "2016S05024616005", "2011S0503535", "2016S0504527",
        "2016S050535505", "2016S050624330", "2011S05073050002.00", "2011S05100944",
        "2016S0511470478", "2016S051213070226", "2016S051313070226019", "2016S051624230047",
    ],
)  # fmt: skip
def test_statistics_canada_s_own_examples(text):
    """Every example of 92F0138M2019001 is taken apart and put together."""
    assert str(parse_dguid(text)) == text


def test_dguids_of_early_censuses_are_derived():
    """The files of 2006 and 2011 carry none: they are built by the schemas of their year."""
    assert dguid("UA", "0944", 2006) == "2006S05100944"
    assert parse_dguid("2006S05100944").level == "UA"
    assert parse_dguid("2011S05100944").level == "POPCTR"


def test_the_type_decides_between_cma_and_ca():
    """One id space, two schemas: letters of the files or words, missing where unknown."""
    built = dguids("CMA", ["505", "527", "320", "825"], 2016, ["B", "D", "K", None])
    assert built.tolist()[:3] == ["2016S0503505", "2016S0504527", "2016S0504320"]
    assert pd.isna(built[3])
    assert dguid("RMR", "505", 2021, "rmr") == "2021S0503505"
    assert dguid("CMAP", "35505", 2021, "CMA") == "2021S050535505"
    with pytest.raises(InputError, match="needs the unit's type"):
        dguid("CMA", "505", 2021)
    with pytest.raises(IdError, match="these were given: Z") as caught:
        dguids("CMA", ["505", "825"], 2021, ["B", "Z"])
    assert caught.value.problems["row"].tolist() == [1]
    with pytest.raises(InputError, match="2 ids and 1 type"):
        dguids("CMA", ["505", "825"], 2021, ["B"])


def test_a_dguid_is_not_built_of_a_damaged_id():
    """Building checks; restoring is a step of its own."""
    with pytest.raises(IdError, match=r"needs the form 9999999\.99.*these were given: 5050125\.4"):
        dguid("CT", "5050125.4", 2021)
    with pytest.raises(InputError, match="one of: 2013, 2023; 2003 was given"):
        dguid("FED", "35076", 2021, year=2003)
    with pytest.raises(InputError, match="one of: -; - was given"):
        dguid("HR", "4834", 2021)
    assert dguid("HR", "4834", 2021, year=2018) == "2018A00074834"
    assert dguids("DA", [None, "35060001"], 2021).isna().tolist() == [True, False]


def test_wrong_dguids_are_told_by_row():
    """Form, schema, id and a year without that geography are all refused at once."""
    wrong = ["2021S051235060001", "2021S05123506", "2019S051235060001", "2021X1", "2021A999935"]
    with pytest.raises(IdError, match="these were given: 2021S05123506, 2019S05") as caught:
        parse_dguids(pd.Series(wrong, index=list("abcde")))
    assert caught.value.problems["row"].tolist() == list("bcde")
    # subdivisions are also issued between censuses
    assert parse_dguid("2019A00053506008").censuses == ()
    assert parse_dguids(["2021A000235", None])["level"].isna().tolist() == [False, True]
    with pytest.raises(IdError, match="A DGUID needs a year"):
        parse_dguid("")


# -- units of a service area -------------------------------------------------------------------


def test_units_are_read_in_either_language_and_order_kept():
    """Level names of both languages, spaces, DGUIDs; the index is kept."""
    values = pd.Series(
        ["CSD:4806016", " subdivision de recensement : 4806016", "2021A00033506", "CMA:825"],
        index=[7, 5, 3, 1],
    )
    found = parse_units(values, 2021)
    assert found.index.tolist() == [7, 5, 3, 1]
    assert found.to_numpy().tolist() == [
        ["CSD", "4806016"], ["CSD", "4806016"], ["CD", "3506"], ["CMA", "825"],
    ]  # fmt: skip
    assert len(parse_units([], 2021)) == 0


def test_units_that_are_none_are_told_all_at_once():
    """Unknown levels, levels of other censuses, damaged codes and bare words in one error."""
    wrong = ["CSD:4806016", "ward:3", "UA:0944", "DA:12", "Calgary", "CD:", "2016A00033506"]
    with pytest.raises(
        IdError, match="form LEVEL:code, like CSD:4806016; these cannot be"
    ) as caught:
        parse_units(wrong, 2021)
    problems = caught.value.problems.set_index("row")["reason"]
    assert problems.index.tolist() == [1, 2, 3, 4, 5, 6]
    assert "'ward' was given" in problems[1]
    assert "no level UA; the censuses 2006" in problems[2]
    assert problems[3] == "it needs 8 digits, and this has the form of PR"
    assert problems[4] == "neither LEVEL:code nor a DGUID"
    assert problems[5] == "the id is missing"
    assert problems[6] == "a DGUID of 2016; the 2021 census has 2021"


def test_a_part_is_the_whole_only_within_one_province():
    """Calgary's part is all of it; Ottawa's is not Ottawa-Gatineau; 2011 is not known here."""
    assert parse_unit("CMA:48825", 2021) == ("CMA", "825")
    for text, vintage in (("CMA:35505", 2021), ("CMA:48825", 2011), ("CMA:2021S050535505", 2021)):
        with pytest.raises(IdError, match="the part of a CMA or CA in one province"):
            parse_unit(text, vintage)


# -- size and real files -----------------------------------------------------------------------


def test_half_a_million_ids_take_well_under_a_second():
    """Checking, building and taking apart a country's blocks is array work."""
    numbers = 35_000_000_000 + np.arange(500_000, dtype=np.int64)
    ids = pd.Series(numbers.astype(str).astype(object))
    start = time.perf_counter()
    assert len(restore_ids(ids, "DB", 2021).report) == 0
    assert time.perf_counter() - start < 1
    start = time.perf_counter()
    assert parse_dguids(dguids("DB", ids, 2021))["unit_id"].tolist() == ids.tolist()
    assert time.perf_counter() - start < 2


@pytest.mark.realdata
@pytest.mark.parametrize("city", ["ottawa", "calgary"])
def test_real_extracts_come_back_whole(realdata, city):
    """Every damaged id of the two profile extracts is restored, none refused."""
    path = realdata / f"{city}_2021" / "da_profile_2021.csv"
    for dtype in (str, None):  # as careful readers read it, and as pandas does unasked
        table = pd.read_csv(path, dtype=dtype)
        for column, code in (
            ("GeoUID", "DA"), ("CSD_UID", "CSD"), ("CD_UID", "CD"), ("CT_UID", "CT"),
            ("CMA_UID", "CMA"),
        ):  # fmt: skip
            done = restore_ids(table[column], code, 2021)
            assert done.ids.notna().all()
            assert len(done.refused) == 0
            assert done.ids.str.len().eq(id_length(code, 2021)).all()
        tracts = restore_ids(table["CT_UID"], "CT", 2021)
        assert len(tracts.restored) == {"ottawa": 497, "calgary": 499}[city]
        # the tracts are the city's own: the id begins with the area's CMA
        cma = parent_ids(tracts.ids, "CT", 2021, "CMA")
        assert (cma == restore_ids(table["CMA_UID"], "CMA", 2021).ids).all()
        assert cma.unique().tolist() == [{"ottawa": "505", "calgary": "825"}[city]]


@pytest.mark.realdata
def test_real_tracts_are_a_lossless_reading(realdata):
    """Restored tracts, read as numbers, are the numbers of the file: nothing else was changed."""
    for city in ("ottawa", "calgary"):
        damaged = pd.read_csv(realdata / f"{city}_2021" / "da_profile_2021.csv", dtype=str)[
            "CT_UID"
        ]
        restored = restore_ids(damaged, "CT", 2021).ids
        assert (restored.astype(float).to_numpy() == damaged.astype(float).to_numpy()).all()
        assert restored.nunique() == damaged.nunique()


@pytest.mark.realdata
def test_real_files_agree_with_the_table(realdata):
    """Ids of the official files have the forms of the table, and their DGUIDs are ours."""
    path = realdata / "canada" / "2021_92-156-X_DA_AD.zip"
    table = pd.read_csv(path, dtype=str)
    assert len(table) == 499_052
    for name in table.columns:
        if name.startswith("DARELFLAG"):
            continue
        found = id_column(name)
        if found.dguid:
            parts = parse_dguids(table[name])
            assert (parts["level"] == found.level).all()
            plain = next(c for c in table if c.startswith(f"{found.level}UID{found.vintage}"))
            assert (parts["unit_id"] == table[plain]).all()
            built = dguids(found.level, table[plain], found.vintage)
            assert (built == table[name]).all()
        else:
            assert are_ids(table[name], found.level, found.vintage).all()
    inside = parent_ids(table["DBUID2021_IDIDU2021"], "DB", 2021, "DA")
    assert (inside == table["DAUID2021_ADIDU2021"]).all()


@pytest.mark.realdata
def test_the_2016_subdivisions_bear_out_the_table(realdata):
    """Provinces, CMA types, CMAs in two provinces, first digits, nesting: as counted."""
    import geopandas as gpd

    table = gpd.read_file(realdata / "canada" / "lcsd000b16a_e.dbf", ignore_geometry=True)
    known = facts()
    assert set(table["PRUID"]) == set(known["provinces"])
    for parent in ("CCS", "CD", "ER", "PR"):
        assert parent in nests_in("CSD", 2016)
        assert are_ids(table[f"{parent}UID"], parent, 2016).all()
    assert (table.groupby("CCSUID")["CDUID"].nunique() == 1).all()
    assert (table.groupby("CCSUID")["ERUID"].nunique() == 1).all()
    assert (table.groupby("CDUID")["ERUID"].nunique() > 1).sum() == 1  # Halton

    inside = table.dropna(subset=["CMAUID"])
    assert (parent_ids(inside["CMAPUID"], "CMAP", 2016, "CMA") == inside["CMAUID"]).all()
    several = inside.groupby("CMAUID")["PRUID"].nunique() > 1
    assert sorted(several.index[several]) == known["cma_in_two_provinces"]["2016"]
    first = inside.groupby("PRUID")["CMAUID"].agg(lambda ids: "".join(sorted(set(ids.str[0]))))
    assert first.to_dict() == known["cma_first_digits"]
    letters = {letter for kind in known["cma_types"].values() for letter in kind}
    assert set(inside["CMATYPE"]) <= letters
    tracted = inside.loc[inside["CMATYPE"].isin(["B", "K"]), "CMAUID"]
    zero = sorted(set(tracted[tracted.str.startswith("0")]))
    assert zero == known["tracted_cma_with_leading_zero"]["ids"]
    assert not tracted.str.startswith("1").any()
    by_type = inside.drop_duplicates("CMAUID")["CMATYPE"].value_counts()
    assert by_type["B"] == 35
    assert by_type["D"] + by_type["K"] == 117
    # every part stands for its CMA where a row lies, and comes back
    done = restore_ids(inside["CMAPUID"], "CMA", 2016)
    assert (done.ids == inside["CMAUID"]).all()


@pytest.mark.realdata
def test_cmas_in_two_provinces_are_the_same_in_2021(realdata):
    """The 2021 subdivisions give the same four, and the same first digits."""
    import geopandas as gpd

    table = gpd.read_file(realdata / "canada" / "csd_2021_generalised.gpkg", ignore_geometry=True)
    inside = table.dropna(subset=["CMAUID"])
    cma = restore_ids(inside["CMAUID"], "CMA", 2021)
    assert len(cma.refused) == 0
    several = inside["PRUID"].groupby(cma.ids).nunique() > 1
    assert sorted(several.index[several]) == facts()["cma_in_two_provinces"]["2021"]
