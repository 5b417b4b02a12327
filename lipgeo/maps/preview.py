"""The preview: one HTML page of fitted boundaries that opens with no network."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lipgeo.arguments import require_kind, require_path
from lipgeo.atomic import file_in_one_step
from lipgeo.errors import InputError
from lipgeo.maps.page import page_of
from lipgeo.maps.scene import scene_of
from lipgeo.words import say

if TYPE_CHECKING:
    from lipgeo.boundary import Boundaries

__all__ = ["PreviewMap", "preview"]


class PreviewMap:
    """A finished preview page.

    Attributes
    ----------
    html
        The page, complete: it loads nothing.
    notes
        What was left out of the picture, one sentence each.
    """

    def __init__(self, page: str, notes: tuple[str, ...] = ()) -> None:
        self.html = page
        self.notes = notes

    def save(self, path: str | Path) -> Path:
        """Write the page.

        Raises
        ------
        OutputError
            The file cannot be written; an older one is as it was.
        """
        with file_in_one_step(require_path(path)) as temporary:
            temporary.write_text(self.html, encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        inner = html.escape(self.html, quote=True)
        title = html.escape(say("maps.map_label"))
        return (
            f'<iframe srcdoc="{inner}" title="{title}" style="width:100%;height:700px;border:0">'
            "</iframe>"
        )


def preview(
    boundaries: Boundaries,
    *,
    beside: Boundaries | None = None,
    estimates: Any = None,
    variable: str | None = None,
    title: str | None = None,
    basemap: bool = False,
) -> PreviewMap:
    """Draw fitted boundaries as one HTML page that opens with no network.

    Parameters
    ----------
    boundaries
        What :func:`lipgeo.fit_boundaries` or :func:`lipgeo.read_build` gave.
    beside
        Another fit, or another vintage, on a second map that moves with the first.
    estimates
        Weighted variables (``est`` of :func:`lipgeo.weight_table`) to colour the areas by.
    variable
        Which of them; not needed where there is one.
    title
        Heading of the page; by default the areas' number, vintage and level.
    basemap
        Lay the map on OpenStreetMap's tiles. The page then asks the network for them.

    Returns
    -------
    PreviewMap
        Page in the language in force. Lines are simplified along shared edges for display only;
        above 10,000 units only areas and outlines are drawn, and ``notes`` says so.

    Raises
    ------
    InputError
        The estimates lack the variable, hold several and none is named, or are of other areas;
        or they are to be shown beside a second fit, of which they are not.

    Examples
    --------
    >>> import lipgeo
    >>> from lipgeo import synthetic
    >>> census = synthetic.census(blocks=1000, seed=3)
    >>> drawn = synthetic.service_areas(census, 2)
    >>> areas = lipgeo.ServiceAreas.from_frame(drawn, id="area_id")
    >>> page = lipgeo.preview(lipgeo.fit_boundaries(census, areas, unit="DA"))
    >>> page.notes, "https://" in page.html.split("<main>")[0].split("</script>")[-1]
    ((), False)
    """
    from lipgeo.boundary import Boundaries

    require_kind(boundaries, Boundaries, "arguments.boundaries", "boundaries")
    if beside is not None:
        require_kind(beside, Boundaries, "arguments.boundaries", "beside")
    if beside is not None and estimates is not None:
        raise InputError("maps.one_fit")
    scenes = [scene_of(boundaries, estimates, variable)]
    if beside is not None:
        scenes.append(scene_of(beside))
    heading = title or scenes[0].heading
    if beside is not None and not title:
        heading = say("maps.two", first=scenes[0].fit, second=scenes[1].fit)
    notes = tuple(dict.fromkeys(note for scene in scenes for note in scene.notes))
    said = (say("maps.notice"), *notes, *([say("maps.asks_network")] if basemap else []))
    return PreviewMap(page_of(scenes, title=heading, notes=said, basemap=basemap), notes)
