"""Make what the commands of the tutorials print, and their pictures: ``docs/make_tutorial.py``.

Both tutorials are run from an empty folder, as a reader would; ``--check`` writes nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import showing
import writing
from PIL import Image

HERE = Path(__file__).resolve().parent
#: pages and the language of their terminal
PAGES = {"tutorial.md": "en", "fr/tutorial.md": "fr"}
#: a picture of a page is this wide and has this many colours: a tenth of the file a sheet is
_WIDE, _COLOURS = 1_000, 128


def shrink(made: Path, shown: Path) -> None:
    """Write a picture in the size of a page."""
    with Image.open(made) as sheet:
        high = round(sheet.height * _WIDE / sheet.width)
        small = sheet.convert("RGB").resize((_WIDE, high), Image.Resampling.LANCZOS)
    shown.parent.mkdir(exist_ok=True)
    small.quantize(_COLOURS, dither=Image.Dither.NONE).save(shown, optimize=True)


def make(name: str, language: str, *, write: bool) -> str:
    """Run a page in a folder of its own; return it with what its commands show."""
    page = HERE / name
    text = page.read_text(encoding="utf-8")
    before = Path.cwd()
    folder = Path(tempfile.mkdtemp())
    try:
        os.chdir(folder)
        os.environ["LIPGEO_STORE"] = "lipgeo-demo/store"
        with showing.speaking_as_page(language):
            text = showing.remade(text)
        if write:
            for picture in showing.PICTURE.finditer(text):
                shrink(folder / picture["made"], page.parent / picture["shown"])
    finally:
        os.chdir(before)
        shutil.rmtree(folder)
    return text


if __name__ == "__main__":
    write = "--check" not in sys.argv[1:]
    sys.exit(writing.main({name: make(name, lang, write=write) for name, lang in PAGES.items()}))
