"""Prove that what people's files show decides how they are read: signs, years, merges, formats."""

from __future__ import annotations

import zipfile
from pathlib import Path

import commands
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from openpyxl.styles import Font

import lipgeo
from lipgeo.errors import AreaError, FileError, TableError, ZoneError
from lipgeo.readers.controls import read_controls
from lipgeo.readers.sheets import read_sheet
from lipgeo.report import notes_of

_IDS = ["35060001", "35060002", "35060003"]


def _csv(folder: Path, header: str, *values: str) -> Path:
    path = folder / "t.csv"
    rows = [f"{unit},{values[0]}" for unit in _IDS]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "header",
    ["% Immigrants", "Immigrants (%)", "Immigrants (‰)", "Immigrants (+/-)", "Immigrants ±",
     "Immigrants ($)"],
)  # fmt: skip
def test_a_header_with_a_sign_is_never_the_count(tmp_path: Path, header: str) -> None:
    """Percentages, margins and dollars keep their own words, and it is said."""
    path = _csv(tmp_path, f"DAUID,Population,{header}", "100,20.0")
    table = lipgeo.read_table(path, vintage=2021)
    assert "immigrants" not in table.frame
    assert "population" in table.frame
    assert [one.check for one in table.notes if one.severity == "warning"] == ["no_counts"]


def test_the_year_in_a_header_chooses(tmp_path: Path) -> None:
    """Of two years the table's own is taken, whichever stands first."""
    path = _csv(tmp_path, "DAUID,Pop2016,Pop2021", "150,100")
    table = lipgeo.read_table(path, vintage=2021)
    assert table.frame["population"].tolist() == [100.0] * 3


def test_controls_pass_over_percentages(tmp_path: Path) -> None:
    """A column of shares is not the known total."""
    path = tmp_path / "c.csv"
    path.write_text("area_id,Population (%),Population\nA,20,315\n", encoding="utf-8")
    assert read_controls(path)["population"].tolist() == [315.0]


def _book(folder: Path, rows: list[list[object]]) -> tuple[openpyxl.Workbook, Path]:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    return book, folder / "b.xlsx"


def test_cells_that_show_percent_are_percentages(tmp_path: Path) -> None:
    """0.2 shown as 20.0% is read as 20, and not as a count."""
    book, path = _book(
        tmp_path, [["DAUID", "Population", "Immigrants"], *([one, 100, 0.2] for one in _IDS)]
    )
    for row in (2, 3, 4):
        book.active.cell(row, 3).number_format = "0.0%"
    book.save(path)
    table = lipgeo.read_table(path, vintage=2021)
    assert table.frame["Immigrants"].tolist() == [20.0] * 3
    assert "immigrants" not in table.frame


def test_one_figure_for_several_units_is_refused(tmp_path: Path) -> None:
    """A number in merged cells would be counted once for each row."""
    book, path = _book(tmp_path, [["DAUID", "Population"], *([one, 100] for one in _IDS)])
    book.active["B3"] = None
    book.active.merge_cells("B2:B3")
    book.save(path)
    with pytest.raises(TableError, match="B2:B3"):
        lipgeo.read_table(path, vintage=2021)


def test_sizes_that_a_workbook_claims_cost_nothing(tmp_path: Path) -> None:
    """A format in the last row, and a merge of a whole column, add no row."""
    book, path = _book(tmp_path, [["area_id", "unit"], *(["A", one] for one in _IDS)])
    book.active["A1048576"].font = Font(bold=True)
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    merge = b'<mergeCells count="1"><mergeCell ref="D1:XFD1048576"/></mergeCells><pageMargins'
    parts[sheet] = parts[sheet].replace(b"<pageMargins", merge)
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    assert len(read_sheet(path).frame) == len(_IDS)


def test_a_sheet_of_lines_gives_way_to_a_table(tmp_path: Path) -> None:
    """The table on the second sheet is found, and its sheet is named."""
    book, path = _book(tmp_path, [["Data request"], ["Prepared for X"]])
    book.create_sheet("Data").append(["DAUID", "Population"])
    book["Data"].append([_IDS[0], 100])
    book.save(path)
    sheet = read_sheet(path)
    assert list(sheet.frame) == ["DAUID", "Population"]
    assert "Data" in [one.subject for one in sheet.notes]


def test_hidden_columns_are_read_and_said(tmp_path: Path) -> None:
    """What the person does not see is named."""
    book, path = _book(tmp_path, [["DAUID", "Population"], *([one, 100] for one in _IDS)])
    book.active.column_dimensions["B"].hidden = True
    book.save(path)
    assert "hidden_columns" in [one.check for one in read_sheet(path).notes]


def test_strict_workbooks_are_read_and_open_documents_named(tmp_path: Path) -> None:
    """A Strict .xlsx is a workbook like any other; an .ods is called what it is."""
    book, path = _book(tmp_path, [["DAUID", "Population"], *([one, 100] for one in _IDS)])
    book.save(path)
    strict = tmp_path / "strict.xlsx"
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(strict, "w") as target:
        for name in archive.namelist():
            part = archive.read(name)
            part = part.replace(main, b"http://purl.oclc.org/ooxml/spreadsheetml/main")
            target.writestr(name, part)
    assert len(read_sheet(strict).frame) == len(_IDS)
    document = tmp_path / "d.ods"
    with zipfile.ZipFile(document, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<x/>")
    with pytest.raises(FileError, match="OpenDocument"):
        read_sheet(document)


def test_rows_that_end_in_a_comma_keep_their_header(tmp_path: Path) -> None:
    """The header has a field less than the rows, whose last is empty."""
    path = _csv(tmp_path, "DAUID,Population,Immigrants", "100,20,")
    table = lipgeo.read_table(path, vintage=2021)
    assert table.frame.columns.tolist() == ["population", "immigrants"]
    assert len(table.frame) == len(_IDS)


def _layer(shape: object, **columns: list[object]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"id": ["A"], **columns}, geometry=[shape], crs=3347)


def test_infinite_coordinates_are_refused_at_every_door(tmp_path: Path) -> None:
    """Areas, zones, and files of them name the row."""
    broken = shapely.Polygon([(75e5, 12e5), (76e5, 12e5), (np.inf, np.inf), (75e5, 13e5)])
    layer = _layer(broken)
    layer.to_file(tmp_path / "a.gpkg")
    with pytest.raises(AreaError, match="infinite"):
        lipgeo.ServiceAreas.from_frame(layer, id="id")
    with pytest.raises(ZoneError, match="finite"):
        lipgeo.Zones.from_frame(layer, id="id")
    with pytest.raises(ZoneError, match="finite"):
        lipgeo.read_layer(tmp_path / "a.gpkg")


@pytest.mark.parametrize("name", ["id", "name_en"])
def test_columns_of_one_name_are_refused_at_every_door(name: str) -> None:
    """What a merge leaves is named, not stumbled over."""
    layer = _layer(shapely.box(75e5, 12e5, 76e5, 13e5), name_en=["a"])
    twice = pd.concat([layer, layer[[name]]], axis=1)
    with pytest.raises(AreaError, match=name):
        lipgeo.ServiceAreas.from_frame(twice, id="id")
    with pytest.raises(ZoneError, match=name):
        lipgeo.Zones.from_frame(twice, id="id")


def test_a_name_too_long_is_a_sentence(tmp_path: Path) -> None:
    """Every command ends with 2 and a sentence, never with a traceback."""
    long = "y" * 300
    for call in (["verify", long], ["census", "list", "--store", long], ["check", long]):
        done = commands.run(*call, cwd=tmp_path)
        assert done.returncode == 2, call
        assert "Traceback" not in done.stderr


_VRT = """<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{path}</SrcDataSource>
</OGRVRTLayer></OGRVRTDataSource>"""
_STREAM = '{{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read {path}"}}'
_LINK = (
    '{{"type": "FeatureCollection", "crs": {{"type": "link", "properties": {{"href": "{path}"}}}},'
    ' "features": []}}'
)


@pytest.mark.parametrize("suffix", [".geojson", ".json", ".kml", ".gml", ".gpkg", ".fgb", ".tab"])
@pytest.mark.parametrize("content", [_VRT, _STREAM, _LINK], ids=["vrt", "streamed", "link"])
def test_a_file_that_sends_elsewhere_is_not_followed(
    tmp_path: Path, suffix: str, content: str
) -> None:
    """GDAL opens by content; nothing reaches it that would read another file or an address."""
    secret = tmp_path / "inside" / "secret.gpkg"
    secret.parent.mkdir()
    _layer(shapely.box(75e5, 12e5, 76e5, 13e5)).to_file(secret)
    path = tmp_path / f"a{suffix}"
    path.write_text(content.format(path=secret), encoding="utf-8")
    for beside in (".dat", ".map", ".id") if suffix == ".tab" else ():
        path.with_suffix(beside).write_bytes(b"x")
    with pytest.raises(FileError):
        lipgeo.read_layer(path)


@pytest.mark.parametrize("label", ["ISO88591", "LDID/87", "1252", "bogus"])
def test_bytes_decide_over_the_cpg(tmp_path: Path, label: str) -> None:
    """UTF-8 under another label is UTF-8, and it is said."""
    path = tmp_path / "c.shp"
    _layer(shapely.box(75e5, 12e5, 76e5, 13e5), name=["Québec"]).to_file(path, encoding="utf-8")
    path.with_suffix(".cpg").write_text(label)
    frame = lipgeo.read_layer(path)
    assert frame["name"].tolist() == ["Québec"]
    assert "encoding" in [one.check for one in notes_of(frame)]


def test_a_mac_wrote_it(tmp_path: Path) -> None:
    """Text in Mac OS Roman without a label is French again."""
    path = tmp_path / "m.shp"
    _layer(shapely.box(75e5, 12e5, 76e5, 13e5), name=["Québec"]).to_file(path, encoding="cp1252")
    path.with_suffix(".cpg").unlink()
    table = path.with_suffix(".dbf")
    table.write_bytes(table.read_bytes().replace("é".encode("cp1252"), "é".encode("mac_roman")))
    assert lipgeo.read_layer(path)["name"].tolist() == ["Québec"]


def test_a_table_shorter_than_its_shapes_is_refused(tmp_path: Path) -> None:
    """GDAL would give the fewer, without a word."""
    box = shapely.box(75e5, 12e5, 76e5, 13e5)
    both = gpd.GeoDataFrame({"id": ["A", "B"]}, geometry=[box, box], crs=3347)
    both.to_file(tmp_path / "two.shp")
    both.iloc[:1].to_file(tmp_path / "one.shp")
    (tmp_path / "two.dbf").write_bytes((tmp_path / "one.dbf").read_bytes())
    with pytest.raises(FileError, match="1 rows"):
        lipgeo.read_layer(tmp_path / "two.shp")


def _kml(name: str, west: float, extra: str = "") -> str:
    ring = f"{west},45 {west + 0.1},45 {west + 0.1},45.1 {west},45.1 {west},45"
    return (
        '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>{ring}"
        f"</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>{extra}</Document></kml>"
    )


def test_an_archive_of_two_documents_asks_which(tmp_path: Path) -> None:
    """Neither of two areas in a KMZ is lost unsaid."""
    path = tmp_path / "two.kmz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.kml", _kml("North", -76))
        archive.writestr("b.kml", _kml("South", -75))
    with pytest.raises(FileError, match=r"a\.kml.*b\.kml"):
        lipgeo.read_layer(path)
    assert lipgeo.read_layer(path, layer="b.kml")["Name"].tolist() == ["South"]


def test_what_a_file_says_is_missing_is_said(tmp_path: Path) -> None:
    """A link in a KML, and a server's limit in a GeoJSON."""
    link = "<NetworkLink><Link><href>s.kml</href></Link></NetworkLink>"
    (tmp_path / "a.kml").write_text(_kml("North", -76, link))
    assert "linked" in [one.check for one in notes_of(lipgeo.read_layer(tmp_path / "a.kml"))]
    path = tmp_path / "a.geojson"
    _layer(shapely.box(75e5, 12e5, 76e5, 13e5)).to_crs(4326).to_file(path)
    path.write_text(path.read_text().replace("{", '{"exceededTransferLimit": true, ', 1))
    assert "limit" in [one.check for one in notes_of(lipgeo.read_layer(path))]


def test_each_column_has_its_own_decimal_mark(tmp_path: Path) -> None:
    """The points of tract ids do not outvote the comma of a rate; and the mark can be said."""
    path = tmp_path / "c.csv"
    path.write_text("SRIDU;Population;Taux\n5050001.00;100;12,5\n5050002.00;200;13,5\n")
    frame = lipgeo.read_table(path, level="CT", vintage=2021).frame
    assert frame["Taux"].tolist() == [12.5, 13.5]
    path.write_text("ADIDU;Population\n35060001;1,234\n35060002;2,345\n")
    read = {
        mark: lipgeo.read_table(path, vintage=2021, decimal=mark).frame["population"].tolist()
        for mark in (".", ",")
    }
    assert read == {".": [1234.0, 2345.0], ",": [1.234, 2.345]}


def test_parts_above_their_whole_and_nines_are_said(tmp_path: Path) -> None:
    """Three times more immigrants than people, and 999999999 for nothing."""
    path = tmp_path / "w.csv"
    path.write_text(
        "DAUID,Population,Immigrants\n35060001,100,300\n35060002,100,999999999\n35060003,100,105\n"
    )
    table = lipgeo.read_table(path, vintage=2021)
    said = {one.check: one.message for one in table.notes if one.severity == "warning"}
    assert "35060002" in said["sentinels"]
    assert "35060001" in said["above_whole"]
    assert "35060003" not in said["above_whole"]


@pytest.mark.parametrize(
    ("other", "count"),
    [("Montre\u0301al", 1), ("Montréal\u200b", 1), (" Montr\u00e9al ", 1), ("montréal", 2)],
)
def test_ids_that_look_alike_are_one_or_said(other: str, count: int) -> None:
    """Composed and decomposed accents are one id; capitals alone are said."""
    box = [shapely.box(75e5 + n, 12e5, 75e5 + n + 1e4, 13e5) for n in (0, 2e4)]
    layer = gpd.GeoDataFrame({"id": ["Montréal", other]}, geometry=box, crs=3347)
    areas = lipgeo.ServiceAreas.from_frame(layer, group_by="id")
    assert len(areas.ids) == count
    assert other.strip() == "Montréal" or [
        one for one in areas.report if one.check in ("tidy_ids", "look_alike_ids")
    ]


def test_geoparquet_is_read_as_table_and_as_areas(tmp_path: Path) -> None:
    """What lipgeo writes it reads."""
    layer = _layer(shapely.box(75e5, 12e5, 76e5, 13e5), DAUID=[_IDS[0]], Population=[5.0])
    layer.to_parquet(tmp_path / "a.parquet")
    assert lipgeo.read_service_areas(tmp_path / "a.parquet", id="id").ids.tolist() == ["A"]
    table = lipgeo.read_table(tmp_path / "a.parquet", vintage=2021)
    assert table.frame["population"].tolist() == [5.0]
