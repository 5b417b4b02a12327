"""Nothing that is read asks the network, opens another file or runs another driver."""

from __future__ import annotations

import json
import re
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import geopandas as gpd
import pyogrio
import pytest
import shapely
from made_crosswalk import count, crosswalk, table

import lipgeo
from lipgeo import weight_table
from lipgeo.errors import FileError, LipgeoError
from lipgeo.readers import vector_files
from lipgeo.readers.layers import read_layer
from lipgeo.readers.numbers import read_numbers
from lipgeo.readers.statcan.attributes import read_attributes
from lipgeo.readers.vector_files import Dataset, list_layers, read_vector
from lipgeo.store.results import write_estimates

ROOT = Path(lipgeo.__file__).parent
PLACE = {
    "type": "Feature",
    "properties": {"id": "a"},
    "geometry": {"type": "Polygon", "coordinates": [[[-76, 45], [-75, 45], [-75, 46], [-76, 45]]]},
}


class _Counter(BaseHTTPRequestHandler):
    """Counts what is asked of it, and has nothing."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(404)
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address():
    """Give the address of a server that counts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _gml(address: str) -> str:
    return (
        '<?xml version="1.0"?><ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="http://ogr.maptools.org/ {address}/x.xsd" '
        'xmlns:gml="http://www.opengis.net/gml" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<gml:featureMember><ogr:a><ogr:g xlink:href="{address}/g"/><ogr:geometryProperty>'
        f'<gml:Polygon srsName="{address}/srs"><gml:outerBoundaryIs><gml:LinearRing>'
        "<gml:coordinates>-76,45 -75,45 -75,46 -76,45</gml:coordinates></gml:LinearRing>"
        "</gml:outerBoundaryIs></gml:Polygon></ogr:geometryProperty></ogr:a></gml:featureMember>"
        "</ogr:FeatureCollection>"
    )


def _vrt(source: str) -> str:
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>{source}</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>"
    )


def _linked(address: str, before: int = 1) -> str:
    link = {"type": "link", "properties": {"href": f"{address}/crs", "type": "ogcwkt"}}
    held = {"type": "FeatureCollection", "features": [PLACE] * before, "crs": link}
    return json.dumps(held)


#: name of a file to what it holds, with the server's address
HOSTILE = {
    "link.geojson": _linked,
    "link_at_the_end.geojson": lambda address: _linked(address, 2_000),
    "vrt.json": lambda address: _vrt(f"/vsicurl/{address}/a.geojson"),
    "vrt.geojson": lambda address: _vrt(f"{address}/a.geojson"),
    "vrt.gml": lambda address: _vrt(f"{address}/a.geojson") + "<!-- opengis.net/gml -->",
    "vrt.kml": lambda address: _vrt(f"{address}/a.geojson") + "<!-- <kml> -->",
    "vrt.dbf": lambda address: _vrt(f"{address}/a.dbf"),
    "wfs.gml": lambda address: f"<OGRWFSDataSource><URL>{address}/wfs</URL></OGRWFSDataSource>",
    "schema.gml": _gml,
    "table.tab": lambda address: f'!table\nopen table "/vsicurl/{address}/a.tab"\n',
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("looked_at", [True, False], ids=["as it is", "unless looked at"])
def test_no_file_makes_a_reader_ask_the_network(tmp_path, monkeypatch, address, name, looked_at):
    """By the look at a file, and by GDAL's settings alone where that look saw nothing."""
    path = tmp_path / name
    path.write_text(HOSTILE[name](address), "utf-8")
    if not looked_at:
        monkeypatch.setattr(vector_files, "require_content", lambda _: None)
        monkeypatch.setattr("lipgeo.readers.layers.require_content", lambda _: None)
    _Counter.asked.clear()
    for read in (read_layer, read_attributes):
        try:
            read(path)
        except LipgeoError:
            continue
    assert _Counter.asked == []


def test_the_server_counts_what_gdal_asks_where_nothing_forbids_it(tmp_path, address):
    """Without the door the same file asks: the test above can fail."""
    path = tmp_path / "a.geojson"
    path.write_text(HOSTILE["link.geojson"](address), "utf-8")
    _Counter.asked.clear()
    pyogrio.read_dataframe(path)
    assert _Counter.asked == ["/crs"]


def test_settings_of_gdal_are_as_they_were_after_reading(tmp_path):
    """Whoever uses GDAL beside lipgeo keeps their own settings, after errors too."""
    pyogrio.set_gdal_config_options({"GDAL_HTTP_TIMEOUT": "77"})
    try:
        path = tmp_path / "a.geojson"
        path.write_text(json.dumps(PLACE), "utf-8")
        assert list_layers(Dataset("a", path)) == [("a", "Polygon")]
        with pytest.raises(Exception, match="nope"):
            read_vector(Dataset("a", path), layer="nope")
        assert pyogrio.get_gdal_config_option("GDAL_HTTP_TIMEOUT") == 77
        assert pyogrio.get_gdal_config_option("GDAL_HTTP_PROXY") is None
    finally:
        pyogrio.set_gdal_config_options({"GDAL_HTTP_TIMEOUT": None})


def test_there_is_one_door_to_gdal():
    """No other file of lipgeo reads with pyogrio; what was just written is read back."""
    reads = re.compile(r"pyogrio\.(read_\w+|list_layers|open_arrow)|gpd\.read_file|fiona\.open\(")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if reads.search(path.read_text("utf-8"))
    }
    assert found == {"readers/vector_files.py", "order/shapefile.py", "geopackages.py"}


# ---------------------------------------------------------------------- attributes without shapes


def _attributes(tmp_path: Path, names: list[str], encoding: str) -> Path:
    frame = gpd.GeoDataFrame(
        {"CSDUID": ["2466023", "3506008"], "CSDNAME": names},
        geometry=[shapely.box(0, 0, 1, 1)] * 2,
        crs=3347,
    )
    folder = tmp_path / "layer"
    folder.mkdir(exist_ok=True)
    frame.to_file(folder / "lcsd000b21a_f.shp", encoding=encoding)
    (folder / "lcsd000b21a_f.cpg").unlink()
    return folder / "lcsd000b21a_f.dbf"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_dbf_alone_is_read_in_the_encoding_of_its_shapefile(tmp_path, encoding):
    """One rule for both: bytes that are UTF-8 are UTF-8, others Windows-1252."""
    dbf = _attributes(tmp_path, ["Montréal", "Québec"], encoding)
    layer = read_layer(dbf.with_suffix(".shp"))
    alone = tmp_path / "lcsd000b21a_f.dbf"
    shutil.copyfile(dbf, alone)
    with zipfile.ZipFile(tmp_path / "lcsd000b21a_f.zip", "w") as archive:
        archive.write(dbf, "a/lcsd000b21a_f.dbf")
    assert layer["CSDNAME"].tolist() == ["Montréal", "Québec"]
    for path in (alone, tmp_path / "lcsd000b21a_f.zip"):
        table = read_attributes(path)
        assert table.frame["unit_name"].tolist() == ["Montréal", "Québec"]
        assert encoding in str(table.notes.only("encoding").findings[0].message)


def test_a_table_that_is_not_what_its_name_says_is_refused(tmp_path):
    """Attribute files pass the look that layers pass."""
    for name, text in (("a.dbf", '{"type": "Feature"}'), ("a.gpkg", _vrt("/etc/passwd"))):
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(FileError):
            read_attributes(tmp_path / name)


# ---------------------------------------------------------------------- folders of any name


@pytest.mark.parametrize("name", ["a\nb", "a!b", "a\tb", "<b>x", "{{ 6*7 }}", "a;b", "a\x1b[31m"])
def test_a_folder_may_have_any_name(tmp_path, name):
    """Line breaks and marks in a path: layers, attributes and numbers are read and written."""
    folder = tmp_path / name
    folder.mkdir()
    plain = _attributes(tmp_path, ["Montréal", "Québec"], "utf-8").parent
    for part in plain.iterdir():
        shutil.copyfile(part, folder / part.name)
    shape = folder / "lcsd000b21a_f.shp"
    assert read_layer(shape)["CSDNAME"].tolist() == ["Montréal", "Québec"]
    assert read_attributes(shape.with_suffix(".dbf")).frame["unit_name"].iloc[0] == "Montréal"
    outlines = gpd.GeoSeries([shapely.box(0, 0, 1, 1)], index=["t0"], crs=3347)
    given = table({"n": [5.0]}, {"n": count("n")})
    estimates = weight_table(given, crosswalk([[1.0]]))
    write_estimates(estimates, folder / "n.gpkg", shapes=outlines)
    assert read_numbers(folder / "n.gpkg").frame["value"].tolist() == [5]
