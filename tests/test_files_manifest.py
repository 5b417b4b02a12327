"""Manifests: one helper for every folder lipgeo writes; no bit of one changes unnoticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import toytown

import lipgeo
from lipgeo import files
from lipgeo.boundary.fit import fit_boundaries
from lipgeo.errors import FileError, LipgeoError, OrderError, StoreError
from lipgeo.order.manifest import ORDER, read_order
from lipgeo.order.package import write_order
from lipgeo.order.verify import verify_order
from lipgeo.registry.set_files import SET
from lipgeo.store.layout import CENSUS
from lipgeo.store.results import BUILD, read_build, write_build
from lipgeo.store.tables.layout import TABLE
from lipgeo.synthetic.demo import DEMO
from lipgeo.words import speaking

#: orders as they were written when somebody last looked
GOLDEN = Path(__file__).resolve().parent / "golden"
FORMATS = (CENSUS, TABLE, BUILD, ORDER, SET, DEMO)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A build and an order of the toy town."""
    folder = tmp_path_factory.mktemp("written")
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    fitted = fit_boundaries(toytown.census(), areas, unit="DB")
    write_build(fitted, folder / "build")
    write_order(fitted, folder / "order")
    return folder


@pytest.fixture
def small(tmp_path) -> Path:
    """A folder of two files as the format of a demonstration."""
    (tmp_path / "a.txt").write_bytes(b"a")
    (tmp_path / "b.txt").write_bytes(b"")
    entries = files.file_entries(tmp_path, ["a.txt", "b.txt"])
    files.write_manifest(tmp_path, DEMO, {"title": "Été 1e-05", "share": 1e-05}, entries)
    return tmp_path


def set_manifest(folder: Path, form: files.FolderFormat = DEMO, **values: object) -> None:
    """Write a manifest by hand that is what a lipgeo of today would have sealed."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    content = {**manifest, **values}
    entries = content.pop("files")
    files.write_manifest(folder, form, content, entries)


def test_a_manifest_says_what_it_is_of_and_by_whom(small):
    """Format, version, maker and every file with its bytes; equal contents give equal bytes."""
    raw = (small / "manifest.json").read_bytes()
    manifest = files.read_manifest(small, DEMO)
    assert (manifest["kind"], manifest["demo_version"]) == ("lipgeo demo", 1)
    assert manifest["lipgeo"] == lipgeo.__version__
    assert manifest["files"]["b.txt"]["bytes"] == 0
    assert files.changed_files(small, manifest["files"]) == []
    entries = files.file_entries(small, ["b.txt", "a.txt"])
    files.write_manifest(small, DEMO, {"share": 1e-05, "title": "Été 1e-05"}, entries)
    assert (small / "manifest.json").read_bytes() == raw


def test_every_flipped_bit_is_noticed(small):
    """A manifest with any one bit changed is refused: in a value, a key, its own sum, a space."""
    path = small / "manifest.json"
    raw = path.read_bytes()
    unseen = []
    for place in range(len(raw) * 8):
        spoiled = bytearray(raw)
        spoiled[place // 8] ^= 1 << place % 8
        path.write_bytes(spoiled)
        try:
            files.read_manifest(small, DEMO)
            unseen.append(place)
        except FileError:
            continue
    assert unseen == []


def test_flipped_bits_of_builds_and_orders_are_noticed(written, tmp_path):
    """The manifests of a build and an order hold a sum of themselves too."""
    for name, read in (("build", read_build), ("order", read_order)):
        folder = Path(shutil.copytree(written / name, tmp_path / name))
        path = folder / "manifest.json"
        raw = path.read_bytes()
        for place in range(0, len(raw) * 8, len(raw) * 8 // 60):
            spoiled = bytearray(raw)
            spoiled[place // 8] ^= 1 << place % 8
            path.write_bytes(spoiled)
            with pytest.raises(LipgeoError):
                read(folder)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_fault_is_one_sentence_that_says_what_to_do(tmp_path, form, language):
    """No JSON, too deep, another top, keys missing, a newer layout: the format's own error."""
    path = tmp_path / "manifest.json"
    newer = {form.version_key: 99}
    for raw, key in [
        (b"{", "files.manifest_not_json"),
        (b"\xff\xfe{}", "files.manifest_not_json"),
        (b"1" * 5000, "files.manifest_not_json"),
        (b"[" * 100_000, "files.manifest_too_deep"),
        (b"[]", "files.manifest_unfit"),
        (b"null", "files.manifest_unfit"),
        (b"{}", "files.manifest_unfit"),
        (json.dumps({form.version_key: True}).encode(), "files.manifest_unfit"),
        (json.dumps(newer).encode(), "files.manifest_newer"),
    ]:
        path.write_bytes(raw)
        with speaking(language), pytest.raises(form.error) as caught:
            files.read_manifest(tmp_path, form)
        assert caught.value.key == key, raw[:40]
        assert str(caught.value).count(str(tmp_path)) == 1
    path.unlink()
    with speaking(language), pytest.raises(form.error) as caught:
        files.read_manifest(tmp_path, form)
    assert caught.value.key == form.absent


def test_all_missing_and_strange_keys_are_told_at_once(written, tmp_path):
    """One error with one row a key: those that are not there, those of another type."""
    folder = Path(shutil.copytree(GOLDEN / "toytown_first", tmp_path / "order"))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["custom_ids"], manifest["areas"][1]["units"]
    manifest["vintage"] = "2021"
    manifest["areas"][0]["population"] = [1]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(OrderError) as caught:
        read_order(folder)
    rows = caught.value.problems
    assert set(rows["key"]) == {
        "custom_ids", "areas[1].units", "vintage", "areas[0].population",
    }  # fmt: skip
    assert "vintage (a number <> text)" in str(caught.value)
    assert "It lacks" in str(caught.value)


def test_another_format_is_named(written):
    """A build given as an order, and the other way: what it is, and what is needed."""
    with pytest.raises(OrderError, match=r"is a build directory, and an order is needed: the fold"):
        verify_order(written / "build")
    with pytest.raises(FileError, match=r"is an order, and a build directory is needed: the fold"):
        read_build(written / "order")


def test_paths_out_of_the_folder_are_refused_in_every_format(small):
    """A manifest never leads a reader elsewhere, even one whose sum fits."""
    for name in ("../evil", "/etc/passwd", "C:\\evil", "a/../../b", ""):
        set_manifest(small, files={name: {"sha256": "0" * 64, "bytes": 0}})
        with pytest.raises(FileError, match="leave its folder"):
            files.read_manifest(small, DEMO)


def test_a_folder_is_known_by_its_format(written, small, tmp_path):
    """What lipgeo made is told from what somebody keeps there, and formats from each other."""
    assert files.is_ours(written / "build", BUILD)
    assert files.is_ours(written / "order", ORDER)
    assert not files.is_ours(written / "build", ORDER)
    assert files.is_ours(small, DEMO)
    for raw in (b"", b"{}", b"[1]", b"[" * 100_000, b'{"kind": "lipgeo house"}', b"\xff"):
        (tmp_path / "manifest.json").write_bytes(raw)
        assert not any(files.is_ours(tmp_path, form) for form in FORMATS), raw[:20]
    assert not files.is_ours(tmp_path / "nothing", DEMO)


def unsealed(manifest: dict, version_key: str) -> dict:
    """Return a manifest as lipgeo wrote it before it had a kind and a sum of itself."""
    kept = {key: value for key, value in manifest.items() if key not in ("kind", "own_sha256")}
    return {**kept, version_key: 1}


def test_a_build_from_before_is_still_read(written, tmp_path):
    """Sums alone stood for files, and no sum of the manifest."""
    folder = Path(shutil.copytree(written / "build", tmp_path / "build"))
    manifest = unsealed(files.read_manifest(folder, BUILD), "build_version")
    manifest["files"] = {name: one["sha256"] for name, one in manifest["files"].items()}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert files.is_ours(folder, BUILD)
    assert len(read_build(folder).areas) == len(read_build(written / "build").areas)
    (folder / "units.csv").write_bytes(b"changed")
    with pytest.raises(FileError, match=r"not as they were written: units\.csv"):
        read_build(folder)


def test_an_order_from_before_is_still_read(tmp_path):
    """Its manifest has no sum of itself; SHA256SUMS and the zip vouch for it, as they did."""
    folder = Path(shutil.copytree(GOLDEN / "toytown_first", tmp_path / "order"))
    manifest = unsealed(read_order(folder).manifest, "order_version")
    (folder / "manifest.json").write_text(files.json_text(manifest), encoding="utf-8")
    assert read_order(folder).areas
    assert {found.subject for found in verify_order(folder)} == {"manifest.json"}


def test_the_error_is_of_the_formats_own_class():
    """Whoever catches an error of a store, an order or a file goes on catching it."""
    classes = {form.name: form.error for form in FORMATS}
    assert classes == {
        "census": StoreError, "table": StoreError, "build": FileError, "order": OrderError,
        "set": FileError, "demo": FileError,
    }  # fmt: skip


def test_half_a_character_is_no_json_of_ours():
    """No file can hold a lone surrogate: it is told when read, not by whoever writes it again."""
    for text in (b'{"a": "\\ud800"}', b'{"\\uDC00": 1}'):
        with pytest.raises(ValueError, match="surrogates"):
            files.load_json(text)
    for text in (b'{"a": NaN}', b"[Infinity]", b"[-Infinity]"):
        with pytest.raises(ValueError, match="is no number"):
            files.load_json(text)
    assert files.load_json(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}
