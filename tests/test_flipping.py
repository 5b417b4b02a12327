"""Bits flipped at random in what lipgeo keeps: a short run of the harness, in this process."""

from __future__ import annotations

import flipping
import pytest


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> list[flipping.Kept]:
    """Return one of every kind of the toy town."""
    return flipping.make_world(tmp_path_factory.mktemp("world"))


def test_no_flipped_bit_is_read_in_silence(world: list[flipping.Kept]):
    """Store, build, crosswalk, order, portal: noticed, or nothing that is read changes."""
    found = flipping.run(world, 8 * len(world), 7, forked=False)
    for kind, counts in found.items():
        assert not {name: counts[name] for name in flipping.FAULTS if counts[name]}, kind
        assert counts["noticed"], kind


def test_the_harness_tells_silence_from_harm(tmp_path):
    """A reader that checks nothing is caught, and one that reads nothing is harmless."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(64))
    readers = {"careless": lambda place: place.read_bytes(), "blind": lambda place: 0}
    kept = [flipping.Kept(kind, path, read) for kind, read in readers.items()]
    found = flipping.run(kept, 8, 1, forked=False)
    assert found["careless"] == {"silent": 4}
    assert found["blind"] == {"harmless": 4}
    assert path.read_bytes() == bytes(64)
