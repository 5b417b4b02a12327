"""Gather what a picture of boundaries holds before it is drawn: layers, labels, legend, table.

A page and a sheet of paper draw the same scene, so they cannot disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from lipgeo import geography
from lipgeo.areas.fields import name_nearest
from lipgeo.arrays import Shapes
from lipgeo.errors import InputError
from lipgeo.maps import cards
from lipgeo.maps.display import (
    CLASSES,
    NO_VALUE,
    STYLES,
    TINTS,
    Style,
    class_style,
    detail_for,
    has_shape,
    light,
    pieces,
    thin,
    tints_of,
    unions,
)
from lipgeo.words import language, say

if TYPE_CHECKING:
    from lipgeo.boundary.boundaries import Boundaries

__all__ = ["UNIT_LIMIT", "Label", "Layer", "Scene", "scene_of"]

#: above this many units only areas and outlines are drawn
UNIT_LIMIT = 10_000
#: flags by which a number is less than it seems; others are on the card only
_WEIGHTY = (
    "partly_observed",
    "partly_outside",
    "range_only",
    "shared_by_area",
    "zero_may_be_suppression",
)
#: least and greatest radius of the largest circle, as parts of the map's width
_CIRCLES = (0.015, 0.06)
#: how files of the Census Profile are called as published
_PROFILE = re.compile(r"98-(?:401|316)-X", re.IGNORECASE)
#: a unit of which less than this lies outside is drawn as inside: a cut nobody sees or misses
_CUT_MATTERS = 0.02
#: how much of the ground a tint hides
_TINTED = 0.42
#: areas above which their outlines are drawn finer, or they would hide the units
_CROWDED = 40
#: somewhere near Ottawa: what an empty map shows
_NOWHERE = (7.4e6, 1.1e6, 7.5e6, 1.2e6)


@dataclass(frozen=True, eq=False)
class Layer:
    """Shapes that are switched on and off together.

    Attributes
    ----------
    key, title
        Name in the table of styles; name shown.
    shapes
        Polygons in EPSG:3347, made light, none missing; of the context, lines.
    cards
        What is said of each; ``None`` where a shape says nothing and catches no pointer.
    style
        How they look.
    classes, member
        Styles that differ, each with its meaning (empty: that of the one before), and the one each
        shape takes (empty: all alike).
    shown
        Whether the layer is on at first.
    """

    key: str
    title: str
    shapes: Shapes
    cards: cards.Cards | None
    style: Style
    classes: tuple[tuple[Style, str], ...] = ()
    member: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    shown: bool = True


@dataclass(frozen=True)
class Label:
    """Words on the map at a point of EPSG:3347; the first of two that collide is kept."""

    x: float
    y: float
    lines: tuple[str, ...]
    kind: str


@dataclass(frozen=True, eq=False)
class Scene:
    """All a picture holds.

    Attributes
    ----------
    heading, fit
        What is shown, in one line; how it was fitted, in another.
    layers
        From the ground up.
    labels
        Most important first.
    legend
        Style and meaning of each entry.
    table
        The areas again as words and numbers, for those who do not see the map.
    names, places
        The areas in the order of the table: what each is called, and its shape, EPSG:3347, ``None``
        where it has none.
    bounds
        West, south, east, north of the areas, EPSG:3347.
    detail_m
        Detail that was kept, in metres.
    notice
        What the shapes stand for, and the numbers where there are any.
    notes
        What was left out of the picture.
    source
        Whose data these are.
    """

    heading: str
    fit: str
    layers: tuple[Layer, ...]
    labels: tuple[Label, ...]
    legend: tuple[tuple[Style, str], ...]
    table: cards.Cards
    names: tuple[str, ...]
    places: Shapes
    bounds: npt.NDArray[np.float64]
    detail_m: float
    notice: str
    notes: tuple[str, ...]
    source: str
    crs: Any


def scene_of(boundaries: Boundaries, estimates: Any = None, variable: str | None = None) -> Scene:
    """Return the scene of fitted boundaries, coloured by a variable where estimates are given.

    Raises
    ------
    InputError
        No area has a polygon; the estimates do not hold the variable, hold several and none is
        named, or are of other areas.
    """
    areas = boundaries.areas.reset_index(drop=True)
    labels = boundaries.service_areas.labels
    drawn = _drawn_outlines(boundaries, areas)
    if not (has_shape(areas.geometry.to_numpy()).any() or has_shape(drawn).any()):
        raise InputError("maps.no_polygons", areas=list(areas["area_id"]))
    bounds = _bounds(areas.geometry.to_numpy(), drawn)
    detail_m = detail_for(bounds)
    units = boundaries.shapes.reset_index(drop=True)
    # repeated rows of overlapping areas count: each is drawn
    too_many = len(units) > UNIT_LIMIT
    drawn = thin(drawn, detail_m)
    layers: list[Layer] = _context(boundaries)
    if too_many:
        whole = light(areas.geometry.to_numpy(), detail_m)
    else:
        shapes = light(units.geometry.to_numpy(), detail_m)
        owner = pd.Index(areas["area_id"]).get_indexer(pd.Index(units["area_id"]))
        out = units["status"].eq("left_out").to_numpy(dtype=bool)
        whole = unions(
            shapes[~out], owner[~out].astype(np.int64), areas.geometry.to_numpy(), detail_m
        )
        layers += _units(units, shapes, labels, tints_of(whole)[owner], shown=estimates is None)
        layers += _pieces(
            units[out], shapes[out], drawn[owner[out]], labels, detail_m, shown=estimates is None
        )
    numbers, title, places = None, "", None
    union_shown = drawn_shown = True
    if estimates is not None:
        numbers, title = _one_variable(estimates, variable, areas)
        basis = numbers["basis"].eq("union").to_numpy() | ~has_shape(drawn)
        places = np.where(basis, whole, drawn)
        draw = _circle_layers if _is_count(numbers) else _class_layers
        layers += draw(numbers, places, labels, title)
        union_shown, drawn_shown = bool(basis.any()), not basis.all()
    held = has_shape(whole)
    said = cards.area_cards(areas[held], labels)
    layers += _layer("union", whole[held], said, shown=union_shown)
    held = has_shape(drawn)
    said = cards.drawn_cards(areas[held], labels)
    layers += _layer("drawn", drawn[held], said, shown=drawn_shown)
    if len(areas) > _CROWDED:
        layers = [_finer(layer) for layer in layers]
    heading = say(
        ("maps.title" if numbers is None else "maps.title_numbers")
        + ("" if len(areas) > 1 else "_one"),
        areas=len(areas),
        name=" ".join(cards.area_names(areas, labels)),
        vintage=str(boundaries.vintage),
        unit=_level_name(boundaries.meta["unit"]),
        title=title,
    )
    notes = [say("maps.too_many", units=len(units), limit=UNIT_LIMIT)] if too_many else []
    gone = boundaries.context.attrs.get("gone")
    if gone:
        notes.append(say("maps.nothing_around", folder=gone))
    return Scene(
        heading=heading,
        fit=_fit(boundaries),
        layers=tuple(layers),
        labels=_labels(
            boundaries,
            areas,
            np.where(held, drawn, whole) if places is None else places,
            labels,
            numbers,
        ),
        legend=tuple(_legend([one for one in layers if numbers is None or one.shown])),
        table=cards.area_cards(areas, labels)
        if numbers is None
        else cards.estimate_cards(numbers, labels),
        names=tuple(cards.area_names(areas, labels)),
        places=_where(has_shape(drawn), drawn, whole),
        bounds=bounds,
        detail_m=detail_m,
        notice=say("maps.notice") if numbers is None else _what_numbers_are_of(numbers),
        notes=tuple(notes),
        source=_source(boundaries, None if estimates is None else estimates.sources),
        crs=areas.crs,
    )


def _where(is_drawn: npt.NDArray[np.bool_], drawn: Shapes, whole: Shapes) -> Shapes:
    """Return each area's outline as drawn, else its union, else ``None``."""
    places = np.where(is_drawn, drawn, whole)
    places[~has_shape(places)] = None
    return np.asarray(places, dtype=object)


def _drawn_outlines(boundaries: Boundaries, areas: pd.DataFrame) -> Shapes:
    """Return the outlines as they came, in the order of the areas; of lists, where they had one."""
    given = boundaries.service_areas
    frame = given.frame
    is_drawn = frame["definition"].eq("drawn")
    shapes = frame.geometry.where(is_drawn, given.as_drawn.reindex(frame.index))
    return np.asarray(shapes.reindex(areas["area_id"].astype(object)), dtype=object)


def _bounds(*shapes: Shapes) -> npt.NDArray[np.float64]:
    every = np.concatenate(shapes)
    bounds = shapely.total_bounds(every[has_shape(every)])
    return bounds if np.isfinite(bounds).all() else np.array(_NOWHERE)


def _layer(key: str, shapes: Shapes, said: cards.Cards, *, shown: bool = True) -> list[Layer]:
    if not len(shapes):
        return []
    return [Layer(key, say(f"maps.layer_{key}"), shapes, said, STYLES[key], shown=shown)]


def _finer(layer: Layer) -> Layer:
    if layer.key not in ("union", "drawn"):
        return layer
    return replace(layer, style=replace(layer.style, width=0.55 * layer.style.width))


def _context(boundaries: Boundaries) -> list[Layer]:
    around = boundaries.context
    # one that surrounds the whole map has no line on it
    around = around[has_shape(around.geometry.to_numpy())]
    return _layer("context", around.geometry.to_numpy(), cards.context_cards(around))


def _units(
    units: pd.DataFrame,
    shapes: Shapes,
    labels: pd.Series,
    tint: npt.NDArray[np.int64],
    *,
    shown: bool,
) -> list[Layer]:
    """Return the units taken in: inside in the tint of their area; cut by a share that matters."""
    held = has_shape(shapes)
    nearly = units["share"].to_numpy(np.float64) > 1 - _CUT_MATTERS
    cut = units["status"].eq("straddling").to_numpy(dtype=bool) & ~nearly & held
    inside = units["status"].isin(("inside", "straddling")).to_numpy(dtype=bool) & ~cut & held
    made = _layer("inside", shapes[inside], cards.unit_cards(units[inside], labels), shown=shown)
    used, member = np.unique(tint[inside], return_inverse=True)
    if len(used) > 1:
        kinds = [replace(STYLES["inside"], fill=TINTS[k], opacity=_TINTED) for k in used]
        said = [say("maps.tints"), *[""] * (len(used) - 1)]
        classes = tuple(zip(kinds, said, strict=True))
        made = [replace(layer, classes=classes, member=member) for layer in made]
    said_of_cut = cards.unit_cards(units[cut], labels)
    return made + _layer("straddling", shapes[cut], said_of_cut, shown=shown)


def _pieces(
    units: pd.DataFrame,
    shapes: Shapes,
    drawn: Shapes,
    labels: pd.Series,
    detail_m: float,
    *,
    shown: bool,
) -> list[Layer]:
    cut = pieces(shapes, drawn, detail_m)
    held = has_shape(cut)
    return _layer("omitted", cut[held], cards.piece_cards(units[held], labels), shown=shown)


def _one_variable(
    estimates: Any, variable: str | None, areas: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """Return one variable's rows in the order of the areas, and what it is called."""
    frame = estimates.frame
    names = list(pd.unique(frame["variable"]))
    if variable is None and len(names) == 1:
        variable = str(names[0])
    if variable not in names:
        near = name_nearest([variable], map(str, names)) if variable else ""
        given = variable or say("maps.none")
        raise InputError("maps.which_variable", given=given, held=names, near=near)
    found = frame[frame["variable"].eq(variable)].set_index("area_id")
    known = areas["area_id"].isin(found.index)
    if not known.any():
        raise InputError("maps.other_areas", areas=areas["area_id"], held=found.index)
    rows = found.reindex(areas["area_id"]).reset_index()
    rows["area_id"] = areas["area_id"]
    known_as = estimates.variables.get(variable)
    name = getattr(known_as, f"name_{language()}", "") or str(variable)
    return rows, name[:1].upper() + name[1:]


def _is_count(numbers: pd.DataFrame) -> bool:
    return "rule" in numbers and bool(numbers["rule"].eq("count").any())


def _what_numbers_are_of(numbers: pd.DataFrame) -> str:
    """Say what the numbers are of: areas as drawn, unions of units, or each where it applies."""
    known = set(numbers.loc[numbers["value"].notna(), "basis"].dropna()) & {"drawn", "union"}
    if not known:
        return say("maps.numbers")
    return say(f"maps.numbers_{'both' if len(known) > 1 else known.pop()}")


def _circle_layers(
    numbers: pd.DataFrame, shapes: Shapes, labels: pd.Series, title: str
) -> list[Layer]:
    """Return a circle an area, as large as its count, over areas that all look alike.

    Colour would say of a count mostly how large its area is.
    """
    values = numbers["value"].to_numpy(np.float64)
    held = has_shape(shapes)
    missing = np.isnan(values)
    write = cards.value_text(numbers)
    ground: list[tuple[Style, str]] = [(STYLES["ground"], say("maps.layer_ground"))]
    if missing.any():
        said = say("maps.no_value", title=title, count=int(missing.sum()))
        ground.append((NO_VALUE, said))
    made = [
        Layer(
            "value", say("maps.layer_ground"), shapes[held],
            cards.estimate_cards(numbers[held], labels), STYLES["ground"],
            tuple(ground), missing[held].astype(np.int64),
        )
    ]  # fmt: skip
    # strokes lie on the ground, the circles over them
    made += _flagged_layer(numbers, shapes, missing)
    some = held & ~missing & (values > 0)
    if some.any():
        said = say(
            "maps.circles", title=title, low=write(values[some].min()),
            high=write(values[some].max()),
        )  # fmt: skip
        circles = _circles(shapes[some], values[some])
        # the largest first, or it would hide the others
        order = np.argsort(-values[some], kind="stable")
        said_of = cards.estimate_cards(numbers[some].iloc[order], labels)
        made.append(Layer("circles", said, circles[order], said_of, STYLES["circles"]))
    return made


def _circles(shapes: Shapes, values: npt.NDArray[np.float64]) -> Shapes:
    """Return circles in the areas, their areas in proportion to the values."""
    west, south, east, north = shapely.total_bounds(shapes)
    typical = float(np.sqrt(np.median(shapely.area(shapes))))
    width = max(east - west, north - south)
    largest = float(np.clip(0.5 * typical, _CIRCLES[0] * width, _CIRCLES[1] * width))
    radii = largest * np.sqrt(values / values.max())
    return np.asarray(shapely.buffer(shapely.point_on_surface(shapes), radii), dtype=object)


def _class_layers(
    numbers: pd.DataFrame, shapes: Shapes, labels: pd.Series, title: str
) -> list[Layer]:
    """Return the areas in classes of equal number, and strokes over those to be read with care."""
    values = numbers["value"].to_numpy(np.float64)
    missing = np.isnan(values)
    known = values[~missing]
    edges = np.quantile(known, np.linspace(0, 1, len(CLASSES) + 1)[1:-1]) if len(known) else []
    # a class that nobody is in is none: equal values share one
    used, place = np.unique(np.searchsorted(edges, known, side="right"), return_inverse=True)
    member = np.full(len(values), len(used), dtype=np.int64)
    member[~missing] = place
    write = cards.value_text(numbers)
    classes = []
    for k in range(len(used)):
        mine = known[place == k]
        low, high = write(mine.min()), write(mine.max())
        key = "maps.class" if low != high else "maps.class_one"
        meaning = say(key, title=title, count=len(mine), low=low, high=high)
        classes.append((class_style(k, len(used)), meaning))
    if missing.any():
        said = say("maps.no_value", title=title, count=int(missing.sum()))
        classes.append((NO_VALUE, said))
    held = has_shape(shapes)
    said_of = cards.estimate_cards(numbers[held], labels)
    made = [Layer("value", title, shapes[held], said_of, NO_VALUE, tuple(classes), member[held])]
    return [*made, *_flagged_layer(numbers, shapes, missing)]


def _flagged_layer(
    numbers: pd.DataFrame, shapes: Shapes, missing: npt.NDArray[np.bool_]
) -> list[Layer]:
    """Return strokes over the areas whose numbers are to be read with care."""
    weighty = numbers["flag"].fillna("").str.split(";").map(lambda f: any(w in f for w in _WEIGHTY))
    marked = has_shape(shapes) & weighty.to_numpy(dtype=bool) & ~missing
    if not marked.any():
        return []
    said = say("maps.layer_flagged", count=int(marked.sum()))
    return [Layer("flagged", said, shapes[marked], None, STYLES["flagged"])]


def _labels(
    boundaries: Boundaries,
    areas: pd.DataFrame,
    shapes: Shapes,
    labels: pd.Series,
    numbers: pd.DataFrame | None,
) -> tuple[Label, ...]:
    held = np.flatnonzero(has_shape(shapes))
    held = held[np.argsort(-shapely.area(shapes[held]), kind="stable")]
    points = shapely.point_on_surface(shapes[held])
    names = np.asarray(cards.area_names(areas, labels), dtype=object)[held]
    second: list[tuple[str, ...]] = [() for _ in held]
    if numbers is not None:
        said = cards.estimate_cards(numbers, labels)
        value, likely, certain = (
            said.heads.index(say(f"maps.{k}")) for k in ("value", "likely", "certain")
        )
        known = numbers["value"].notna().to_numpy()
        second = [
            tuple(
                text
                for text in (
                    (said.rows[k][value], said.rows[k][likely])
                    if known[k]
                    else (said.rows[k][certain] or said.rows[k][value],)
                )
                if text
            )
            for k in held
        ]
    made = [
        Label(x, y, (name, *more), "area")
        for x, y, name, more in zip(
            shapely.get_x(points), shapely.get_y(points), names, second, strict=True
        )
    ]
    around = boundaries.context
    around = around[around["unit_name"].notna()]
    made += [
        Label(x, y, (str(name),), "context")
        for x, y, name in zip(around["x"], around["y"], around["unit_name"], strict=True)
    ]
    return tuple(made)


def _legend(layers: list[Layer]) -> list[tuple[Style, str]]:
    """Return one entry a layer, or one a class where a layer has classes."""
    made: list[tuple[Style, str]] = []
    for layer in layers:
        told = [(style, meaning) for style, meaning in layer.classes if meaning]
        made += told or [(layer.style, layer.title)]
    return made


def _level_name(unit: str) -> str:
    """Return what units of a level are called, in the language in force."""
    return say("maps.levels_mixed") if unit == "mixed" else geography.level(unit).name


def _fit(boundaries: Boundaries) -> str:
    meta = boundaries.meta
    if not boundaries.areas["definition"].eq("drawn").any():
        return say("maps.fit_listed", vintage=str(boundaries.vintage))
    return say(
        "maps.fit",
        vintage=str(boundaries.vintage),
        unit=meta["unit"],
        rule=meta["rule"],
        by=say(f"maps.by_{meta['by']}"),
    )


def _source(boundaries: Boundaries, tables: pd.DataFrame | None) -> str:
    """Say whose boundaries these are, and from which tables the numbers were made."""
    vintage = str(boundaries.vintage)
    if boundaries.meta.get("made"):
        said = say("maps.attribution_made")
    else:
        said = say("maps.attribution", vintage=vintage)
    files = [] if tables is None else list(dict.fromkeys(tables["file"].dropna().astype(str)))
    if not files:
        return said
    # the catalogue number of the Census Profile; a made one is nobody's
    published = any(_PROFILE.match(name) for name in files) and not boundaries.meta.get("made")
    kind = "maps.numbers_of_profile" if published else "maps.numbers_of"
    return f"{say(kind, vintage=vintage, files=files)} {said}"
