"""Files and folders are written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lipgeo import files
from lipgeo.errors import OutputError


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
    write_table(path, pd.DataFrame({"n": range(2000)}))
    raw = bytearray(path.read_bytes())
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    raw[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(path, page_checksum_verification=True).read()
