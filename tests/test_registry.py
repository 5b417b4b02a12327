"""The registry: what it carries, what resolves, what is refused and why, what rows lack."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
import toytown

import lipgeo
from lipgeo import registry, synthetic
from lipgeo.areas import ServiceAreas
from lipgeo.census import Census, MemoryCensus
from lipgeo.errors import AreaError, FileError, RegistryError
from lipgeo.registry.table import COLUMNS
from lipgeo.store.published import boundaries
from lipgeo.words import speaking

LIPS = [*COLUMNS["lips"]]


def row(**cells: str) -> dict[str, str]:
    """Return a sound row of lips.csv, changed in some cells."""
    sound = dict.fromkeys(LIPS, "") | {
        "lip_id": "on-town",
        "kind": "LIP",
        "name_en": "Town",
        "province": "ON",
        "codes_vintage": "2021",
        "units": "CSD:3506001",
        "units_status": "resolved",
        "extent_status": "assumed",
        "existence": "general knowledge",
        "source": "a page",
    }
    return sound | cells


def write(folder, *rows, definitions=()):
    """Write a registry of one's own."""
    folder.mkdir(exist_ok=True)
    pd.DataFrame(rows, columns=LIPS).to_csv(folder / "lips.csv", index=False)
    if definitions:
        columns = [*COLUMNS["definitions"]]
        filled = [dict.fromkeys(columns, "") | one for one in definitions]
        frame = pd.DataFrame(filled, columns=columns)
        frame.to_csv(folder / "definitions.csv", index=False)
    return folder


def checks(folder, **kwargs) -> set[str]:
    """Return the names of the checks that fail in a registry."""
    return {one.check for one in registry.check(folder, **kwargs) if one.severity == "error"}


# -- what it carries ---------------------------------------------------------------------------


def test_every_entry_has_one_of_the_known_states():
    """94 partnerships and 13 networks: 68 resolve, 15 need a choice, 2 lack units, and so on."""
    entries = registry.list()
    assert entries["kind"].value_counts().to_dict() == {"LIP": 94, "RIF": 13}
    states = entries["units_status"].value_counts().to_dict()
    assert states == {"resolved": 68, "unknown": 18, "choose": 15, "placeholder": 4, "missing": 2}


def test_every_line_has_source_and_status():
    """No line of the carried tables is without a source, and nothing in them is wrong."""
    carried = registry.open_registry()
    for table in (carried.lips, carried.definitions, carried.overlaps, carried.consortia):
        assert table["source"].ne("").all()
    assert carried.lips["existence"].ne("").all()
    assert not {one.severity for one in registry.check()} & {"error", "warning"}


@pytest.mark.realdata
def test_no_fact_was_changed_on_the_way(realdata):
    """The carried rows are the facts, cell by cell; only an empty source was given words."""
    facts = pd.read_csv(realdata / "lips.csv", dtype="string", keep_default_na=False)
    carried = registry.open_registry().lips.reset_index(drop=True)
    same = [column for column in facts if column != "source"]
    pd.testing.assert_frame_equal(carried[same], facts[same])
    told = facts["source"].ne("")
    assert carried.loc[told, "source"].eq(facts.loc[told, "source"]).all()
    assert carried.loc[~told, "source"].eq("none found; general knowledge").all()
    consortia = pd.read_csv(realdata / "consortia.csv", dtype="string", keep_default_na=False)
    held = registry.consortia()[list(consortia)]
    pd.testing.assert_frame_equal(held, consortia)


@pytest.mark.realdata
def test_no_code_is_unknown_in_the_2016_list(realdata):
    """Every subdivision, division and area named by code is in the list of 2016."""
    import pyogrio

    known = pyogrio.read_dataframe(realdata / "canada" / "lcsd000b16a_e.dbf")
    ids = {level: set(known[f"{level}UID"].dropna().astype(str)) for level in ("CSD", "CD")}
    ids["CMA"] = set(known["CMAUID"].dropna().astype(str))
    ids["PR"] = set(known["PRUID"].dropna().astype(str))
    cells = registry.open_registry().lips[["units", "alternatives"]].to_numpy().ravel()
    codes = {code for cell in cells for code in cell.split(";") if code}
    assert len(codes) > 90
    assert {code for code in codes if code.split(":")[1] not in ids[code.split(":")[0]]} == set()


def test_list_keeps_to_kind_province_and_status():
    """Each filter narrows; the province may be written in either language; others are refused."""
    assert set(registry.list(kind="rif")["kind"]) == {"RIF"}
    islands = registry.list(province="Île-du-Prince-Édouard")["lip_id"].tolist()
    assert islands == ["pe-pei", "rif-pe"]
    assert "ab-sk-lloydminster" in registry.list(province="SK")["lip_id"].tolist()
    with pytest.raises(RegistryError, match=r"status needs to be one of resolved.*done"):
        registry.list(status="done")


def test_search_forgives_accents_case_and_a_letter():
    """A name is found without its accents, in capitals, or with one letter missing."""
    assert "nb-saint-john" in registry.search("st. john")["lip_id"].tolist()
    assert registry.search("réseau EN immigration")["lip_id"].str.startswith("rif-").all()
    close = registry.search("Lethbrige")
    assert close[["lip_id", "match"]].to_numpy().tolist() == [["ab-lethbridge", "close"]]
    assert registry.search("zzzz").empty


def test_show_tells_definitions_and_consortia():
    """Regina is its metropolitan area now and was the city before; the sources give no day."""
    entry = registry.show("sk-regina")
    told = [(d["version"], d["units"], d["valid_from"]) for d in entry["definitions"]]
    assert told == [("city", "CSD:4706027", ""), ("cma", "CMA:705", "")]
    assert (entry["units"], entry["consortia"]) == ("CMA:705", ["regina"])


# -- resolving ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("ab-bow-valley", "missing", "DPL Exshaw, DPL Harvie Heights, DPL Lac des Arcs"),
        ("ab-jasper", "missing", "POPCTR Jasper"),
        ("on-toronto-east", "placeholder", "quadrant's tracts or dissemination areas"),
        ("on-toronto-north", "placeholder", "quadrant's tracts or dissemination areas"),
        ("on-toronto-south", "placeholder", "quadrant's tracts or dissemination areas"),
        ("on-toronto-west", "placeholder", "quadrant's tracts or dissemination areas"),
        ("ab-calgary", "choose", "ab-calgary@city .CSD:4806016., ab-calgary@cma .CMA:825."),
        ("ab-medicine-hat", "choose", "ab-medicine-hat@CSD:4801006, ab-medicine-hat@CMA:805"),
        ("mb-pembina-valley", "unknown", "no source says which census units"),
    ],
)
def test_what_the_sources_do_not_settle_is_refused_by_name(name, status, said):
    """Each refusal names the entry, what is missing and what to do."""
    with pytest.raises(RegistryError, match=f"{name}: .*{said}") as error:
        registry.units(name)
    assert error.value.problems[["area_id", "status"]].to_numpy().tolist() == [[name, status]]


def test_all_refusals_come_at_once():
    """Three entries that cannot be resolved are three problems of one error, in French too."""
    with speaking("fr"), pytest.raises(RegistryError, match="3 entrées du registre") as error:
        registry.units("ab-calgary, nb-moncton, ab-jasper, on-kenora")
    assert error.value.problems["area_id"].tolist() == ["ab-calgary", "ab-jasper", "on-kenora"]


def test_a_choice_is_a_definition_or_an_alternative():
    """The name of a definition and a listed alternative resolve; anything else is refused."""
    chosen = registry.units("ab-calgary@cma,ab-medicine-hat@CSD:4801006,sk-regina@city")
    assert chosen["unit"].tolist() == ["CMA:825", "CSD:4801006", "CSD:4706027"]
    with pytest.raises(RegistryError, match="CSD:1 is none of its readings"):
        registry.units("ab-calgary@CSD:1", draft=True)
    with pytest.raises(RegistryError, match="0 dated definitions hold on 2019-06-30"):
        registry.units("ab-calgary@2019-06-30")


def test_a_day_chooses_between_dated_definitions(tmp_path):
    """Where a source gives days, the day decides, first and last day included."""
    dated = [
        {"lip_id": "on-town", "version": "old", "units": "CSD:3506001", "valid_to": "2019-03-31"},
        {"lip_id": "on-town", "version": "new", "units": "CD:3506", "valid_from": "2019-04-01"},
    ]
    folder = write(tmp_path / "own", row(), definitions=dated)
    on = [registry.units("on-town", on=day, folder=folder)["unit"].item()
          for day in ("2019-03-31", "2019-04-01")]  # fmt: skip
    assert on == ["CSD:3506001", "CD:3506"]
    later = registry.units("on-town@2020-01-01", folder=folder)
    assert later["valid_from"].tolist() == ["2019-04-01"]


def test_an_unknown_id_gets_the_nearest():
    """A mistyped id is refused with the one that was likely meant."""
    with pytest.raises(RegistryError, match=r"no nb-monkton\. Nearest: nb-moncton"):
        registry.units("nb-monkton")


def test_resolved_entries_are_unit_lists_of_the_census():
    """An entry becomes its units at their own level; an assumed extent is said."""
    census = _subdivisions()
    areas = registry.resolve("nb-moncton,ab-sk-lloydminster", census)
    assert areas.ids.tolist() == ["nb-moncton", "ab-sk-lloydminster"]
    people = census.counts("CSD")["population"]
    sums = areas.units["unit_id"].map(people).groupby(areas.units["area_id"]).sum()
    assert sums.to_dict() == {"nb-moncton": 6.0, "ab-sk-lloydminster": 20.0}
    assert {"assumed", "codes_vintage", "unsure"} <= {one.check for one in areas.report}


def _subdivisions() -> Census:
    """Return a census of five subdivisions in three provinces."""
    ids = ["1307022", "1307045", "1306020", "4810039", "4717029"]
    csd = pd.DataFrame({"unit_id": ids, "population": [1.0, 2.0, 3.0, 10.0, 10.0]})
    csd["unit_name"] = ["Moncton", "Dieppe", "Riverview", "Lloydminster", "Lloydminster"]
    csd["PR"] = csd["unit_id"].str[:2]
    provinces = pd.DataFrame({"unit_id": ["13", "47", "48"]})
    return Census(MemoryCensus(2021, {"CSD": csd, "PR": provinces}, {}))


@pytest.mark.realdata
def test_moncton_and_lloydminster_have_their_published_people(realdata):
    """Three subdivisions make Moncton; two provinces make Lloydminster (2021 populations)."""
    import pyogrio

    path = realdata / "canada" / "csd_2021_generalised.gpkg"
    read = pyogrio.read_dataframe(path, read_geometry=False)
    csd = pd.DataFrame(
        {
            "unit_id": read["rmapshaperid"].astype(str),
            "unit_name": read["CDNAME"],
            "PR": read["PRUID"].astype(str),
            "population": read["population_2021"],
        }
    )
    provinces = pd.DataFrame({"unit_id": sorted(csd["PR"].unique())})
    census = Census(MemoryCensus(2021, {"CSD": csd, "PR": provinces}, {}))
    areas = registry.resolve("nb-moncton,ab-sk-lloydminster", census)
    people = areas.units["unit_id"].map(census.counts("CSD")["population"])
    assert people.groupby(areas.units["area_id"]).sum().to_dict() == {
        "nb-moncton": 79470.0 + 28114.0 + 20584.0,
        "ab-sk-lloydminster": 19739.0 + 11843.0,
    }


def test_a_draft_is_marked_in_every_output(tmp_path):
    """What was not settled carries DRAFT in ids and names, through to the files of a build."""
    census = toytown.census()
    csd = census.units("CSD").index.tolist()
    missing = row(
        units=f"CSD:{csd[0]}", missing_units="DPL Nowhere", units_status="missing",
        name_fr="Ville", lip_id="on-town",
    )  # fmt: skip
    folder = write(tmp_path / "own", missing, row(lip_id="on-whole", units=f"CSD:{csd[1]}"))
    areas = registry.resolve("on-town,on-whole", census, draft=True, folder=folder)
    assert areas.ids.tolist() == ["DRAFT-on-town", "on-whole"]
    assert areas.frame.loc["DRAFT-on-town", ["name_en", "name_fr"]].tolist() == [
        "DRAFT Town",
        "DRAFT Ville",
    ]
    assert areas.report.only("draft").findings[0].subject == "DRAFT-on-town"
    fitted = lipgeo.fit_boundaries(census, areas)
    flags = fitted.areas.set_index("area_id")["flags"].str.contains("draft")
    assert flags.to_dict() == {"DRAFT-on-town": True, "on-whole": False}
    built = lipgeo.write_build(fitted, tmp_path / "built")
    for name in ("units.csv", "cover.csv", "checks.json"):
        assert "DRAFT-on-town" in (built / name).read_text(encoding="utf-8-sig")


def test_a_draft_takes_what_there_is_and_leaves_what_is_not():
    """Bow Valley goes on with four subdivisions, Calgary with its first reading, Jasper not."""
    drafted = registry.units("ab-bow-valley,ab-calgary,ab-jasper", draft=True)
    count = drafted["area_id"].value_counts().to_dict()
    assert count == {"DRAFT-ab-bow-valley": 4, "DRAFT-ab-calgary": 1}
    assert drafted["name_en"].str.startswith("DRAFT ").all()
    with pytest.raises(RegistryError, match="Not even a draft can be made of ab-jasper"):
        registry.units("ab-jasper", draft=True)


@pytest.fixture(scope="module")
def censuses():
    """Return the made country in 2016 and in 2021."""
    return synthetic.census(3000, vintage=2016), synthetic.census(3000, vintage=2021)


def test_a_unit_that_ceased_says_what_it_became(censuses, tmp_path):
    """A subdivision of 2016 that is no more is refused with the units now in its place."""
    before, now = censuses
    gone = before.units("CSD").index.difference(now.units("CSD").index)[0]
    heirs = registry.became("CSD", gone, before, now)
    assert heirs["share"].sum() == pytest.approx(1.0, abs=0.02)
    folder = write(tmp_path / "own", row(units=f"CSD:{gone}", province="", codes_vintage="2016"))
    heir = heirs["unit_id"].iloc[0]
    with pytest.raises(RegistryError, match=rf"CSD:{gone} .*ceased to exist; .*CSD:{heir}"):
        registry.resolve("on-town", now, earlier=before, folder=folder)
    with pytest.raises(AreaError, match="not in the 2021 census held"):
        registry.resolve("on-town", now, folder=folder)
    found = registry.check(folder, census=now, earlier=before).only("not_in_census")
    assert f"CSD:{heir}" in found.findings[0].message


# -- rows --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "check"),
    [
        ({"source": ""}, "row_no_source"),
        ({"existence": ""}, "row_no_status"),
        ({"lip_id": "Town 1"}, "bad_id"),
        ({"name_en": ""}, "row_no_name"),
        ({"kind": "PLI"}, "not_known"),
        ({"units_status": "done"}, "not_known"),
        ({"units": ""}, "status_against_units"),
        ({"missing_units": "DPL X"}, "status_against_units"),
        ({"units_status": "choose"}, "status_against_units"),
        ({"units": "CSD:35"}, "bad_units"),
        ({"units": "Ottawa"}, "bad_units"),
        ({"units": "CSD:4806016"}, "other_province"),
    ],
)
def test_a_bad_row_is_told(tmp_path, cells, check):
    """Each mistake in a contributor's row is one finding that names the row."""
    report = registry.check(write(tmp_path / "own", row(**cells)))
    assert check in {one.check for one in report if one.severity == "error"}
    assert any("2" in one.message for one in report.only(check))


def test_a_sound_row_passes(tmp_path):
    """A contributor's good row has no finding."""
    assert len(registry.check(write(tmp_path / "own", row()))) == 0


def test_one_id_for_two_places_is_told_from_a_double_row(tmp_path):
    """An id used again for another place is graver than a row that stands twice."""
    twice = write(tmp_path / "twice", row(), row())
    other = write(tmp_path / "other", row(), row(units="CSD:3506002"))
    assert checks(twice) == {"id_twice"}
    assert checks(other) == {"id_of_two_places"}


def test_definitions_whose_dates_overlap_are_told(tmp_path):
    """Two definitions that hold on one day are an error; so are days that are none."""
    base = {"lip_id": "on-town", "units": "CSD:3506001", "source": "a page"}
    first = base | {"version": "a", "valid_from": "2015-01-01", "valid_to": "2019-04-01"}
    second = base | {"version": "b", "valid_from": "2019-04-01", "follows": "a"}
    report = registry.check(write(tmp_path / "own", row(), definitions=[first, second]))
    assert (
        "definitions a, b (rows 2, 3) overlap" in report.only("dates_overlap").findings[0].message
    )
    wrong = [
        first | {"valid_from": "1 April"},
        second | {"valid_to": "2001-01-01"},
        second | {"version": "b", "follows": "z"},
        base | {"lip_id": "on-nobody", "version": "x"},
    ]
    found = checks(write(tmp_path / "bad", row(), definitions=wrong))
    expected = {"bad_date", "dates_backward", "version_twice", "follows_nothing", "no_such_partner"}
    assert expected <= found


def test_a_status_is_never_raised_without_a_source(tmp_path):
    """Calling an assumed extent sourced, with the source of before, is an error."""
    carried = registry.open_registry().lips
    ottawa = carried[carried["lip_id"].eq("on-ottawa")].iloc[0].to_dict()
    assert checks(write(tmp_path / "as-is", ottawa)) == set()
    raised = ottawa | {"extent_status": "sourced"}
    assert checks(write(tmp_path / "raised", raised)) == {"status_raised"}
    sourced = raised | {"source": "a page that states it"}
    assert checks(write(tmp_path / "sourced", sourced)) == set()


def test_a_place_inside_a_listed_place_is_told(tmp_path, censuses):
    """A subdivision with a designated place inside it is found when a census is at hand."""
    census = censuses[1]
    blocks = census.units("DB").dropna(subset=["DPL"])
    csd, dpl, pr = blocks.iloc[0][["CSD", "DPL", "PR"]]
    folder = write(tmp_path / "own", row(units=f"CSD:{csd};DPL:{dpl}", province=pr))
    report = registry.check(folder, census=census)
    assert f"DPL:{dpl} inside CSD:{csd}" in report.only("nested_units").findings[0].message


def test_tables_that_are_none_are_refused(tmp_path):
    """No lips.csv, columns that are missing, bytes that are no UTF-8."""
    with pytest.raises(FileError, match=r"needs .*lips\.csv, and it is not there"):
        registry.list(folder=tmp_path)
    folder = tmp_path / "own"
    folder.mkdir()
    pd.DataFrame({"lip_id": ["a"]}).to_csv(folder / "lips.csv", index=False)
    with pytest.raises(RegistryError, match="lacks the columns kind, name_en"):
        registry.list(folder=folder)
    (folder / "lips.csv").write_bytes(b"lip_id\n\xe9\n")
    with pytest.raises(FileError, match="UTF-8"):
        registry.list(folder=folder)


# -- command line ------------------------------------------------------------------------------


def test_check_tells_ids_rows_and_folders_apart(tmp_path, monkeypatch):
    """`lipgeo check` takes ids, one table of the registry, or its folder."""
    from lipgeo.cli.registry import check_registered

    monkeypatch.chdir(tmp_path)
    nowhere = tmp_path / "no-store"
    refused = check_registered("ab-bow-valley", nowhere, None)
    assert [one.check for one in refused] == ["unresolved"]
    assert check_registered("nb-moncton", nowhere, None).worst == "note"
    shutil.copytree(boundaries(), "own")
    lines = (tmp_path / "own" / "lips.csv").read_text(encoding="utf-8")
    broken = lines.replace("nb-moncton,LIP", "nb-moncton,PLI")
    (tmp_path / "own" / "lips.csv").write_text(broken, encoding="utf-8")
    assert check_registered("own", nowhere, None).only("not_known").worst == "error"
    assert check_registered("own/lips.csv", nowhere, None).only("not_known").worst == "error"
    assert check_registered("own/definitions.csv", nowhere, None).worst == "note"
    assert check_registered("areas.gpkg", nowhere, None) is None


def test_registry_ids_are_areas():
    """What a command is given as AREAS may be registry ids; a file of that name comes first."""
    from lipgeo.cli.registry import registered_areas, registered_units

    areas = registered_areas("nb-moncton", _subdivisions())
    assert isinstance(areas, ServiceAreas)
    assert len(areas.units) == 3
    units = registered_units("nb-moncton,ab-lethbridge")
    assert [unit.partition(":")[0] for unit in units] == ["CSD", "CSD", "CSD", "CMA"]
    with pytest.raises(AreaError, match="census"):
        registered_areas("nb-moncton", None)
