"""Everything public goes to another process and comes back: pickled, copied, as it was."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Mapping

import made_deliveries
import pandas as pd
import pytest
from matplotlib.figure import Figure

import lipgeo
from lipgeo import CensusTable, ServiceAreas, synthetic
from lipgeo.errors import TableError
from lipgeo.report import finding

HOW = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """Return one of each public type, by the name of its class, made in a small country."""
    folder = tmp_path_factory.mktemp("things")
    census = synthetic.census(blocks=600, seed=3)
    areas = ServiceAreas.from_frame(synthetic.service_areas(census, 2), id="area_id")
    build = lipgeo.fit_boundaries(census, areas, unit="DA")
    made = synthetic.table(census, "DA")
    table = CensusTable(made.frame, level="DA", vintage=2021, symbols=made.symbols)
    estimates = lipgeo.weight_table(table, build.crosswalk, variables=["immigrants"])
    lipgeo.add_table(folder / "store", synthetic.write_profile(census, [made], folder / "profile"))
    first = lipgeo.write_order(build, folder / "order", estimates=estimates)
    portal = lipgeo.open_portal(folder / "portal", create=True)
    order = made_deliveries.made_order(folder / "made", 3)
    receipt = portal.receive(
        made_deliveries.write_down(order, folder / "T1.csv"), order=order.order, dry_run=True
    )
    lists = folder / "lists"
    lists.mkdir()
    unit = census.units("CSD").index[0]
    (lists / "one.csv").write_text(f"area_id,unit\none,CSD:{unit}\n", encoding="utf-8")
    correspondence = lipgeo.Correspondence(
        pd.DataFrame({"new_id": ["35060001"], "old_id": ["35060002"]}),
        level="DA", vintage=2021, old_level="DA", old_vintage=2016,
    )  # fmt: skip
    all_of_it = [
        census, census.zones("DA"), lipgeo.Zones.from_frame(areas.frame), areas, build,
        build.crosswalk, build.report, table, estimates, correspondence, made,
        lipgeo.tradeoff(census, areas, units=["DA"], control_weights=[]),
        lipgeo.compare(areas, {2021: (census, table), 2016: (None, None)}, ["immigrants"]),
        lipgeo.open_table(folder / "store", level="DA"), lipgeo.preview(build), build.plot(),
        lipgeo.diff_orders(first, first), portal, receipt,
        lipgeo.compile_set(lists, name="set", census=census),
        finding("cli.no_store", "note", "", store=""),
    ]  # fmt: skip
    return {type(one).__name__: one for one in all_of_it}


def public_types() -> set[str]:
    """Return the names of public classes, and of what public functions return."""
    found = set()
    for name in lipgeo.__all__:
        one = getattr(lipgeo, name)
        if inspect.isclass(one):
            found.add(one.__name__)
        elif inspect.isfunction(one):
            found.add(str(one.__annotations__["return"]))
    return {name for name in found if "." not in name} - {"None", "Path"}


def frames_of(thing) -> dict[str, object]:
    """Return what a thing shows: its tables, mappings and plain values, by attribute."""
    found = {}
    for name in dir(thing):
        if name.startswith("_") or (isinstance(thing, Figure) and name != "axes"):
            continue
        value = getattr(thing, name)
        if isinstance(value, pd.DataFrame | pd.Series | pd.Index | Mapping | str | int | tuple):
            found[name] = value
    return found


def same(one, two) -> bool:
    """Return whether two values are equal, tables by all their cells."""
    if isinstance(one, pd.DataFrame | pd.Series | pd.Index):
        return type(one) is type(two) and one.equals(two)
    if isinstance(one, Mapping):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    return repr(one) == repr(two)


def test_one_of_each_public_type_is_tried(things):
    """A new public type is copied too, or this test says which is not."""
    assert public_types() - set(things) == set()


@pytest.mark.parametrize("how", HOW)
def test_everything_public_is_copied_as_it_was(things, how):
    """The same class, the same tables, the same words; what may not change still may not."""
    for name, thing in things.items():
        again = HOW[how](thing)
        assert type(again) is type(thing), name
        shown = frames_of(thing)
        assert shown or name == "Sheet"
        other = frames_of(again)
        assert [part for part in shown if not same(shown[part], other[part])] == [], name
    for name in ("CensusTable", "LongTable", "Crosswalk"):
        again = HOW[how](things[name])
        rules = again.meta if name == "Crosswalk" else again.variables
        with pytest.raises(TypeError):
            rules["new"] = None


def test_copies_still_work(things):
    """A copy answers as what it is of: numbers, columns read from disk, explanations."""
    estimates = HOW["pickle"](things["Estimates"])
    area = things["ServiceAreas"].ids[0]
    told = things["Estimates"].explain(area, "immigrants")
    assert estimates.explain(area, "immigrants").equals(told)
    stored = HOW["pickle"](things["LongTable"].with_variables({"immigrants": "count"}))
    part = things["LongTable"].part(["immigrants"]).frame
    assert stored.part(["immigrants"]).frame.equals(part)
    assert stored.variables["immigrants"].denominator is None


def test_a_table_of_a_foreign_engine_says_why_it_stays(things):
    """A session of Spark is no file that another process opens."""
    table = things["LongTable"]
    foreign = copy.copy(table)
    foreign._engine = type(table._engine)(table._engine._cells, None, None)
    with pytest.raises(TableError, match="open it in each"):
        pickle.dumps(foreign)
    assert copy.deepcopy(foreign).columns.equals(table.columns)
