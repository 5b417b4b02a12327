"""Make the environment and run the project's own commands, with nothing but Python.

    python3 dev.py demo     made census, whole chain; prints where the results are
    python3 dev.py test     every check and test
    python3 dev.py lint     ruff, mypy, import rules only
    python3 dev.py docs     build the documentation
    python3 dev.py bench    print the benchmark tables
    python3 dev.py fuzz     read damaged files of every kind: --count 50000 --seed 1
    python3 dev.py flip     flip bits of all that lipgeo keeps: --count 5000 --seed 1
    python3 dev.py kill     kill all that writes, at every step: --points 40
    python3 dev.py golden   make the golden order of the tests anew; look at what changed
    python3 dev.py lock     make constraints.txt anew from pyproject.toml

The first run makes ``.venv`` beside this file and installs the versions pinned, with their
hashes, in ``constraints.txt``; later runs start at once.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
CONSTRAINTS = ROOT / "constraints.txt"
#: extras each command needs
EXTRAS: dict[str, list[str]] = {
    "demo": ["documents"],
    "lint": ["test"],
    "test": ["test", "tables", "spark", "documents"],
    "docs": ["docs", "documents"],
    "bench": ["tables", "spark", "bench"],
    "fuzz": ["test", "tables"],
    "flip": ["test", "tables"],
    "kill": ["test", "tables"],
    "golden": ["test"],
    "lock": ["lock"],
}


def run(*command: str | Path, check: bool = True) -> int:
    """Run a command in the project's folder and pass its output through."""
    code = subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode
    if check and code:
        raise SystemExit(code)
    return code


def name_of(requirement: str) -> str:
    """Return the normalised package name at the head of a requirement."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()  # type: ignore[index]


def groups() -> dict[str, list[str]]:
    """Return what the package needs (key ``""``), its extras and its development groups."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        "": project["project"]["dependencies"],
        **project["project"]["optional-dependencies"],
        **project["dependency-groups"],
    }


def pinned(extras: list[str]) -> list[str]:
    """Return the lines of ``constraints.txt`` that some extras need, with their hashes.

    The file says after each package which others asked for it ("via"); walking that back from
    the names in ``pyproject.toml`` leaves out what only other extras need (Spark is 400 MB).
    """
    entries: dict[str, list[str]] = {}
    via: dict[str, set[str]] = {}
    name = ""
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("#"):
            via[name].add(name_of(line.strip("# ").removeprefix("via").strip() or "via"))
        elif line[:1].isspace():
            entries[name][-1] += "\n" + line
        elif line:
            name = name_of(line)
            entries.setdefault(name, []).append(line)
            via.setdefault(name, set())
    asked = groups()
    direct = {name_of(r) for extra in ("", "build", *extras) for r in asked[extra]}
    elsewhere = {name_of(r) for needs in asked.values() for r in needs} - direct
    found = set(direct)
    while more := {n for n in via if n not in found | elsewhere and via[n] & found}:
        found |= more
    return [line for n in sorted(found) for line in entries[n]]


def prepare(extras: list[str]) -> None:
    """Make the environment, or bring it up to date, from the pinned versions."""
    facts = (ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()
    stamp = VENV / f".ready-{hashlib.sha256(facts).hexdigest()[:16]}-{'-'.join(sorted(extras))}"
    if stamp.exists():
        return
    if not PYTHON.exists():
        if not (3, 11) <= sys.version_info[:2] < (3, 14):
            raise SystemExit(
                f"lipgeo needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]} "
                f"({sys.executable}). Run it with one of those: python3.12 dev.py demo"
            )
        print(f"making {VENV.name} ...", file=sys.stderr)
        venv.EnvBuilder(with_pip=True).create(VENV)
    print(f"installing into {VENV.name} (the first time takes minutes) ...", file=sys.stderr)
    pip = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "pinned.txt"
        names.write_text("\n".join(pinned(extras)), encoding="utf-8")
        run(*pip, "--require-hashes", "-r", names)
    run(*pip, "--no-build-isolation", "-e", ".")
    run(PYTHON, "-m", "pip", "check", "--disable-pip-version-check")
    stamp.touch()


def lint() -> int:
    """Run ruff, mypy and the import rules; return how many failed."""
    commands = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports", "--no-cache"],
    ]
    return sum(bool(run(BIN / name, *rest, check=False)) for name, *rest in commands)


def test(arguments: list[str]) -> int:
    """Run the checks and the tests; the tests' own closing line comes last."""
    failed = lint() if not arguments else 0
    # a file stays with one worker: what its tests share is made once, and Spark started once
    several = ["-n", "auto", "--dist", "loadfile"]
    workers = [] if any(a.startswith("-n") for a in arguments) else several
    code = run(PYTHON, "-m", "pytest", *workers, *arguments, check=False)
    if failed:
        print(f"{failed} of the static checks failed; see above", file=sys.stderr)
    return code or bool(failed)


def lock() -> int:
    """Write ``constraints.txt``: every extra, every platform; names, versions and hashes only."""
    run(
        *(BIN / "uv", "pip", "compile", "pyproject.toml", "--all-extras", "--universal"),
        *(word for group in ("build", "bench", "lock") for word in ("--group", group)),
        *("--generate-hashes", "--no-header", "--python-version", "3.11", "--upgrade"),
        *("--no-emit-index-url", "--no-emit-find-links", "--quiet", "-o", CONSTRAINTS),
    )
    if re.search(r"https?://", CONSTRAINTS.read_text(encoding="utf-8")):
        raise SystemExit("constraints.txt holds an address; it may hold names and hashes only")
    return 0


def main(arguments: list[str]) -> int:
    """Run one command; return its exit status."""
    command = arguments[0] if arguments else ""
    if command not in EXTRAS:
        print(__doc__)
        return 0 if command in ("", "-h", "--help") else 2
    prepare(EXTRAS[command])
    rest = arguments[1:]
    if command == "demo":
        return run(PYTHON, "-m", "lipgeo", "demo", "--out", ROOT / "demo-out", *rest, check=False)
    if command == "test":
        return test(rest)
    if command == "lint":
        return lint()
    if command == "docs":
        for name in ("commands", "errors", "variables"):
            run(PYTHON, f"docs/make_{name}.py")
        return run(
            *(PYTHON, "-m", "sphinx", "-W", "--keep-going", "-b", "html"),
            *("docs", "docs/_build/html"),
            check=False,
        )
    if command == "bench":
        return run(PYTHON, "benchmarks/run.py", *rest, check=False)
    if command == "fuzz":
        return run(PYTHON, "tests/fuzzing.py", *rest, check=False)
    if command == "flip":
        return run(PYTHON, "tests/flipping.py", *rest, check=False)
    if command == "kill":
        return run(PYTHON, "tests/killing.py", *rest, check=False)
    if command == "golden":
        return run(PYTHON, "tests/remake_golden.py", check=False)
    return lock()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
