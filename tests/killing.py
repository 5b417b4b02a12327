"""Kill commands while they write, fill the disk under them, and let two write at once.

    python tests/killing.py --points 40     per command; ``python3 dev.py kill`` is this

Each command runs over an earlier result in a forked child that is killed. Half of the kills come
(``SIGKILL``) before a change of the disk that Python tells of: a file opened to be written, a
rename, a folder made, a file removed. The other half come by the clock of the processor
(``SIGPROF``, which nobody handles), spread from the first change to the end: in the middle of what
GDAL, SQLite, Arrow, DuckDB and zlib write. After each kill what stood there is there whole, or the
new one is; the next run of the command succeeds and gives what a run never killed gives; nothing
of the dead one is left, beside the result or among the temporary files. The same where the disk is
full (a disk of memory where this may be mounted, else a limit to the size of files), and where two
processes write at once; a reader beside a writer sees the old result or the new one, or is refused.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: changes of the disk that Python tells of
_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate"}
#: how a child ends: well, with an error of lipgeo, with another one
_DONE, _REFUSED, _FAILED = 0, 3, 4
#: parts of the largest file, or of what is written, at which a disk is full
_FULL = (0.0, 0.1, 0.5, 0.9)
_SECONDS = 120
#: room for a run that is not to fail
_ROOM = 1 << 30
#: the columns of the table
_HEADS = ("at changes", "by clock", "in a file", "disk full", "two writers", "reads", "refused",
          "lost", "mixed", "litter", "other")  # fmt: skip
#: what counts as a point
_POINTS = ("at changes", "by clock", "disk full", "two writers")

State = dict[str, str]


@dataclass(frozen=True)
class Job:
    """A command that writes.

    Attributes
    ----------
    name
        What it is called in the table.
    before
        Makes what stood in the folder before.
    act
        Writes.
    kept
        Raises where a user's own is not there; only of jobs of several steps, each whole.
    state
        What a user sees in the folder.
    read
        Reads the result as a command would, for the reader beside a writer.
    slow
        Whether it takes a second and more: it is killed at a third of the points.
    """

    name: str
    before: Callable[[Path], Any]
    act: Callable[[Path], Any]
    kept: Callable[[Path], Any] | None = None
    state: Callable[[Path], State] | None = None
    read: Callable[[Path], Any] | None = None
    slow: bool = False


def visible_files(folder: Path) -> State:
    """Return the sum of each file that is no lock and stands in no hidden folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part[0] == "." for part in path.relative_to(folder).parts)
    }


def litter(place: Path, scratch: Path) -> list[str]:
    """Return the hidden folders that are left, and all that is among the temporary files."""
    return [path.name for path in (*place.rglob(".lipgeo-*"), *scratch.iterdir())]


def half_written(*folders: Path) -> bool:
    """Whether a dead process left a file that holds something and stands in no place yet."""
    return any(
        path.is_file() and path.stat().st_size and path.name not in {"owner.json", "moves.json"}
        for folder in folders
        for place in folder.rglob(".lipgeo-*")
        for path in place.glob("new/**/*")
    )


@contextlib.contextmanager
def mount_disk(folder: Path) -> Iterator[bool]:
    """Lay a disk of memory under a folder; tell whether this may be done."""
    asked = ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "lipgeo-kill", folder]
    try:
        done = subprocess.run(asked, check=False, capture_output=True).returncode == 0
    except OSError:
        done = False
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "-l", folder], check=True)


def resize_disk(folder: Path, size: int) -> None:
    """Give a disk of memory another size; what is on it stays."""
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def in_child(work: Callable[[], Any], scratch: Path, prepare: Callable[[], Any] = int) -> int:
    """Run work in a forked child; return its status, negative where a signal ended it."""
    child = os.fork()
    if not child:
        status = _FAILED
        try:
            signal.alarm(_SECONDS)
            tempfile.tempdir = str(scratch)
            from lipgeo.errors import LipgeoError

            prepare()
            try:
                work()
                status = _DONE
            except LipgeoError as error:
                status = _REFUSED
                if os.environ.get("KILLING_TELLS"):
                    print(error, flush=True)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _at_change(told: Callable[[int], Any]) -> Callable[[], None]:
    """Return what has this process tell each change of the disk, by its number, before it."""
    number = [0]

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int)
        if event in _CHANGES or (opened and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            if str(arguments[0]) == os.devnull or "__pycache__" in str(arguments[0]):
                return
            told(number[0])
            number[0] += 1

    return lambda: sys.addaudithook(hear)


def _kill_at(point: int) -> Callable[[], None]:
    """Return what has this process die before a change of the disk."""

    def told(number: int) -> None:
        if number == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return _at_change(told)


def _kill_after(seconds: float) -> Callable[[], None]:
    """Return what has this process die when it has worked so long, whatever it does then."""

    def prepare() -> None:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)

    return prepare


class Run:
    """One job, its states, and what it was put through."""

    def __init__(self, job: Job, folder: Path, *, mounted: bool) -> None:
        self.job = job
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.disk, self.mounted = folder, mounted
        self.place, self.scratch = folder / "place", folder / "scratch"
        self._kept = folder / "kept"
        self._kept.mkdir(parents=True)
        self.scratch.mkdir()
        # in a child: a pool of threads that a writer starts here would be dead in every other
        if in_child(lambda: job.before(self._kept), self.scratch) != _DONE:
            raise RuntimeError(f"what stands there before {job.name} cannot be made")
        self.old = self.state(self._kept)
        self.reset()
        told = folder / "changes"
        told.touch()
        handle = os.open(told, os.O_WRONLY | os.O_APPEND)
        begun = [0.0]

        def prepare() -> None:
            _at_change(
                lambda number: os.write(handle, struct.pack("d", time.process_time() - begun[0]))
            )()
            begun[0] = time.process_time()

        def work() -> None:
            job.act(self.place)
            os.write(handle, struct.pack("d", time.process_time() - begun[0]))

        status = in_child(work, self.scratch, prepare)
        os.close(handle)
        #: processor time at each change of the disk, and at the end
        self.times = [one for (one,) in struct.iter_unpack("d", told.read_bytes())]
        self.changes = len(self.times) - 1
        self.new = self.state(self.place)
        if status != _DONE or self.new == self.old:
            raise RuntimeError(f"{job.name} does not run: status {status}")

    def state(self, folder: Path) -> State:
        """Return what a user sees."""
        return (self.job.state or visible_files)(folder)

    def reset(self) -> None:
        """Put back what stood there before."""
        for folder in (self.place, self.scratch):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._kept, self.place)
        self.scratch.mkdir()

    def _fault(self, what: str, at: object) -> None:
        self.counts[what if what in _HEADS else "other"] += 1
        self.faults.append(f"{self.job.name}: {what} at {at}")

    def _require_whole(self, at: object) -> None:
        """Look whether the old or the new is there; whether it is once the next run has looked."""
        if self.job.kept is not None:
            try:
                self.job.kept(self.place)
            except Exception as error:
                self._fault("lost", f"{at}: {error!r}")
            return
        if self.state(self.place) in (self.old, self.new):
            return
        from lipgeo.workplace import clear_litter

        clear_litter(self.place)
        found = self.state(self.place)
        if found in (self.old, self.new):
            return
        known = [{**self.old}.items(), {**self.new}.items()]
        each = all(any(one in of for of in known) for one in found.items())
        whole = {*self.old} & {*self.new} <= {*found}
        self._fault("mixed" if each and whole else "lost", at)

    def _require_next(self, at: object) -> None:
        """Run again: it succeeds or has nothing left to do, and all is as if it was never ended."""
        already = self.state(self.place) == self.new
        status = in_child(lambda: self.job.act(self.place), self.scratch)
        if status != _DONE and not (already and status == _REFUSED):
            self._fault("next run failed", f"{at}: {status}")
        elif self.state(self.place) != self.new:
            self._fault("next run differs", at)
        if litter(self.place, self.scratch):
            self._fault("litter", f"{at}: {litter(self.place, self.scratch)}")

    def kill(self, points: int) -> None:
        """Kill at so many points: half at changes of the disk, half by the clock."""
        half = -(-points // 2)
        last = max(half - 1, 1)
        chosen = sorted({round(k * (self.changes - 1) / last) for k in range(half)})
        for point in chosen:
            self._kill("at changes", f"change {point}", _kill_at(point))
        first, end = self.times[0], self.times[-1]
        for k in range(points - len(chosen)):
            seconds = first + (end - first) * (k + 0.5) / (points - len(chosen))
            self._kill("by clock", f"{seconds:.3f} s", _kill_after(max(seconds, 0.001)))

    def _kill(self, head: str, at: str, prepare: Callable[[], Any]) -> None:
        self.reset()
        status = in_child(lambda: self.job.act(self.place), self.scratch, prepare)
        if status not in (-signal.SIGKILL, -signal.SIGPROF):
            self.counts["ended before"] += 1
            return
        self.counts[head] += 1
        self.counts["in a file"] += half_written(self.place, self.scratch)
        self._require_whole(at)
        self._require_next(at)

    def fill(self) -> None:
        """Fill the disk: at nothing, a tenth, half and most of what is written."""
        sizes = [path.stat().st_size for path in self.place.rglob("*") if path.is_file()]
        for part in _FULL:
            self.reset()
            if self.mounted:
                status = self._fill_disk(int(sum(sizes) * part))
                at = f"{part:.0%} of {sum(sizes)} bytes"
            else:
                status = self._limit_files(int(max(sizes) * part))
                at = f"{part:.0%} of {max(sizes)} bytes"
            self.counts["disk full"] += 1
            if status == _FAILED or status < 0:
                self._fault("full: no sentence", f"{at}: {status}")
            self._require_whole(at)
            self._require_next(at)

    def _fill_disk(self, free: int) -> int:
        """Run on a disk with so many bytes free."""
        held = os.statvfs(self.disk)
        used = (held.f_blocks - held.f_bfree) * held.f_frsize
        resize_disk(self.disk, used + free)
        try:
            return in_child(lambda: self.job.act(self.place), self.scratch)
        finally:
            resize_disk(self.disk, _ROOM)

    def _limit_files(self, limit: int) -> int:
        """Run where no file may grow beyond a size."""

        def prepare() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return in_child(lambda: self.job.act(self.place), self.scratch, prepare)

    def race(self) -> None:
        """Let two write at once."""
        self.reset()
        children = []
        for _ in range(2):
            child = os.fork()
            if not child:
                status = in_child(lambda: self.job.act(self.place), self.scratch)
                os._exit(abs(status) % 256)
            children.append(child)
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        self.counts["two writers"] += 1
        if _DONE not in ends or any(one not in (_DONE, _REFUSED) for one in ends):
            self._fault("two writers", ends)
        self._require_whole("two writers")
        self._require_next("two writers")

    def watch(self, seconds: float = 2.0) -> None:
        """Read beside a writer that writes again and again."""
        if self.job.read is None:
            return
        from lipgeo.errors import LipgeoError

        self.reset()
        old = repr(self.job.read(self.place))
        stop = time.monotonic() + seconds
        child = os.fork()
        if not child:
            tempfile.tempdir = str(self.scratch)
            while time.monotonic() < stop:
                with contextlib.suppress(LipgeoError):
                    self.job.act(self.place)
            os._exit(0)
        seen = []
        while time.monotonic() < stop:
            try:
                seen.append(repr(self.job.read(self.place)))
            except LipgeoError:
                self.counts["refused"] += 1
        os.waitpid(child, 0)
        new = repr(self.job.read(self.place))
        self.counts["reads"] += len(seen)
        wrong = [one for one in seen if one not in (old, new)]
        if wrong:
            self._fault("mixed", f"reading {len(wrong)} times")


def make_jobs(folder: Path, *, demo: bool = True) -> list[Job]:
    """Return a job for each command that writes, over the toy town."""
    import made_deliveries
    import pandas as pd
    import storefiles
    import toytown

    import lipgeo
    from lipgeo import synthetic
    from lipgeo.errors import LipgeoError
    from lipgeo.files import read_sealed_parquet
    from lipgeo.order.package import write_order
    from lipgeo.portal import update_portal
    from lipgeo.portal.indicators.proposing import Proposal
    from lipgeo.portal.pages.fast_facts import write_facts
    from lipgeo.portal.wishlist import make_wishlist
    from lipgeo.registry.template import write_template
    from lipgeo.sealing import is_stamped
    from lipgeo.store.results import write_estimates

    town = toytown.census()
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    fits = [lipgeo.fit_boundaries(town, areas, unit=unit) for unit in ("DA", "DB")]
    tables = []
    for people in (5, 7):
        path = folder / f"counts-{people}.csv"
        rows = "".join(f"{id},{people}\n" for id in town.zones("DB").ids)
        path.write_text(f"unit_id,population\n{rows}")
        tables.append(lipgeo.read_table(path, level="DB", vintage=2021))
    numbers = [lipgeo.weight_table(one, fits[1].crosswalk) for one in tables]
    shapes = fits[1].areas.set_index("area_id").geometry
    pages = [lipgeo.preview(one) for one in fits]
    sheets = [one.plot() for one in fits]
    files = storefiles.town(folder / "files")
    lipgeo.add_census(folder / "store", list(files.values()))
    of_store = ("--store", folder / "store")
    sent = folder / "sent" / "a.geojson"
    (folder / "sent").mkdir()
    toytown.areas().to_file(folder / "sent" / "a.geojson")
    sets = [lipgeo.compile_set(folder / "sent", name=name, census=town) for name in ("a", "b")]
    census = synthetic.census(500)
    profiles = synthetic.write_profile(
        census, [synthetic.table(census, "DA", incomes=False)], folder / "profile"
    )

    def pair(name: str, write: Callable[[int, Path], Any], **more: Any) -> Job:
        """A job that writes the second of two results over the first."""
        return Job(name, lambda place: write(0, place), lambda place: write(1, place), **more)

    def put_numbers(ending: str) -> Callable[[int, Path], Any]:
        return lambda at, place: write_estimates(
            numbers[at], place / f"n{ending}", replace=True, shapes=shapes
        )

    # two censuses, for what compares them
    drawn = folder / "drawn.geojson"
    synthetic.service_areas(census, count=3).to_file(drawn)
    lipgeo.add_census(
        folder / "region", synthetic.write_files(census, folder / "cf", levels=["DB", "DA"])
    )
    years = {2016: synthetic.census(500, vintage=2016), 2021: census}
    link = synthetic.write_correspondence(census, years[2016], folder / "links")
    sources: list[object] = ["--correspondence", link]
    for year, one in years.items():
        path = folder / f"t{year}.csv"
        frame = one.counts("DA")[["population", "dwellings"]].dropna()
        frame.rename_axis(f"DAUID{year}").to_csv(path)
        sources += ["--table", f"{year}={path}"]

    added = pd.DataFrame({"CSDUID": ["3506008", "3506012"], "population": [1, 2]})
    added.to_csv(folder / "csd_2021.csv", index=False)

    def add_counts(place: Path) -> None:
        lipgeo.add_census(place / "store", folder / "csd_2021.csv")

    def counts(place: Path) -> State:
        # what an import added again is told in its manifest
        held = lipgeo.open_census(place / "store").data
        assert lipgeo.verify_store(place / "store").ok
        return {level: held.attributes(level).to_csv() for level in held.levels}

    def rows(value: float) -> pd.DataFrame:
        return pd.DataFrame({"area_id": ["west"], "indicator": "population", "period": "2021",
                             "value": [value], "origin": "ordered"})  # fmt: skip

    def portal(place: Path) -> None:
        lipgeo.open_portal(place / "portal", create=True).add(rows(1000.0), release="first")

    def waiting(place: Path) -> None:
        portal(place)
        rows(1005.0).assign(period="2016", universe="population", source="Town").to_csv(
            place / "portal" / "incoming" / "more.csv", index=False
        )

    def shown(place: Path) -> State:
        opened = lipgeo.open_portal(place / "portal")
        frame = opened.frame()[["area_id", "period", "value", "symbol"]]
        moved = {path.name: "" for path in (place / "portal").rglob("more.csv")}
        return {"rows": frame.to_csv(index=False), "releases": str(len(opened.releases)), **moved}

    def first_is_there(place: Path) -> None:
        state = shown(place)
        assert "1000" in state["rows"], "the first release is gone"

    def recalled_or_there(place: Path) -> None:
        assert int(shown(place)["releases"]) == 1

    def site(at: int, place: Path) -> None:
        if not at:
            portal(place)
        opened = lipgeo.open_portal(place / "portal")
        if at:
            with contextlib.suppress(lipgeo.errors.StoreError):
                opened.add(rows(1010.0).assign(period="2016"), release="second")
        lipgeo.build_site(opened.reopen(), place / "site", replace=True)

    def site_is_there(place: Path) -> None:
        first_is_there(place)
        assert (place / "site" / "manifest.json").is_file(), "no site"

    def names(place: Path) -> State:
        return {path.name: "" for path in place.glob("*.xlsx")}

    def call(*arguments: object) -> None:
        from lipgeo.cli import main as run_command

        silent = io.StringIO()
        with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            try:
                run_command([*map(str, arguments), "--replace"])
            except SystemExit as ended:
                if ended.code not in (0, 1, None):
                    raise LipgeoError("cli.error", message=silent.getvalue()) from None

    def compare(ending: str) -> Callable[[int, Path], Any]:
        def write(at: int, place: Path) -> None:
            call(
                "compare",
                drawn,
                "--id",
                "area_id",
                "--out",
                place / f"c{ending}",
                "--variables",
                ("population", "dwellings")[at],
                *sources,
                "--store",
                folder / "region",
            )

        return write

    def each_whole(place: Path) -> None:
        # several files, each moved by itself
        assert all(is_stamped(place / name) for name in visible_files(place))

    def facts(at: int, place: Path) -> None:
        opened = lipgeo.open_portal(portals[0])
        for ending in ("html", "xlsx", "docx", "pdf"):
            write_facts(
                opened, "on-ottawa", place / f"f.{ending}", lang=("en", "fr")[at], replace=True
            )

    def wishes(at: int, place: Path) -> None:
        make_wishlist(lipgeo.open_portal(portals[at])).write(place / "w.csv", replace=True)

    def propose(at: int, place: Path) -> None:
        given = pd.DataFrame({"id": ["1", "2"], "words": ["a", f"b{at}"]}, dtype="string")
        Proposal(given, given, given).write(place, 2026)

    def delivered(place: Path) -> None:
        portal(place)
        shutil.copytree(made.order, place / "order")
        made_deliveries.write_down(made, place / "t.csv")

    def receive(place: Path) -> None:
        lipgeo.open_portal(place / "portal").receive(
            place / "t.csv", order=place / "order", release="second", accept=None
        )

    portals = [folder / "portal-0", folder / "portal-1"]
    for path, value in zip(portals, (1000.0, 1010.0), strict=True):
        lipgeo.open_portal(path, create=True, areas="on-ottawa").add(
            rows(value).assign(area_id="on-ottawa"), release="first"
        )
    made = made_deliveries.made_order(folder / "order")
    jobs = [
        pair("build", lambda at, place: lipgeo.write_build(fits[at], place / "b", replace=True),
             read=lambda place: len(lipgeo.read_build(place / "b").units)),
        pair("order", lambda at, place: write_order(
            fits[1], place / "o", contact=f"desk {at}", replace=True), slow=True),
        pair("weight .csv (three files)", put_numbers(".csv")),
        pair("weight .xlsx", put_numbers(".xlsx")),
        pair("weight .parquet", put_numbers(".parquet"),
             read=lambda place: read_sealed_parquet(place / "n.parquet")[0].num_rows),
        pair("weight .gpkg", put_numbers(".gpkg")),
        pair("compare .csv", compare(".csv"), slow=True),
        pair("compare .xlsx", compare(".xlsx"), slow=True),
        pair("make", lambda at, place: call(
            "make", sent, "--contact", f"desk {at}", "--out", place / "m", *of_store), slow=True),
        pair("gaps .xlsx", lambda at, place: call(
            "gaps", "--kind", ("LIP", "ZIP")[at], "--out", place / "g.xlsx", *of_store), slow=True),
        pair("preview .png .pdf", lambda at, place: [
            sheets[at].save(place / f"m.{kind}", replace=True) for kind in ("png", "pdf")],
            kept=each_whole, slow=True),
        pair("crosswalk", lambda at, place: lipgeo.write_crosswalk(
            (fits[at].membership, fits[at].crosswalk)[at], place / "x.parquet", replace=True),
            read=lambda place: len(lipgeo.read_crosswalk(place / "x.parquet").frame)),
        pair("preview .html", lambda at, place: pages[at].save(place / "m.html", replace=True)),
        pair("compile", lambda at, place: lipgeo.write_set(sets[at], place / "s", replace=True),
             read=lambda place: lipgeo.read_set(place / "s").name),
        Job("census add", lambda place: lipgeo.add_census(place / "store", list(files.values())),
            add_counts, state=counts,
            read=lambda place: lipgeo.open_census(place / "store").counts("CSD").sum().tolist()),
        Job("census table add", lambda place: None,
            lambda place: lipgeo.add_table(place / "store", profiles, name="p")),
        Job("template", lambda place: (place / "mine.txt").write_text("mine"),
            lambda place: write_template(place / "t.xlsx", replace=True), state=names),
        Job("portal new", lambda place: None, portal, kept=lambda place: None,
            state=lambda place: shown(place) if (place / "portal").exists() else {}),
        Job("portal add", portal,
            lambda place: lipgeo.open_portal(place / "portal").add(rows(5.0).assign(period="2016"),
                                                                   release="second"), state=shown),
        Job("portal update", waiting, lambda place: update_portal(place / "portal"), state=shown,
            kept=first_is_there),
        Job("portal withdraw", portal,
            lambda place: lipgeo.open_portal(place / "portal").withdraw("first", reason="recalled"),
            state=shown, kept=recalled_or_there),
        pair("portal build", site, state=shown, kept=site_is_there, slow=True),
        pair("portal facts (four kinds)", facts, kept=each_whole, slow=True),
        pair("portal wishlist", wishes),
        Job("portal indicators", lambda place: propose(0, place), lambda place: propose(1, place)),
        Job("portal receive", delivered, receive, state=shown, kept=first_is_there),
    ]  # fmt: skip
    if demo:
        from lipgeo.synthetic.demo import run_demo

        jobs.append(Job("demo", lambda place: None, lambda place: run_demo(place / "d"),
                        state=lambda place: dict.fromkeys(visible_files(place), ""),
                        slow=True))  # fmt: skip
    return jobs


def main() -> None:
    """Put every job through it, print the table; end with 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--points", type=int, default=30, help="kills a command; a third of a slow one"
    )
    parser.add_argument("--only", default="", help="part of a job's name")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'':>26}{'changes':>9}" + "".join(f"{head:>12}" for head in _HEADS))
    total: Counter[str] = Counter()
    faults: list[str] = []
    disks: set[bool] = set()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "made").mkdir()
        for job in make_jobs(folder / "made"):
            if asked.only not in job.name:
                continue
            disk = folder / "runs" / job.name.replace(" ", "-").replace("/", "-")
            disk.mkdir(parents=True)
            with mount_disk(disk) as mounted:
                disks.add(mounted)
                one = Run(job, disk, mounted=mounted)
                one.kill(max(asked.points // 3, 2) if job.slow else asked.points)
                if job.name != "demo":
                    one.fill()
                    one.race()
                    one.watch()
            total += one.counts
            faults += one.faults
            cells = "".join(f"{one.counts[head]:>12}" for head in _HEADS)
            print(f"{job.name:>26}{one.changes:>9}{cells}", flush=True)
            for fault in one.faults[:5]:
                print(f"    {fault}", flush=True)
    cells = "".join(f"{total[head]:>12}" for head in _HEADS)
    print(f"{'in all':>26}{'':>9}{cells}")
    full = "a disk of memory" if disks == {True} else "a limit to the size of files"
    points = sum(total[head] for head in _POINTS)
    print(f"{points} points, {len(faults)} faults; full was {full}")
    sys.exit(int(bool(faults)))


if __name__ == "__main__":
    main()
