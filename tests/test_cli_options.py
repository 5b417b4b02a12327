"""The options that say how AREAS are read: one list, taken whole by every command that reads."""

from __future__ import annotations

import inspect
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from lipgeo.cli import options
from lipgeo.cli.app import app
from lipgeo.readers.areas import read_service_areas

READERS = ("check", "build", "weight", "compare")


def test_every_reading_option_is_a_keyword_of_the_reader():
    """What a command takes is what the function takes: none is dropped on the way."""
    taken = set(inspect.signature(read_service_areas).parameters)
    assert set(options.READING) <= taken


@pytest.mark.parametrize("name", READERS)
def test_commands_that_read_areas_take_every_reading_option(name):
    """All stand together, in the list's order, in the place of the parameter ``reading``."""
    command = typer.main.get_command(app).commands[name]
    names = [one.name for one in command.params]
    first = names.index(next(iter(options.READING)))
    assert names[first : first + len(options.READING)] == list(options.READING)
    assert names[first + len(options.READING)] == "draft"
    assert "reading" not in names


def test_a_new_option_is_one_line(monkeypatch):
    """A command made after an option joined the list has it, and gets it by its keyword."""
    sheet = Annotated[str | None, typer.Option("--sheet")]
    known = {**options.READING, "sheet": sheet}
    monkeypatch.setattr(options, "READING", known)
    got = {}

    @options.with_reading_options
    def command(areas: str, reading: options.Reading = options.NOT_GIVEN, last: int = 1) -> None:
        got.update(areas=areas, last=last, **reading)

    made = typer.Typer()
    made.command()(command)
    shown = CliRunner().invoke(made, ["a.gpkg", "--sheet", "S", "--id", "WARD", "--last", "2"])
    assert shown.exit_code == 0, shown.output
    rest = dict.fromkeys(("name_en", "name_fr", "crs", "layer", "encoding", "as_one", "group_by"))
    assert got == {"areas": "a.gpkg", "last": 2, "sheet": "S", "id": "WARD", **rest}
