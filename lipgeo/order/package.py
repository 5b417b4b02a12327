"""Write an order: every file from one content, sealed by a manifest, moved in one step.

Areas that did not change since the order before keep its very bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely

from lipgeo.errors import OrderError, require_kind, require_path
from lipgeo.files import (
    MANIFEST,
    CsvStyle,
    file_entries,
    folder_in_one_step,
    json_text,
    listed_files,
    require_free,
    sha256_of,
    sums_text,
    write_manifest,
)
from lipgeo.order.confidentiality import confidentiality
from lipgeo.order.content import Content, gather
from lipgeo.order.geojson import area_geojson, on_the_globe, write_geojson, write_kmz
from lipgeo.order.geopackage import write_geopackage
from lipgeo.order.lists import Template, read_template, write_list, write_lists
from lipgeo.order.manifest import (
    FOR_YOU,
    ORDER,
    SEND,
    SUMS,
    OldOrder,
    area_records,
    checks_path,
    earlier_areas,
    read_order,
    same_area,
)
from lipgeo.order.pages import checks_page, readme
from lipgeo.order.shapefile import write_shapefile
from lipgeo.order.tables import (
    Asked,
    read_estimates,
    read_tables,
    table_frame,
    write_estimates,
)
from lipgeo.readers.vector_files import Dataset, read_vector
from lipgeo.words import speaking
from lipgeo.workplace import scratch_folder

if TYPE_CHECKING:
    from lipgeo.boundary.boundaries import Boundaries

__all__ = ["frozen_areas", "write_order"]


def frozen_areas(content: Content, old: OldOrder) -> tuple[Content, dict[str, Path]]:
    """Give unchanged areas the outline of the order before.

    An area is unchanged when its ids, names, census, units and counts are: a newer lipgeo or GEOS
    that joins the same units with another first vertex does not change it.

    Returns
    -------
    Content
        With the outlines of the order before where nothing changed.
    dict
        Area id of each unchanged area to its file in the order before.
    """
    before = old.areas
    same = [
        record["area_id"]
        for record in area_records(content)
        if record["area_id"] in before and same_area(record, before[record["area_id"]])
    ]
    if not same:
        return content, {}
    layer = old.path_of(f"areas_{old.vintage}.gpkg")
    held = read_vector(Dataset(layer.name, layer), layer="areas", columns=["area_id"])
    held = held.set_index("area_id")
    areas = content.areas.copy()
    here = areas["area_id"].isin(same).to_numpy(bool)
    shapes = areas.geometry.to_numpy().copy()
    shapes[here] = held.geometry.reindex(areas.loc[here, "area_id"]).to_numpy()
    # a GeoPackage layer holds multipolygons only: one part is a polygon again
    shapes[here] = [s.geoms[0] if len(s.geoms) == 1 else s for s in shapes[here]]
    areas = areas.set_geometry(gpd.GeoSeries(np.asarray(shapes), crs=areas.crs))
    files = {area: old.file_of(before[area]) for area in same}
    return replace(content, areas=areas), files


def write_order(
    b: Boundaries,
    folder: str | Path,
    *,
    since: str | Path | None = None,
    template: str | Path | None = None,
    tables: str | Path | Sequence[Any] | None = None,
    contact: str | None = None,
    csv: CsvStyle = "en",
    estimates: Any = None,
    leave_out_empty: bool = False,
    replace: bool = False,
    keep: Iterable[str] = (),
) -> Path:
    """Write the order package: boundaries, lists, checks, map, manifest; whole or not at all.

    Parameters
    ----------
    b
        Fitted boundaries, or those :func:`lipgeo.read_build` gives: nothing is solved again.
    folder
        The folder to make; one that exists is never written over.
    since
        The order before this one. Areas keep its custom ids, an id of an area that is gone is
        never given to another, and areas that did not change keep its very bytes.
    template
        Columns of the concordance (TOML); see :func:`lipgeo.order.read_template`.
    tables
        Tables to order: names, or a CSV or TOML file; see :func:`lipgeo.order.read_tables`.
    contact
        Who answers questions about this order; printed in the README.
    csv
        Form of the CSV files: ``"en"`` or ``"fr"`` (semicolon, decimal comma).
    estimates
        Estimates for these areas (``weight_table``'s result, or a file of it): which of the
        tables' cells are likely to come back suppressed or rounded to nothing.
    leave_out_empty
        Leave out areas without units and list them, instead of refusing.
    replace
        Whether an earlier order gives way; nothing else does.
    keep
        Ids of areas to order although nobody lives in them or they are below the confidentiality
        floor. Other such areas are left out; the manifest and the README list them with the
        reason.

    Returns
    -------
    pathlib.Path
        The folder. Equal inputs and versions give equal bytes, whatever the folder is called:

        =========================================  ===============================================
        ``send/``                                  what goes to Statistics Canada or the consortium:
        ``send/areas_<vintage>.zip``               shapefile, EPSG:3347, UTF-8
        ``send/concordance.csv, .xlsx``            the units of each area, in the template's columns
        ``send/README.html, .txt``                 what a data-order clerk needs to know
        ``send/LISEZMOI.html, .txt``               the same in French
        ``for-you/``                               what stays with the sender:
        ``for-you/checks.html``                    every finding; in French ``verifications.html``
        ``for-you/checks.json``                    the same as key and values
        ``for-you/map.html``                       a map of what is ordered
        ``for-you/estimates.parquet``              estimates given: its delivery is held against
        ``for-you/areas_<vintage>.gpkg``           areas, units, areas as drawn, default styles
        ``for-you/areas_<vintage>.geojson, .kmz``  longitude and latitude
        ``for-you/areas/area_<ID>.geojson``        each area in a file of its own
        ``for-you/fewest_units.csv, areas.csv``    the fewest units; the areas
        ``for-you/tables.csv``                     tables to order, with what is likely suppressed
        ``for-you/*.csv-metadata.json``            what each CSV is (CSV on the Web)
        ``manifest.json, SHA256SUMS``              what it is made of, byte by byte, unit by unit
        =========================================  ===============================================

    Raises
    ------
    OrderError
        Areas without units or polygon, ids to keep that are not there, ids that clash, names or
        counts no format holds, a
        template or list of tables that cannot be used, an earlier order that is damaged.
    OutputError
        The folder holds something that is no order or was put there since, or an order and
        ``replace`` is false; or it cannot be written.
    """
    from lipgeo.boundary.boundaries import Boundaries

    require_kind(b, Boundaries, "errors.boundaries", "b")
    target = require_free(require_path(folder, "folder"), ORDER, replace=replace)
    form = read_template(template)
    asked = read_tables(tables)
    expected = read_estimates(estimates)
    old = None if since is None else _intact(since)
    used = old.used_ids if old else None
    asked_for = [keep] if isinstance(keep, str) else keep
    content = gather(b, used=used, leave_out_empty=leave_out_empty, keep=asked_for)
    kept: Mapping[str, Path] = {}
    if old:
        content, kept = frozen_areas(content, old)
    found, margins = confidentiality(b, content, old, expected)
    content = content.with_findings(found)
    with folder_in_one_step(target, replace=replace) as made:
        (made / SEND).mkdir()
        (made / FOR_YOU / "areas").mkdir(parents=True)
        _write_files(b, content, made, form=form, csv=csv, kept=kept)
        if asked:
            frame = table_frame(content, asked, expected, margins["households"])
            write_list(content, "tables", frame, made / FOR_YOU, csv)
        if expected is not None:
            write_estimates(expected, content, made / FOR_YOU)
        _write_words(content, made, margins=margins, contact=contact, asked=asked)
        manifest = _manifest(content, old=old, form=form, asked=asked, csv=csv, contact=contact)
        write_manifest(made, ORDER, manifest, file_entries(made, listed_files(made)))
        sums = {name: sha256_of(made / name) for name in listed_files(made)}
        (made / SUMS).write_text(sums_text(sums), encoding="utf-8", newline="\n")
    return target


def _intact(folder: str | Path) -> OldOrder:
    """Read the earlier order, refusing one that is not as it was written."""
    from lipgeo.order.verify import verify_order

    report = verify_order(folder)
    if report.worst == "error":
        faults = [found.message for found in report.only(severity="error")]
        raise OrderError("order.since_damaged", folder=folder, faults=" ".join(faults[:3]))
    return read_order(folder)


def _write_files(
    b: Boundaries,
    content: Content,
    made: Path,
    *,
    form: Template,
    csv: CsvStyle,
    kept: Mapping[str, Path],
) -> None:
    from lipgeo.maps.preview import preview

    stem = f"areas_{content.vintage}"
    yours = made / FOR_YOU
    write_shapefile(content, made / SEND / f"{stem}.zip")
    write_geopackage(content, yours / f"{stem}.gpkg")
    shapes = on_the_globe(content.areas.geometry)
    write_geojson(content, shapes, yours / f"{stem}.geojson")
    with scratch_folder() as drafts:
        write_kmz(content, shapes, yours / f"{stem}.kmz", Path(drafts) / "doc.kml")
    for area, shape in zip(content.areas.itertuples(), shapes, strict=True):
        path = yours / "areas" / f"area_{area.custom_id}.geojson"
        if area.area_id in kept:
            shutil.copyfile(kept[area.area_id], path)
        else:
            text = area_geojson(content, area, shape)
            path.write_text(text, encoding="utf-8", newline="\n")
    write_lists(content, made / SEND, yours, template=form, csv=csv)
    # the map shows what is ordered
    preview(b.select(content.areas["area_id"])).save(yours / "map.html")


def _write_words(
    content: Content,
    made: Path,
    *,
    margins: pd.DataFrame,
    contact: str | None,
    asked: Sequence[Asked],
) -> None:
    for name, page, lang in (("README", "checks", "en"), ("LISEZMOI", "verifications", "fr")):
        text, html = readme(content, contact=contact, tables=asked, lang=lang)
        # the mark tells a plain editor that these are accents
        (made / SEND / f"{name}.txt").write_text(text, encoding="utf-8-sig", newline="\r\n")
        (made / SEND / f"{name}.html").write_text(html, encoding="utf-8", newline="\n")
        found = checks_page(content, lang)
        (made / FOR_YOU / f"{page}.html").write_text(found, encoding="utf-8", newline="\n")
    # the data are the same whatever language they were found in
    with speaking("en"):
        records = [replace(f, message=f.sentence).to_record() for f in content.report]
    said = {
        "vintage": content.vintage,
        "attribution": {lang: content.attribution_in(lang) for lang in ("en", "fr")},
        "findings": records,
        "floors": margins.astype(object).where(margins.notna(), None).to_dict("records"),
    }
    checks_path(made).write_text(json_text(said), encoding="utf-8", newline="\n")


def _manifest(
    content: Content,
    *,
    old: OldOrder | None,
    form: Template,
    asked: Sequence[Asked],
    csv: CsvStyle,
    contact: str | None,
) -> dict[str, Any]:
    ids = dict(zip(content.areas["custom_id"], content.areas["area_id"], strict=True))
    return {
        "libraries": {
            "gdal": ".".join(str(part) for part in pyogrio.__gdal_version__),
            "geos": shapely.geos_version_string,
            "pandas": pd.__version__,
            "proj": pyproj.proj_version_str,
            "shapely": shapely.__version__,
        },
        "vintage": content.vintage,
        "attribution": {lang: content.attribution_in(lang) for lang in ("en", "fr")},
        "contact": contact,
        "csv": csv,
        "parameters": dict(content.meta),
        "inputs": content.meta.get("sources", []),
        "template": form.to_record(),
        "tables": [one.to_record() for one in asked],
        "areas": area_records(content),
        "left_out": content.left_out.astype(object)
        .where(content.left_out.notna(), None)
        .to_dict("records"),
        "custom_ids": {**(old.used_ids if old else {}), **ids},
        "since": None if old is None else {"manifest_sha256": sha256_of(old.folder / MANIFEST)},
        "earlier": earlier_areas(content, old),
    }
