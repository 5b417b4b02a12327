"""The options that say how AREAS are read: one list, taken whole by every command that reads."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from pathlib import Path
from typing import Annotated

import pytest
import typer
from commands import run
from typer.testing import CliRunner

from lipgeo import words
from lipgeo.cli import options
from lipgeo.cli.app import app
from lipgeo.cli.groups import GROUPS
from lipgeo.readers.areas import read_service_areas

CLI = Path(options.__file__).parent
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
    rest = dict.fromkeys(set(known) - {"sheet", "id"})
    assert got == {"areas": "a.gpkg", "last": 2, "sheet": "S", "id": "WARD", **rest}


def _walk(command, words=()):
    """Return every command, by its words."""
    found = {words: command}
    for name, one in getattr(command, "commands", {}).items():
        found |= _walk(one, (*words, name))
    return found


def test_commands_are_grouped_in_the_order_of_the_work():
    """Each command stands in one group; help lists them as the work goes, summaries whole."""
    top = typer.main.get_command(app)
    listed = [name for names in GROUPS.values() for name in names]
    shown = {name for name, one in top.commands.items() if not one.hidden}
    assert len(listed) == len(set(listed))
    assert shown - set(listed) == set()
    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    heads = [words.say(f"cli.group_{group}") for group in GROUPS]
    heads = [head for head, names in zip(heads, GROUPS.values(), strict=True) if shown & set(names)]
    places = [text.index(head) for head in heads]
    assert places == sorted(places)
    summaries = [f"{name} {top.commands[name].help}" for name in listed if name in shown]
    places = [text.index(" ".join(one.split())) for one in summaries]
    assert places == sorted(places)


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_answers_to_both_its_names_everywhere(word):
    """``-h`` is help of every command, and no command means something else by it."""
    for parts, command in _walk(typer.main.get_command(app)).items():
        shown = CliRunner().invoke(app, [*parts, word])
        assert shown.exit_code == 0, parts
        assert "Usage" in shown.output
        assert "-h" not in [name for one in command.params for name in one.opts]


_NAMED_SHELL = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("lipgeo pre", ["preview"]),
        ("lipgeo census ta", ["table"]),
        ("lipgeo build --thr", ["--threshold"]),
        ("lipgeo build --rule maj", ["majority"]),
    ],
)
def test_the_shell_completes_commands_options_and_choices(typed, completed):
    """What a shell asks for after the Tab key is answered."""
    asked = {
        "_LIPGEO_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }
    shown = run(env=asked)
    assert shown.stdout.split() == completed, shown.stderr
    # the shell is named, not looked for: a test may have none above it
    script = run("--show-completion", "bash", env={_NAMED_SHELL: "1"})
    assert "_LIPGEO_COMPLETE" in script.stdout


def test_variables_are_searched_from_the_command_line():
    """A word finds, a slip finds the nearest, JSON has the same; nothing found is status 1."""
    found = CliRunner().invoke(app, ["variables", "refugee", "--json"])
    assert [one["variable"] for one in json.loads(found.output)] == ["refugees"]
    assert "immigrants" in CliRunner().invoke(app, ["variables", "imigrants"]).output
    nothing = run("variables", "qqqqqq")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "qqqqqq" in nothing.stderr


def test_an_option_of_several_commands_is_written_once():
    """No sentence of help stands at two options: commands share the option, not a copy of it."""
    source = "".join(path.read_text(encoding="utf-8") for path in CLI.glob("*.py"))
    told = re.findall(r"typer[.](?:Option|Argument)[(][^\n]*?help=say[(]\"([^\"]+)\"", source)
    told += re.findall(r"typer[.](?:Option|Argument)[(]\n[^)]*?help=say[(]\"([^\"]+)\"", source)
    twice = {key: count for key, count in Counter(told).items() if count > 1}
    assert len(told) > 80
    assert twice == {}


def test_commands_that_share_a_signature_get_what_it_makes():
    """``need`` and ``fetch`` have the options of one function, and are given its result."""

    def job(areas: str, unit: str = "DA", lang: str = "en") -> str:
        return f"{areas} {unit} {lang}"

    seen = []

    @options.with_options_of(job, "needed")
    def fetch(needed: object, to: str = "here", lang: str = "en") -> None:
        seen.append((needed, to, lang))

    assert list(inspect.signature(fetch).parameters) == ["areas", "unit", "to", "lang"]
    fetch(areas="a", unit="DB", to="there", lang="fr")
    assert seen == [("a DB fr", "there", "fr")]
