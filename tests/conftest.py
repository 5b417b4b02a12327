"""What every test can use: the real census data beside the checkout, where it is present."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# a busy machine is no fault of the code: time is measured in benchmarks, never asserted in tests
_patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# a commit passes or fails the same way each time; a long run looks at other examples, and more:
# python3 dev.py test --hypothesis-profile=thorough
settings.register_profile("lipgeo", _patient, max_examples=40, derandomize=True, database=None)
settings.register_profile("thorough", _patient, max_examples=400)
settings.load_profile("lipgeo")

_REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of the real census data; skips, saying why, where it is absent."""
    if not (_REAL / "README.md").exists():
        pytest.skip("the real census data are not beside this checkout (../shared/data)")
    return _REAL


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory) -> dict[str, Path]:
    """What ``lipgeo demo`` leaves: name of each result to its path. Nobody writes into it.

    It is made once, whatever the number of workers: the first to come makes it, others wait.
    """
    from lipgeo.synthetic.demo import run_demo

    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    folder, told = place / "demo" / "démo d'été", place / "demo" / "results.json"
    try:
        (place / "demo").mkdir()
    except FileExistsError:
        for _ in range(600):
            with contextlib.suppress(OSError, ValueError):
                return {name: Path(path) for name, path in json.loads(told.read_text()).items()}
            time.sleep(0.5)
        pytest.fail("the worker that makes the demonstration did not end")
    results = run_demo(folder)
    told.write_text(json.dumps({name: str(path) for name, path in results.items()}))
    return results
