"""Prove that damaged files of every kind end in an error of lipgeo's tree; a short seeded run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_COUNT = 400


@pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")
def test_damaged_files_end_in_a_sentence() -> None:
    """A seeded run over every kind of file: no other error, no crash, no hang."""
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(here / "fuzzing.py"), "--count", str(_COUNT), "--workers", "1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(here.parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
