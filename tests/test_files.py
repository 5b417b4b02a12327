"""Files and folders are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from lipgeo import files, workplace
from lipgeo.errors import OutputError


def killed(write, point):
    """Write in a forked child that dies before so many changes of the disk; say whether it died."""
    child = os.fork()
    if not child:
        left = [point]

        def hook(event, arguments):
            changes = event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link") or (
                event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
            )
            if changes:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            write()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_failure_leaves_the_old_file(tmp_path):
    """When the block fails, the file that was there is untouched and nothing else is left."""
    target = tmp_path / "l'été #1.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.file_in_one_step(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == [target.name]
    assert target.read_text() == "old"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "more room than the disk has left"),
        (errno.EACCES, "its folder may not be written to"),
        (errno.EBUSY, "its folder may not be written to"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_the_reason_is_told(tmp_path, code, message):
    """A full disk, a locked file and any other fault each get their own sentence and cure."""
    with pytest.raises(OutputError, match=message), files.file_in_one_step(tmp_path / "a"):
        raise OSError(code, os.strerror(code))


def test_a_locked_file_is_told_from_a_closed_folder(tmp_path):
    """What exists and cannot be replaced is open in another program; what does not is not."""
    (tmp_path / "a").write_text("old")
    with (
        pytest.raises(OutputError, match="open in another program"),
        files.file_in_one_step(tmp_path / "a"),
    ):
        raise OSError(errno.EACCES, "")


def test_a_full_folder_is_not_written_over(tmp_path):
    """Results that are there stay, and the message says what to do."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").write_text("x")
    with (
        pytest.raises(OutputError, match="already exists"),
        files.folder_in_one_step(tmp_path / "out"),
    ):
        pass
    assert (tmp_path / "out" / "kept").exists()


def test_a_folder_is_replaced_whole(tmp_path):
    """With leave to replace, the new folder holds only the new files."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("x")
    with files.folder_in_one_step(tmp_path / "out", replace=True) as folder:
        (folder / "new").write_text("y")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(os.name == "nt", reason="kills a process with a POSIX signal")
def test_a_killed_writer_leaves_the_old_folder(tmp_path):
    """A process killed inside the block leaves the old folder whole."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("x")
    code = textwrap.dedent(
        f"""
        import os, signal
        from lipgeo.files import folder_in_one_step
        with folder_in_one_step({str(out)!r}, replace=True) as folder:
            (folder / "new").write_text("y")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [p.name for p in out.iterdir()] == ["old"]


def test_zip_bytes_depend_on_contents_only(tmp_path):
    """Two zips of equal members are equal, whenever and in whatever order they are written."""
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("a")
    b.write_text("b")
    files.write_zip(tmp_path / "one.zip", {"x": a, "y": b})
    os.utime(a, (0, 0))
    files.write_zip(tmp_path / "two.zip", {"y": b, "x": a})
    assert Path(tmp_path / "one.zip").read_bytes() == Path(tmp_path / "two.zip").read_bytes()


def test_a_flipped_bit_in_a_page_of_a_store_file_is_noticed(tmp_path: Path) -> None:
    """Numbers of a plain table are not read as others when a bit of theirs flips."""
    import pandas as pd
    import pyarrow.parquet as pq

    from lipgeo.store.write import write_table

    path = tmp_path / "t.parquet"
    write_table(path, pd.DataFrame({"n": range(2000)}), {})
    raw = bytearray(path.read_bytes())
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    raw[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(path, page_checksum_verification=True).read()


# -- kills ---------------------------------------------------------------------------------------

forked = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the process that is killed")


@forked
def test_a_kill_at_any_step_leaves_the_old_or_the_new(tmp_path):
    """A folder, and three files in one move, killed before each change of the disk in turn.

    The old one or the new one is whole at once, or else when the next run has looked; the next run
    goes on and leaves nothing behind.
    """

    def write_folder(text):
        with files.folder_in_one_step(tmp_path / "out", replace=True) as made:
            (made / "a").write_text(text)

    def write_files(text):
        paths = [tmp_path / name for name in ("x.csv", "x_explain.csv", "x_missing.csv")]
        with files.files_in_one_move(paths) as made:
            made[0].write_text(text)
            made[1].write_text(text)
            if text == "old":
                made[2].write_text(text)

    def write_in_two_renames(text):
        exchange, files.exchange = files.exchange, lambda one, other: False
        try:
            write_folder(text)
        finally:
            files.exchange = exchange

    def state():
        return {
            path.relative_to(tmp_path).as_posix(): path.read_text() if path.is_file() else None
            for path in tmp_path.rglob("*")
        }

    for write in (write_folder, write_in_two_renames, write_files):
        write("new")
        new = state()
        write("old")
        old = state()
        assert old != new
        points = 0
        while killed(lambda write=write: write("new"), points):
            if write is write_folder and sys.platform.startswith("linux"):
                assert (tmp_path / "out" / "a").read_text() in ("old", "new")
            workplace.clear_litter(tmp_path)
            assert state() in (old, new), (write, points)
            write("new")
            assert state() == new
            write("old")
            points += 1
        assert points >= 7
        assert state() == new
        write("old")
        for path in tmp_path.glob("x*"):
            path.unlink()
        shutil.rmtree(tmp_path / "out", ignore_errors=True)


@forked
def test_only_what_dead_processes_left_is_cleared(tmp_path):
    """The workplace of a living process, a user's hidden folder and file stay; the rest goes."""
    mine = [tmp_path / ".lipgeo-mine", tmp_path / ".lipgeo-x-0a0a0a-12-notes"]
    for one in mine:
        one.mkdir()
        (one / "notes.txt").write_text("mine")
    held = threading.Event()
    asked = threading.Event()

    def hold():
        with workplace.workplace(tmp_path / "live") as place:
            (place / "new").mkdir()
            held.set()
            asked.wait(20)
            assert (place / "new").is_dir()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    assert killed(lambda: files.folder_in_one_step(tmp_path / "dead").__enter__(), 3)
    assert len(list(tmp_path.glob(".lipgeo-*"))) == 4
    files.require_free_file(tmp_path / "next.html")
    left = {path.name for path in tmp_path.glob(".lipgeo-*")} - {path.name for path in mine}
    assert len(left) == 1
    assert next(iter(left)).startswith(".lipgeo-live-")
    asked.set()
    thread.join()
    assert {*tmp_path.iterdir()} == {*mine}


@forked
def test_a_file_put_there_since_is_no_part_of_what_is_undone(tmp_path):
    """Between a kill and the next run somebody wrote a file of the name: it stays."""
    paths = [tmp_path / "x.csv", tmp_path / "x_missing.csv"]

    def write():
        with files.files_in_one_move(paths) as made:
            for path in made:
                path.write_text("new")

    for point in range(100):
        assert killed(write, point)
        if paths[1].exists():
            break
        workplace.clear_litter(tmp_path)
    assert not os.path.lexists(paths[0])
    paths[1].write_text("mine")
    workplace.clear_litter(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ("x_missing.csv", "mine")
    ]
