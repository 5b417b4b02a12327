"""Run the commands of a page in a terminal of its own, and keep what it shows.

A page that begins with :data:`MARK` has below each command the whole of what it prints; the tests
hold the page to that, and ``python docs/make_tutorial.py`` writes it.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from unittest.mock import patch

from lipgeo import words
from lipgeo.cli import main

#: says of a page that what its commands print is made, not typed
MARK = "<!-- what the commands print is made: python docs/make_tutorial.py -->\n"
#: a picture that a command of the page leaves, and the picture of the page it becomes
PICTURE = re.compile(r"^<!-- picture: (?P<made>\S+) -->\n!\[[^\]]*\]\((?P<shown>[^)]+)\)$", re.M)
_CONSOLE = re.compile(r"(?P<head>^```console\n)(?P<body>.*?)(?P<foot>^```$)", re.M | re.S)
_TERMINAL = {"COLUMNS": "92", "LINES": "40", "TERM": "dumb", "NO_COLOR": "1"}


class _Screen(io.StringIO):
    """A terminal: what is written to it stays."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class _Messages(io.TextIOBase):
    """Standard error onto the same screen, without bars that come and go."""

    def __init__(self, screen: _Screen) -> None:
        self.screen = screen

    def write(self, text: str) -> int:
        return self.screen.write(text)


@contextmanager
def speaking_as_page(language: str) -> Iterator[None]:
    """Stand in a terminal of a language inside a ``with`` block."""
    env = {key: value for key, value in os.environ.items() if key != "LIPGEO_TRACEBACK"}
    with patch.dict(os.environ, {**env, **_TERMINAL, "LIPGEO_LANG": language}, clear=True):
        try:
            yield
        finally:
            words.use("en")


def shown(command: str) -> str:
    """Run ``lipgeo ...`` and return the lines it shows, without blank ends.

    Raises
    ------
    ValueError
        It is another program, or a wrong call.
    """
    program, *arguments = shlex.split(command)
    if program != "lipgeo":
        raise ValueError(f"only lipgeo is run here, not {program}")
    screen = _Screen()
    status: object = 0
    with redirect_stdout(screen), redirect_stderr(_Messages(screen)):
        try:
            main(arguments)
        except SystemExit as left:
            status = left.code
    if status not in (0, 1, None):
        raise ValueError(f"{command} ended with {status}: {screen.getvalue()}")
    return _trimmed(screen.getvalue())


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def commands(body: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with what stands below it."""
    found: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return [(command, _trimmed("\n".join(below))) for command, below in found]


def remade(page: str) -> str:
    """Run the commands of a page, in order, and return the page with what they show."""

    def anew(block: re.Match[str]) -> str:
        lines = []
        for command, _ in commands(block["body"]):
            said = shown(command)
            lines.append(f"$ {command}\n{said}\n" if said else f"$ {command}\n")
        return block["head"] + "".join(lines) + block["foot"]

    return _CONSOLE.sub(anew, page)
