"""The golden order: what lipgeo writes is what it wrote when somebody last looked."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas.testing
import pyogrio
import pytest
import remake_golden

from lipgeo import diff_orders, verify_order
from lipgeo.order import read_order

#: bytes that hang on the versions of GDAL, folium, zlib; looked at by what they hold
_BY_CONTENT = {
    "for-you/areas_2021.gpkg", "send/areas_2021.zip", "for-you/areas_2021.kmz",
    "send/concordance.xlsx", "for-you/map.html", "SHA256SUMS", "manifest.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def remade(tmp_path_factory) -> Path:
    """The order of the toy town, written now."""
    return remake_golden.make(tmp_path_factory.mktemp("golden") / "toytown")


def test_the_golden_order_is_still_read_and_whole() -> None:
    """An order written by an earlier lipgeo is verified by this one."""
    assert verify_order(remake_golden.GOLDEN, remake_golden.toytown.census()).ok


def test_the_same_text_is_written(remade) -> None:
    """Every text file is the golden one; see remake_golden.py for how to renew it."""
    names = {p.relative_to(remade).as_posix() for p in remade.rglob("*") if p.is_file()}
    kept = {
        p.relative_to(remake_golden.GOLDEN).as_posix()
        for p in remake_golden.GOLDEN.rglob("*")
        if p.is_file()
    }
    assert names == kept
    for name in sorted(names - _BY_CONTENT):
        now = (remade / name).read_text(encoding="utf-8-sig")
        assert now == (remake_golden.GOLDEN / name).read_text(encoding="utf-8-sig"), name


def test_the_same_boundaries_are_written(remade) -> None:
    """Layers of the GeoPackage and the shapefile hold the golden features."""
    layers = [("for-you/areas_2021.gpkg", of) for of in ("areas", "units", "areas_as_drawn")]
    for name, layer in [("send/areas_2021.zip", None), *layers]:
        now, then = (
            pyogrio.read_dataframe(folder / name, layer=layer)
            for folder in (remade, remake_golden.GOLDEN)
        )
        geopandas.testing.assert_geodataframe_equal(now, then)


def test_the_same_manifest_is_written(remade) -> None:
    """Parameters, areas, units and ids; the difference between the two is none."""
    now, then = (
        {
            key: value
            for key, value in read_order(folder).manifest.items()
            if key not in ("libraries", "lipgeo", "files", "parameters", "own_sha256")
        }
        for folder in (remade, remake_golden.GOLDEN)
    )
    assert json.dumps(now, sort_keys=True) == json.dumps(then, sort_keys=True)
    assert diff_orders(remake_golden.GOLDEN, remade).changed == []
