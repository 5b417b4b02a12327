"""Spread work over the cores: GEOS and numpy release the lock, so threads serve."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

__all__ = ["on_cores", "spread"]

T = TypeVar("T")


def _cores() -> int:
    """Return how many cores this process may use; who starts many processes says so."""
    stated = os.environ.get("OMP_NUM_THREADS", "")
    if stated.isdecimal() and int(stated):
        return int(stated)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


CORES = _cores()


def on_cores(work: Callable[[int], T], count: int) -> list[T]:
    """Do work 0 to ``count`` - 1 and return what each gave, in order."""
    if count <= 1 or CORES == 1:
        return [work(number) for number in range(count)]
    with ThreadPoolExecutor(CORES) as pool:
        return list(pool.map(work, range(count)))


def spread(work: Callable[[slice], Any], count: int, size: int = 256) -> Any:
    """Do work over ``count`` entries, ``size`` at a time, on all cores; return one array."""
    parts = on_cores(lambda part: work(slice(part * size, (part + 1) * size)), -(-count // size))
    return np.concatenate(parts) if parts else work(slice(0, 0))
