"""The catalogue: complete in both languages, every key used exists, every key is used."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from pathlib import Path

import pytest

import lipgeo
from lipgeo import words

PACKAGE = Path(lipgeo.__file__).parent


def _literals() -> set[str]:
    """Return every string constant in the package's code.

    The table of public names in ``lipgeo/__init__.py`` holds names of files, which look like keys.
    """
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if path == PACKAGE / "__init__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def _prefixes() -> set[str]:
    """Return the fixed beginnings of formatted keys, such as ``f"boundary.flag_{name}"``."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                head = str(node.values[0].value)
                if "." in head and head.partition(".")[0] in _rooms():
                    found.add(head)
    return found


def _rooms() -> set[str]:
    return {key.partition(".")[0] for key in words.catalogue()}


def _fields(sentence: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None}


def test_a_sentence_holds_no_sentence():
    """A table of the catalogue is one sentence or a group of them, never both."""
    for path in (PACKAGE / "words").glob("*.toml"):
        for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            nested = [isinstance(value, dict) for value in table.values()]
            assert all(nested) or not any(nested), f"{path.name}: {name}"


def test_both_languages_say_every_sentence():
    """No sentence lacks a language, is empty, or says the other language's text by mistake."""
    poor = {
        key
        for key, entry in words.catalogue().items()
        if set(entry) != {"en", "fr"} or not all(text.strip() for text in entry.values())
    }
    assert poor == set()


def test_both_languages_take_the_same_values():
    """A sentence names the same placeholders in English and in French."""
    differing = {
        key
        for key, entry in words.catalogue().items()
        if _fields(entry["en"]) != _fields(entry["fr"])
    }
    assert differing == set()


def test_every_key_in_the_code_is_in_the_catalogue():
    """A key that the code names, and whose room has a catalogue, has a sentence."""
    keys = set(words.catalogue())
    heads = _rooms() | {key.rpartition(".")[0] for key in keys}
    looks_like = {
        text
        for text in _literals()
        if text.rpartition(".")[0] in heads
        and text.rpartition(".")[2].isidentifier()
        and text.rpartition(".")[2] not in {"toml", "py", "json", "csv", "parquet", "html", "xlsx"}
    }
    assert looks_like - keys - _prefixes() == set()


def test_every_sentence_is_used():
    """A sentence that no code says is dead weight for a translator."""
    literals, prefixes = _literals(), tuple(_prefixes())
    unused = {
        key
        for key in words.catalogue()
        if key not in literals and not (prefixes and key.startswith(prefixes))
    }
    assert unused == set()


def test_numbers_follow_the_language():
    """Thousands separators and decimal marks are those of the language in force."""
    assert words.number(1392.25, 1) == "1,392.2"
    with words.speaking("fr"):
        assert words.number(1392.25, 1) == "1\u202f392,2"
    assert words.language() == "en"


def test_lists_show_five_and_count_the_rest():
    """Six ids are shown as five and one more, in either language."""
    assert words.listing("abcdef") == "a, b, c, d, e and 1 more"
    with words.speaking("fr"):
        assert words.listing("abcdef") == "a, b, c, d, e et 1 de plus"


def test_unknown_language_is_refused():
    """Only the catalogue's languages can be spoken."""
    with pytest.raises(ValueError, match="lang needs to be one of en, fr"):
        words.use("de")


#: what only a program can do wrong: arguments of the wrong kind, Spark, made countries, options of
#: functions that no command gives
_OF_PROGRAMS = {
    *("boundary.not_areas", "crosswalk.not_zones", "geography.type_needed", "tables.ids_not_text"),
    *("tables.unknown_variable", "tables.totals_of_others", "tables.not_pairs"),
    *("tables.not_table", "tables.not_crosswalk", "tables.bad_table"),
    *("areas.not_a_geoframe", "crosswalk.columns", "zones.invalid", "zones.different"),
}
_PROGRAM_ROOMS = ("errors", "spark", "synthetic")
#: what functions are called
_FUNCTIONS = r"\b(?:add|build|compile|fit|open|read|weight|write)_[a-z_]+\b"


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_nobody_at_the_command_line_is_told_to_call_python(lang):
    """An argument, a call or the problems of an error stand with the option that does the same."""
    python = re.compile(
        rf"(?<![-\w])\w+=(?!\w*=)|\b[\w.]+\(\)|\blipgeo\.\w+|`?\bproblems\b|{_FUNCTIONS}"
    )
    told = {}
    with words.speaking(lang), words.on_command_line():
        for key, entry in words.catalogue().items():
            if key in _OF_PROGRAMS or key.startswith((*_PROGRAM_ROOMS, "cli.", "tables.opt_")):
                continue
            said = words._without_python(entry[lang])
            said = re.sub(r"--[\w-]+ \S+|\{[^}]*\}|\w+=COL\w+", "", said)
            if python.search(said):
                told[key] = said
    assert told == {}


def test_no_error_of_ours_brings_english_into_a_french_sentence():
    """What a parser of ours raises becomes the reason in a sentence: it is said, not written."""
    raised = re.compile(r'raise (?:ValueError|TypeError|KeyError|OSError)\(f?"([^"]*)')
    written = {
        f"{path.name}: {text}"
        for path in PACKAGE.rglob("*.py")
        for text in raised.findall(path.read_text(encoding="utf-8"))
    }
    # a language nobody knows cannot be answered in one; a table of facts is ours, not a user's
    assert written == {
        "__init__.py: lang needs to be one of {', '.join(LANGUAGES)}; {lang!r} was given",
        "columns.py: {product} {vintage}",
    }


def test_what_stands_in_brackets_is_an_option_or_a_command():
    """Each option that a sentence names in the place of an argument exists."""
    options = {
        option
        for path in (PACKAGE / "cli").glob("*.py")
        for option in re.findall(r'"(--[\w-]+)"', path.read_text(encoding="utf-8"))
    }
    named = {
        found.split()[0]
        for entry in words.catalogue().values()
        for text in entry.values()
        for found in words._BOTH.findall(text)
        if found.startswith("--")
    }
    assert named <= options


def test_a_path_in_a_command_to_type_is_quoted():
    """What is copied from a sentence to a terminal works where a path has a blank in it too."""
    spans = [
        span
        for sentence in words.catalogue().values()
        for text in sentence.values()
        for span in re.findall("`lipgeo [^`]*`", text)
    ]
    paths = [
        (name, form)
        for span in spans
        for _, name, form, _ in string.Formatter().parse(span)
        if name in ("path", "folder", "store")
    ]
    assert paths
    assert {form for _, form in paths} == {"q"}


def test_both_ways_of_saying_it_are_one_on_the_command_line():
    """A person at the command line reads the option, and a name that looks alike is left as is."""
    values = {"name": "a level= (--level).csv", "levels": ["CD", "CSD"]}
    with words.on_command_line():
        said = words.say("readers.mixed_levels", **values)
    assert said.endswith("with --level.")
    assert "a level= (--level).csv" in said
    assert words.say("readers.mixed_levels", **values).endswith("with level= (--level).")
