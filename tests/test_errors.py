"""A wrong kind of argument in a main function ends in a sentence, not inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lipgeo
from lipgeo import synthetic
from lipgeo.errors import FileError, KindError, LipgeoError, OrderError, require_paths
from lipgeo.words import speaking

#: what somebody may give by mistake
WRONG = {
    "nothing": None,
    "text": "x",
    "number": 3,
    "frame": pd.DataFrame({"a": [1]}),
    "list": [],
    "object": object(),
}


@pytest.fixture(scope="module")
def town() -> Any:
    """A small made census, areas over it, and their boundaries."""
    census = synthetic.census(1000, seed=3)
    areas = lipgeo.ServiceAreas.from_frame(synthetic.service_areas(census, 2), id="area_id")
    return census, areas, lipgeo.fit_boundaries(census, areas)


CALLS = {
    "open_census": lambda wrong, town: lipgeo.open_census(wrong),
    "read_layer": lambda wrong, town: lipgeo.read_layer(wrong),
    "read_service_areas": lambda wrong, town: lipgeo.read_service_areas(wrong),
    "read_profile": lambda wrong, town: lipgeo.read_profile(wrong),
    "read_table": lambda wrong, town: lipgeo.read_table(wrong),
    "read_build": lambda wrong, town: lipgeo.read_build(wrong),
    "read_crosswalk": lambda wrong, town: lipgeo.read_crosswalk(wrong),
    "read_correspondence": lambda wrong, town: lipgeo.read_correspondence(wrong),
    "verify_store": lambda wrong, town: lipgeo.verify_store(wrong),
    "verify_order": lambda wrong, town: lipgeo.verify_order(wrong),
    "diff_orders": lambda wrong, town: lipgeo.diff_orders(wrong, wrong),
    "fit_boundaries": lambda wrong, town: lipgeo.fit_boundaries(wrong, town[1]),
    "fit_boundaries areas": lambda wrong, town: lipgeo.fit_boundaries(town[0], wrong),
    "tradeoff": lambda wrong, town: lipgeo.tradeoff(wrong, town[1]),
    "write_order": lambda wrong, town: lipgeo.write_order(wrong, "never"),
    "write_build": lambda wrong, town: lipgeo.write_build(wrong, "never"),
    "preview": lambda wrong, town: lipgeo.preview(wrong),
    "build_crosswalk source": lambda wrong, town: lipgeo.build_crosswalk(wrong, town[1]),
    "build_crosswalk target": lambda wrong, town: lipgeo.build_crosswalk(
        town[0].zones("DA"), wrong
    ),
    "build_crosswalk blocks": lambda wrong, town: lipgeo.build_crosswalk(
        town[0].zones("DA"), town[1], weight="population", blocks="none" if wrong is None else wrong
    ),
    "compose": lambda wrong, town: town[2].crosswalk.compose(wrong),
    "calibrate": lambda wrong, town: lipgeo.calibrate(wrong, WRONG["frame"], WRONG["frame"]),
    "calibrate controls": lambda wrong, town: lipgeo.calibrate(
        town[2].crosswalk, wrong, WRONG["frame"]
    ),
    "weight_table": lambda wrong, town: lipgeo.weight_table(wrong, town[2].crosswalk),
    "weight_table crosswalk": lambda wrong, town: lipgeo.weight_table(_table(), wrong),
    "add_census": lambda wrong, town: lipgeo.add_census("never", wrong),
    "add_census store": lambda wrong, town: lipgeo.add_census(wrong, "never.zip"),
}


def _table() -> lipgeo.CensusTable:
    frame = pd.DataFrame({"people": [1.0]}, index=["35060001"])
    return lipgeo.CensusTable(frame, {"people": "count"}, level="DA", vintage=2021)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_main_functions_refuse_a_wrong_kind_by_a_sentence(call: Any, wrong: Any, town: Any):
    """Every main function raises an error of lipgeo, whatever stands in place of its argument."""
    with pytest.raises(LipgeoError):
        call(wrong, town)


@pytest.mark.parametrize("wrong", [None, 3, [], pd.DataFrame()])
def test_find_needs_text(wrong: Any, town: Any):
    """A name that is no text is refused by name."""
    with pytest.raises(KindError, match="name needs to be text; "):
        town[0].find(wrong)


def test_the_error_is_what_python_would_raise():
    """A wrong kind is caught as TypeError, as ValueError and as an error of lipgeo."""
    for kind in (TypeError, ValueError, LipgeoError):
        with pytest.raises(kind, match=r"path needs to be the path .* None was"):
            lipgeo.read_layer(None)


def test_the_message_says_what_to_do(town: Any):
    """Text in place of a census or boundaries is answered with how to get them."""
    with pytest.raises(KindError, match=r"'x' was given. Open one with lipgeo.open_census"):
        lipgeo.fit_boundaries("x", town[1])
    with pytest.raises(KindError, match=r"'x' was given. Make them with lipgeo.fit_boundaries"):
        lipgeo.preview("x")
    with speaking("fr"), pytest.raises(KindError, match=r"on a reçu DataFrame. Faites-le avec"):
        lipgeo.write_order(pd.DataFrame(), "never")
    with pytest.raises(KindError, match="threshold needs to be a number; 'half' was given"):
        lipgeo.fit_boundaries(*town[:2], threshold="half")


def test_one_path_or_several(tmp_path: Path):
    """Text, a path, a list and a generator of them are all paths; what is none is named."""
    given = (str(tmp_path), tmp_path, [tmp_path], (one for one in [str(tmp_path)]))
    assert all(require_paths(one) == [tmp_path] for one in given)
    with pytest.raises(KindError, match="or a list of paths; 3 was given"):
        require_paths([tmp_path, 3])


def test_an_order_is_no_build_and_a_build_no_order(town: Any, tmp_path: Path):
    """Each folder given for the other is named as what it is."""
    lipgeo.write_build(town[2], tmp_path / "build")
    lipgeo.write_order(town[2], tmp_path / "order")
    with pytest.raises(FileError, match="order is an order, and a build directory is needed"):
        lipgeo.read_build(tmp_path / "order")
    with pytest.raises(OrderError, match="build is a build directory, and an order is needed"):
        lipgeo.verify_order(tmp_path / "build")
    with pytest.raises(OrderError, match="build is a build directory, and an order is needed"):
        lipgeo.diff_orders(tmp_path / "order", tmp_path / "build")
