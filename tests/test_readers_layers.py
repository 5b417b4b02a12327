"""Any vector file is read as it comes, and every bad one says what is wrong with it."""

from __future__ import annotations

import shutil
import struct
import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely
from toytown import areas, draw

from lipgeo.errors import CRSError, DatumError, FileError, InputError, ZoneError
from lipgeo.readers import read_layer
from lipgeo.readers.layers import members
from lipgeo.report import notes_of
from lipgeo.words import speaking

NAMES = ["Orléans", "Québec", "Île Perrot"]


def town() -> gpd.GeoDataFrame:
    """Three areas with accents in their names."""
    frame = areas()
    frame["nom"] = NAMES
    return frame


@pytest.fixture
def shapefile(tmp_path: Path) -> Path:
    """Give a shapefile with all its parts."""
    path = tmp_path / "areas.shp"
    town().to_file(path, encoding="utf-8")
    return path


def packed(target: Path, *files: Path, folder: str = "") -> Path:
    """Zip files into a folder of a zip."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            inside = sorted(file.rglob("*")) if file.is_dir() else [file]
            for entry in inside:
                archive.write(entry, folder + entry.relative_to(file.parent).as_posix())
    return target


def parts(path: Path) -> list[Path]:
    """List the files of a shapefile."""
    return sorted(entry for entry in path.parent.iterdir() if entry.stem == path.stem)


def same_town(frame: gpd.GeoDataFrame) -> None:
    """Assert that a frame holds the three areas, whole."""
    expected = town()
    assert sorted(frame["nom"]) == sorted(expected["nom"])
    grid = frame.to_crs("EPSG:3347").set_index("nom").geometry.loc[NAMES]
    assert shapely.hausdorff_distance(grid.to_numpy(), expected.geometry.to_numpy()).max() < 0.1


# --- what comes in -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "driver", "crs"),
    [
        ("areas.shp", "ESRI Shapefile", "EPSG:3347"),
        ("areas.gpkg", "GPKG", "EPSG:2951"),
        ("areas.geojson", "GeoJSON", "EPSG:4326"),
        ("areas.json", "GeoJSON", "EPSG:4326"),
        ("areas.kml", "KML", "EPSG:4326"),
        ("areas.kmz", "LIBKML", "EPSG:4326"),
        ("areas.gdb", "OpenFileGDB", "EPSG:3347"),
        ("areas.gml", "GML", "EPSG:4326"),
        ("areas.tab", "MapInfo File", "EPSG:4269"),
        ("areas.mif", "MapInfo File", "EPSG:4269"),
        ("areas.fgb", "FlatGeobuf", "EPSG:3347"),
    ],
)
@pytest.mark.parametrize("where", ["plain", "zip", "folder in a zip"])
def test_every_format_plain_and_zipped(tmp_path, name, driver, crs, where):
    """The same three areas come out of each format, also from a zip with a sub-folder."""
    path = tmp_path / "in" / name
    path.parent.mkdir()
    town().to_crs(crs).to_file(path, driver=driver)
    before = sorted(entry.name for entry in path.parent.iterdir())
    source = path
    if where != "plain":
        folder = "" if where == "zip" else "Données 2024/couches #1/"
        source = packed(tmp_path / "areas.zip", *parts(path), folder=folder)
    frame = read_layer(source)
    same_town(frame)
    assert frame.geometry.name == "geometry"
    assert frame.index.tolist() == [0, 1, 2]
    assert sorted(entry.name for entry in path.parent.iterdir()) == before, "nothing written beside"


@pytest.mark.parametrize(
    "name",
    ["with space", "Montréal", "l'Île d'Orléans", "a#b", "a!b", "100 % sûr", "[x] {y}", "a.b"],
)
@pytest.mark.parametrize("kind", ["shp", "geojson", "zip"])
def test_awkward_names(tmp_path, name, kind):
    """Spaces, accents, apostrophes, # and ! in folder, file and zip member."""
    folder = tmp_path / name
    folder.mkdir()
    path = folder / f"{name}.{'geojson' if kind == 'geojson' else 'shp'}"
    frame = town() if kind != "geojson" else town().to_crs(4326)
    plain = tmp_path / f"x{path.suffix}"  # pyogrio itself does not write to a name with !
    frame.to_file(plain, encoding="utf-8") if kind != "geojson" else frame.to_file(plain)
    for part in parts(plain):
        shutil.move(part, path.with_name(name + part.suffix))
    if kind == "zip":
        path = packed(folder / f"{name}.zip", *parts(path), folder=f"{name}/")
    same_town(read_layer(path))
    same_town(read_layer(str(path)))


def test_sidecars_of_another_case(tmp_path, shapefile):
    """A zip made on Windows: WARDS.SHP beside wards.dbf, folders with a backslash."""
    target = tmp_path / "w.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for part in parts(shapefile):
            stem = "WARDS" if part.suffix == ".shp" else "wards"
            name = f"data\\{stem}{part.suffix.upper()}"
            archive.writestr(zipfile.ZipInfo(name), part.read_bytes())
    same_town(read_layer(target))


def test_what_else_a_zip_holds_does_not_matter(tmp_path, shapefile):
    """Readme, description in JSON, a Mac's shadow files: the one layer is found."""
    target = packed(tmp_path / "z.zip", *parts(shapefile), folder="x/")
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("x/readme.txt", "hello")
        archive.writestr("x/metadata.json", '{"title": "areas"}')
        archive.writestr("__MACOSX/x/._areas.shp", "shadow")
        archive.writestr("x/.DS_Store", "shadow")
    same_town(read_layer(target))
    assert members(target) == [
        *(f"x/{part.name}" for part in parts(shapefile)), "x/readme.txt", "x/metadata.json"
    ]  # fmt: skip


def test_heights_and_empty_geometry(tmp_path):
    """Heights are dropped; a feature without geometry keeps its row."""
    frame = town()
    frame["geometry"] = shapely.force_3d(frame.geometry.array, 80.0)
    frame.loc[1, "geometry"] = None
    frame.to_file(tmp_path / "a.gpkg")
    read = read_layer(tmp_path / "a.gpkg")
    assert read.geometry.isna().tolist() == [False, True, False]
    assert not read.geometry.has_z.any()


def test_notes_survive_geoparquet(tmp_path, shapefile):
    """A frame with notes can be copied and written like any other."""
    (tmp_path / "areas.cpg").unlink()
    frame = read_layer(shapefile)
    assert len(notes_of(frame)) == 1
    frame.copy().to_parquet(tmp_path / "a.parquet")
    assert notes_of(gpd.read_parquet(tmp_path / "a.parquet")) == notes_of(frame)


# --- layers --------------------------------------------------------------------------------------


def test_several_layers_are_listed_and_one_is_taken_by_name(tmp_path):
    """Two layers in a GeoPackage: none is picked, the message lists both."""
    path = tmp_path / "two.gpkg"
    town().to_file(path, layer="hoods")
    draw("ab").to_file(path, layer="squares")
    with pytest.raises(FileError, match=r"several layers: hoods, squares.*--layer"):
        read_layer(path)
    same_town(read_layer(path, layer="hoods"))
    with pytest.raises(FileError, match=r'no layer "wards"; it has hoods, squares'):
        read_layer(path, layer="wards")


def test_the_only_layer_with_shapes_is_taken_and_said(tmp_path):
    """A table beside the polygons is no second choice, but is mentioned."""
    path = tmp_path / "with table.gpkg"
    town().to_file(path, layer="hoods")
    pyogrio.write_dataframe(town().drop(columns="geometry"), path, layer="names")
    frame = read_layer(path)
    same_town(frame)
    assert "hoods, names" in notes_of(frame).findings[0].message
    with pytest.raises(FileError, match="only tables: names"):
        read_layer(path, layer="names")


def test_several_files_in_a_zip(tmp_path, shapefile):
    """Two shapefiles and a GeoPackage in a zip: listed by their place, taken by file or layer."""
    draw("ab").to_file(tmp_path / "squares.shp")
    draw("cd").to_file(tmp_path / "more.gpkg", layer="cd")
    files = [*parts(shapefile), *parts(tmp_path / "squares.shp"), tmp_path / "more.gpkg"]
    path = packed(tmp_path / "all.zip", *files, folder="x/")
    listed = "x/areas.shp: areas, x/more.gpkg: cd, x/squares.shp: squares"
    with pytest.raises(FileError, match=f"several layers: {listed}"):
        read_layer(path)
    for layer in ("areas", "areas.shp", "x/areas.shp", "x/areas.shp: areas"):
        same_town(read_layer(path, layer=layer))
    with pytest.raises(FileError, match=f'no layer "hoods"; it has {listed}'):
        read_layer(path, layer="hoods")


def test_a_table_is_no_layer(tmp_path):
    """A GeoPackage of a table opens, and has no polygons."""
    pyogrio.write_dataframe(pd.DataFrame({"id": [1]}), tmp_path / "t.gpkg")
    with pytest.raises(FileError, match=r"layer of polygons was needed.*only tables: t"):
        read_layer(tmp_path / "t.gpkg")


def test_no_rows(tmp_path):
    """A layer without features is told by its name."""
    town().iloc[:0].to_file(tmp_path / "none.gpkg", layer="hoods")
    with pytest.raises(FileError, match=r'"hoods" of none.gpkg has no rows'):
        read_layer(tmp_path / "none.gpkg")


# --- the text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encoding", "assumed"), [("utf-8", "utf-8"), ("cp1252", "cp1252")])
def test_a_missing_cpg_is_sniffed_and_said(tmp_path, encoding, assumed):
    """GDAL would read UTF-8 as Latin-1: the text decides, and the note says what was assumed."""
    path = tmp_path / "areas.shp"
    town().to_file(path, encoding=encoding)
    (tmp_path / "areas.cpg").unlink()
    frame = read_layer(path)
    same_town(frame)
    note = notes_of(frame).findings[0]
    assert (note.check, note.severity) == ("encoding", "note")
    assert f"taken as {assumed}" in note.message


def test_an_old_code_page_is_read_from_the_dbf(tmp_path):
    """The language byte of a DOS-time .dbf says code page 850."""
    path = tmp_path / "areas.shp"
    town().to_file(path, encoding="cp850")
    (tmp_path / "areas.cpg").unlink()
    raw = bytearray((tmp_path / "areas.dbf").read_bytes())
    raw[29] = 0x02
    (tmp_path / "areas.dbf").write_bytes(raw)
    same_town(read_layer(path))


def test_a_wrong_cpg_is_a_warning(tmp_path):
    """A .cpg that says UTF-8 beside Windows text: read all the same, and said."""
    path = tmp_path / "areas.shp"
    town().to_file(path, encoding="cp1252")
    (tmp_path / "areas.cpg").write_text("UTF-8")
    frame = read_layer(path)
    same_town(frame)
    assert [(n.check, n.severity) for n in notes_of(frame)] == [("encoding", "warning")]
    assert "says UTF-8, which its text cannot be" in notes_of(frame).findings[0].message


def test_plain_text_needs_no_note(tmp_path):
    """Where all text is ASCII the encoding does not matter."""
    areas().to_file(tmp_path / "a.shp")
    (tmp_path / "a.cpg").unlink()
    assert len(notes_of(read_layer(tmp_path / "a.shp"))) == 0


def test_an_encoding_given(tmp_path):
    """What the caller says is used; nonsense and misfits are told."""
    path = tmp_path / "areas.shp"
    town().to_file(path, encoding="cp1252")
    (tmp_path / "areas.cpg").unlink()
    same_town(read_layer(path, encoding="cp1252"))
    with pytest.raises(InputError, match='"utf-9" is unknown'):
        read_layer(path, encoding="utf-9")
    with pytest.raises(FileError, match=r"text of areas.shp is not in utf-8.*--encoding cp1252"):
        read_layer(path, encoding="utf-8")


# --- coordinates ---------------------------------------------------------------------------------


def test_no_prj(tmp_path, shapefile):
    """Without a .prj the message says how to give the system; with it, all is well."""
    (tmp_path / "areas.prj").unlink()
    with pytest.raises(CRSError, match=r"areas.shp has no .prj file.*--crs EPSG:4326"):
        read_layer(shapefile)
    same_town(read_layer(shapefile, crs="EPSG:3347"))
    with pytest.raises(CRSError, match='"here" was given'):
        read_layer(shapefile, crs="here")


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_no_crs_in_another_format(tmp_path):
    """A GeoPackage may have none either."""
    town().set_crs(None, allow_override=True).to_file(tmp_path / "a.gpkg")
    with pytest.raises(
        CRSError, match=r"a.gpkg does not say its coordinate reference system.*--crs"
    ):
        read_layer(tmp_path / "a.gpkg")


def test_a_system_given_over_the_file_s_is_said(tmp_path):
    """It is used, and the report warns that the file says another."""
    town().to_crs(4326).to_file(tmp_path / "a.gpkg")
    frame = read_layer(tmp_path / "a.gpkg", crs="EPSG:4269")
    assert frame.crs.to_epsg() == 4269
    assert [(n.check, n.severity) for n in notes_of(frame)] == [("crs", "warning")]
    assert len(notes_of(read_layer(tmp_path / "a.gpkg", crs="EPSG:4326"))) == 0


def test_nad27_is_refused(tmp_path):
    """By name, before anything is measured."""
    draw("ab").set_crs("EPSG:26717", allow_override=True).to_file(tmp_path / "a.shp")
    with pytest.raises(DatumError, match="NAD27"):
        read_layer(tmp_path / "a.shp")


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_swapped_axes(tmp_path):
    """A GeoJSON with latitude first, degrees called metres, metres called degrees."""
    degrees = town().to_crs(4326)
    turned = degrees.set_geometry(shapely.transform(degrees.geometry.array, lambda xy: xy[:, ::-1]))
    turned.set_crs(4326, allow_override=True).to_file(tmp_path / "swapped.geojson")
    with pytest.raises(
        ZoneError, match="rows 1, 2, 3 lie in Canada only when x and y are exchanged"
    ):
        read_layer(tmp_path / "swapped.geojson")
    degrees.set_crs(3347, allow_override=True).to_file(tmp_path / "degrees.gpkg")
    with pytest.raises(ZoneError, match=r"look like degrees.*--crs EPSG:4326"):
        read_layer(tmp_path / "degrees.gpkg")
    same_town(read_layer(tmp_path / "degrees.gpkg", crs=4326))
    town().set_crs(None, allow_override=True).to_file(tmp_path / "metres.geojson")
    with pytest.raises(ZoneError, match=r"go beyond 360.*--crs EPSG:3347"):
        read_layer(tmp_path / "metres.geojson")


# --- files that cannot be read -------------------------------------------------------------------


def test_a_missing_file_with_names_near_it(tmp_path, shapefile):
    """A slip in the name is answered with what the folder holds."""
    with pytest.raises(FileError, match=r"no file .*Arreas\.shp\. Names near it.*: areas\.shp"):
        read_layer(tmp_path / "Arreas.shp")
    with pytest.raises(FileError, match=r"no file .*other\.zip\. Check the name"):
        read_layer(tmp_path / "other.zip")
    with pytest.raises(FileError, match=r"the folder .*nowhere does not exist"):
        read_layer(tmp_path / "nowhere" / "areas.shp")
    with pytest.raises(OSError, match="no file"):  # also what a caller would expect
        read_layer(tmp_path / "other.zip")


def test_a_folder(tmp_path, shapefile):
    """The only vector file in it is read, and said; of several, one is to be named."""
    frame = read_layer(tmp_path)
    assert len(frame) == len(read_layer(shapefile))
    assert notes_of(frame).findings[0].message.startswith("areas.shp was read: it is the only")
    (tmp_path / "more.geojson").write_text("{}")
    with pytest.raises(FileError, match=r"with several. Name one .* in it: areas\.shp, more"):
        read_layer(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="is a folder without one"):
        read_layer(tmp_path / "empty")


def test_an_empty_file(tmp_path):
    """No bytes at all, as after a download that failed."""
    (tmp_path / "a.gpkg").write_bytes(b"")
    with pytest.raises(FileError, match=r"a\.gpkg is empty"):
        read_layer(tmp_path / "a.gpkg")


def test_an_unreadable_file(shapefile, monkeypatch):
    """What the system says is passed on."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileError, match=r"cannot be opened: Permission denied\. Close it"):
        read_layer(shapefile)


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.kml", "a.txt", "a.gml", "a.tif"])
def test_not_a_vector_file(tmp_path, name):
    """Whatever it is called, text is no layer."""
    (tmp_path / name).write_text("<html>404 not found</html>")
    with pytest.raises(FileError, match=r"not a vector file that can be read \(.+\)\. A shapefile"):
        read_layer(tmp_path / name)


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        (".dbf", r"areas\.shp needs its \.dbf file, which holds its ids"),
        (".shx", r"areas\.shp needs its \.shx file, the index"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_missing_parts_of_a_shapefile(tmp_path, shapefile, suffix, message, zipped):
    """Each part has its own message; GDAL opens one without .dbf and says nothing."""
    shapefile.with_suffix(suffix).unlink()
    path = packed(tmp_path / "z.zip", *parts(shapefile)) if zipped else shapefile
    with pytest.raises(FileError, match=message):
        read_layer(path)


def test_a_part_named_instead_of_the_shapefile(tmp_path, shapefile):
    """The .dbf is not the file to open; the one beside it is named."""
    with pytest.raises(FileError, match=r"areas\.dbf is only one part.*Name the file areas\.shp"):
        read_layer(shapefile.with_suffix(".dbf"))
    shapefile.unlink()
    with pytest.raises(FileError, match=r"its \.shp file is not beside it"):
        read_layer(shapefile.with_suffix(".dbf"))


def test_missing_parts_of_mapinfo(tmp_path):
    """A .tab without .map would be a table without polygons."""
    town().to_crs(4326).to_file(tmp_path / "a.tab", driver="MapInfo File")
    (tmp_path / "a.map").unlink()
    with pytest.raises(FileError, match=r"a\.tab needs its other files.*missing: \.map"):
        read_layer(tmp_path / "a.tab")


@pytest.mark.parametrize("suffix", [".shp", ".shx", ".dbf"])
def test_a_shapefile_cut_short(shapefile, suffix):
    """GDAL gives the rows of a truncated .shp without polygons; here it is an error."""
    part = shapefile.with_suffix(suffix)
    raw = part.read_bytes()
    part.write_bytes(raw[: len(raw) * 2 // 3])
    with pytest.raises(FileError, match=rf"The \{suffix} file of areas\.shp is cut short: it says"):
        read_layer(shapefile)


def test_a_damaged_geopackage(tmp_path):
    """Half a GeoPackage is told by its size, one spoilt inside by what GDAL makes of it."""
    town().to_file(tmp_path / "a.gpkg")
    raw = (tmp_path / "a.gpkg").read_bytes()
    (tmp_path / "a.gpkg").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(FileError, match=r"file of a\.gpkg is cut short: it says [\d,]+ bytes and"):
        read_layer(tmp_path / "a.gpkg")
    (tmp_path / "a.gpkg").write_bytes(raw[:100] + bytes(len(raw) - 100))
    with pytest.raises(FileError, match=r"a\.gpkg is (not a vector file|damaged)"):
        read_layer(tmp_path / "a.gpkg")


def test_zips_that_cannot_be_unpacked(tmp_path, shapefile):
    """Truncated, not a zip, nothing in it, damaged inside, locked: each says so."""
    whole = packed(tmp_path / "whole.zip", *parts(shapefile)).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match=r"cut\.zip is cut short or damaged"):
        read_layer(tmp_path / "cut.zip")
    with pytest.raises(FileError, match=r"cut\.zip is cut short or damaged"):
        members(tmp_path / "cut.zip")
    (tmp_path / "page.zip").write_text("<html>")
    with pytest.raises(FileError, match=r"is called \.zip and is not a zip"):
        read_layer(tmp_path / "page.zip")
    (tmp_path / "cut.kmz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match=r"cut\.kmz is cut short or damaged"):
        read_layer(tmp_path / "cut.kmz")
    (tmp_path / "readme.txt").write_text("hello")
    packed(tmp_path / "none.zip", tmp_path / "readme.txt")
    with pytest.raises(FileError, match=r"holds no vector file; it holds readme\.txt\. A \.shp"):
        read_layer(tmp_path / "none.zip")
    middle = len(whole) // 3
    (tmp_path / "bad.zip").write_bytes(whole[:middle] + b"\x00" * 40 + whole[middle + 40 :])
    with pytest.raises(FileError, match=r"bad\.zip is cut short or damaged"):
        read_layer(tmp_path / "bad.zip")
    locked = bytearray(whole)
    for start in (
        i for i in range(len(locked)) if locked[i : i + 4] in (b"PK\x01\x02", b"PK\x03\x04")
    ):
        flag = start + (8 if locked[start + 2] == 1 else 6)
        locked[flag : flag + 2] = struct.pack("<H", 1)
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(FileError, match=r"locked\.zip cannot be unpacked: .*encrypted"):
        read_layer(tmp_path / "locked.zip")


def test_no_room_to_unpack(tmp_path, shapefile, monkeypatch):
    """A full disk is said, with what to do."""
    path = packed(tmp_path / "z.zip", *parts(shapefile))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(FileError, match=r"temporary folder: No space left on device.*TMPDIR"):
        read_layer(path)


def test_messages_speak_french(tmp_path):
    """The same problems, told in French."""
    with speaking("fr"), pytest.raises(FileError, match="Il n'y a pas de fichier"):
        read_layer(tmp_path / "rien.shp")


# --- real data -----------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("ottawa_2021/lda_000b21a_e.zip", 1392),
        ("ottawa_2021/ldb_000b21a_e.zip", 8559),
        ("ottawa_2021/neighbourhoods.gpkg", 116),
        ("ottawa_2021/wards/Wards_2022-2026.shp", 24),
        ("calgary_2021/da.gpkg", 1675),
        ("calgary_2021/wards/geo_export_cee74464-7a46-4ec4-b166-082c60055bd5.shp", 14),
    ],
)
def test_published_files(realdata, name, rows):
    """What Statistics Canada and the cities publish is read whole, with nothing to remark."""
    frame = read_layer(realdata / name)
    assert len(frame) == rows
    assert not frame.geometry.isna().any()
    assert len(notes_of(frame)) == 0
