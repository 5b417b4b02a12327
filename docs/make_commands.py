"""Make the pages of commands from what ``--help`` says: ``python docs/make_commands.py [--check]``.

Help texts are made when the command line is loaded, so each language takes a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import writing

HEADS = {
    "en": (
        "reference/commands.md",
        "# Commands\n\n"
        "`lipgeo` and `python -m lipgeo` are the same.\n"
        "Exit status: 0 done; 1 done with findings you must see; 2 wrong call or wrong input.\n"
        "Results go to stdout (`--json` for a program), findings and progress to stderr.\n"
        "This page is what `--help` prints; `python docs/make_commands.py` makes it.\n",
    ),
    "fr": (
        "fr/commands.md",
        "# Commandes\n\n"
        "`lipgeo` et `python -m lipgeo` sont la même chose.\n"
        "Code de sortie : 0 fait; 1 fait, avec des constats à lire; "
        "2 appel ou données à corriger.\n"
        "Les résultats vont à stdout (`--json` pour un programme), les constats et la progression "
        "à stderr.\n"
        "Cette page est ce qu'affiche `--help --lang fr`; "
        "`python docs/make_commands.py` la fait.\n",
    ),
}


def helps() -> dict[str, str]:
    """Return each command that is not hidden and its help, in the language in force."""
    from contextlib import redirect_stdout
    from io import StringIO

    import typer

    from lipgeo.cli.app import app

    def walk(command: Any, words: list[str]) -> list[list[str]]:
        found = [words]
        for name, one in getattr(command, "commands", {}).items():
            if not one.hidden:
                found += walk(one, [*words, name])
        return found

    said = {}
    for words in walk(typer.main.get_command(app), []):
        heard = StringIO()
        with redirect_stdout(heard):
            try:
                app(args=[*words, "--help"], prog_name="lipgeo")
            except SystemExit as done:
                if done.code:
                    raise
        said[" ".join(["lipgeo", *words])] = heard.getvalue().strip()
    return said


def pages() -> dict[str, str]:
    """Return the page of each language."""
    made = {}
    for language, (name, head) in HEADS.items():
        env = {key: value for key, value in os.environ.items() if not key.startswith("LIPGEO_")}
        env |= {"LIPGEO_LANG": language, "COLUMNS": "88", "PYTHONUTF8": "1", "NO_COLOR": "1"}
        told = subprocess.run(
            [sys.executable, __file__, "--tell", language],
            env=env, check=True, capture_output=True, encoding="utf-8",
        ).stdout  # fmt: skip
        sections = [
            f"\n## {command}\n\n```text\n" + "\n".join(line.rstrip() for line in text.splitlines())
            + "\n```\n"
            for command, text in json.loads(told).items()
        ]  # fmt: skip
        made[name] = head + "".join(sections)
    return made


if __name__ == "__main__":
    if "--tell" in sys.argv:
        from lipgeo import words

        words.use("fr" if sys.argv[-1] == "fr" else "en")
        print(json.dumps(helps()))
        sys.exit()
    sys.exit(writing.main(pages()))
