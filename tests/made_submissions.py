"""A folder of submissions as partnerships send them, made from a census: good, broken, clutter."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import shapely

from lipgeo import synthetic, write_template
from lipgeo.census import Census

#: how each broken submission is broken -> the fault its row of the intake says
BROKEN = {
    "no-prj.shp": "no_prj",
    "half-workbook.xlsx": "broken_workbook",
    "our-area.pdf": "not_readable",
    "misspelt.csv": "near_names",
    "ceased.csv": "ceased",
    "ambiguous.csv": "ambiguous_names",
    "wrong-crs.geojson": "unfit",
    "zip-in-zip.zip": "nothing_in_zip",
    "lines.gpkg": "not_polygons",
    "blank-template.xlsx": "template_empty",
}


def write_good(census: Census, folder: Path, count: int = 80) -> list[str]:
    """Write good submissions in turn as every format people use; return the area ids."""
    folder.mkdir(parents=True, exist_ok=True)
    lists = synthetic.unit_lists(census, max(4, count // 4))
    lists["area_id"] = "lst-" + lists["area_id"].str[-3:]
    drawn = synthetic.service_areas(census, count - lists["area_id"].nunique())
    ids = [*drawn["area_id"], *lists["area_id"].unique()]
    for number in range(len(drawn)):
        _write_layer(drawn.iloc[[number]], folder, number)
    for number, (area, units) in enumerate(lists.groupby("area_id", sort=False)):
        _write_list(str(area), units, folder, number)
    return ids


def _write_layer(row: gpd.GeoDataFrame, folder: Path, number: int) -> None:
    name = str(row["area_id"].iloc[0])
    turn = number % 4
    if turn == 0:
        row.to_file(folder / f"{name}.gpkg")
    elif turn == 1:
        row.to_crs(4326).to_file(folder / f"{name}.geojson")
    elif turn == 2:
        row.to_file(folder / f"{name}.shp", encoding="utf-8")
    else:
        inside = folder / "-making" / name
        inside.mkdir(parents=True)
        row.to_crs(26917).to_file(inside / "area.shp", encoding="utf-8")
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for part in sorted(inside.iterdir()):
                archive.write(part, f"to send/{part.name}")
        shutil.rmtree(folder / "-making")


def _write_list(area: str, units: pd.DataFrame, folder: Path, number: int) -> None:
    turn = number % 4
    if turn == 0:
        units.to_csv(folder / f"{area}.csv", index=False, encoding="utf-8-sig")
    elif turn == 1:
        units.to_csv(folder / f"{area}.csv", index=False, sep=";", encoding="cp1252")
    elif turn == 2:
        units.to_excel(folder / f"{area}.xlsx", index=False)
    else:
        fill_template(folder / f"{area}.xlsx", area, units)


def fill_template(
    path: Path, area: str, units: pd.DataFrame, about: dict[str, object] | None = None
) -> None:
    """Fill the intake workbook in as a person does, cell by cell, and save it with openpyxl."""
    write_template(path)
    book = openpyxl.load_workbook(path)
    page, card = book.worksheets[0], book.worksheets[1]
    for at, row in enumerate(units.itertuples(index=False), start=2):
        page.cell(at, 1).value = row.level
        page.cell(at, 2).value = row.unit_id
        if str(row.unit_id).startswith("="):  # text that looks like a formula, as Excel keeps it
            page.cell(at, 2).data_type = "s"
        page.cell(at, 5).value = getattr(row, "mode", None)
    said = {"lip_id": area, "kind": "LIP", "name_en": f"Partnership {area}", **(about or {})}
    for row in card.iter_rows(min_row=1, max_row=card.max_row):
        for field, value in said.items():
            if str(row[0].value).startswith(_LABELS[field]):
                row[1].value = value
    book.save(path)


_LABELS = {
    "lip_id": "Id of the partnership",
    "kind": "Kind",
    "name_en": "Name in English",
    "name_fr": "Name in French",
    "contact": "Contact",
    "email": "E-mail",
    "vintage": "Census year",
    "valid_from": "Area holds from",
    "overlaps": "Overlaps on purpose",
}


def write_broken(census: Census, earlier: Census, folder: Path) -> None:
    """Write ten submissions, each broken in a way of its own."""
    frame = synthetic.service_areas(census, 1, seed=9).drop(columns="kind")
    frame.assign(area_id="bad-prj").to_file(folder / "no-prj.shp")
    (folder / "no-prj.prj").unlink()
    units = pd.DataFrame({"level": ["CSD"], "unit_id": [census.units("CSD").index[0]]})
    units.assign(area_id="bad-half").to_excel(folder / "half-workbook.xlsx", index=False)
    whole = (folder / "half-workbook.xlsx").read_bytes()
    (folder / "half-workbook.xlsx").write_bytes(whole[: len(whole) // 2])
    (folder / "our-area.pdf").write_bytes(b"%PDF-1.7")
    _list("bad-misspelt", [("CSD", misspelt(census))]).to_csv(folder / "misspelt.csv", index=False)
    _list("bad-ceased", [("CSD", ceased(census, earlier))]).to_csv(
        folder / "ceased.csv", index=False
    )
    _list("bad-name", [("CSD", twice_named(census))]).to_csv(folder / "ambiguous.csv", index=False)
    degrees = frame.assign(area_id="bad-crs").to_crs(4326)
    # degrees with the axes exchanged, as a spreadsheet of "lat, lon" gives them
    degrees.geometry = shapely.transform(degrees.geometry.to_numpy(), lambda xy: xy[:, ::-1])
    degrees.to_file(folder / "wrong-crs.geojson")
    inner = folder / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("readme.txt", "the area is in the other zip")
    with zipfile.ZipFile(folder / "zip-in-zip.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    inner.unlink()
    lines = frame.assign(area_id="bad-lines")
    lines.geometry = shapely.boundary(lines.geometry.to_numpy())
    lines.to_file(folder / "lines.gpkg")
    write_template(folder / "blank-template.xlsx")


def write_clutter(folder: Path) -> list[str]:
    """Write what a shared folder holds besides: temporary files, shortcuts, system files."""
    names = ["~$lst-001.xlsx", "area - Shortcut.lnk", "Thumbs.db", ".DS_Store", "link.url"]
    for name in names:
        (folder / name).write_bytes(b"\0")
    return names


def _list(area: str, rows: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["level", "unit_name"]).assign(area_id=area)


def misspelt(census: Census) -> str:
    """Return the name of a subdivision with one letter doubled."""
    names = census.units("CSD")["unit_name"]
    long = names[names.str.len().gt(8) & ~names.duplicated(keep=False)]
    name = str(long.iloc[0])
    return name[:4] + name[3] + name[4:]


def twice_named(census: Census) -> str:
    """Return a name that two subdivisions bear."""
    names = census.units("CSD")["unit_name"]
    return str(names[names.duplicated(keep=False)].iloc[0])


def ceased(census: Census, earlier: Census) -> str:
    """Return the code of a subdivision that only the earlier census has."""
    gone = earlier.units("CSD").index.difference(census.units("CSD").index)
    return str(gone[0])
