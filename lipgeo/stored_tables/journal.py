"""What an import has done so far, line by line, so that a killed one can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Journal"]

_NAME = "journal.jsonl"


class Journal:
    """The journal of an import: what it is of, then one entry a batch or file that is done.

    An entry is written when the parts it names are whole; a line cut short by a kill is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _NAME

    def start(self, about: Mapping[str, Any]) -> None:
        """Begin anew."""
        self._path.write_text(_line(about), encoding="utf-8", newline="\n")

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add what was done."""
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(_line(entry))

    def read(self) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """Return what the import is of and what was done, ``None`` where nothing can be used.

        Parts that no entry names are removed; entries end before the first whose parts are not
        as they were written.
        """
        try:
            about, *entries = self._lines()
        except (OSError, ValueError):
            return None
        kept: list[dict[str, Any]] = []
        for entry in entries:
            parts = [*entry.get("parts", []), *entry.get("ranges", [])]
            if any(_size(self._folder / part["file"]) != part["bytes"] for part in parts):
                break
            kept.append(entry)
        named = {
            part["file"]
            for entry in kept
            for part in (*entry.get("parts", []), *entry.get("ranges", []))
        }
        for path in self._folder.rglob("*.parquet"):
            if path.relative_to(self._folder).as_posix() not in named:
                path.unlink()
        self._path.write_text("".join(map(_line, [about, *kept])), encoding="utf-8", newline="\n")
        return about, kept

    def remove(self) -> None:
        """Remove it: the import is done."""
        self._path.unlink()

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):
                return
            yield json.loads(line)


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=True, separators=(",", ":")) + "\n"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
