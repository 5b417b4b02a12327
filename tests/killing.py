"""Kill commands while they write, fill the disk under them, and let two write at once.

    python tests/killing.py --points 40     per command; ``python3 dev.py kill`` is this

Each command runs over an earlier result in a forked child that is killed (``SIGKILL``) before one
change of the disk after the other: a file opened to be written, a rename, a folder made, a file
removed. After each kill what stood there is there whole, or the new one is; the next run of the
command succeeds and gives what a run never killed gives; no hidden folder of the dead one is left,
beside the result or among the temporary files. The same where no file may grow beyond a size (a
full disk), and where two processes write at once; a reader beside a writer sees the old result or
the new one, or is refused.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: changes of the disk that Python tells of
_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate"}
#: how a child ends: well, with an error of lipgeo, with another one
_DONE, _REFUSED, _FAILED = 0, 3, 4
#: parts of the largest file at which a disk is full
_FULL = (0.0, 0.1, 0.5, 0.9)
_SECONDS = 120

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
    """

    name: str
    before: Callable[[Path], Any]
    act: Callable[[Path], Any]
    kept: Callable[[Path], Any] | None = None
    state: Callable[[Path], State] | None = None
    read: Callable[[Path], Any] | None = None


def visible_files(folder: Path) -> State:
    """Return the sum of each file that is no lock and stands in no hidden folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part[0] == "." for part in path.relative_to(folder).parts)
    }


def litter(*folders: Path) -> list[str]:
    """Return the hidden folders that are left."""
    return [path.name for folder in folders for path in folder.rglob(".lipgeo-*")]


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


def _hook(point: int, count: Callable[[], Any]) -> Callable[[], None]:
    """Return what has this process die before so many changes of the disk."""
    left = [point]

    def told(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int)
        if event in _CHANGES or (opened and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            if str(arguments[0]) == os.devnull or "__pycache__" in str(arguments[0]):
                return
            count()
            left[0] -= 1
            if left[0] == -1:
                os.kill(os.getpid(), signal.SIGKILL)

    return lambda: sys.addaudithook(told)


class Run:
    """One job, its states, and what it was put through."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.place, self.scratch = folder / "place", folder / "scratch"
        self._kept = folder / "kept"
        self._kept.mkdir(parents=True)
        job.before(self._kept)
        self.old = self.state(self._kept)
        self.reset()
        counter = folder / "changes"
        counter.touch()
        handle = os.open(counter, os.O_WRONLY | os.O_APPEND)
        status = in_child(
            lambda: job.act(self.place), self.scratch, _hook(-2, lambda: os.write(handle, b"."))
        )
        os.close(handle)
        self.changes = counter.stat().st_size
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
        self.counts[what] += 1
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
            self.counts["whole at once"] += 1
            return
        from lipgeo.workplace import clear_litter

        clear_litter(self.place)
        if self.state(self.place) in (self.old, self.new):
            self.counts["put back"] += 1
        else:
            self._fault("lost", at)

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
        """Kill at so many points, evenly over all changes of the disk."""
        chosen = sorted({round(k * (self.changes - 1) / max(points - 1, 1)) for k in range(points)})
        for point in chosen:
            self.reset()
            status = in_child(lambda: self.job.act(self.place), self.scratch, _hook(point, int))
            if status != -signal.SIGKILL:
                self.counts["ended before"] += 1
                continue
            self.counts["killed"] += 1
            self._require_whole(f"change {point}")
            self._require_next(f"change {point}")

    def fill(self) -> None:
        """Let no file grow beyond a part of the largest."""
        sizes = [path.stat().st_size for path in self.place.rglob("*") if path.is_file()]
        for part in _FULL:
            limit = int(max(sizes) * part)

            def prepare(limit: int = limit) -> None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

            self.reset()
            status = in_child(lambda: self.job.act(self.place), self.scratch, prepare)
            self.counts["disk full"] += 1
            if status == _FAILED or status < 0:
                self._fault("full: no sentence", f"{limit} bytes: {status}")
            self._require_whole(f"{limit} bytes")
            self._require_next(f"{limit} bytes")

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
                self.counts["reader refused"] += 1
        os.waitpid(child, 0)
        new = repr(self.job.read(self.place))
        self.counts["reader read"] += len(seen)
        wrong = [one for one in seen if one not in (old, new)]
        if wrong:
            self._fault("reader read a mix", len(wrong))


def make_jobs(folder: Path, *, demo: bool = True) -> list[Job]:
    """Return a job for each command that writes, over the toy town."""
    import pandas as pd
    import storefiles
    import toytown

    import lipgeo
    from lipgeo import synthetic
    from lipgeo.order.package import write_order
    from lipgeo.portal import update_portal
    from lipgeo.registry.template import write_template
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
    files = storefiles.town(folder / "files")
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

    def add_counts(place: Path) -> None:
        table = pd.DataFrame({"CSDUID": ["3506008", "3506012"], "population": [1, 2]})
        table.to_csv(folder / "csd_2021.csv", index=False)
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

    jobs = [
        pair("build", lambda at, place: lipgeo.write_build(fits[at], place / "b", replace=True),
             read=lambda place: len(lipgeo.read_build(place / "b").units)),
        pair("order", lambda at, place: write_order(
            fits[1], place / "o", contact=f"desk {at}", replace=True)),
        pair("weight .csv (three files)", put_numbers(".csv")),
        pair("weight .xlsx", put_numbers(".xlsx")),
        pair("weight .parquet", put_numbers(".parquet")),
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
        pair("portal build", site, state=shown, kept=site_is_there),
    ]  # fmt: skip
    if demo:
        from lipgeo.synthetic.demo import run_demo

        jobs.append(Job("demo", lambda place: None, lambda place: run_demo(place / "d"),
                        state=lambda place: dict.fromkeys(visible_files(place), "")))  # fmt: skip
    return jobs


def main() -> None:
    """Put every job through it, print the table; end with 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=40, help="kills a command")
    parser.add_argument("--only", default="", help="part of a job's name")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    heads = ("killed", "whole at once", "put back", "disk full", "two writers", "reader read",
             "reader refused")  # fmt: skip
    print(f"{'':>26}{'changes':>9}" + "".join(f"{head:>16}" for head in heads) + f"{'faults':>8}")
    total: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "made").mkdir()
        for job in make_jobs(folder / "made"):
            if asked.only not in job.name:
                continue
            one = Run(job, folder / "runs" / job.name.replace(" ", "-"))
            one.kill(asked.points if job.name != "demo" else max(asked.points // 4, 2))
            if job.name != "demo" and asked.points > 0:
                one.fill()
                one.race()
                one.watch()
            total += one.counts
            faults += one.faults
            cells = "".join(f"{one.counts[head]:>16}" for head in heads)
            print(f"{job.name:>26}{one.changes:>9}{cells}{len(one.faults):>8}", flush=True)
            for fault in one.faults[:5]:
                print(f"    {fault}", flush=True)
    cells = "".join(f"{total[head]:>16}" for head in heads)
    print(f"{'in all':>26}{'':>9}{cells}{len(faults):>8}")
    sys.exit(int(bool(faults)))


if __name__ == "__main__":
    main()
