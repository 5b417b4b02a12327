"""The everyday command: what lies in incoming is taken in, checked and told in ten lines."""

from __future__ import annotations

import shutil

import made_deliveries as made_files
import openpyxl
import pandas as pd
import pytest
from commands import run

import lipgeo
from lipgeo.portal import update_portal
from lipgeo.words import speaking


@pytest.fixture
def portal(tmp_path):
    """An empty portal."""
    return lipgeo.open_portal(tmp_path / "portal", create=True)


@pytest.fixture
def made(portal):
    """A made order in the portal's own folder of orders."""
    return made_files.made_order(portal.folder / "orders" / "o1", 8)


def edit(portal, sheet, *rows):
    """Add rows to a sheet of the workbook."""
    path = portal.folder / "portal.xlsx"
    book = openpyxl.load_workbook(path)
    heads = {cell.value: cell.column for cell in book[sheet][1]}
    for cells in rows:
        at = book[sheet].max_row + 1
        for name, value in cells.items():
            book[sheet].cell(at, heads[name], value)
    book.save(path)


LOCAL = {"area_id": "west", "indicator": "Library cards", "date": "2025", "value": "310",
         "unit": "cards", "universe": "residents", "source": "City"}  # fmt: skip


def test_a_delivery_finds_its_order_and_moves_to_taken(portal, made):
    """The order whose areas fit is the one; the file moves, the areas stand in the workbook."""
    path = made_files.write_down(made, portal.folder / "incoming" / "T1.csv")
    done = update_portal(portal.folder)
    assert len(done.releases) == 1
    assert done.waiting == {}
    assert not path.exists()
    assert (portal.folder / "taken" / done.releases[0] / "T1.csv").exists()
    listed = pd.read_excel(portal.folder / "portal.xlsx", "areas", dtype=str)
    assert set(listed["area_id"]) == set(made.ids)
    assert len(done.lines) <= 10
    again = update_portal(portal.folder)
    assert again.releases == []
    assert again.lines[0] == "Nothing new was taken in."


def test_findings_wait_in_a_file_and_count_once_signed(portal, made):
    """Nothing is added until somebody signs the file that the update left beside the delivery."""
    printed = made.printed.copy()
    printed.loc[made.ids[1], "immigrants"] += 2
    made_files.write_down(made, portal.folder / "incoming" / "T1.csv", printed)
    done = update_portal(portal.folder)
    assert list(done.waiting) == ["T1.csv"]
    assert not done.ok
    signed = portal.folder / "incoming" / "T1.findings.csv"
    table = pd.read_csv(signed, dtype=str, encoding="utf-8-sig").fillna("")
    table.assign(accept="yes", by="A. Clerk", reason="released so").to_csv(signed, index=False)
    done = update_portal(portal.folder)
    assert len(done.releases) == 1
    assert not any((portal.folder / "incoming").iterdir())


def test_what_somebody_began_to_sign_stays(portal, made):
    """A file half signed is left as it is; where findings came, it is kept beside the new one."""
    printed = made.printed.copy()
    printed.loc[made.ids[1], "immigrants"] += 2
    made_files.write_down(made, portal.folder / "incoming" / "T1.csv", printed)
    update_portal(portal.folder)
    signed = portal.folder / "incoming" / "T1.findings.csv"
    table = pd.read_csv(signed, dtype=str, encoding="utf-8-sig").fillna("")
    table.assign(accept="yes", notes="asked the clerk").to_csv(signed, index=False)
    half = signed.read_bytes()
    update_portal(portal.folder)
    assert signed.read_bytes() == half
    table.assign(id="another", notes="asked the clerk").to_csv(signed, index=False)
    half = signed.read_bytes()
    done = update_portal(portal.folder)
    kept = signed.with_name("T1-2.findings.csv")
    assert kept.read_bytes() == half
    assert kept.name in done.waiting["T1.csv"]
    assert list(pd.read_csv(signed, encoding="utf-8-sig")["id"]) == list(table["id"])


def test_a_site_that_does_not_give_way_is_told_with_what_was_taken_in(portal):
    """Somebody worked in a page: the update says so, and what it took in all the same."""
    edit(portal, "local", LOCAL)
    (portal.folder / "site").mkdir()
    (portal.folder / "site" / "mine.html").write_text("mine")
    ended = run("portal", "update", portal.folder)
    assert ended.returncode == 1
    assert "1 release" in ended.stdout
    assert "never writes over it" in ended.stdout
    assert (portal.folder / "site" / "mine.html").read_text() == "mine"


def test_one_bad_file_does_not_keep_the_others_out(portal, made):
    """What cannot be taken in is told and stays; the rest is taken in."""
    incoming = portal.folder / "incoming"
    made_files.write_down(made, incoming / "good.csv")
    (incoming / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    pd.DataFrame([LOCAL]).to_csv(incoming / "local.csv", index=False)
    done = update_portal(portal.folder)
    assert len(done.releases) == 2
    assert list(done.waiting) == ["bad.csv"]
    assert (incoming / "bad.csv").exists()
    with speaking("fr"):
        assert "attend" in str(update_portal(portal.folder))


def test_a_file_taken_in_before_a_crash_is_only_moved(portal, made):
    """The same bytes are no second release."""
    incoming = portal.folder / "incoming"
    path = made_files.write_down(made, incoming / "T1.csv")
    copy = portal.folder / "copy.csv"
    shutil.copy(path, copy)
    first = update_portal(portal.folder)
    shutil.copy(copy, path)
    second = update_portal(portal.folder)
    assert len(first.releases) == 1
    assert second.releases == []
    assert not path.exists()


def test_the_workbooks_own_sheets_are_a_source(portal):
    """Local rows are taken in when they changed; a row taken out is told no more."""
    edit(portal, "local", LOCAL, {**LOCAL, "area_id": "east", "value": "500"})
    done = update_portal(portal.folder)
    assert len(done.releases) == 1
    assert update_portal(portal.folder).releases == []
    book = openpyxl.load_workbook(portal.folder / "portal.xlsx")
    book["local"].delete_rows(3)
    book.save(portal.folder / "portal.xlsx")
    assert len(update_portal(portal.folder).releases) == 1
    assert portal.reopen().frame()["area_id"].tolist() == ["west"]


def test_the_workbook_says_which_order_where_it_is_not_plain(portal, made):
    """Two orders of the same areas are not picked between; the sheet *orders* settles it."""
    shutil.copytree(made.order, portal.folder / "orders" / "o2")
    made_files.write_down(made, portal.folder / "incoming" / "T1.csv")
    assert "o1, o2" in update_portal(portal.folder).waiting["T1.csv"]
    edit(
        portal, "orders", {"file": "t1*.csv", "order": "orders/o2", "table": "T1", "licence": "cdp"}
    )
    done = update_portal(portal.folder)
    assert portal.reopen().record(done.releases[0])["licence"] == "cdp"
    assert any("cdp" in line for line in done.lines)


def test_ten_lines_are_enough(portal):
    """However much waits, ten sentences are told, the last how many more there are."""
    for at in range(15):
        (portal.folder / "incoming" / f"bad{at:02d}.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = update_portal(portal.folder, build=lambda portal: "Built.")
    assert len(done.lines) == 10
    assert len(done.waiting) == 15


def test_a_workbook_open_in_excel_does_not_undo_the_rest(portal, made, monkeypatch):
    """The release stands; that its areas could not be listed in the workbook is told."""
    from lipgeo.errors import OutputError
    from lipgeo.portal import update

    def held(path, areas):
        raise OutputError("files.in_use", path=path)

    monkeypatch.setattr(update, "add_areas", held)
    made_files.write_down(made, portal.folder / "incoming" / "T1.csv")
    done = update_portal(portal.folder)
    assert len(done.releases) == 1
    assert any("portal.xlsx" in line for line in done.lines[1:])
    assert len(portal.reopen().areas) == len(made.ids)
