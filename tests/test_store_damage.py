"""Damage to a store: no byte of it is read wrong in silence, and one command finds all of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import storefiles
from commands import run

import lipgeo
import lipgeo.store
from lipgeo.errors import StoreError
from lipgeo.files import listed_files
from lipgeo.store import StoreData, add_census


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of the toy town and a small table; not to be changed."""
    folder = tmp_path_factory.mktemp("damage")
    add_census(folder / "store", list(storefiles.town(folder / "files").values()))
    return folder / "store"


@pytest.fixture
def own(tmp_path: Path, store: Path) -> Path:
    """Return a copy of the store, to be damaged."""
    return Path(shutil.copytree(store, tmp_path / "own"))


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Flip one bit of a file."""
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1 << bit
    path.write_bytes(raw)


def test_every_file_of_a_store_is_verified(own: Path):
    """A whole store is whole; one bit of any of its files names that file and no other."""
    whole = lipgeo.verify_store(own)
    assert whole.ok
    assert [one.check for one in whole] == ["intact"]
    names = [name for name in listed_files(own) if name != ".lock"]
    assert {"2021/DB.parquet", "2021/published.parquet", "2021/manifest.json"} < set(names)
    for name in names:
        raw = (own / name).read_bytes()
        flip(own / name, len(raw) // 2)
        (found,) = lipgeo.verify_store(own).only(severity="error")
        # a damaged manifest says itself which file it is
        assert found.subject in (name, ""), name
        assert Path(name).name in found.message
        (own / name).write_bytes(raw)


def test_what_is_missing_or_strange_in_a_store_is_told(own: Path):
    """A missing file is an error, a file that no manifest names a warning; both at once."""
    (own / "2021" / "DA.parquet").unlink()
    (own / "2021" / "said" / "mine.txt").write_text("x")
    found = {one.check: (one.severity, one.subject) for one in lipgeo.verify_store(own)}
    assert found == {
        "file_missing": ("error", "2021/DA.parquet"),
        "file_unknown": ("warning", "2021/said/mine.txt"),
    }


def test_a_store_from_before_sums_is_read_and_said_to_have_none(own: Path):
    """Without sums the census is read as ever, and that nothing can be verified is a warning."""
    path = own / "2021" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for key in ("files", "kind", "own_sha256", "store"):
        del manifest[key]
    path.write_text(json.dumps(manifest))
    shutil.rmtree(own / "2021" / "sums")
    assert lipgeo.open_census(own).counts("DB")["population"].sum() == 1000
    (found,) = lipgeo.verify_store(own)
    assert (found.check, found.severity) == ("no_sums", "warning")
    assert "before its files had sums" in found.message


def test_no_store_to_verify(tmp_path: Path):
    """No folder, and an empty one, are refused as everywhere."""
    with pytest.raises(StoreError, match="does not exist"):
        lipgeo.verify_store(tmp_path / "no")
    with pytest.raises(StoreError, match="holds no census"):
        lipgeo.verify_store(tmp_path)


def test_the_command_verifies_in_both_languages(own: Path):
    """Status 0 and a sentence where all is whole; 1, the file and what to do where it is not."""
    done = run("census", "verify", "--store", own)
    assert (done.returncode, done.stdout.strip()) == (
        0, f"{own}: every file is as it was written."
    )  # fmt: skip
    flip(own / "2021" / "CSD.parquet", 100)
    broken = run("census", "verify", "--store", own, "--lang", "fr")
    assert broken.returncode == 1
    assert "CSD.parquet est endommagé" in broken.stderr
    assert "lipgeo census add" in broken.stderr
    told = json.loads(run("census", "verify", "--store", own, "--json").stdout)
    assert [one["subject"] for one in told["findings"]] == ["2021/CSD.parquet"]
    assert told["ok"] is False


def test_a_file_of_another_store_is_noticed(own: Path, tmp_path: Path):
    """A level or totals of another store, of the very same size, are said to be another's."""
    bound = json.loads((own / "2021" / "manifest.json").read_bytes())["store"].encode()
    for path, read in (
        (own / "2021" / "DB.parquet", lambda: lipgeo.open_census(own).units("DB")),
        (
            own / "2021" / "published.parquet",
            lambda: len(lipgeo.open_census(own).data.meta["published"]),
        ),
    ):
        whole = path.read_bytes()
        assert bound in whole
        path.write_bytes(whole.replace(bound, bound[::-1]))
        with pytest.raises(StoreError, match="belongs to another store"):
            read()
        path.write_bytes(whole)
    said = sorted((own / "2021" / "said").iterdir())
    shutil.copy(said[1], said[0])
    with pytest.raises(StoreError, match="is damaged"):
        add_census(own, storefiles.town(tmp_path / "files")["counts"])


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("file", "damage", "levels"),
    [
        ("DA.parquet", cut, {"DA"}),
        ("DA.parquet", lambda path: flip(path, path.stat().st_size - 30), {"DA"}),
        ("DA.parquet", Path.unlink, {"DA"}),
        ("sums/DB.crc32", lambda path: flip(path, 0), {"DB"}),
        ("sums/DB.crc32", Path.unlink, {"DB"}),
        ("published.parquet", cut, {"DB", "DA", "CSD"}),
    ],
)
def test_a_listing_says_what_looks_damaged(own: Path, file, damage, levels):
    """What a look at sizes, footers and small files tells, the list of a store says."""
    damage(own / "2021" / file)
    listed = lipgeo.store.describe_store(own).set_index("level")["state"]
    assert levels <= set(listed.index)
    assert {level for level, state in listed.items() if state == "damaged"} >= levels
    if file != "published.parquet":
        assert set(listed.drop(list(levels))) == {"whole"}


def test_the_command_ends_with_findings_where_a_listed_level_is_damaged(own: Path):
    """The table says so, and a sentence names the command that tells which file."""
    cut(own / "2021" / "DA.parquet")
    ended = run("census", "list", "--store", own)
    assert ended.returncode == 1
    assert "damaged" in ended.stdout
    assert "lipgeo census verify" in ended.stderr
    french = run("census", "list", "--store", own, "--lang", "fr")
    assert "endommagé" in french.stdout


def test_a_vintage_under_another_name_is_noticed(own: Path):
    """A folder of 2021 that is called 2016 is never read as the census of 2016."""
    (own / "2021").rename(own / "2016")
    for read in (lipgeo.open_census, lipgeo.store.describe_store):
        with pytest.raises(StoreError, match=r"census of 2016, as its name says, and .* of 2021"):
            read(own)


def test_one_open_census_serves_threads_and_forked_children(store: Path):
    """Eight threads, and children forked while they read, get what one alone gets."""
    data = lipgeo.open_census(store).data
    rows = [np.arange(at, at + 3) for at in range(10)]

    def ask(census: StoreData, at: int) -> tuple[object, ...]:
        some = rows[at % len(rows)]
        shapes = [shape.wkb for shape in census.geometry("DB", some)]
        return (*shapes, *census.attributes("DB", None, some)["unit_id"], *census.boxes("DB", some))

    def same(at: int) -> bool:
        return repr(ask(data, at)) == alone[at % len(rows)]

    alone = [repr(ask(StoreData(store / "2021"), at)) for at in range(len(rows))]
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(same, range(200))
        children = []
        for _ in range(4 if hasattr(os, "fork") else 0):
            child = os.fork()
            if not child:
                code = 1
                try:
                    signal.alarm(50)
                    code = 0 if all(map(same, range(40))) else 2
                finally:
                    os._exit(code)
            children.append(child)
        assert all(asked)
    assert [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in children] == (
        [0] * len(children)
    )
