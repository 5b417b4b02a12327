"""Service areas and sheets from files, as people keep them."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
from toytown import DA_IDS, areas, census

import lipgeo
from lipgeo import ServiceAreas, read_service_areas
from lipgeo.cli.areas import check_areas, listed_units, read_areas
from lipgeo.cli.options import READING
from lipgeo.errors import AreaError, CRSError, FileError, InputError
from lipgeo.readers.areas import AREA_FORMATS, form_of, named_levels, units_in_words
from lipgeo.readers.sheets import read_sheet

TOWN = census()
P, Q, R, S = (f"DA:{DA_IDS[letter]}" for letter in "PQRS")


def text(path: Path, content: str, encoding: str = "utf-8") -> Path:
    """Write a text file."""
    path.write_bytes(content.encode(encoding))
    return path


def workbook(path: Path, rows: list[list], *, title: str = "Units") -> Path:
    """Write a workbook of one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def listed(found: ServiceAreas) -> dict[str, list[str]]:
    """Return the units of each area, written."""
    units = found.units.assign(unit=found.units["level"] + ":" + found.units["unit_id"])
    return {area: units.loc[units["area_id"] == area, "unit"].tolist() for area in found.listed}


def take(path: Path, **options) -> ServiceAreas:
    """Read a list with the toy town's census."""
    return read_service_areas(path, census=TOWN, **options)


# ------------------------------------------------------------------------------- every format


def _in_format(suffix: str, folder: Path) -> Path:
    """Write the toy town's areas, or a list of its units, in a format."""
    path = folder / f"areas{suffix}"
    drivers = {".kml": "KML", ".gml": "GML", ".mif": "MapInfo File", ".fgb": "FlatGeobuf"}
    drivers |= {".json": "GeoJSON", ".gdb": "OpenFileGDB"}
    if suffix in (".zip", ".kmz"):
        areas().to_file(folder / "doc.kml", driver="KML", layer="areas") if suffix == ".kmz" else (
            areas().to_file(folder / "doc.gpkg")
        )
        with zipfile.ZipFile(path, "w") as packed:
            packed.write(next(folder.glob("doc.*")), "doc.kml" if suffix == ".kmz" else "doc.gpkg")
    elif suffix in (".xlsx", ".xlsm"):
        workbook(path, [["area_id", "unit"], ["1", P]])
    elif suffix in (".csv", ".tsv", ".txt"):
        text(path, "area_id,unit\n1," + P if suffix == ".csv" else f"area_id\tunit\n1\t{P}")
    elif suffix in (".parquet", ".geoparquet"):
        areas().to_crs("EPSG:4326").to_parquet(path)
    elif suffix == ".toml":
        text(path, f'[area.1]\nunits = ["{P}"]')
    else:
        areas().to_crs("EPSG:4326").to_file(path, driver=drivers.get(suffix))
    return path


@pytest.mark.parametrize("suffix", sorted(set(AREA_FORMATS) - {".xls", ".ods"}))
def test_check_reads_every_format_that_build_reads(suffix, tmp_path):
    """One table says what is read: no format is read by one command and refused by the other."""
    path = _in_format(suffix, tmp_path)
    as_one = "1" if suffix in (".kml", ".kmz", ".gml", ".toml") else None
    found = take(path, as_one=as_one, id=None if as_one else "area_id")
    assert "1" in found.ids
    reading = dict.fromkeys(("name_en", "name_fr", "crs", "layer", "encoding", "group_by"))
    reading |= {"id": None if as_one else "area_id", "as_one": as_one}
    report = check_areas(str(path), tmp_path / "no store", None, reading)
    told = {finding.check for finding in report if finding.severity == "error"}
    # a list is checked against a census, and there is none here
    assert told == (set() if form_of(path) == "layer" else {"needs_census"})


def test_a_tab_is_mapinfo_s_or_a_text_by_what_is_in_it(tmp_path):
    """Both write .tab: MapInfo's begins with !table, the other has cells between tabs."""
    listed = text(tmp_path / "list.tab", f"area_id\tunit\n1\t{P}\n")
    assert (form_of(listed), form_of(_in_format(".tab", tmp_path))) == ("sheet", "layer")
    assert take(listed).ids.tolist() == ["1"]


# ------------------------------------------------------------------------------- vector files


@pytest.mark.parametrize("name", ["areas.gpkg", "areas.geojson", "areas.shp", "zone d'été #1.gpkg"])
def test_vector_files(tmp_path, name):
    """A layer of any format is read as drawn areas; the path may hold accents, spaces and #."""
    areas().to_crs("EPSG:4326").to_file(tmp_path / name)
    found = read_service_areas(tmp_path / name, id="area_id")
    assert found.ids.tolist() == ["1", "2", "3"]
    assert found.frame["definition"].eq("drawn").all()
    assert found.frame.area.sum() == pytest.approx(areas().area.sum(), rel=1e-3)


def test_a_shapefile_in_a_zip_with_a_folder(tmp_path):
    """The usual download: a zip, a folder in it, the shapefile in that."""
    folder = tmp_path / "made"
    folder.mkdir()
    areas().to_file(folder / "areas.shp")
    with zipfile.ZipFile(tmp_path / "areas.zip", "w") as archive:
        for part in sorted(folder.iterdir()):
            archive.write(part, f"download/{part.name}")
    assert len(read_service_areas(tmp_path / "areas.zip", id="area_id")) == 3
    assert read_service_areas(tmp_path / "areas.zip", as_one="all").ids.tolist() == ["all"]


def test_options_of_layers(tmp_path):
    """Layer, CRS, names and grouping are passed on; a wrong column gets a suggestion."""
    path = tmp_path / "two.gpkg"
    frame = areas().assign(sector=["a", "a", "b"], nom=["Un", "Un", "Trois"])
    frame.to_file(path, layer="areas")
    areas().iloc[:1].to_file(path, layer="other")
    found = read_service_areas(path, layer="areas", group_by="sector", name_fr="nom")
    assert found.frame["name_fr"].tolist() == ["Un", "Trois"]
    with pytest.raises(AreaError, match=r"no column sectr\. Nearest: sector"):
        read_service_areas(path, layer="areas", id="sectr")
    bare = tmp_path / "bare.shp"
    frame.to_file(bare)
    bare.with_suffix(".prj").unlink()
    with pytest.raises(CRSError):
        read_service_areas(bare, id="area_id")
    assert len(read_service_areas(bare, id="area_id", crs="EPSG:3347")) == 3


def test_outlines_in_a_sheet(tmp_path):
    """An open-data CSV with outlines as well-known text is read as drawn areas, its CRS given."""
    rows = "\n".join(f'{area},"{shape.wkt}"' for area, shape in areas().values)
    path = text(tmp_path / "wards.csv", f"ward_id,the_geom\n{rows}\n")
    found = read_service_areas(path, crs="EPSG:3347")
    assert found.frame.area.tolist() == areas().area.tolist()
    assert found.report.only("wkt").findings[0].severity == "note"
    with pytest.raises(CRSError):
        read_service_areas(path)
    broken = text(tmp_path / "broken.csv", "id,wkt\n1,POLYGON ((0 0\n")
    with pytest.raises(AreaError, match=r"column wkt of .*broken\.csv.*row 2"):
        read_service_areas(broken, crs="EPSG:3347")


# ------------------------------------------------------------------------------- unit lists


def test_a_list_in_csv(tmp_path):
    """French headers, semicolons, Windows-1252, a decimal comma in codes, names with accents."""
    path = text(
        tmp_path / "liste d'unités.csv",
        "territoire;niveau;code de l'unité;mode;nom;en vigueur du\n"
        "est;SDR;3506008,0;;L'Est;2019-04-01\n"
        f"est;aire de diffusion;{DA_IDS['P']};exclure;L'Est;2019-04-01\n"
        "ouest;subdivision de recensement;3506012;inclure;;\n",
        "cp1252",
    )
    found = take(path)
    assert listed(found) == {"est": [Q], "ouest": ["CSD:3506012"]}
    assert found.frame.loc["est", ["name_fr", "valid_from"]].tolist() == ["L'Est", "2019-04-01"]
    taken = {f.subject for f in found.report.only("column_taken")}
    assert taken == {"niveau", "code de l'unité", "nom", "en vigueur du"}
    assert found.report.only("encoding").findings[0].message.endswith("read as cp1252.")


@pytest.mark.parametrize(
    ("content", "units"),
    [
        (f"area_id,unit\nx,{P}\nx,{R}\n", [P, R]),
        (f"area_id,units\nx,{P}; {R}\n", [P, R]),
        ("Area,CSDUID\nx,3506008\n", ["CSD:3506008"]),
        ("Area,SDRIDU\nx,3506008.0\n", ["CSD:3506008"]),
        ("lip_id,DGUID\nx,2021A00053506008\n", ["CSD:3506008"]),
        (f"territoire,DAUID,CSDUID,PRUID\nx,{DA_IDS['P']},3506008,35\n", [P]),
        ("area_id,level,unit_name\nx,CSD,csd 3506008\n", ["CSD:3506008"]),
        ("area_id,level,code,province\nx,CSD,3506008,ON\n", ["CSD:3506008"]),
        (f"area_id,unit,exclude\nx,CSD:3506008,\nx,{P},yes\n", [Q]),
        (f"area_id,unit,inclure\nx,CSD:3506008,oui\nx,{P},non\n", [Q]),
        (f"area_id,units,exclude\nx,CSD:3506008,{P}\n", [Q]),
        (f'area_id,unit\nx,"=""{P}"""\n', [P]),
        (f"sep=;\narea_id;unit\nx;{P}\n", [P]),
        (f"My partnership\n\narea_id,unit\nx,{P}\n\nx,{R}\n", [P, R]),
        (f"VINTAGE,LEVEL,UNIT_CODE,DGUID,CUSTOM_ID,SHARE\n2021,DA,{DA_IDS['P']},2021S0512{DA_IDS['P']},x,1.0\n",
         [P]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_ways_to_lay_out_a_list(tmp_path, content, units, encoding):
    """One column or several, ids as Statistics Canada calls them, modes, in any Unicode."""
    assert listed(take(text(tmp_path / "list.csv", content, encoding))) == {"x": units}


@pytest.mark.parametrize(
    "header", ["CSD name", "Nom SDR", "Municipality name", "Municipality", "municipalité"]
)
def test_names_in_a_column_that_says_its_level(tmp_path, header):
    """The column of names says the level; the row that sums the list up is left out, and said."""
    rows = f"area_id,{header},Prov,people\ne,CSD 3506012,ON,5\nTotal,,,5\n"
    found = take(text(tmp_path / "l.csv", rows))
    assert listed(found) == {"e": ["CSD:3506012"]}
    assert [note.check for note in found.report if note.check == "total_row"] == ["total_row"]
    # a total that names a unit is an area like any other
    kept = take(text(tmp_path / "t.csv", rows.replace("Total,,", "Total,CSD 3506008,")))
    assert set(listed(kept)) == {"e", "Total"}


def test_a_list_that_is_all_one_area(tmp_path):
    """A bare column of units takes its area's id from as_one."""
    path = text(tmp_path / "units.txt", f"unit\n{P}\n{R}\n")
    assert listed(take(path, as_one="x")) == {"x": [P, R]}
    with pytest.raises(AreaError, match=r"units\.txt has unit\. .*as_one"):
        take(path)
    assert listed(take(text(tmp_path / "u.csv", f"DAUID\n{DA_IDS['S']}\n"), as_one="x")) == {
        "x": [S]
    }


def test_the_area_column_can_be_said(tmp_path):
    """The options id and group_by name the area's column, name_en its name's."""
    path = text(tmp_path / "l.csv", f"secteur,label,unit\nx,Ex,{P}\nx,Ex,{Q}\ny,Why,{R}\n")
    for option in ("id", "group_by"):
        found = take(path, **{option: "secteur"}, name_en="label")
        assert listed(found) == {"x": [P, Q], "y": [R]}
        assert found.frame["name_en"].tolist() == ["Ex", "Why"]
    with pytest.raises(AreaError, match=r"no column sector\. Nearest: secteur"):
        take(path, id="sector")


@pytest.mark.parametrize(
    ("match", "content"),
    [
        (r"needs a column for the area.*l\.csv has a, b", "a,b\n1,2\n"),
        (r"other shares in share, rows 3", f"area_id,unit,share\nx,{P},1\nx,{Q},0.5\n"),
        (r"gives codes of 2016, and the census", f"area_id,unit,vintage\nx,{P},2016\n"),
        (r"gives codes of 2016, 2021", f"area_id,unit,vintage\nx,{P},2016\nx,{Q},2021\n"),
        (r"column DAUID2016 holds ids of 2016", f"area_id,DAUID2016\nx,{DA_IDS['P']}\n"),
        (
            r"differ in row 2",
            f"area_id,level,code,dguid\nx,DA,{DA_IDS['P']},2021S0512{DA_IDS['Q']}\n",
        ),
        (r"DA:35069999 \(row 4\)", f"area_id,unit\n\nx,{P}\nx,DA:35069999\n"),
        (r"column area_id is empty in row 3", f"area_id,unit\nx,{P}\n,{Q}\n"),
        (r"row 3 has none", f"area_id,unit,note\nx,{P},\ny,,later\n"),
        (r"mode is include or exclude: row 2", f"area_id,unit,mode\nx,{P},maybe\n"),
        (r"CSD:4.80602E\+06 \(row 2\) is no CSD code", "area_id,CSDUID\nx,4.80602E+06\n"),
    ],
)  # fmt: skip
def test_a_bad_list_is_told_by_row(tmp_path, match, content):
    """Rows are numbered as the person sees them, blank lines and header counted."""
    with pytest.raises(AreaError, match=match):
        take(text(tmp_path / "l.csv", content))


def test_a_list_needs_its_census(tmp_path):
    """Codes mean nothing without the census they are of."""
    path = text(tmp_path / "l.csv", f"area_id,unit\nx,{P}\n")
    with pytest.raises(AreaError, match=r"l\.csv is a list of census units.*--store"):
        read_service_areas(path)


def test_an_area_listed_and_drawn(tmp_path):
    """A layer and a list read together: an id in both is its list, the outline kept beside it."""
    areas().rename(columns={"area_id": "ONS_ID"}).to_file(tmp_path / "drawn.gpkg")
    path = text(tmp_path / "list.csv", f"area_id,unit\n1,{P}\n9,{S}\n")
    found = take([tmp_path / "drawn.gpkg", path], id="ONS_ID")
    assert found.ids.tolist() == ["1", "2", "3", "9"]
    assert found.frame["definition"].tolist() == ["units", "drawn", "drawn", "units"]
    assert found.as_drawn.index.tolist() == ["1"]
    with pytest.raises(AreaError, match="no column ONS"):
        take([tmp_path / "drawn.gpkg", path], id="ONS")
    with pytest.raises(AreaError, match="At least one service area"):
        take([])


def test_the_levels_a_list_names_are_told_without_a_census(tmp_path):
    """Before there is a store, a list tells which levels its job needs; a drawn file none."""
    path = text(tmp_path / "l.csv", "unit\nSDR: Windsor, ON\n2021S051235060001\nXX:3\nCSD:1\n")
    assert named_levels(path, 2021) == ("DA", "CSD")
    path = text(tmp_path / "l.toml", f'[area.x]\nunits = ["{P}"]\nexclude = ["DB:1"]\n')
    assert named_levels(path, 2021) == ("DB", "DA")
    areas().to_file(tmp_path / "a.gpkg")
    assert named_levels(tmp_path / "a.gpkg", 2021) is None
    assert named_levels(text(tmp_path / "w.csv", "id,wkt\n1,POINT (0 0)\n"), 2021) is None


# ------------------------------------------------------------------------------- TOML


def test_a_list_in_toml(tmp_path):
    """Many areas in one file, with names, dates and exclusions."""
    path = text(
        tmp_path / "areas.toml",
        f"""
        vintage = 2021
        [area.ab-east]
        name_en = "East"
        name_fr = "Est"
        valid_from = 2019-04-01
        valid_to = "2024-03-31"
        units = ["CSD:3506008", "CSD:CSD 3506012"]
        exclude = ["{P}"]
        [area."west side"]
        units = ["{P}"]
        """,
    )
    found = take(path)
    assert listed(found) == {"ab-east": ["CSD:3506012", Q][::-1], "west side": [P]}
    assert found.frame.loc["ab-east"].drop("geometry").tolist() == [
        "East", "Est", "units", "2019-04-01", "2024-03-31",
    ]  # fmt: skip
    assert listed(take(path, as_one="all")) == {"all": ["CSD:3506012", Q][::-1]}


@pytest.mark.parametrize(
    ("match", "content", "kind"),
    [
        (r"cannot be read as TOML: .*line 1", "[area.x\n", FileError),
        (r"cannot be read as TOML: .*4300 digits", f"[area.x]\nfloor = {'9' * 5000}\n", FileError),
        (r"cannot be read as TOML", f"[area.x]\nunits = {'[' * 5000}\n", FileError),
        (r"needs areas, each a table \[area\.ID\].*it has areas", "[areas.x]\n", AreaError),
        (r"x: unit.*Nearest: units", f'[area.x]\nunit = ["{P}"]\n', AreaError),
        (r"x: units", f'[area.x]\nunits = "{P}"\n', AreaError),
        (r"x: units", "[area.x]\nunits = []\n", AreaError),
        (r"-: vintge", f'vintge = 2021\n[area.x]\nunits = ["{P}"]\n', AreaError),
        (r"x: name_en", f'[area.x]\nname_en = 3\nunits = ["{P}"]\n', AreaError),
        (r"codes of 2016", f'vintage = 2016\n[area.x]\nunits = ["{P}"]\n', AreaError),
        (r"DA:1 \(row x\.units\[2\]\)", f'[area.x]\nunits = ["{P}", "DA:1"]\n', AreaError),
    ],
)
def test_bad_toml(tmp_path, match, content, kind):
    """Syntax, keys, types and units are each told with their place."""
    with pytest.raises(kind, match=match):
        take(text(tmp_path / "areas.toml", content))
    with pytest.raises(FileError, match="nothing is there"):
        take(tmp_path / "none.toml")


# ------------------------------------------------------------------------------- workbooks


def test_a_list_in_a_workbook(tmp_path):
    """Numbers, floats and formatted numbers are the codes they show; rows are Excel's."""
    path = workbook(
        tmp_path / "list.xlsx",
        [["area_id", "level", "unit_id"], ["x", "CSD", 3506008], [], ["x", "DA", 35060003.0]],
    )
    found = take(path)
    assert listed(found) == {"x": ["CSD:3506008", R]}
    assert read_sheet(path).frame.index.tolist() == [2, 4]


def test_cells_as_they_show(tmp_path):
    """Leading zeros and trailing zeros that a format shows are kept; days are ISO dates."""
    path = tmp_path / "cells.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["zeros", "tract", "whole", "part", "day", "flag", "quoted", "spaces"])
    sheet.append(
        [5, 5050125.4, 3002.0, 0.25, datetime.datetime(2019, 4, 1), True, "'007", "  a  b "]
    )
    sheet["A2"].number_format = "000"
    sheet["B2"].number_format = "0.00"
    book.save(path)
    assert read_sheet(path).frame.loc[2].tolist() == [
        "005", "5050125.40", "3002", "0.25", "2019-04-01", "TRUE", "007", "a  b",
    ]  # fmt: skip


def test_titles_merged_cells_and_hidden_rows(tmp_path):
    """Titles are passed over, merged cells repeat, two headers are one, hidden rows are said."""
    path = tmp_path / "pretty.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["Our partnerships", None, None, None],
        [None] * 4,
        ["Area", None, "Unit", None],
        ["id", "name_en", "level", "code"],
        ["x", "Ex", "DA", DA_IDS["P"]],
        [None, None, "DA", DA_IDS["Q"]],
        ["y", "Why", "DA", DA_IDS["R"]],
    ):
        sheet.append(row)
    for cells in ("A1:D1", "A3:B3", "C3:D3", "A5:A6", "B5:B6"):
        sheet.merge_cells(cells)
    sheet.row_dimensions[7].hidden = True
    book.save(path)
    read = read_sheet(path)
    assert read.frame.columns.tolist() == ["Area id", "Area name_en", "Unit level", "Unit code"]
    assert read.frame.index.tolist() == [5, 6, 7]
    assert read.frame.loc[6].tolist() == ["x", "Ex", "DA", DA_IDS["Q"]]
    assert {f.check for f in read.notes} == {"titles", "two_headers", "merged_cells", "hidden_rows"}
    assert "Hidden rows were read too: 7." in read.notes.only("hidden_rows").findings[0].message
    found = take(path)
    assert listed(found) == {"x": [P, Q], "y": [R]}


def test_sheets_of_a_workbook(tmp_path):
    """The first visible sheet with something in it is read, others are named; or one by name."""
    path = tmp_path / "many.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "Empty"
    hidden = book.create_sheet("Old")
    hidden.append(["area_id", "unit"])
    hidden.append(["old", S])
    hidden.sheet_state = "hidden"
    units = book.create_sheet("Units")
    units.append(["area_id", "unit"])
    units.append(["x", P])
    book.save(path)
    found = take(path)
    assert listed(found) == {"x": [P]}
    assert found.report.only("sheet_taken").findings[0].message.startswith("The sheet Units was")
    assert listed(take(path, layer="old")) == {"old": [S]}
    with pytest.raises(FileError, match=r"no sheet New\. It has Empty, Old, Units"):
        take(path, layer="New")
    with pytest.raises(FileError, match="its sheet Empty is empty"):
        take(path, layer="Empty")


def test_formulas_and_error_cells(tmp_path):
    """A formula never calculated is refused; an error cell reads as empty, and is said."""
    path = workbook(tmp_path / "f.xlsx", [["area_id", "unit"], ["x", '="DA:"&"35060001"']])
    with pytest.raises(FileError, match=r"values were never stored, in B2"):
        take(path)
    path = workbook(tmp_path / "e.xlsx", [["area_id", "unit", "note"], ["x", P, "#N/A"]])
    book = openpyxl.load_workbook(path)
    book.active["C2"].data_type = "e"
    book.save(path)
    found = take(path)
    assert listed(found) == {"x": [P]}
    assert found.report.only("error_cells").findings[0].severity == "warning"


# ------------------------------------------------------------------------------- files at fault


@pytest.mark.parametrize(
    "headers",
    ["area_id,unit", "area_id,level,unit_id,mode", "area_id,DAUID,include",
     "area_id,level,unit_name,province,exclude", 'area_id,level,unit_id,name_en,"'],
)  # fmt: skip
def test_a_list_of_headers_alone_says_that_no_area_came(tmp_path, headers):
    """A quote that is never closed swallows the rows: they are missing, nothing else is."""
    with pytest.raises(AreaError, match="there are no rows"):
        take(text(tmp_path / "list.csv", f"{headers}\n" + f"x,{P}\n" * headers.endswith('"')))


def test_files_that_are_none(tmp_path):
    """Missing, a folder, empty, old, cut off, or not what the name says."""
    with pytest.raises(FileError, match=r"nothing is there"):
        take(tmp_path / "none.csv")
    with pytest.raises(FileError, match=r"none\.xlsx, and nothing is there"):
        take(tmp_path / "none.xlsx")
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(FileError, match=r"folder\.csv cannot be read"):
        take(folder)
    empty = text(tmp_path / "empty.csv", "")
    with pytest.raises(FileError, match="empty"):
        take(empty)
    old = tmp_path / "old.xls"
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest")
    with pytest.raises(FileError, match=r"old workbook \(\.xls\) or one protected by a password"):
        take(old)
    with pytest.raises(FileError, match="is called a workbook and is none"):
        take(text(tmp_path / "fake.xlsx", "area_id,unit\n"))
    whole = workbook(tmp_path / "whole.xlsx", [["area_id", "unit"], ["x", P]])
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(whole.read_bytes()[:900])
    with pytest.raises(FileError, match="cut off or damaged"):
        take(cut)
    ragged = text(tmp_path / "ragged.csv", f"area_id,unit\nx,{P}\nx,{Q},extra\nx,{R}\n")
    with pytest.raises(FileError, match=r"another number: 3"):
        take(ragged)


def test_a_workbook_called_csv_and_a_csv_with_a_wrong_encoding(tmp_path):
    """What the file holds decides; an encoding can be said."""
    book = workbook(tmp_path / "book.xlsx", [["area_id", "unit"], ["x", P]])
    disguised = tmp_path / "book.csv"
    disguised.write_bytes(book.read_bytes())
    assert listed(take(disguised)) == {"x": [P]}
    path = text(tmp_path / "mac.csv", f"area_id,unit,name_en\nx,{P},Montréal\n", "mac-roman")
    assert take(path, encoding="mac-roman").frame["name_en"].tolist() == ["Montréal"]
    with pytest.raises(FileError, match="cannot be read as utf-8"):
        take(path, encoding="utf-8")


# ------------------------------------------------------------------------------- real data


@pytest.mark.realdata
def test_real_files(realdata):
    """Ottawa's neighbourhoods and wards and Calgary's wards from their files as published."""
    found = read_service_areas(realdata / "ottawa_2021" / "neighbourhoods.gpkg", name_en="ONS_Name")
    assert len(found) == 116
    assert found.frame["name_en"].notna().all()
    (calgary,) = (realdata / "calgary_2021" / "wards").glob("*.shp")
    city = read_service_areas(calgary, as_one="ab-calgary")
    assert city.ids.tolist() == ["ab-calgary"]
    (ottawa,) = (realdata / "ottawa_2021" / "wards").glob("*.shp")
    wards = read_service_areas(ottawa, id="WARD")
    assert sorted(wards.ids, key=int) == [str(n) for n in range(1, 25)]


def test_the_front_door():
    """The reader is one of the names a notebook needs."""
    assert lipgeo.read_service_areas is read_service_areas
    assert isinstance(areas(), gpd.GeoDataFrame)


def test_one_area_of_all_rows_has_the_name_given(tmp_path):
    """A name in either language, of outlines and of lists; without the area's id it names none."""
    frame = areas().assign(name_en=["a", "b", "c"])
    frame.to_file(tmp_path / "areas.gpkg")
    path = tmp_path / "areas.gpkg"
    bare = read_service_areas(path, as_one="all", name_en="name_en")
    assert "areas.names_differ" in [found.key for found in bare.report]
    called = {"as_one_name_en": "The town", "as_one_name_fr": "La ville"}
    one = read_service_areas(path, as_one="all", name_en="name_en", **called)
    assert one.frame[["name_en", "name_fr"]].to_numpy().tolist() == [["The town", "La ville"]]
    assert "areas.names_differ" not in [found.key for found in one.report]
    units = text(tmp_path / "list.csv", f"unit\n{P}\n{Q}\n")
    assert take(units, as_one="all", **called).frame["name_fr"].tolist() == ["La ville"]
    with pytest.raises(AreaError, match="--as-one my-area"):
        read_service_areas(path, id="area_id", as_one_name_en="The town")
    with pytest.raises(AreaError, match="town"):
        one.with_names({"town": "x"})


def test_units_on_the_command_line_are_one_area(tmp_path, monkeypatch):
    """Codes, their levels in any case, DGUIDs, and less some; a file of that name comes first."""
    none = dict.fromkeys(READING)
    found = read_areas(f"{P.lower()}, {Q}", TOWN, none)
    assert listed(found) == {"area": [P, Q]}
    block = TOWN.units("DB").index[TOWN.units("DB")["DA"].eq(P.removeprefix("DA:"))][0]
    less = read_areas(f"{P},-DB:{block}", TOWN, {**none, "as_one": "p", "as_one_name_fr": "Sans"})
    assert less.ids.tolist() == ["p"]
    assert less.labels.tolist() == ["Sans"]
    assert f"DB:{block}" not in listed(less)["p"]
    with pytest.raises(InputError, match="leave out --id, --crs"):
        read_areas(P, TOWN, {**none, "id": "x", "crs": "EPSG:4326"})
    with pytest.raises(AreaError, match=r"needs? the census|census"):
        read_areas(P, None, none)
    for other in ("areas.gpkg", "nb-moncton", "C:areas", "https://x.ca/a.zip", ""):
        assert units_in_words(other) is None
    monkeypatch.chdir(tmp_path)
    text(tmp_path / "DA:1", "")
    assert listed_units("DA:1") is None
