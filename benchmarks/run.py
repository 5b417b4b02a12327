"""Run every benchmark and print its tables, one after the other.

::

    python3 dev.py bench              sizes that end in minutes
    python3 dev.py bench --nation     the made nation at full size
    python3 dev.py bench crosswalk    one of them

Benchmarks on real data look for it beside the checkout and are left out, by name, without it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REAL = HERE.parents[1] / "shared" / "data"
#: arguments of the benchmarks that have a size
SIZES = {
    "crosswalk": ("--blocks", "30000", "--areas", "20"),
    "spark": ("--blocks", "30000", "--areas", "20", "--characteristics", "50"),
    "dissolve": ("--blocks", "60000", "--largest", "3000", "--areas", "20"),
    "fit": ("--blocks", "50000", "--areas", "20"),
    "growth": ("--blocks", "60000", "--areas", "60"),
    "portal": ("--areas", "20", "--trials", "2", "--clean", "10"),
    "store": ("--blocks", "50000"),
    "table_weighting": ("--units", "3000", "--characteristics", "400"),
}
NATION = {
    "crosswalk": ("--blocks", "492768", "--areas", "90"),
    "spark": ("--blocks", "492768", "--areas", "90", "--characteristics", "300"),
    "dissolve": ("--blocks", "492768"),
    "fit": ("--blocks", "492768"),
    "growth": ("--blocks", "492768"),
    "store": ("--blocks", "492768"),
    "table_weighting": ("--units", "57936", "--characteristics", "2631"),
}
#: what benchmarks share
NO_BENCHMARK = {"run", "measuring", "made_profile"}
NEED_REAL = {"estimates", "optimal", "order", "ottawa", "registry", "vintages", "maps",
             "portal_real"}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run them; return how many failed."""
    nation = "--nation" in arguments
    asked = [name for name in arguments if not name.startswith("-")]
    names = asked or sorted({p.stem for p in HERE.glob("*.py")} - NO_BENCHMARK)
    failed = 0
    for name in names:
        if name in NEED_REAL and not REAL.is_dir():
            print(f"== {name}: left out, the real data are not beside the checkout")
            continue
        print(f"== {name}", flush=True)
        began = time.perf_counter()
        extra = (NATION if nation else SIZES).get(name, ())
        code = subprocess.run([sys.executable, HERE / f"{name}.py", *extra], check=False).returncode
        print(f"== {name}: {time.perf_counter() - began:.0f} s, exit status {code}", flush=True)
        failed += bool(code)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
