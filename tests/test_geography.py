"""The table of census geography, identifiers, DGUIDs, and damaged ids brought back."""

from __future__ import annotations

from lipgeo.geography import restore_ids


def test_lost_zeros_of_tracts_come_back():
    """A tract id read as a number has one reading, and each restoration is a row."""
    done = restore_ids(["5050125.04", "5050125.4", "5050125"], "CT", 2021)
    assert done.ids.tolist() == ["5050125.04", "5050125.40", "5050125.00"]
    assert done.restored["kind"].tolist() == ["tract", "tract"]
