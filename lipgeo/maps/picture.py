"""Draw the map on one sheet of paper, and the picture of a trade-off, with matplotlib.

The sheet is PNG or PDF, for those whose mail blocks HTML.
"""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.path import Path as Line
from matplotlib.ticker import FuncFormatter

from lipgeo.arrays import Floats, Shapes
from lipgeo.errors import OutputError
from lipgeo.files import MAKER, file_in_one_step, require_free_file
from lipgeo.maps.scene import Layer, Scene, scene_of
from lipgeo.words import number, say

if TYPE_CHECKING:
    from lipgeo.boundary.boundaries import Boundaries
    from lipgeo.boundary.tradeoff import Tradeoff

__all__ = ["Sheet", "figure", "frontier"]

#: letter paper on its side, in inches, and what makes it 1,650 pixels wide
_PAPER = (11.0, 8.5)
_DPI = 150
#: left, bottom, width and height of the map on the sheet
_MAP = (0.02, 0.11, 0.71, 0.77)
#: points of the numbers of areas and of the list of their names: the first with room for it
_KEY_SIZES = (7.5, 5.5)
_KEY_LEFT = _MAP[0] + _MAP[2] + 0.01
_KINDS = ("png", "pdf")


class Sheet(Figure):
    """A map on one page: a matplotlib figure that knows how to save itself."""

    def save(self, path: str | Path, kind: str | None = None, *, replace: bool = False) -> Path:
        """Write the sheet as ``png`` or ``pdf``, by the name's ending unless ``kind`` says.

        Equal sheets give equal bytes. An earlier sheet gives way where ``replace`` is true; no
        other file does.

        Raises
        ------
        OutputError
            The kind is another, something stands there, or the file cannot be written; what was
            there is as it was.
        """
        target = Path(path)
        kind = kind or target.suffix.lower().lstrip(".")
        if kind not in _KINDS:
            raise OutputError("maps.bad_picture", path=target, kinds=_KINDS)
        require_free_file(target, replace=replace, endings=[f".{kind}"])
        with file_in_one_step(target) as temporary:
            temporary.write_bytes(self._bytes(kind))
        return target

    def _bytes(self, kind: str) -> bytes:
        # no clock and no version in the file; the maker, so that a later one may take its place
        metadata = (
            {"CreationDate": None, "Producer": MAKER} if kind == "pdf" else {"Software": MAKER}
        )
        held = io.BytesIO()
        # type 42 keeps the letters as letters, so that a PDF can be searched and read aloud
        with mpl.rc_context({"pdf.fonttype": 42, "hatch.linewidth": 0.6}):
            self.savefig(held, format=kind, dpi=_DPI, metadata=metadata)
        return held.getvalue()

    def _repr_png_(self) -> bytes:
        return self._bytes("png")


def figure(
    boundaries: Boundaries,
    *,
    estimates: Any = None,
    variable: str | None = None,
    title: str | None = None,
    date: str | None = None,
) -> Sheet:
    """Draw fitted boundaries on one page with legend, scale, source and date.

    Parameters
    ----------
    boundaries
        What :func:`lipgeo.fit_boundaries` or :func:`lipgeo.read_build` gave.
    estimates, variable, title
        As for :func:`lipgeo.preview`.
    date
        Date printed at the foot, as it is to read; by default the census year alone.

    Returns
    -------
    Sheet
        A matplotlib figure, north up, the same colours and words as the page; ``save`` writes
        it.

    Raises
    ------
    InputError
        As for :func:`lipgeo.preview`.
    """
    scene = scene_of(boundaries, estimates, variable)
    sheet = Sheet(figsize=_PAPER, dpi=_DPI)
    axes = sheet.add_axes(_MAP)
    crs = _north_up(scene)
    frame = _frame(scene, crs)
    axes.set_xlim(frame[0], frame[2])
    axes.set_ylim(frame[1], frame[3])
    axes.set_xticks([])
    axes.set_yticks([])
    for place, layer in enumerate(scene.layers):
        if layer.shown:
            _draw(axes, layer, gpd.GeoSeries(layer.shapes, crs=scene.crs).to_crs(crs), place + 1)
    sheet.draw_without_rendering()
    nameless = _label(sheet, axes, scene, crs)
    _scale(axes)
    bottom = _legend(sheet, scene)
    _number(sheet, axes, nameless, bottom)
    _words(sheet, scene, title=title, date=date, vintage=boundaries.vintage)
    return sheet


def _north_up(scene: Scene) -> str:
    """Return a projection centred on the map: north is up and the scale holds everywhere on it."""
    middle = shapely.centroid(shapely.box(*scene.bounds))
    degrees = gpd.GeoSeries([middle], crs=scene.crs).to_crs(4326)
    return f"+proj=laea +lat_0={degrees.y[0]:.4f} +lon_0={degrees.x[0]:.4f} +datum=NAD83 +units=m"


def _frame(scene: Scene, crs: str) -> tuple[float, float, float, float]:
    """Return west, south, east and north of the sheet's map."""
    outlines = [layer.shapes for layer in scene.layers if layer.key in ("union", "drawn")]
    shapes = np.concatenate(outlines) if outlines else np.array([shapely.box(*scene.bounds)])
    west, south, east, north = gpd.GeoSeries(shapes, crs=scene.crs).to_crs(crs).total_bounds
    # a metre is as long up as across: the shorter way is filled with ground
    across, up = _MAP[2] * _PAPER[0], _MAP[3] * _PAPER[1]
    metres = 1.06 * max((east - west) / across, (north - south) / up, 1.0)
    x, y = (west + east) / 2, (south + north) / 2
    half = metres * across / 2, metres * up / 2
    return x - half[0], y - half[1], x + half[0], y + half[1]


def _paths(shapes: Shapes) -> list[Any]:
    """Return one path a line or polygon; rings turned so that holes stay holes."""
    parts = shapely.get_parts(shapes)
    lines = parts[shapely.get_type_id(parts) == 1]
    parts = shapely.orient_polygons(parts[shapely.get_type_id(parts) == 3])
    return [Line(shapely.get_coordinates(line)) for line in lines] + [
        Line.make_compound_path(
            *(Line(shapely.get_coordinates(ring), closed=True) for ring in shapely.get_rings(part))
        )
        for part in parts
    ]


def _draw(axes: Axes, layer: Layer, shapes: gpd.GeoSeries, order: int) -> None:
    every = shapes.to_numpy()
    if layer.classes:
        groups = [(style, every[layer.member == k]) for k, (style, _) in enumerate(layer.classes)]
    else:
        groups = [(layer.style, every)]
    for style, members in groups:
        if paths := _paths(members):
            axes.add_collection(PathCollection(paths, zorder=order, **style.paper()), autolim=False)


class _Nameless(NamedTuple):
    """Areas whose names have no room, north to south: what is said of each, and where it lies."""

    lines: list[str]
    x: Floats
    y: Floats
    taken: list[Any]


def _label(sheet: Sheet, axes: Axes, scene: Scene, crs: str) -> _Nameless:
    """Write the labels that have room; those first in the scene go first.

    A name stands where it covers no other name and no other area's middle: over its neighbours it
    would be read as theirs.
    """
    if not scene.labels:
        return _Nameless([], np.empty(0), np.empty(0), [])
    points = shapely.points([(label.x, label.y) for label in scene.labels])
    places = gpd.GeoSeries(points, crs=scene.crs).to_crs(crs)
    renderer = FigureCanvasAgg(sheet).get_renderer()  # type: ignore[no-untyped-call]
    inside = axes.get_window_extent(renderer)
    kept: list[Any] = []
    pixels = axes.transData.transform(np.column_stack([places.x, places.y]))
    is_area = np.array([label.kind == "area" for label in scene.labels])
    nameless: list[int] = []
    for at, (label, x, y) in enumerate(zip(scene.labels, places.x, places.y, strict=True)):
        if not (inside.x0 < pixels[at, 0] < inside.x1):
            continue
        text = axes.text(
            x, y, "\n".join(textwrap.fill(line, 20) for line in label.lines),
            ha="center", va="center", fontsize=6.5, parse_math=False, zorder=90,
            style="italic" if label.kind == "context" else "normal",
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
        box = text.get_window_extent(renderer)
        free = inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1)
        under = (pixels >= [box.x0, box.y0]).all(axis=1) & (pixels <= [box.x1, box.y1]).all(axis=1)
        alone = np.flatnonzero(under & is_area).tolist() in ([], [at])
        if free and alone and not any(box.overlaps(other) for other in kept):
            kept.append(box)
            continue
        text.remove()
        if is_area[at]:
            nameless.append(at)
    order = sorted(nameless, key=lambda at: (-places.y.iloc[at], places.x.iloc[at]))
    return _Nameless(
        [", ".join(scene.labels[at].lines) for at in order],
        places.x.to_numpy()[order],
        places.y.to_numpy()[order],
        kept,
    )


def _number(sheet: Sheet, axes: Axes, nameless: _Nameless, top: float) -> None:
    """Write numbers where names have no room, and the names in two columns under the legend.

    Parameters
    ----------
    top
        Where the list may begin, as a part of the sheet's height.
    """
    renderer = FigureCanvasAgg(sheet).get_renderer()  # type: ignore[no-untyped-call]
    for size in _KEY_SIZES:
        line = 1.3 * size / 72 / _PAPER[1]
        below = top - 3 * line
        rows = max(int((below - _MAP[1]) / line), 0)
        if len(nameless.lines) <= rows:
            break
    taken, key = list(nameless.taken), list[str]()
    for name, x, y in zip(nameless.lines, nameless.x, nameless.y, strict=True):
        if len(key) == 2 * rows:
            break
        text = axes.text(
            x, y, str(len(key) + 1), ha="center", va="center", fontsize=size, zorder=91,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.2},
        )  # fmt: skip
        box = text.get_window_extent(renderer)
        if any(box.overlaps(other) for other in taken):
            text.remove()
            continue
        taken.append(box)
        key.append(f"{len(key) + 1}  {name}")
    if not key:
        return
    sheet.text(_KEY_LEFT, below + line, say("maps.numbered"), fontsize=8, va="bottom")
    each = -(-len(key) // 2) if len(key) > rows else len(key)
    width = (1 - _KEY_LEFT) / 2 if len(key) > rows else 1 - _KEY_LEFT
    room = 0.96 * width * _PAPER[0] * sheet.dpi
    for at, words in enumerate(key):
        text = sheet.text(
            _KEY_LEFT + width * (at // each), below - line * (at % each), words,
            fontsize=size, va="top", parse_math=False,
        )  # fmt: skip
        wide = text.get_window_extent(renderer).width
        if wide > room:  # letters differ in width: a few less than their share
            text.set_text(words[: int(len(words) * room / wide) - 3].rstrip() + " …")


def _scale(axes: Axes) -> None:
    """Draw a bar of a round length, a fifth of the map or less."""
    west, east = axes.get_xlim()
    south, north = axes.get_ylim()
    most = (east - west) / 5
    power = 10.0 ** np.floor(np.log10(most))
    length = max(step * power for step in (1, 2, 5) if step * power <= most)
    x, y = west + 0.02 * (east - west), south + 0.03 * (north - south)
    axes.plot([x, x + length], [y, y], color="black", linewidth=2.5, zorder=95)
    far = length >= 1000
    words = number(length / 1000 if far else length) + (" km" if far else " m")
    paper = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.0}
    axes.text(x, y + 0.014 * (north - south), words, fontsize=8, zorder=95, va="bottom", bbox=paper)


def _legend(sheet: Sheet, scene: Scene) -> float:
    """Draw the legend; return where it ends, as a part of the sheet's height."""
    hidden = {layer.title for layer in scene.layers if not layer.shown}
    entries = [(style, meaning) for style, meaning in scene.legend if meaning not in hidden]
    made = sheet.legend(
        [Patch(**style.paper()) for style, _ in entries],
        [textwrap.fill(meaning, 34) for _, meaning in entries],
        title=say("maps.legend"), loc="upper left", bbox_to_anchor=(_MAP[0] + _MAP[2], 0.88),
        fontsize=8, title_fontsize=9, frameon=False, alignment="left", handleheight=1.4,
        labelspacing=0.7,
    )  # fmt: skip
    for text in made.get_texts():
        text.set_parse_math(False)
    renderer = FigureCanvasAgg(sheet).get_renderer()  # type: ignore[no-untyped-call]
    return float(made.get_window_extent(renderer).y0 / (_PAPER[1] * sheet.dpi))


def _words(
    sheet: Sheet, scene: Scene, *, title: str | None, date: str | None, vintage: int
) -> None:
    when = (
        say("maps.dated", date=date, vintage=str(vintage))
        if date
        else say("maps.census_of", vintage=str(vintage))
    )
    heading = textwrap.shorten(title or scene.heading, 110, placeholder=" …")
    notice = " ".join([scene.notice, *scene.notes])
    foot = "\n".join([when, textwrap.fill(scene.source, 180), say("maps.made_with_paper")])
    for y, size, words, place in (
        (0.965, 14, heading, "top"),
        (0.925, 9, textwrap.fill(notice, 150), "top"),
        (0.02, 7, foot, "bottom"),
    ):
        sheet.text(_MAP[0], y, words, fontsize=size, va=place, parse_math=False)


_MARKS = "osD^vP"


def frontier(made: Tradeoff) -> Figure:
    """Draw misfit against deviation from known totals, a line a level along lambda.

    The majority of each level is a hollow mark of the same colour. Without known totals the
    number of units stands where the deviation would.
    """
    frame = made.frame
    known = bool(frame["deviation_share"].notna().any())
    across = "deviation_share" if known else "unit_count"
    figure = Figure(figsize=(8.0, 5.5), layout="constrained")
    axes = figure.subplots()
    for place, (level, group) in enumerate(frame.groupby("level", sort=False)):
        best = group[group["rule"].eq("optimal")]
        rest = group[group["rule"].ne("optimal")]
        mark, colour = _MARKS[place % len(_MARKS)], f"C{place}"
        axes.plot(best["misfit_share"], best[across], mark + "-", color=colour, label=str(level))
        axes.plot(
            rest["misfit_share"], rest[across], mark, color=colour, markerfacecolor="none",
            markersize=9, label=say("boundary.majority_of", level=level),
        )  # fmt: skip
        for _, row in best.iterrows():
            axes.annotate(
                f"λ {row['lambda']:g}", (row["misfit_share"], row[across]), fontsize=7,
                xytext=(4, 4), textcoords="offset points",
            )  # fmt: skip
    share = FuncFormatter(lambda value, _: say("report.percent", share=float(value)))
    axes.xaxis.set_major_formatter(share)
    axes.yaxis.set_major_formatter(
        share if known else FuncFormatter(lambda value, _: number(float(value)))
    )
    axes.set_xlabel(say("boundary.head_misfit_share"))
    axes.set_ylabel(say(f"boundary.head_{across}"))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    return figure
