"""Make the pages of errors and findings from the code and the catalogue.

``python docs/make_errors.py [--check]``
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import writing

import lipgeo
from lipgeo import errors
from lipgeo.words import catalogue

PACKAGE = Path(lipgeo.__file__).parent
SEVERITIES = ("error", "warning", "note")
#: the classes of errors that are raised
ERRORS = [
    name
    for name in errors.__all__
    if inspect.isclass(getattr(errors, name)) and name != "LipgeoError"
]
#: rooms whose other sentences are headings, labels and progress
LABELS = {"cli", "maps", "report", "words"}
LABELS_WITHIN = (
    ".column_", ".instruction_", ".why_", ".head_", ".readme_", ".rule_",
    "order.attribution", "order.diff_", "order.list_", "store.title", "store.missing_title",
)  # fmt: skip
HEADS = {
    "en": (
        "reference/errors.md",
        "# Errors and findings, with their cures\n\n"
        "Every error is a `lipgeo.errors.LipgeoError` and also the builtin named beside it, so "
        "`except ValueError` works.\n"
        "`error.problems` is a table, one row a problem; `error.key` is the name printed here.\n"
        "What stands between ‹ › is filled in when the sentence is said; lists show their first "
        "five and how many more.\n"
        "`python docs/make_errors.py` makes this page from the code.\n",
        {"error": "Findings: errors", "warning": "Findings: warnings", "note": "Findings: notes"},
        "A finding stops nothing: it is a row of `checks.json`, of `report`, and of what the "
        "commands print.\n",
        "Faults that an error or a finding lists",
    ),
    "fr": (
        "fr/errors.md",
        "# Erreurs et constats, avec leurs remèdes\n\n"
        "Toute erreur est une `lipgeo.errors.LipgeoError` et aussi l'erreur de Python nommée à "
        "côté.\n"
        "`error.problems` est un tableau d'une ligne par problème; `error.key` est le nom imprimé "
        "ici.\n"
        "Ce qui est entre ‹ › est rempli quand la phrase est dite; les listes montrent leurs cinq "
        "premiers éléments et combien il en reste.\n"
        "`python docs/make_errors.py` fait cette page d'après le code.\n",
        {"error": "Constats : erreurs", "warning": "Constats : avertissements",
         "note": "Constats : remarques"},
        "Un constat n'arrête rien : c'est une ligne de `checks.json`, de `report` et de ce "
        "qu'affichent les commandes.\n",
        "Défauts qu'énumère une erreur ou un constat",
    ),
}  # fmt: skip


def _patterns(call: ast.Call) -> list[str]:
    """Return patterns of the keys that a call puts together: ``f"order.{universe}_below"``."""
    made = [
        "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z_]+"
            for part in argument.values
        )
        for argument in call.args
        if isinstance(argument, ast.JoinedStr)
    ]
    # one that names no more than its room could be any key of it
    return [one for one in made if one.rpartition(".")[2].strip("\\") not in ("", "[a-z_]+")]


@cache
def said_by_code() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return the keys each error class is raised with, and the keys of findings by severity."""
    raised: dict[str, set[str]] = defaultdict(set)
    found: dict[str, set[str]] = defaultdict(set)
    known = catalogue()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            keys = {
                part.value
                for argument in [*node.args, *(word.value for word in node.keywords)]
                for part in ast.walk(argument)
                if isinstance(part, ast.Constant) and part.value in known
            }
            for made in _patterns(node):
                keys |= {key for key in known if re.fullmatch(made, key)}
            if called in ERRORS:
                raised[called] |= keys
            elif called == "require_kind":
                raised["KindError"] |= keys
            words = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            for severity in SEVERITIES:
                if severity in words or any(
                    isinstance(word.value, ast.Constant) and word.value.value == severity
                    for word in node.keywords
                ):
                    found[severity] |= keys
    return raised, found


def pages() -> dict[str, str]:
    """Return the page of each language."""
    raised, found = said_by_code()
    sentences = catalogue()
    told = set().union(*raised.values(), *found.values())
    made = {}
    for language, (name, head, titles, about, faults) in HEADS.items():
        parts = [head]
        for class_name in ERRORS:
            kind = getattr(errors, class_name)
            builtin = next(base for base in kind.__mro__ if base.__module__ == "builtins")
            parts.append(f"\n## {class_name}\n\nPython: `{builtin.__name__}`.\n")
            if language == "en":
                parts.append(f"{writing.plain(inspect.getdoc(kind).splitlines()[0])}\n")
            parts.append("\n")
            parts += [
                f"- `{key}`: {writing.plain(sentences[key][language])}\n"
                for key in sorted(raised.get(class_name, ()))
            ]
        for severity in SEVERITIES:
            if found.get(severity):
                parts.append(f"\n## {titles[severity]}\n\n{about}\n")
                parts += [
                    f"- `{key}`: {writing.plain(sentences[key][language])}\n"
                    for key in sorted(found[severity])
                ]
        parts.append(f"\n## {faults}\n\n")
        parts += [
            f"- `{key}`: {writing.plain(said[language])}\n"
            for key, said in sentences.items()
            if key not in told
            and key.partition(".")[0] not in LABELS
            and not any(part in key for part in LABELS_WITHIN)
            and said["en"].endswith(".")
        ]
        made[name] = "".join(parts)
    return made


if __name__ == "__main__":
    sys.exit(writing.main(pages()))
