"""Carry the facts about partnerships and consortia into the registry.

    python boundaries/make_registry.py FOLDER

FOLDER holds lips.csv and consortia.csv as compiled from public pages. Writes lips.csv,
consortia.csv, definitions.csv and overlaps.csv beside this script, the same bytes each time.
Every line keeps its source and its status; none is raised. A line without a public source says
so. Codes of census subdivisions were checked against the 2016 list, hence ``codes_vintage``.

definitions.csv and overlaps.csv say in rows what the facts say in words: which definitions of a
partnership followed one another, and which overlaps are intended. No source gives the day of a
change, so no day is written.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
NO_SOURCE = "none found; general knowledge"
CODES_VINTAGE = "2016"
CDP_TABLES = (
    "https://donneescommunautaires.ca/data/longitudinal-immigration-database-imdb-icare-table-t2-"
    "immigrant-taxfiler-mobility-age-sex-0"
)
#: the CDP's tables held the city, and now hold the metropolitan area
CITY_THEN_CMA = {
    "ab-calgary": ("CSD:4806016", "CMA:825"),
    "ab-edmonton": ("CSD:4811061", "CMA:835"),
    "sk-regina": ("CSD:4706027", "CMA:705"),
    "sk-saskatoon": ("CSD:4711066", "CMA:725"),
    "mb-winnipeg": ("CSD:4611040", "CMA:602"),
}
QUADRANTS = "https://thelipsecretariat.ca/what-are-the-lips/"
NETWORKS = (
    "https://tonile.ca/index.php/en/reseau-en-integration-francophone-2/"
    "les-reseaux-en-immigration-francophone-au-canada-en"
)


def main(folder: Path) -> None:
    """Write the registry from a folder of facts."""
    lips = read(folder / "lips.csv")
    lips.insert(lips.columns.get_loc("units"), "codes_vintage", CODES_VINTAGE)
    lips["source"] = lips["source"].mask(lips["source"].eq(""), NO_SOURCE)
    write(lips, "lips.csv")
    write(definitions(), "definitions.csv")
    write(overlaps(lips), "overlaps.csv")

    consortia = read(folder / "consortia.csv")
    at = consortia.columns.get_loc("codes_general_knowledge") + 1
    units, alternatives = zip(*consortia["codes_general_knowledge"].map(codes), strict=True)
    consortia.insert(at, "units", units)
    consortia.insert(at + 1, "alternatives", alternatives)
    consortia.insert(at + 2, "codes_status", consortia["codes_general_knowledge"].map(status))
    write(consortia, "consortia.csv")


def codes(written: str) -> tuple[str, str]:
    """Read ``CD 3510 + 3511`` as a union, ``CSD 3539036 (or CD 3539)`` as two readings."""
    readings = []
    for reading in re.split(r"\(or ", written):
        level = ""
        units = []
        for word in re.findall(r"\b(CSD|CD|CMA)\b|(\d+)", reading):
            level = word[0] or level
            if word[1]:
                units.append(f"{level}:{word[1]}")
        if units:
            readings.append(";".join(units))
    if len(readings) == 1:
        return readings[0], ""
    return "", ";".join(readings)


def status(written: str) -> str:
    """Return how sure the codes are: the facts call all of them general knowledge."""
    return "general knowledge" if written else "none"


def definitions() -> pd.DataFrame:
    """Return the definitions that followed one another."""
    rows = []
    for lip, (city, metropolitan) in CITY_THEN_CMA.items():
        for version, follows, units, note in (
            ("city", "", city, "held by earlier versions of the CDP's IMDB/ICARE tables"),
            ("cma", "city", metropolitan, "held by the CDP's current IMDB/ICARE tables"),
        ):
            rows.append(
                {
                    "lip_id": lip,
                    "version": version,
                    "follows": follows,
                    "valid_from": "",
                    "valid_to": "",
                    "codes_vintage": CODES_VINTAGE,
                    "units": units,
                    "extent_status": "sourced",
                    "note": f"{note}; no source gives the day of the change",
                    "source": CDP_TABLES,
                }
            )
    return pd.DataFrame(rows)


def overlaps(lips: pd.DataFrame) -> pd.DataFrame:
    """Return the overlaps that are meant."""
    quadrants = lips.loc[
        lips["lip_id"].str.startswith("on-toronto-") & lips["lip_id"].ne("on-toronto-city"),
        "lip_id",
    ]
    rows = [
        {
            "one": quadrant,
            "other": "on-toronto-city",
            "reason": "the city-wide partnership and its four quadrants overlap by design",
            "status": "verified from source text (city-wide beside four catchments); "
            "that they overlap is inferred",
            "source": QUADRANTS,
        }
        for quadrant in quadrants
    ]
    rows.append(
        {
            "one": "RIF",
            "other": "LIP;ZIP",
            "reason": "a francophone network covers a whole province or part of one, "
            "and the partnerships in it",
            "status": "verified from source text (one a province, three in Ontario); "
            "that they overlap is inferred",
            "source": NETWORKS,
        }
    )
    return pd.DataFrame(rows)


def read(path: Path) -> pd.DataFrame:
    """Read a table as text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def write(frame: pd.DataFrame, name: str) -> None:
    """Write a table."""
    frame.to_csv(HERE / name, index=False, lineterminator="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
