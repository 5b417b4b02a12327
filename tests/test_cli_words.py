"""What the command line says in words: headings of tables and messages of a wrong call."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
import storefiles
import toytown
from commands import run

from lipgeo import words
from lipgeo.census.search import MATCHES
from lipgeo.cli import main
from lipgeo.cli.reporting import cell_words, column_head, print_frame, print_numbers
from lipgeo.registry.compile import COLUMNS, INTAKE
from lipgeo.registry.table import COLUMNS as TABLES
from lipgeo.registry.table import STATUSES
from lipgeo.store.add import add_census
from lipgeo.store.read import describe_store
from lipgeo.store.tables.opening import describe_tables
from lipgeo.tables.wide import NumberTable
from lipgeo.words import say, speaking

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: columns of the registry and of submissions that no table shows
_UNSEEN = {
    "sha256", "received", "fault", "problems", "contact", "email", "certainty",
    "da_count", "db_count", "consortium_id", "codes_general_knowledge", "codes_status",
    "matching_lip_ids", "listed_2011_page", "listed_2006_release", "confidence",
}  # fmt: skip


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_every_heading_is_in_plain_words(lang, tmp_path):
    """A column that a table of the terminal may have is headed in words, in each language."""
    columns = {*COLUMNS, *INTAKE, *(name for names in TABLES.values() for name in names)}
    files = storefiles.town(tmp_path)
    add_census(tmp_path / "store", [files["da"]])
    columns |= {*describe_store(tmp_path / "store"), *describe_tables(tmp_path)} - {"sources"}
    columns |= set(toytown.census().find("a")) | {"file", "size_mb", "address", "reason"}
    with words.speaking(lang):
        bare = {one for one in columns - _UNSEEN if column_head(one) == one}
        assert bare == set()
        codes = {one for one in MATCHES if cell_words("match", one) == one}
        assert codes | {one for one in STATUSES if cell_words("units_status", one) == one} == set()


def test_a_column_of_somebody_else_keeps_its_name():
    """A heading that lipgeo does not know is shown as it is, and so are the cells below it."""
    assert column_head("MUN_NAME") == "MUN_NAME"
    assert cell_words("MUN_NAME", "exact") == "exact"
    assert cell_words("intended", True) == "yes"


#: a wrong call, and what is said of it in each language
WRONG = {
    "find a --provinc ON": ("no option --provinc. Did you mean --province?", "pas d'option"),
    "build --nothing-like-it": ("There is no option --nothing-like-it.", "pas d'option"),
    "bulid": ("There is no command bulid. Did you mean build?", "pas de commande"),
    "census nothing": ("There is no command nothing.", "pas de commande"),
    "build": ("AREAS is missing.", "Il manque AREAS."),
    "build a": ("The option --out is missing.", "Il manque l'option --out."),
    "find a b c": ("and this came: b c.", "Rien de plus n'est attendu"),
    "build a --out": ("The option --out needs a value", "demande une valeur"),
    "build a --json=3": ("The option --json takes no value.", "ne prend pas de valeur"),
    "build a --rule zz --out o": ("one of within, touching,", "est l'un de within, touching,"),
    "build a --lang de": ("--lang (LIPGEO_LANG) is one of en, fr; de", "est l'un de en, fr;"),
    "build a --threshold 2": ("--threshold needs to be at most 1.", "doit être d'au plus 1."),
    "build a --threshold=-1": ("needs to be at least 0.", "doit être d'au moins 0."),
    "find a --vintage b": ("--vintage needs a whole number.", "demande un nombre entier"),
    "build a --gap b --out o": ("--gap needs a number.", "demande un nombre."),
}
#: English of typer's that no French page may have
BROUGHT = re.compile(
    r"Usage:|Options:|Arguments:|Commands:|\[required|default: |env var|Show this|<(?:str|int|path)"
    r"|Try '|Error:|Input should|Value error|Missing|Invalid|Got unexpected|No such"
)


@pytest.mark.parametrize("call", WRONG)
def test_a_wrong_call_is_explained_in_the_language(call, capsys, monkeypatch):
    """Each way to call a command wrongly is said in our words, and nothing of it in typer's."""
    for lang, said in zip(words.LANGUAGES, WRONG[call], strict=True):
        monkeypatch.setenv("LIPGEO_LANG", lang)
        try:
            with pytest.raises(SystemExit) as left:
                main(call.split())
        finally:
            words.use("en")
        shown = capsys.readouterr().err
        assert left.value.code == 2
        assert said in shown
        assert [one for one in BROUGHT.findall(shown) if (lang, one) != ("en", "Usage:")] == []


def test_no_page_of_help_has_words_of_the_other_language():
    """French help has no English of typer's, and no help shows a type of Python."""
    french = (DOCS / "fr" / "commands.md").read_text(encoding="utf-8")
    english = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    assert BROUGHT.findall(french) == []
    assert re.findall(r"<(?:str|int|float|path)>|\{[A-Z]+\}", french + english) == []


@pytest.mark.parametrize("group", ["census", "census table", "registry", "portal"])
def test_a_group_of_commands_takes_a_language(group):
    """``lipgeo GROUP --lang fr --help`` is French, wherever the option stands."""
    for order in (["--lang", "fr", "--help"], ["-h", "--lang=fr"]):
        told = run(*group.split(), *order)
        assert (told.returncode, told.stderr) == (0, "")
        assert "Utilisation" in told.stdout
        assert not BROUGHT.findall(told.stdout)


class _Terminal(io.StringIO):
    """A terminal: what is written to it stays."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("room", [60, 80, 132])
def test_a_table_fits_its_terminal(room, monkeypatch):
    """No line is longer than the terminal, no number and no code is broken, text makes way."""
    table = pd.DataFrame(
        {
            "unit_id": ["35061234", "24810001"],
            "name": ["Partenariat local en immigration de la Baie-des-Chaleurs", "Ici"],
            "population": [1_234_567.0, 12.0],
            "dwellings": [654_321.0, 3.0],
            "reason": ["partly outside the census at hand; a unit has no polygon", ""],
        }
    )
    for name, value in {"COLUMNS": str(room), "LINES": "40", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    screen = _Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    print_frame(table)
    shown = screen.getvalue()
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= room
    for whole in ("35061234", "1,234,567", "654,321", "polygon"):
        assert whole in shown


def test_columns_without_room_are_counted_not_cut(monkeypatch):
    """Of a wide table the first columns are shown whole and the others are counted."""
    for name, value in {"COLUMNS": "60", "LINES": "40", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    screen = _Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    heads = [f"Private dwellings of kind {k}" for k in range(9)]
    frame = pd.DataFrame({"Id": ["on-one"], **{head: [1_234_567.0] for head in heads}})
    print_numbers(NumberTable(frame, dict.fromkeys(heads, "#,##0")))
    shown = screen.getvalue()
    assert "on-one" in shown
    seen = shown.count("1,234,567")
    assert 1 <= seen < 9
    assert f"{9 - seen} more variables" in shown


def test_a_place_that_is_none_hears_which_there_are(tmp_path):
    """Regions and provinces are listed, and the file nobody meant is not spoken of."""
    told = run("census", "table", "need", "Narnia", "--lang", "fr", cwd=tmp_path)
    assert told.returncode == 2
    for word in ("Québec", "Prairies", "Territoires", "AB", "registry list"):
        assert word in told.stderr
    assert "fichier Narnia" not in told.stderr


def test_words_of_tables_are_of_the_language():
    """Kinds, topics and how sure an address is are words, not codes; others' words stay."""
    with speaking("fr"):
        assert cell_words("kind", "facts") == "faits en bref"
        assert cell_words("topic", "immigration") == say("site.topic_immigration")
        assert cell_words("topic", "our own") == "our own"
        assert cell_words("status", "not_covered") == "non servi"
        assert say("store.certainty_verified").endswith("e")


def test_a_long_reason_is_a_number_in_the_table_and_a_line_below():
    """Equal reasons are told once, and what has none has an empty cell."""
    frame = pd.DataFrame({"Area": ["a", "b", "c"], "Why": ["too long", None, "too long"]})
    table, reasons = NumberTable(frame, {}).with_notes()
    assert table.frame["Why"].tolist() == ["(1)", "", "(1)"]
    assert reasons == ["too long"]
