"""A made order and its delivery in each layout, clean or damaged: what tests of the portal take in.

The order is a manifest with its estimates and predictions, as an order's folder has them. People,
immigrants and the rest are drawn from a seed; the order knows them as estimates do, the delivery as
Statistics Canada would release them: rounded at random to 5, small areas suppressed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lipgeo.files import write_manifest
from lipgeo.order.manifest import FOR_YOU, ORDER

AGES = "Total - Age groups of the population - 100% data (6)"
STATUS = (
    "Total - Immigrant status and period of immigration for the population in private households"
    " - 25% sample data (79)"
)
CITIZENS = "Total - Citizenship for the population in private households - 25% sample data (76)"
BIRTHPLACES = (
    "Total - Place of birth for the recent immigrant population in private households"
    " - 25% sample data (94)"
)
INCOME = (
    "Total - Income statistics in 2020 for the population aged 15 years and over in private"
    " households - 100% data (10)"
)
MEDIAN = "Median total income in 2020 among recipients ($)"
#: words, depth, column of the truth, for everybody
ROWS = [
    ("Population, 2021 (1)", 0, "population"),
    (AGES, 0, "ages"),
    ("0 to 14 years", 2, "age_0_14"),
    ("15 to 64 years", 2, "age_15_64"),
    ("65 years and over", 2, "age_65"),
    ("Median age of the population", 0, "median_age"),
    (INCOME, 0, "ages"),
    (MEDIAN, 2, "median_income"),
    (CITIZENS, 0, "private"),
    ("Canadian citizens (77)", 2, "citizens"),
    ("Not Canadian citizens (78)", 2, "not_citizens"),
    (STATUS, 0, "private"),
    ("Non-immigrants (80)", 2, "non_immigrants"),
    ("Immigrants (81)", 2, "immigrants"),
    ("Before 1980", 4, "before_1980"),
    ("1980 to 1990", 4, "from_1980"),
    ("1991 to 2000", 4, "from_1991"),
    ("2001 to 2010", 4, "from_2001"),
    ("2011 to 2021 (82)", 4, "from_2011"),
    ("2011 to 2015", 6, "from_2011_to_2015"),
    ("2016 to 2021", 6, "recent"),
    ("Non-permanent residents (83)", 2, "npr"),
]
#: the same words again for men and women, a level deeper
BY_GENDER = {"men": "men", "women": "women"}
PLACES = ["Philippines", "India", "China", "Nigeria", "Syria", "Eritrea", "Pakistan", "Mexico",
          "Ukraine", "Iran", "Ethiopia", "Other places of birth"]  # fmt: skip


@dataclass
class Made:
    """An order's folder, what is true, and what the delivery says.

    Attributes
    ----------
    order
        The order's folder.
    truth, printed
        Areas by columns: what is so, and what is released (missing where suppressed).
    areas
        The manifest's areas.
    """

    order: Path
    truth: pd.DataFrame
    printed: pd.DataFrame
    areas: list[dict[str, object]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """Ids of the areas, in order."""
        return list(self.truth.index)


def made_order(folder: Path, count: int = 12, *, seed: int = 1, small: int = 1) -> Made:
    """Write an order of some areas, the last ``small`` of them too small for any table."""
    rng = np.random.default_rng(seed)
    people = np.round(rng.lognormal(8.2, 0.8, count)).astype(int) + 600
    people[count - small :] = 30
    truth = _truth(people, rng)
    truth.index = [f"{3001 + at}" for at in range(count)]
    areas = []
    for at, (id, row) in enumerate(truth.iterrows()):
        das = [f"3506{at * 40 + n + 1:04d}" for n in range(1 + int(row["population"]) // 600)]
        each = np.diff(np.linspace(0, row["population"], len(das) + 1).round())
        areas.append(
            {
                "custom_id": id,
                "area_id": id,
                "name_en": f"{NAMES[at % len(NAMES)]} {at // len(NAMES) or ''}".strip(),
                "name_fr": f"Quartier {NAMES[at % len(NAMES)]} {at // len(NAMES) or ''}".strip(),
                "definition": "units",
                "valid_from": None,
                "valid_to": None,
                "vintage": 2021,
                "floor_persons": 40,
                "flags": "",
                "cover": {},
                "population": float(row["population"]),
                "dwellings": float(round(row["population"] / 2.4)),
                "misfit_share": 0.004,
                "units": {"DA": dict(zip(das, map(float, each), strict=True))},
                "file": f"areas/area_{id}.geojson",
            }
        )
    (folder / FOR_YOU).mkdir(parents=True)
    write_manifest(folder, ORDER, _manifest(areas), {})
    _estimates(truth, rng).to_parquet(folder / FOR_YOU / "estimates.parquet", index=False)
    expected = np.where(truth["population"] < 40, "suppressed", "released")
    pd.DataFrame({"TABLE": "T1", "CUSTOM_ID": truth.index, "EXPECTED": expected}).to_csv(
        folder / FOR_YOU / "tables.csv", index=False
    )
    return Made(folder, truth, _released(truth, rng), areas)


def _manifest(areas: list[dict[str, object]]) -> dict[str, object]:
    return {
        "vintage": 2021, "areas": areas, "left_out": [], "inputs": [], "parameters": {},
        "tables": [{"table": "T1", "title": "Profile", "universe": "population", "variables": []}],
        "custom_ids": {str(area["custom_id"]): area["area_id"] for area in areas}, "since": None,
        "earlier": [], "attribution": {"en": "", "fr": ""}, "contact": None, "csv": "en",
        "libraries": {}, "template": {},
    }  # fmt: skip


NAMES = ["Alta Vista", "Bayview", "Carlington", "Dalhousie", "Elmvale", "Fallingbrook", "Glebe",
         "Hunt Club", "Island Park", "Junction Gore", "Kanata North", "Lowertown"]  # fmt: skip


def _truth(people: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    count = len(people)
    frame = pd.DataFrame({"population": people})
    frame["ages"] = people
    frame["age_0_14"] = (people * rng.uniform(0.10, 0.22, count)).round()
    frame["age_65"] = (people * rng.uniform(0.08, 0.28, count)).round()
    frame["age_15_64"] = people - frame["age_0_14"] - frame["age_65"]
    frame["median_age"] = rng.uniform(28, 52, count).round(1)
    frame["median_income"] = rng.uniform(28_000, 60_000, count).round(-2)
    private = (people * np.clip(rng.normal(0.975, 0.02, count), 0.92, 1.01)).round()
    frame["private"] = private
    frame["immigrants"] = (private * rng.uniform(0.05, 0.5, count)).round()
    frame["npr"] = (private * rng.uniform(0.005, 0.08, count)).round()
    frame["non_immigrants"] = private - frame["immigrants"] - frame["npr"]
    frame["not_citizens"] = (private * rng.uniform(0.04, 0.3, count)).round()
    frame["citizens"] = private - frame["not_citizens"]
    shares = rng.dirichlet([4, 3, 4, 5, 6], count) * frame["immigrants"].to_numpy()[:, None]
    shares = shares.round()
    shares[:, 4] = frame["immigrants"] - shares[:, :4].sum(axis=1)
    frame[["before_1980", "from_1980", "from_1991", "from_2001", "from_2011"]] = shares
    frame["recent"] = (frame["from_2011"] * rng.uniform(0.3, 0.7, count)).round()
    frame["from_2011_to_2015"] = frame["from_2011"] - frame["recent"]
    weights = rng.dirichlet(np.full(len(PLACES), 1.2), count)
    for at, place in enumerate(PLACES):
        frame[place] = (frame["recent"] * weights[:, at]).round()
    frame["birthplaces"] = frame[PLACES].sum(axis=1)
    rates = ("median_age", "median_income")
    half = rng.uniform(0.47, 0.53, count)
    for column in list(frame.columns):
        if column in rates:
            frame[f"{column} men"] = frame[f"{column} women"] = frame[column]
        else:
            frame[f"{column} men"] = (frame[column] * half).round()
            frame[f"{column} women"] = frame[column] - frame[f"{column} men"]
    return frame.copy()


def _estimates(truth: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return what weighting would have told, with its 90 % range."""
    known = {
        "immigrants_pct": ("immigrants", "private", 0.06),
        "non_permanent_residents_pct": ("npr", "private", 0.15),
        "not_canadian_citizens_pct": ("not_citizens", "private", 0.10),
        "recent_immigrants_pct": ("recent", "immigrants", 0.15),
        "median_income": ("median_income", None, 0.06),
    }
    parts = []
    for variable, (top, bottom, share) in known.items():
        value = truth[top] if bottom is None else 100 * truth[top] / truth[bottom]
        guess = value * (1 + share * rng.normal(size=len(truth)))
        parts.append(
            pd.DataFrame(
                {
                    "area_id": truth.index, "variable": variable, "value": guess,
                    "likely_lower": guess * (1 - 1.645 * share),
                    "likely_upper": guess * (1 + 1.645 * share),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _released(truth: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Round at random to 5, and suppress areas under 40 people."""
    printed = truth.astype(float).copy()
    for column in printed.columns:
        base = column.split(" ")[0]
        if column in ("population",) or base in ("median_age", "median_income"):
            continue
        low = np.floor(truth[column] / 5) * 5
        up = rng.random(len(truth)) < (truth[column] - low) / 5
        printed[column] = low + 5 * up
    printed[truth["population"] < 40] = np.nan
    return printed


# ---------------------------------------------------------------------- the layouts


def columns_of(made: Made) -> list[tuple[str, int, str]]:
    """Return every characteristic of the delivery: words, depth, column of the truth."""
    rows = list(ROWS)
    for gender in BY_GENDER:
        rows += [(f"{gender.capitalize()}+", 2, f"private {gender}")]
        rows += [(words, depth + 2, f"{column} {gender}") for words, depth, column in ROWS[12:]]
    rows.append((BIRTHPLACES, 0, "birthplaces"))
    rows += [(place, 2, place) for place in PLACES]
    return rows


def _cell(value: float) -> str:
    if np.isnan(value):
        return "x"
    return f"{value:g}" if value % 1 else str(int(value))


def write_down(made: Made, path: Path, printed: pd.DataFrame | None = None, labels=None) -> Path:
    """Layout 1: areas down, their code and non-response in labels; a column a characteristic."""
    frame = made.printed if printed is None else printed
    rows = columns_of(made)
    names = labels or [
        f"OTT - ONS - {id} ( {at % 9}.{at % 7}%)" for at, id in enumerate(frame.index)
    ]
    with path.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["Geography", *(" " * depth + words for words, depth, _ in rows)])
        for name, (_, row) in zip(names, frame.iterrows(), strict=True):
            out.writerow([name, *(_cell(row[column]) for _, _, column in rows)])
    return path


def write_across(made: Made, path: Path, printed: pd.DataFrame | None = None, names=None) -> Path:
    """Layout 2: areas across by name only, notes on top, dollars, commas, dashes, Latin-1."""
    frame = made.printed if printed is None else printed
    names = names or [str(area["name_en"]) for area in made.areas]
    rows = columns_of(made)

    def cell(value: float, words: str) -> str:
        if np.isnan(value):
            return "x"
        if value == 0:
            return " -   "
        text = f"{value:,.1f}" if value % 1 else f"{int(value):,}"
        return f"${text}" if "($)" in words else text

    with path.open("w", encoding="latin-1", newline="") as stream:
        out = csv.writer(stream)
        width = len(names) + 3
        out.writerow(["Custom tabulation for the City, Census of 2021", *[""] * (width - 1)])
        out.writerow(["Source: Statistics Canada; données adaptées", *[""] * (width - 1)])
        out.writerow(["ID", "Variable", *(f"{name} " for name in names), "Ottawa CSD "])
        for at, (words, depth, column) in enumerate(rows):
            if words == CITIZENS:
                out.writerow(["25% Data Below", *[""] * (width - 1)])
            cells = [cell(row[column], words) for _, row in frame.iterrows()]
            total = cell(np.nansum(frame[column]), words)
            out.writerow([at + 1, " " * depth + words, *cells, total])
    return path


def write_coded(made: Made, path: Path, printed: pd.DataFrame | None = None) -> Path:
    """Layout 3: areas across, their codes in a row, topic, category and source beside each row."""
    frame = made.printed if printed is None else printed
    rows = columns_of(made)
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        out = csv.writer(stream)
        names = [str(area["name_fr"]) for area in made.areas]
        out.writerow(["Topic", "Characteristic", "Data Source", *names])
        out.writerow(["", "GeoUID", "", *frame.index])
        for words, depth, column in rows:
            cells = [_cell(row[column]) for _, row in frame.iterrows()]
            out.writerow(["Immigration", " " * depth + words, "Census 2021", *cells])
    return path


def write_long(made: Made, path: Path, *, years=(2019, 2020), newest=2021) -> Path:
    """Layout 4: the longitudinal database, a row a cell."""
    rng = np.random.default_rng(newest)
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["Geography", "Sex", "Admission year", "Tax year", "Settlement services",
                      "Measure", "Value"])  # fmt: skip
        for area in made.areas:
            for sex in ("Total", "Male", "Female"):
                for year in years:
                    for tax in range(year + 1, newest + 1):
                        for measure in ("Median wages ($)", "Number of tax filers"):
                            low, high = (20_000, 60_000) if "wages" in measure else (5, 300)
                            value = (
                                "x"
                                if area["population"] < 40
                                else int(rng.integers(low, high) // 5 * 5)
                            )
                            out.writerow([f"{area['custom_id']} {area['name_en']}", sex, year, tax,
                                          "Total", measure, value])  # fmt: skip
    return path


def write_census_long(
    made: Made, path: Path, printed: pd.DataFrame | None = None, labels: list[str] | None = None
) -> Path:
    """Layout 4 of a census: a row a cell, with its characteristic and gender as dimensions."""
    frame = made.printed if printed is None else printed
    labels = labels or [f"{one['custom_id']} {one['name_en']}" for one in made.areas]
    rows = [*ROWS, (BIRTHPLACES, 0, "birthplaces"), *((place, 2, place) for place in PLACES)]
    genders = [("Total - Gender", "")]
    genders += [(f"{gender.capitalize()}+", f" {gender}") for gender in BY_GENDER]
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(["REF_DATE", "GEO", "Gender", "Characteristic", "VALUE", "STATUS"])
        for label, (_, row) in zip(labels, frame.iterrows(), strict=True):
            for said, end in genders:
                for words, _, column in rows:
                    value = row[f"{column}{end}"]
                    cells = ["", "x"] if np.isnan(value) else [_cell(value), ""]
                    out.writerow(["2021", label, said, words, *cells])
    return path
