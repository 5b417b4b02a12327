"""The documentation is true: its code runs, its generated pages are current, its twins agree."""

from __future__ import annotations

import importlib
import operator
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import sparkhere

import lipgeo
from lipgeo import words
from lipgeo.cli import main

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))
import showing  # noqa: E402

#: blocks that are shown and not run: output, trees, and what only another system or a network has
SHOWN = {"text", "bat", "powershell", "shell", "toml", "csv", "ini"}
_FENCE = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\S+)[^\n]*\n(?P<body>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its kind, the file it is to be written to, text and line."""

    kind: str
    file: str
    body: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(m["kind"], m["file"] or "", m["body"], text[: m.start("body")].count("\n"))
        for m in _FENCE.finditer(text)
    ]


def _pages() -> list[Path]:
    generated = {"commands.md", "errors.md", "variables.md"}
    written = [
        path
        for path in sorted(DOCS.rglob("*.md"))
        if path.name not in generated
        and not {"_build", "examples", "generated"} & set(path.relative_to(DOCS).parts)
    ]
    return [*written, *sorted((ROOT / "examples").glob("*.md")), ROOT / "README.md"]


PAGES = _pages()
#: pages in both languages: the French one has the very blocks of the English one
TWINS = [
    page
    for page in PAGES
    if page.is_relative_to(DOCS)
    and (page.parent == DOCS / "how-to" or (DOCS / "fr" / page.relative_to(DOCS)).exists())
    and not page.read_text(encoding="utf-8").startswith(showing.MARK)
    and page != DOCS / "index.md"
]


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _has_code(page: Path) -> bool:
    if page in [DOCS / "fr" / twin.relative_to(DOCS) for twin in TWINS]:
        return False  # runs as its English twin
    ran = {"python", "console", "{code-cell}"}
    return any(block.kind in ran for block in blocks(page))


def _on_spark(page: Path) -> bool:
    return any("lipgeo.spark" in block.body for block in blocks(page) if block.kind == "python")


@pytest.fixture(scope="session")
def demo_told(demonstration) -> tuple[Path, str]:
    """Return what ``lipgeo demo`` leaves, which every page works on, and what it prints."""
    folder = demonstration["store"].parent
    here = {name: path.relative_to(folder) for name, path in demonstration.items()}
    said = [f"{name}: {Path('lipgeo-demo', path).as_posix()}" for name, path in here.items()]
    return folder, "\n".join(said)


@pytest.fixture(scope="session")
def demo(demo_told) -> Path:
    """Return the folder of the demonstration."""
    return demo_told[0]


@pytest.fixture
def workplace(demo, tmp_path, monkeypatch) -> Path:
    """Stand in a folder of its own that holds the demonstration's files."""
    shutil.copytree(demo, tmp_path / "lipgeo-demo", copy_function=_link)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIPGEO_STORE", "lipgeo-demo/store")
    for name in ("LIPGEO_LANG", "LIPGEO_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    words.use("en")


def _link(source: str, target: str) -> str:
    """Copy without copying where the disk can: nothing written by lipgeo is changed in place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def run_console(body: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run each line after ``$``; what stands below must be in what it prints."""
    said = ""
    for line in body.splitlines():
        if line.startswith("$ "):
            command, *arguments = shlex.split(line[2:])
            assert command == "lipgeo", f"only lipgeo is run here, not {command}"
            capsys.readouterr()
            if arguments[:1] == ["demo"]:  # the page makes what the others find
                shutil.rmtree("lipgeo-demo", ignore_errors=True)
            with pytest.raises(SystemExit) as left:
                main(arguments)
            out, err = capsys.readouterr()
            said = out + err
            assert left.value.code in (0, 1, None), f"{line}\n{said}"
        elif line.strip():
            assert line.strip() in said, f"not printed: {line}\n{said}"


def run_as_shown(body: str, language: str, demo: str) -> None:
    """Run each line after ``$``; what stands below must be the whole of what it shows."""
    with showing.speaking_as_page(language):
        for command, below in showing.commands(body):
            made = command == "lipgeo demo"  # its folder is here already
            said = _in_words_of(demo, language) if made else showing.shown(command)
            assert said == below, "run python docs/make_tutorial.py"


def _in_words_of(said: str, language: str) -> str:
    """Return what ``lipgeo demo`` prints as it is said in a language."""
    names = {
        entry["en"]: entry[language]
        for key, entry in words.catalogue().items()
        if key.startswith("synthetic.")
    }
    with words.speaking(language):
        pairs = (line.partition(": ") for line in said.splitlines())
        return "\n".join(f"{words.say('usage.heading', name=names[n])} {p}" for n, _, p in pairs)


def run_python(source: str, names: dict[str, object], page: Path, line: int) -> None:
    """Run code; an error names the line of the page."""
    exec(compile("\n" * line + source, str(page), "exec"), names)


@pytest.fixture
def engine(page):
    """Where a page works on Spark: skip it without Java, and end Spark's Java after it."""
    if not _on_spark(page):
        yield
        return
    sparkhere.require_spark()
    yield
    sparkhere.end_spark()


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=sparkhere.MARKS if _on_spark(p) else []) for p in PAGES if _has_code(p)],
    ids=_name,
)
@pytest.mark.usefixtures("engine")
def test_code_of_a_page_runs(page, workplace, demo_told, capsys):
    """Every block of a page runs, in order, in one folder, as a reader would type it."""
    names: dict[str, object] = {"__name__": "__page__"}
    text = page.read_text(encoding="utf-8")
    language = "fr" if DOCS / "fr" in page.parents else "en"
    for block in blocks(page):
        if block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.body, encoding="utf-8")
        elif block.kind in ("python", "{code-cell}"):
            run_python(block.body, names, page, block.line)
        elif block.kind == "console" and text.startswith(showing.MARK):
            run_as_shown(block.body, language, demo_told[1])
        elif block.kind == "console":
            run_console(block.body, capsys)
        elif not block.kind.startswith("{"):  # a directive of Sphinx is no code
            assert block.kind in SHOWN, f"{page.name}:{block.line}: nobody runs {block.kind!r}"
    for picture in showing.PICTURE.finditer(text):
        assert Path(picture["made"]).exists()


@pytest.mark.parametrize("notebook", sorted((ROOT / "examples").glob("*.md")), ids=_name)
def test_a_notebook_shows_a_map_and_a_chart(notebook):
    """A cell ends in a map, and one in a chart: what is only saved is seen by nobody."""
    cells = [block.body.splitlines() for block in blocks(notebook) if block.kind == "{code-cell}"]
    assert any(cell[-1] == "page" or cell[-1].startswith("lipgeo.preview(") for cell in cells)
    assert any(re.search(r"\.plot\b|\.plot\.", "\n".join(cell)) for cell in cells)


def test_pictures_are_there_and_small():
    """Each picture of a page is in the project, and no page is heavy."""
    shown = {
        page.parent / name
        for page in PAGES
        for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    assert len(shown) >= 5
    assert [path for path in shown if not 2_000 < path.stat().st_size < 200_000] == []


@pytest.mark.parametrize("page", TWINS, ids=_name)
def test_french_page_says_the_same_code(page):
    """A page that exists in French, as every guide does, has the very blocks of the English one."""
    twin = DOCS / "fr" / page.relative_to(DOCS)
    assert twin.exists(), f"no French page: {twin}"
    english = [(block.kind, block.file, block.body) for block in blocks(page)]
    french = [(block.kind, block.file, block.body) for block in blocks(twin)]
    assert french == english


@pytest.fixture(scope="module")
def makers():
    """Return the makers of reference pages."""
    return {
        name: importlib.import_module(f"make_{name}")
        for name in ("commands", "errors", "variables")
    }


@pytest.mark.parametrize("name", ["commands", "errors", "variables"])
def test_made_pages_are_current(makers, name):
    """The pages made from the code say what the code says today."""
    stale = makers[name].writing.stale(makers[name].pages())
    assert stale == [], f"run python docs/make_{name}.py"


def test_every_command_is_documented(makers):
    """Each command has its section, in both languages, and stands on a page a person reads."""
    commands = [f"lipgeo {name}".strip() for name in _command_names()]
    prose = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for page in ("reference/commands.md", "fr/commands.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        assert [name for name in commands if f"\n## {name}\n" not in text] == []
    assert [name for name in commands if name not in prose] == []


def _command_names() -> list[str]:
    import typer

    from lipgeo.cli.app import app

    def walk(command, head=()):
        found = []
        for name, one in getattr(command, "commands", {}).items():
            if not one.hidden:
                found += [" ".join([*head, name]), *walk(one, (*head, name))]
        return found

    return walk(typer.main.get_command(app))


def test_every_error_has_its_cure(makers):
    """Each error class, and each key an error is raised with, stands on the page of errors."""
    raised, _ = makers["errors"].said_by_code()
    classes = set(makers["errors"].ERRORS)
    assert {"AreaError", "FileError", "TableError"} <= classes
    for page in ("reference/errors.md", "fr/errors.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        keys = {key for some in raised.values() for key in some}
        assert {key for key in keys if f"`{key}`" not in text} == set()
        assert {name for name in classes if f"\n## {name}\n" not in text} == set()


def test_every_public_name_is_in_the_reference():
    """The page of the Python API lists each public function and class, and nothing else."""
    text = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   ([A-Za-z][\w.]*)$", text, re.M)
    assert {name for name in listed if "." not in name} == set(lipgeo._FILES)
    for name in listed:
        assert callable(operator.attrgetter(name)(lipgeo)), name
    assert len(listed) == len(set(listed))


def test_every_page_is_reached():
    """No page stands outside every table of contents."""
    listed = set()
    for page in DOCS.rglob("*.md"):
        for body in re.findall(r"```\{toctree\}.*?\n(.*?)```", page.read_text("utf-8"), re.S):
            for entry in body.splitlines():
                name = re.sub(r".*<(.*)>", r"\1", entry.strip())
                if name and not name.startswith(":"):
                    listed.add((page.parent / name).resolve())
    pages = {p.with_suffix("").resolve() for p in PAGES if DOCS in p.parents}
    assert pages - listed - {DOCS / "index"} == set()


def test_one_sentence_a_line():
    """Prose has one sentence a line, so that a change shows what changed."""
    several = re.compile(r"[a-zé)`»]{3}[.!?] [A-ZÀÉÊ]")
    found = []
    for page in PAGES:
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        found += [
            f"{_name(page)}: {line}"
            for line in text.splitlines()
            if several.search(line) and not line.startswith("|")
        ]
    assert found == []


def test_no_page_names_this_machine():
    """No path of a machine and no unlisted address stands in a page."""
    for page in [*PAGES, *DOCS.rglob("commands.md"), *DOCS.rglob("errors.md")]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(work|tmp|home|root)/", text), page
