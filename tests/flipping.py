"""Flip bits of what lipgeo keeps, and read it: damage is noticed or changes nothing that is read.

    python tests/flipping.py --count 5000 --seed 1     a long run; ``python3 dev.py flip`` is this

One bit of one file is flipped at a time, in every kind of folder and file that lipgeo writes and
reads back. Reading then ends in an error of lipgeo (noticed), or in what the whole one gives
(harmless: a bit that nothing reads); anything else is a fault: other results without a word, an
exception of another tree, a process that dies or hangs. Each flip is read in a forked child.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: what may come of a flip, and which of it are faults
OUTCOMES = ("noticed", "harmless", "silent", "exception", "died")
FAULTS = OUTCOMES[2:]
#: seconds that reading may take
_SECONDS = 60


@dataclass(frozen=True)
class Kept:
    """Something that lipgeo wrote, and how it is read.

    Attributes
    ----------
    kind
        What it is called in the table.
    place
        The folder or file.
    read
        Returns all that is read of it, the same whenever it is the same.
    """

    kind: str
    place: Path
    read: Callable[[Path], Any]

    @property
    def files(self) -> list[Path]:
        """The files whose bits are flipped."""
        if self.place.is_file():
            return [self.place]
        return sorted(
            path
            for path in self.place.rglob("*")
            if path.is_file() and path.stat().st_size and path.name != ".lock"
        )


def digest(value: Any) -> str:
    """Return the sum of anything that reading gives: frames with their shapes, reports, texts."""
    import geopandas as gpd
    import numpy as np
    import pandas as pd

    if isinstance(value, gpd.GeoSeries):
        value = [str(value.crs), value.to_wkb()]
    if isinstance(value, gpd.GeoDataFrame):
        value = [str(value.crs), value.to_wkb()]
    if isinstance(value, pd.DataFrame | pd.Series):
        value = value.reset_index()
        held = [repr(value.dtypes.to_dict()), value.to_csv(index=False)]
        return hashlib.sha256("\n".join(held).encode()).hexdigest()
    if isinstance(value, np.ndarray):
        value = (str(value.dtype), value.shape, value.tobytes() if value.dtype != object else None,
                 value.tolist() if value.dtype == object else None)  # fmt: skip
    if isinstance(value, dict):
        value = [(str(key), digest(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        value = [digest(item) for item in value]
    return hashlib.sha256(repr(value).encode()).hexdigest()


# ------------------------------------------------------------------------------ reading


def read_store(place: Path) -> Any:
    """Read a census whole and in parts, by every way that jobs take."""
    import numpy as np
    import shapely

    import lipgeo
    from lipgeo.store.read import describe_store

    census = lipgeo.open_census(place)
    data = census.data
    found: list[Any] = [describe_store(place), census.levels]
    for level in census.levels:
        rows = np.arange(data.boxes(level).shape[0])
        few = rows[::7][:20]
        found += [data.attributes(level), data.boxes(level), *data.group_boxes(level)]
        found += [*data.without_polygon(level), shapely.to_wkb(data.geometry(level))]
        found += [shapely.to_wkb(data.geometry(level, few)), data.attributes(level, None, few)]
        for child in census.levels[: census.levels.index(level)]:
            if level in data.columns(child):
                found += [*data.children(level, few, child)]
    meta = dict(data.meta)
    published = meta.pop("published")
    return [*found, meta, {level: published[level] for level in published}]


def read_said(place: Path) -> Any:
    """Read what an import starts from."""
    from lipgeo.store.add import _Before

    before = _Before.read(place / "2021", 2021)
    polygons = before.polygons()
    pieces = [[one.source, one.role, one.level, one.frame] for one in before.pieces]
    return [before.sources, pieces, [len(shapes) for _, shapes in polygons.values()]]


def verify_store(place: Path) -> Any:
    """Read every file against its sum; raise as a reader does where one is damaged."""
    import lipgeo
    from lipgeo.errors import StoreError

    report = lipgeo.verify_store(place)
    if not report.ok:
        raise StoreError("store.empty", path=place)
    return [path.read_bytes() for path in Kept("", place, verify_store).files]


def read_table(place: Path) -> Any:
    """Read every column of a stored table."""
    import lipgeo
    from lipgeo.store.tables.opening import describe_tables

    table = lipgeo.open_table(place)
    whole = table.part(list(table.columns))
    return [describe_tables(place), table.units, whole.frame, whole.symbols, list(table.variables)]


def read_build(place: Path) -> Any:
    """Read all of a build."""
    import lipgeo

    one = lipgeo.read_build(place)
    frames = [one.areas, one.units, one.cover, one.shapes, one.context, one.land]
    lists = [one.service_areas.frame, one.service_areas.units, dict(one.meta)]
    return [*frames, *lists, *of_crosswalk(one.crosswalk), *of_crosswalk(one.membership),
            one.report.to_records()]  # fmt: skip


def of_crosswalk(crosswalk: Any) -> list[Any]:
    """Return all that a crosswalk holds."""
    parts = ("frame", "remainder", "overlaps", "quality", "sources")
    frames = [getattr(crosswalk, name) for name in parts]
    return [*frames, dict(crosswalk.meta), crosswalk.report.to_records()]


def read_crosswalk(place: Path) -> Any:
    """Read a saved crosswalk."""
    import lipgeo

    return of_crosswalk(lipgeo.read_crosswalk(place))


def read_order(place: Path) -> Any:
    """Verify an order; every byte of it counts."""
    import lipgeo
    from lipgeo.errors import OrderError

    report = lipgeo.verify_order(place)
    if not report.ok:
        raise OrderError("store.empty", path=place)
    return [path.read_bytes() for path in Kept("", place, read_order).files]


def read_set(place: Path) -> Any:
    """Read a set."""
    import lipgeo

    one = lipgeo.read_set(place)
    frames = [one.areas.frame, one.areas.units, one.intake, one.overlaps, one.gaps, one.changes]
    return [*frames, one.name, one.kinds, one.people, one.report.to_records(), one.meta]


def read_portal(place: Path) -> Any:
    """Read all that a portal shows and keeps."""
    import lipgeo

    portal = lipgeo.open_portal(place)
    store = portal.store
    units = [store.units(one) for one in store.releases]
    return [portal.releases, portal.frame(), portal.areas, store.builds, store.withdrawals,
            store.seen, units, [one.record for one in store.releases]]  # fmt: skip


def read_numbers(place: Path) -> Any:
    """Read numbers that ``weight --out`` wrote."""
    from lipgeo.readers.numbers import read_numbers as read

    found = read(place)
    return [found.frame, found.sources, list(found.variables)]


# ------------------------------------------------------------------------------ what is kept


def make_world(folder: Path, *, large: bool = False) -> list[Kept]:
    """Write one of every kind, of the toy town; large: a census of three row groups, and a table.

    Parameters
    ----------
    folder
        An empty folder.
    large
        Whether what takes seconds to make is made too.
    """
    import pandas as pd
    import storefiles
    import toytown

    import lipgeo

    town = toytown.census()
    areas = lipgeo.ServiceAreas.from_frame(toytown.areas(), id="area_id")
    fitted = lipgeo.fit_boundaries(town, areas, unit="DB")
    kept = []
    store = folder / "store"
    lipgeo.add_census(store, list(storefiles.town(folder / "files").values()))
    kept += [Kept("census store", store, read_store), Kept("what sources said", store, read_said)]
    lipgeo.write_build(fitted, folder / "build")
    lipgeo.write_order(fitted, folder / "order")
    lipgeo.write_crosswalk(fitted.crosswalk, folder / "shares.parquet")
    kept += [
        Kept("build", folder / "build", read_build),
        Kept("order", folder / "order", read_order),
        Kept("saved crosswalk", folder / "shares.parquet", read_crosswalk),
    ]
    portal = lipgeo.open_portal(folder / "portal", create=True)
    rows = pd.DataFrame(
        {"area_id": ["west", "east"], "indicator": "population", "period": "2021",
         "value": [1000.0, 20.0], "origin": "ordered"}
    )  # fmt: skip
    portal.add(rows, release="first")
    portal.add(rows.assign(value=[1005.0, 25.0], period="2016"), release="second")
    portal.withdraw("first", reason="recalled")
    with portal.store.locked():
        portal.store.remember_build({"path": "site", "kind": "site"}, portal.frame())
    kept.append(Kept("portal", folder / "portal", read_portal))
    if large:
        kept += list(_larger(folder, fitted, town))
    return kept


def _larger(folder: Path, fitted: Any, town: Any) -> Iterator[Kept]:
    import storefiles
    import toytown

    import lipgeo
    from lipgeo import synthetic
    from lipgeo.synthetic.figures import table as made_table

    county = folder / "county"
    lipgeo.add_census(county, list(storefiles.county(folder / "county-files").values()))
    yield Kept("census of three row groups", county, read_store)
    census = synthetic.census(500)
    profile = synthetic.write_profile(census, [made_table(census, "DA")], folder / "profile")
    lipgeo.add_table(folder / "tables", profile, name="p")
    yield Kept("stored table", folder / "tables", read_table)
    yield Kept("census verify", county, verify_store)
    yield Kept("census verify of a table", folder / "tables", verify_store)
    (folder / "sent").mkdir()
    toytown.areas().to_file(folder / "sent" / "a.geojson")
    lipgeo.write_set(lipgeo.compile_set(folder / "sent", name="s", census=town), folder / "set")
    yield Kept("set", folder / "set", read_set)
    counts = folder / "counts.csv"
    counts.write_text("unit_id,population\n" + "".join(f"{id},5\n" for id in town.zones("DB").ids))
    from lipgeo.store.results import write_estimates

    table = lipgeo.read_table(counts, level="DB", vintage=2021)
    write_estimates(lipgeo.weight_table(table, fitted.crosswalk), folder / "numbers.parquet")
    yield Kept("numbers of weight (Parquet)", folder / "numbers.parquet", read_numbers)


# ------------------------------------------------------------------------------ flipping


def choose(kept: Kept, rng: random.Random) -> tuple[Path, int, int]:
    """Return a file, and the place and number of a bit of it.

    Files are drawn evenly half the time, else by their size; a third of the bits stand in the last
    tenth of a file, where Parquet says how the rest is read.
    """
    files = kept.files
    sizes = [path.stat().st_size for path in files]
    path = rng.choices(files, sizes if rng.random() < 0.5 else None)[0]
    size = path.stat().st_size
    first = size - size // 10 - 1 if rng.random() < 1 / 3 else 0
    return path, rng.randrange(first, size), rng.randrange(8)


def try_flip(kept: Kept, whole: str, path: Path, place: int, bit: int) -> tuple[str, str]:
    """Flip a bit, read, and put it back; return what came of it, and where."""
    from lipgeo.errors import LipgeoError

    raw = path.read_bytes()
    bent = bytearray(raw)
    bent[place] ^= 1 << bit
    path.write_bytes(bent)
    try:
        found = digest(kept.read(kept.place))
    except LipgeoError:
        return "noticed", ""
    except Exception as error:
        return "exception", f"{type(error).__name__}: {str(error)[:100]}"
    finally:
        path.write_bytes(raw)
    return ("harmless" if found == whole else "silent"), ""


def _in_child(work: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    """Return what work in a forked child gives; ``died`` where the child does not end well."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        try:
            signal.alarm(_SECONDS)
            with os.fdopen(write, "wb") as pipe:
                pickle.dump(work(), pipe)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return pickle.loads(said) if said else ("died", f"status {status}")


def run(kept: list[Kept], count: int, seed: int, *, forked: bool) -> dict[str, Counter[str]]:
    """Flip so many bits, kind after kind; return how often what came of it; print each fault.

    Parameters
    ----------
    kept
        What :func:`make_world` made.
    count
        Flips in all.
    seed
        Of what is flipped.
    forked
        Whether each is read in a child of its own.
    """
    rng = random.Random(seed)
    whole = {one.kind: digest(one.read(one.place)) for one in kept}
    again = {one.kind: digest(one.read(one.place)) for one in kept}
    assert whole == again, "reading twice gives two results"
    found: dict[str, Counter[str]] = {one.kind: Counter() for one in kept}
    for number in range(count):
        one = kept[number % len(kept)]
        path, place, bit = choose(one, rng)
        raw = path.read_bytes()

        def work(one: Kept = one, at: tuple[Path, int, int] = (path, place, bit)) -> Any:
            return try_flip(one, whole[one.kind], *at)

        outcome, where = _in_child(work) if forked else work()
        if path.read_bytes() != raw:
            path.write_bytes(raw)  # the child died before it could
        found[one.kind][outcome] += 1
        if outcome in FAULTS:
            print(f"{one.kind}: {outcome} {path.name} byte {place} bit {bit} {where}", flush=True)
    return found


def main() -> None:
    """Flip, print the table; end with 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made = run(make_world(folder, large=True), asked.count, asked.seed, forked=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    print(f"{'':>30}{'flips':>7}" + "".join(f"{name:>10}" for name in OUTCOMES))
    total: Counter[str] = Counter()
    for kind, counts in made.items():
        total += counts
        print(f"{kind:>30}{counts.total():>7}" + "".join(f"{counts[n]:>10}" for n in OUTCOMES))
    print(f"{'in all':>30}{total.total():>7}" + "".join(f"{total[n]:>10}" for n in OUTCOMES))
    sys.exit(int(any(total[name] for name in FAULTS)))


if __name__ == "__main__":
    main()
