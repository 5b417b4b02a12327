"""A large Census Profile of made figures, in the layout of 2021.

::

    python benchmarks/made_profile.py /tmp/profile.csv --units 4000

One file, 23 columns, 2,631 characteristics a unit; names with commas in quotes, accents in
Windows-1252. A unit has its own people, a characteristic its own share of them: counts are
rounded to five, men and women on their own, rates are of the unit's own total, cells are
suppressed by unit and at random. It is for measuring: its words are no real ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lipgeo.synthetic.files import COLUMNS

CHARACTERISTICS = 2631
#: dissemination areas of the census of 2021
NATION_UNITS = 57_936
#: figures are drawn for so many units at a time
_AT_ONCE = 64
#: shares of characteristics that are amounts (in the column of counts) and rates (in that of rates)
_AMOUNTS, _RATES = 0.03, 0.02
_ROW = b"%b%b%b,,%b,,%b,,%b,,%b,,%b,\r\n"


def write_made_profile(path: Path, units: int, seed: int = 1) -> int:
    """Write ``units`` dissemination areas; return the rows written."""
    random = np.random.default_rng(seed)
    heads = [head.encode("cp1252") for head in _heads(random)]
    shares = np.minimum(1.0, 10 ** random.uniform(-5, 0, CHARACTERISTICS))
    kinds = random.choice(3, CHARACTERISTICS, p=[1 - _AMOUNTS - _RATES, _AMOUNTS, _RATES])
    kinds[0] = 0
    whole = np.array([str(number).encode() for number in range(200_001)], dtype=object)
    tenths = np.array([f"{number / 10:.1f}".encode() for number in range(10_001)], dtype=object)
    with path.open("wb") as file:
        file.write((",".join(COLUMNS) + "\r\n").encode("cp1252"))
        for first in range(0, units, _AT_ONCE):
            cells = _cells(random, min(_AT_ONCE, units - first), shares, kinds, whole, tenths)
            for unit, columns in enumerate(cells, first):
                code = f"{35060001 + unit}"
                start = (
                    f"2021,2021S0512{code},{code},Dissemination area,{code},3.1,4.3,00000,"
                ).encode()
                rows = zip([start] * CHARACTERISTICS, heads, *columns, strict=True)
                file.write(b"".join(map(_ROW.__mod__, rows)).replace(b"x,,", b",x,"))
    return units * CHARACTERISTICS


def _heads(random: np.random.Generator) -> list[str]:
    """Return id, name and note of every characteristic, as they stand in a row."""
    words = ("Total", "Knowledge of languages", "Born in Québec", "Income, after tax", "Other")
    heads = []
    for place in range(1, CHARACTERISTICS + 1):
        depth = int(random.integers(0, 4)) if place > 1 else 0
        name = "  " * depth + f"{words[place % 5]} - {'group of persons ' * (place % 3)}{place}"
        quoted = f'"{name}"' if "," in name else name
        heads.append(f"{place},{quoted},{place % 90 or ''},")
    return heads


def _cells(
    random: np.random.Generator,
    units: int,
    shares: np.ndarray,
    kinds: np.ndarray,
    whole: np.ndarray,
    tenths: np.ndarray,
) -> list[list[list[bytes]]]:
    """Return the six columns of text of each unit: counts, then rates; ``x`` where suppressed."""
    people = random.gamma(4.0, 150.0, units)
    local = np.minimum(1.0, shares * random.gamma(2.0, 0.5, (units, len(shares))))
    persons = random.poisson(people[:, None] * local)
    men = random.binomial(persons, 0.49)
    sexes = (persons, men, persons - men)
    halves = (people, people * 0.49, people * 0.51)
    counts = []
    gone = (random.random((units, len(shares))) < 0.01) | (random.random((units, 1)) < 0.03)
    columns = []
    for count in sexes:
        rounded = np.minimum(5 * ((count + random.integers(0, 5, count.shape)) // 5), 200_000)
        counts.append(rounded)
        amount = 200 * random.integers(50, 600, count.shape)
        text = whole[np.where(kinds == 1, amount, rounded)]
        text[:, kinds == 2] = b""
        columns.append(text)
    for count, half in zip(counts, halves, strict=True):
        rate = np.minimum(1000, np.round(1000 * count / half[:, None])).astype(int)
        text = tenths[rate]
        text[:, kinds == 1] = b""
        columns.append(text)
    for text in columns:
        text[gone] = b"x"
    return [[text[unit].tolist() for text in columns] for unit in range(units)]


def main() -> None:
    """Write a file and say its size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--units", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rows = write_made_profile(asked.path, asked.units, asked.seed)
    print(f"{asked.path}: {rows:,} rows, {asked.path.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
