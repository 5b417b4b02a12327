"""Portals: a large one built and updated, and damaged deliveries noticed in every layout.

Run from the checkout::

    python benchmarks/portal.py [--areas 107] [--all-facts] [--trials 10] [--clean 100]
                                [--only goals|deliveries]

Everything printed is measured in this run. The portal has all indicators of the dictionary for
each area in three censuses, with three comparators; deliveries are of made orders.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import forget_peak, peak_bytes

import lipgeo
from lipgeo.errors import LipgeoError
from lipgeo.order.manifest import FOR_YOU
from lipgeo.order.tables import read_estimates
from lipgeo.portal.book import BOOK, add_rows
from lipgeo.portal.pages.facts_of_areas import facts_files, write_facts_of_areas
from lipgeo.portal.sources.expecting import (
    SWAP_GAIN,
    Expected,
    evidence_of,
    swap_gains,
    swapped_rows,
)
from lipgeo.portal.sources.intake import codes_of
from lipgeo.portal.sources.matching import match_rows
from lipgeo.readers.deliveries import read_delivery

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE / "tests"))
import made_deliveries as made_files  # noqa: E402

CENSUSES = ("2006", "2016", "2021")
COMPARATORS = (("cma", "cma"), ("province", "province"), ("canada", "canada"))
#: goals of the table of PORTAL: seconds, GB, kB, MB
GOALS = {"build": 8.0, "memory": 0.5, "page": 150.0, "site": 30.0, "zip": 5.0, "delivery": 5.0,
         "docx": 0.3, "pdf": 0.2, "all": 90.0}  # fmt: skip


def numbers(areas: int, seed: int = 1) -> pd.DataFrame:
    """Return a number of every indicator, area and census, as published or estimated."""
    rng = np.random.default_rng(seed)
    known = lipgeo.indicators().reset_index()
    names = [f"lip-{at + 1:03d}" for at in range(areas)] + [one for one, _ in COMPARATORS]
    index = pd.MultiIndex.from_product(
        [names, known["code"], CENSUSES], names=["area_id", "indicator", "period"]
    )
    frame = index.to_frame(index=False).merge(
        known[["code", "rule", "universe", "name_en"]], left_on="indicator", right_on="code"
    )
    share = rng.uniform(2, 60, len(frame)).round(1)
    count = rng.lognormal(9.5, 0.8, len(frame)).round(-1)
    amount = frame["rule"].isin(["count", "list"]) | frame["name_en"].str.contains("$", regex=False)
    frame["value"] = np.where(amount, count, share)
    frame["denominator_value"] = np.where(frame["rule"].eq("percent"), count, np.nan)
    guessed = rng.random(len(frame)) < 0.3
    frame["origin"] = np.where(guessed, "estimated", "ordered")
    for end, sign in (("lower", -1), ("upper", 1)):
        frame[f"likely_{end}"] = np.where(guessed, frame["value"] * (1 + 0.05 * sign), np.nan)
        frame[end] = np.where(guessed, frame["value"] * (1 + 0.2 * sign), np.nan)
    frame["dollars"] = np.where(frame["name_en"].str.contains("$", regex=False), "current", "")
    frame["category"] = np.where(frame["rule"].eq("list"), "India", "")
    frame["source"] = "Made"
    return frame.drop(columns=["code", "rule", "name_en"])


def made_portal(folder: Path, areas: int) -> lipgeo.Portal:
    """Return a portal of one large release."""
    portal = lipgeo.open_portal(folder, create=True)
    own = [f"lip-{at + 1:03d}" for at in range(areas)]
    rows = [
        {"area_id": one, "definition": "main", "kind": "partnership", "extent_status": "published",
         "name_en": f"Partnership {one}", "name_fr": f"Partenariat {one}"}
        for one in own
    ]  # fmt: skip
    rows += [
        {"area_id": one, "definition": "main", "kind": kind, "extent_status": "published",
         "name_en": one, "name_fr": one}
        for one, kind in COMPARATORS
    ]  # fmt: skip
    against = [{"area_id": one, "comparator": other} for one in own for other, _ in COMPARATORS]
    members = [
        {"region": f"region-{at // 19 + 1}", "name_en": f"Region {at // 19 + 1}",
         "name_fr": f"Région {at // 19 + 1}", "area_id": one}
        for at, one in enumerate(own)
    ]  # fmt: skip
    due = [{"region": "*", "indicator": one, "period": "2025", "due": "2026-06-30"}
           for one in (QUESTION, SERVED)]  # fmt: skip
    allowed = [{"licence": "survey", "may_publish": "table", "who": "The regions",
                "document": "agreement"}]  # fmt: skip
    sheets = {"areas": rows, "comparators": against, "regions": members, "framework": due,
              "licences": allowed}  # fmt: skip
    add_rows(folder / BOOK, {name: pd.DataFrame(of) for name, of in sheets.items()})
    portal = portal.reopen()
    portal.add(numbers(areas), "first", licence="statcan-open")
    portal.add(write_survey(folder.parent / "survey.xlsx", own), "survey", licence="survey")
    return portal


QUESTION, SERVED = "Do newcomers find work?", "Clients served"


def write_survey(path: Path, own: list[str]) -> Path:
    """Write what the members of the regions report: a question of three answers, and a count."""
    rng = np.random.default_rng(5)
    answers = rng.integers(0, 40, (len(own), 3))
    survey = [
        {"area_id": area, "question": QUESTION, "category": word, "date": "2025",
         "answers": int(count), "responses": int(told.sum()), "universe": "members",
         "source": "Annual survey"}
        for area, told in zip(own, answers, strict=True)
        for word, count in zip(("yes", "no", "partly"), told, strict=True)
    ]  # fmt: skip
    local = [
        {"area_id": area, "indicator": SERVED, "date": "2025", "value": 100 + at,
         "unit": "people", "universe": "clients", "source": "Agency"}
        for at, area in enumerate(own[::2])
    ]  # fmt: skip
    with pd.ExcelWriter(path) as book:
        pd.DataFrame(survey).to_excel(book, sheet_name="survey", index=False)
        pd.DataFrame(local).to_excel(book, sheet_name="local", index=False)
    return path


def kind_of_page(name: str) -> str:
    """Return what kind of file of a site a name is."""
    path = Path(name)
    if path.parent.name in ("downloads", "share", "embed", "data"):
        return f"{path.parent.name}/"
    start = path.name.partition("--")[0] if "--" in path.name else ""
    return start or ("area" if path.name.startswith("lip-") else path.stem)


def hashes(site: Path) -> dict[str, str]:
    """Return the hash of every page and download."""
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in site.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def told(name: str, value: float, unit: str, goal: str = "", text: str = "") -> None:
    """Print a measured figure beside its goal."""
    missed = goal and value > GOALS[goal]
    aim = f"goal {GOALS[goal]:g} {unit}{', missed' if missed else ''}" if goal else ""
    print(f"{name:<58}{value:>9.2f} {unit:<3} {aim} {text}".rstrip(), flush=True)


class Watch:
    """Seconds on the wall, and of the processor: what counts where others use the machine."""

    def __enter__(self) -> Watch:
        self.start, self.began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall = time.perf_counter() - self.start
        self.own = time.process_time() - self.began

    def tell(self, name: str, goal: str = "") -> None:
        """Print both."""
        told(name, self.wall, "s", goal, f"({self.own:.2f} s of the processor)")


def goals(work: Path, areas: int, *, every: bool) -> None:
    """Print what the table of goals asks of a large portal."""
    start = time.perf_counter()
    portal = made_portal(work / "portal", areas)
    rows = len(portal.store.all_rows())
    told(f"release of {rows:,} numbers taken in", time.perf_counter() - start, "s")
    forget_peak()
    with Watch() as watch:
        site = lipgeo.build_site(portal, work / "site")
    watch.tell("site built, English and French", "build")
    told("peak memory of it, the program's own in it", peak_bytes() / 1e9, "GB", "memory")
    pages = [path for path in site.rglob("lip-*.html") if path.parent.name in ("site", "fr")]
    told("largest page of an area", max(p.stat().st_size for p in pages) / 1e3, "kB", "page",
         f"({len(pages)} pages)")  # fmt: skip
    whole = [path for path in site.rglob("*") if path.is_file()]
    told("site", sum(p.stat().st_size for p in whole) / 1e6, "MB", "site", f"({len(whole)} files)")
    packed = work / "site.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for path in whole:
            out.write(path, path.relative_to(site))
    told("zipped", packed.stat().st_size / 1e6, "MB", "zip")

    before = hashes(site)
    change = numbers(areas).query("area_id == 'lip-001' and period == '2021'")
    portal.add(change.assign(value=change["value"] * 1.01), "second", licence="statcan-open")
    with Watch() as watch:
        lipgeo.build_site(portal, work / "site", replace=True)
    watch.tell("site after one area's update", "build")
    after = hashes(site)
    kept = {name: before[name] == after.get(name) for name in before}
    print(f"after one area's update {sum(kept.values())} of {len(kept)} files keep their bytes:")
    for kind in sorted({kind_of_page(name) for name in kept}):
        mine = [kept[name] for name in kept if kind_of_page(name) == kind]
        print(f"   {kind:<20}{sum(mine):>6} of {len(mine)}")

    for ending in ("docx", "pdf", "html", "xlsx"):
        for at in (0, 1, 2):  # the first loads what the kind needs
            path = work / f"facts-{at}.{ending}"
            with Watch() as watch:
                lipgeo.write_facts(portal, f"lip-{at + 1:03d}", path)
        watch.tell(f"one Fast Facts {ending}, the third", ending if ending in GOALS else "")
    for ending in ("docx", "pdf") if every else ():
        files = facts_files(portal, [], work / f"all.{ending}", langs=("en", "fr"))
        with Watch() as watch:
            write_facts_of_areas(portal, files)
        watch.tell(f"all {len(files)} Fast Facts {ending}", "all")

    ordered = wide_order(work / "order", areas)
    path = wide_delivery(ordered, work / "wide.csv", 2_600)
    with Watch() as watch:
        receipt = portal.receive(path, order=ordered.order, table="T1")
        if receipt.release is None:
            portal.receive(
                path,
                order=ordered.order,
                table="T1",
                accept=receipt.findings.assign(accept="yes", by="x", reason="x"),
            )
    watch.tell(f"delivery of {areas} areas by 2,600 rows added", "delivery")


def wide_order(folder: Path, areas: int) -> made_files.Made:
    """Return a made order."""
    return made_files.made_order(folder, areas, seed=7, small=3)


def wide_delivery(made: made_files.Made, path: Path, rows: int) -> Path:
    """Write a delivery with as many rows as the largest real one."""
    made_files.write_down(made, path)
    with path.open(encoding="utf-8", newline="") as stream:
        table = list(csv.reader(stream))
    more = rows - len(table[0]) + 1
    rng = np.random.default_rng(3)
    table[0] += [
        f"{'  ' if at % 20 else ''}Made characteristic {at} - 25% sample data" for at in range(more)
    ]
    for row in table[1:]:
        row += [str(one) for one in rng.integers(2, 200, more) * 5]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(table)
    return path


# ---------------------------------------------------------------------- damage


Write = Callable[[made_files.Made, Path, pd.DataFrame], Path]


def change_cells(path: Path, change: Callable[[list[list[str]]], None], encoding: str) -> Path:
    """Change the cells of a CSV in place."""
    with path.open(encoding=encoding, newline="") as stream:
        rows = list(csv.reader(stream))
    change(rows)
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


class Layout:
    """One layout: how it is written, and how its areas are named in it."""

    def __init__(self, name: str, encoding: str) -> None:
        self.name, self.encoding = name, encoding

    def labels(self, made: made_files.Made) -> list[str]:
        """Return the name of each area as this layout prints it."""
        if self.name == "down":
            return [f"OTT - ONS - {id} ( 2.{at % 9}%)" for at, id in enumerate(made.ids)]
        if self.name == "long":
            return [f"{one['custom_id']} {one['name_en']}" for one in made.areas]
        return [str(one["name_en"]) for one in made.areas]

    def write(
        self, made: made_files.Made, path: Path, frame: pd.DataFrame, labels: list[str]
    ) -> Path:
        """Write it."""
        if self.name == "down":
            return made_files.write_down(made, path, frame, labels=labels)
        if self.name == "across":
            return made_files.write_across(made, path, frame, names=labels)
        if self.name == "coded":
            made_files.write_coded(made, path, frame)

            def name(rows: list[list[str]]) -> None:
                rows[0][3:] = labels
                if labels != self.labels(made):  # codes stand in a row of their own
                    known = dict(zip(self.labels(made), made.ids, strict=True))
                    rows[1][3:] = [known.get(one, f"9{at:03d}") for at, one in enumerate(labels)]

            return change_cells(path, name, self.encoding)
        return made_files.write_census_long(made, path, frame, labels)


LAYOUTS = (Layout("down", "utf-8"), Layout("across", "latin-1"), Layout("coded", "utf-8-sig"),
           Layout("long", "utf-8-sig"))  # fmt: skip


def damaged(
    kind: str, layout: Layout, made: made_files.Made, path: Path, rng: np.random.Generator
) -> Path:
    """Write a delivery damaged in one way."""
    frame, labels = made.printed.copy(), layout.labels(made)
    large = [at for at, one in enumerate(made.ids) if made.truth.loc[one, "population"] >= 40]
    one, other = (int(at) for at in rng.choice(large, 2, replace=False))
    if kind == "two rows swapped":
        frame.iloc[[one, other]] = frame.iloc[[other, one]].to_numpy()
    elif kind == "an area dropped":
        frame, labels = frame.drop(index=made.ids[one]), labels[:one] + labels[one + 1 :]
    elif kind == "an area doubled":
        labels[one] = labels[other]
    elif kind == "an area renamed":
        labels[one] = "Somewhere else"
    elif kind == "another order":
        labels = [f"Place {at} of another order" for at in range(len(labels))]
    elif kind == "rounding broken":
        frame.loc[made.ids[one], "immigrants"] += 2
    elif kind == "a suppressed area filled":
        frame.iloc[-1] = (made.truth.iloc[-1] // 5 * 5).astype(float)
    elif kind == "percentages for counts":
        frame["immigrants"] = (100 * frame["immigrants"] / frame["private"]).round(1)
    elif kind == "percentages of ages, rounded to 5":
        frame["age_65"] = (20 * frame["age_65"] / frame["ages"]).round() * 5
    elif kind == "a column of noughts":
        frame["immigrants"] = frame["immigrants"].where(frame["immigrants"].isna(), 0)
    elif kind == "an income in thousands":
        frame["median_income"] = (frame["median_income"] / 1000).round(1)
    elif kind == "two periods exchanged, of everybody":
        turned = list(rng.choice(["before_1980", "from_1980", "from_1991", "from_2001"], 2, False))
        frame[turned] = frame[turned[::-1]].to_numpy()
    elif kind == "two birthplaces exchanged":
        pair = [str(one) for one in rng.choice(made_files.PLACES[:-1], 2, replace=False)]
        for end in ("", " men", " women"):
            turned = [f"{one}{end}" for one in pair]
            frame[turned] = frame[turned[::-1]].to_numpy()
    layout.write(made, path, frame, labels)
    if kind == "another census":
        change_cells(path, another_census, layout.encoding)
    elif kind == "a column shifted":
        change_cells(path, lambda rows: shift(rows, layout), layout.encoding)
    return path


def another_census(rows: list[list[str]]) -> None:
    """Say the words of 2016 where those of 2021 stand."""
    pairs = (("Population, 2021", "Population, 2016"), ("Before 1980", "Before 1981"),
             ("1980 to 1990", "1981 to 1990"), ("2016 to 2021", "2011 to 2016"),
             ("2011 to 2021", "2011 to 2016"), ("in 2020", "in 2015"))  # fmt: skip
    for row in rows:
        for at, printed in enumerate(row):
            cell = "2016" if printed == "2021" else printed
            for new, old in pairs:
                cell = cell.replace(new, old)
            row[at] = cell


def shift(rows: list[list[str]], layout: Layout) -> None:
    """Move cells one column on, as a paste that missed its place; in a long table, the values."""
    if layout.name == "long":
        at = rows[0].index("VALUE")
        values = [row[at] for row in rows[1:]]
        for row, value in zip(rows[20:], values[18:], strict=False):
            row[at] = value
        return
    for row in rows[1:] if layout.name == "down" else rows[4:]:
        if len(row) > 6 and any(row[4:]):
            row[4:] = row[3:-1]


KINDS = ("two rows swapped", "an area dropped", "an area doubled", "an area renamed",
         "another census", "another order", "a column shifted", "rounding broken",
         "a suppressed area filled", "percentages for counts")  # fmt: skip
#: beyond the ten: what passes where only totals and areas are looked at
MORE = ("percentages of ages, rounded to 5", "a column of noughts", "an income in thousands",
        "two periods exchanged, of everybody", "two birthplaces exchanged")  # fmt: skip


def noticed(portal: lipgeo.Portal, made: made_files.Made, path: Path) -> set[str]:
    """Return what is found of a delivery, refused or to look at."""
    try:
        receipt = portal.receive(path, order=made.order, table="T1", dry_run=True)
    except LipgeoError as error:
        return {str(one.get("problem", error.key)) for one in error.rows} or {error.key}
    return set(receipt.findings["check"])


def deliveries(work: Path, trials: int, clean: int, areas: int) -> None:
    """Print how many damaged deliveries are noticed, and false alarms over clean ones.

    Each is held against its order by an empty portal, and by one that has the order's clean
    delivery of the layout with areas down.
    """
    empty = lipgeo.open_portal(work / "empty", create=True)
    false: dict[tuple[str, str], list[set[str]]] = {}
    found: dict[tuple[str, str, str], list[set[str]]] = {}
    for seed in range(max(trials, clean)):
        made = made_files.made_order(work / f"order-{seed}", areas, seed=seed + 100, small=2)
        rng = np.random.default_rng(seed)
        path = work / "delivery.csv"
        kept = lipgeo.open_portal(work / f"kept-{seed}", create=True)
        LAYOUTS[0].write(made, path, made.printed, LAYOUTS[0].labels(made))
        kept.receive(path, order=made.order, table="T1")
        for layout in LAYOUTS:
            if seed < clean:
                layout.write(made, path, made.printed, layout.labels(made))
                for name, portal in (("empty", empty), ("kept", kept)):
                    told = noticed(portal, made, path)
                    false.setdefault((name, layout.name), []).append(told)
            for kind in (*KINDS, *MORE) if seed < trials else ():
                damaged(kind, layout, made, path, rng)
                for name, portal in (("empty", empty), ("kept", kept)):
                    if name == "empty" or kind in MORE or kind == KINDS[0]:
                        told = noticed(portal, made, path)
                        found.setdefault((name, kind, layout.name), []).append(told)
        shutil.rmtree(work / f"order-{seed}")
        shutil.rmtree(work / f"kept-{seed}")
    print_noticed(found, trials, areas)
    for (name, layout), several in false.items():
        alarms = [one for one in several if one]
        kinds = sorted(set().union(*alarms)) if alarms else []
        print(
            f"false alarms over {clean} clean ones, {layout}, {name} portal: {len(alarms)} {kinds}"
        )


def every_swap(work: Path, orders: int, areas: int) -> None:
    """Print of all pairs of areas how many swaps the ranges notice, alone and together."""
    dictionary = lipgeo.open_portal(work / "swaps", create=True).dictionary
    noticed_by = {"population alone": 0, "all variables together": 0}
    pairs = false = 0
    for seed in range(orders):
        made = made_files.made_order(work / f"swap-{seed}", areas, seed=seed + 500, small=2)
        delivery = read_delivery(made_files.write_down(made, work / "swap.csv"))
        estimates = read_estimates(made.order / FOR_YOU / "estimates.parquet")
        expected = Expected(made.areas, estimates, {})
        matched = match_rows(delivery, dictionary, 2021)
        names = codes_of(list(dict.fromkeys(estimates["variable"])), dictionary)
        told = evidence_of(made.ids, delivery.values, matched, expected, names)
        false += bool(swapped_rows(*told))
        large = np.array([made.truth.loc[one, "population"] >= 40 for one in made.ids])
        above = np.triu(np.outer(large, large), 1).astype(bool)
        pairs += above.sum()
        for name, columns in (("population alone", 1), ("all variables together", None)):
            gain = swap_gains(*(one[:, :columns] for one in told))
            noticed_by[name] += int((-gain[above] >= SWAP_GAIN).sum())
        shutil.rmtree(work / f"swap-{seed}")
    for name, count in noticed_by.items():
        print(f"swaps of any two of {areas} areas, {orders} orders, {name}: noticed {count:,} of "
              f"{pairs:,} ({100 * count / pairs:.2f} %)")  # fmt: skip
    print(f"false alarms of it: {false} of {orders} orders")


def print_noticed(
    found: dict[tuple[str, str, str], list[set[str]]], trials: int, areas: int
) -> None:
    """Print one line a kind and portal, and the sum of the ten kinds."""
    print(f"\ndamaged deliveries of {areas} areas noticed, of {trials} of each kind and layout")
    print(f"{'':<52}" + "".join(f"{one.name:>8}" for one in LAYOUTS) + "   by")
    for title, kinds in (("the ten kinds", KINDS), ("more", MORE)):
        total = caught = 0
        for name, kind in dict.fromkeys((name, kind) for name, kind, _ in found):
            if kind not in kinds:
                continue
            several = [found[name, kind, layout.name] for layout in LAYOUTS]
            hits = [sum(bool(one) for one in own) for own in several]
            by = sorted(set().union(*(one for own in several for one in own)))
            shown = kind if name == "empty" else f"{kind} (delivered before)"
            print(f"{shown:<52}" + "".join(f"{one:>8}" for one in hits) + f"   {', '.join(by)}")
            if name == "empty":
                total, caught = total + sum(map(len, several)), caught + sum(hits)
        print(f"{title}, empty portal: noticed {caught} of {total} ({100 * caught / total:.1f} %)")


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--areas", type=int, default=107)
    parser.add_argument("--delivered", type=int, default=40, help="areas of the small orders")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--clean", type=int, default=100)
    parser.add_argument("--all-facts", action="store_true", help="Fast Facts of every area too")
    parser.add_argument("--only", choices=["goals", "deliveries"])
    asked = parser.parse_args()
    print(f"lipgeo {lipgeo.__version__}, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(BrokenPipeError):
        work = Path(folder)
        if asked.only != "deliveries":
            goals(work, asked.areas, every=asked.all_facts)
        if asked.only != "goals":
            every_swap(work, asked.clean, asked.areas)
            deliveries(work, asked.trials, asked.clean, asked.delivered)


if __name__ == "__main__":
    main()
