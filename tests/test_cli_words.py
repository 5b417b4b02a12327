"""What the command line says in words: headings of tables and messages of a wrong call."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import storefiles
import toytown

from lipgeo import words
from lipgeo.census.search import MATCHES
from lipgeo.cli import main
from lipgeo.cli.reporting import cell_words, column_head
from lipgeo.registry.compile import COLUMNS, INTAKE
from lipgeo.registry.table import COLUMNS as TABLES
from lipgeo.registry.table import STATUSES
from lipgeo.store.add import add_census
from lipgeo.store.read import describe_store
from lipgeo.store.tables.opening import describe_tables

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
    "find a --vintage b": ("--vintage needs a whole number.", "demande un nombre entier"),
    "build a --gap b --out o": ("--gap needs a number.", "demande un nombre."),
}
#: English of typer's that no French page may have
BROUGHT = re.compile(
    r"Usage:|Options:|Arguments:|Commands:|\[required|default: |env var|Show this|<(?:str|int|path)"
    r"|Try '|Error:|Missing|Invalid|Got unexpected|No such"
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
