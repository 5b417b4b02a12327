"""What the makers of reference pages share: write the pages, or say which are not current."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent


def plain(text: str) -> str:
    """Return text that Markdown shows as it is.

    ``{placeholder:n}`` becomes ``‹placeholder›``, and of the forms of a word the plural is shown.
    """
    text = re.sub(r"\{(\w+):n\d*\|[^|}]*\|([^}]*)\}", r"‹\1› \2", text)
    text = re.sub(r"\{\w+:\|[^|}]*\|([^}]*)\}", r"\1", text)
    text = re.sub(r"\{(\w+)[^}]*\}", r"‹\1›", text)
    return re.sub(r"([\\`*_{}\[\]<>#|$])", r"\\\1", text)


def stale(pages: Mapping[str, str]) -> list[str]:
    """Return the pages whose file is missing or says something else."""
    return [
        name
        for name, text in pages.items()
        if not (HERE / name).exists() or (HERE / name).read_text(encoding="utf-8") != text
    ]


def main(pages: Mapping[str, str]) -> int:
    """Write the pages; with ``--check`` write nothing and return 1 where one is not current."""
    old = stale(pages)
    if "--check" in sys.argv[1:]:
        for name in old:
            print(f"docs/{name} is not current: run python {Path(sys.argv[0]).as_posix()}")
        return int(bool(old))
    for name in old:
        (HERE / name).write_text(pages[name], encoding="utf-8", newline="\n")
        print(f"docs/{name} written")
    return 0
