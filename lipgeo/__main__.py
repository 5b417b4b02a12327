"""``python -m lipgeo``: the same as the command ``lipgeo``."""

from __future__ import annotations

from lipgeo.cli import run_and_exit

if __name__ == "__main__":
    run_and_exit()
