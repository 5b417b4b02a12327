"""``AreaIndex``: an index of outlines that is kept up as areas come and go."""

from __future__ import annotations

import rtree
import shapely

__all__ = ["AreaIndex"]

Box = tuple[float, float, float, float]


class AreaIndex:
    """Which areas touch a box, and which lie nearest, over areas that come and go.

    Boxes decide, so what it gives are candidates: whoever asks looks at the outlines.

    Examples
    --------
    >>> import shapely
    >>> from lipgeo.sets.index import AreaIndex
    >>> index = AreaIndex()
    >>> index.insert("west", shapely.box(0, 0, 10, 10))
    >>> index.insert("east", shapely.box(20, 0, 30, 10))
    >>> index.touching((5, 5, 25, 6)), index.nearest((12, 5, 12, 5), 1)
    (['east', 'west'], ['west'])
    >>> index.delete("west")
    >>> index.touching((5, 5, 25, 6))
    ['east']
    """

    def __init__(self) -> None:
        self._tree = rtree.index.Index()
        self._number: dict[str, int] = {}
        self._name: dict[int, str] = {}
        self._box: dict[str, Box] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._box)

    def __contains__(self, area_id: object) -> bool:
        return area_id in self._box

    def insert(self, area_id: str, outline: shapely.Geometry) -> None:
        """Put an area in, in place of the one with that id; an empty outline is left out."""
        self.delete(area_id)
        if outline is None or outline.is_empty:
            return
        box: Box = outline.bounds
        self._number[area_id], self._name[self._next] = self._next, area_id
        self._box[area_id] = box
        self._tree.insert(self._next, box)
        self._next += 1

    def delete(self, area_id: str) -> None:
        """Take an area out; nothing where it is not in."""
        if area_id in self._box:
            number = self._number.pop(area_id)
            self._tree.delete(number, self._box.pop(area_id))
            del self._name[number]

    def touching(self, box: Box) -> list[str]:
        """Return the ids of areas whose box touches a box, sorted."""
        return sorted(self._name[number] for number in self._tree.intersection(box))

    def nearest(self, box: Box, count: int = 1) -> list[str]:
        """Return the ids of the areas whose boxes are nearest to a box, nearest first."""
        found = [self._name[number] for number in self._tree.nearest(box, count)]
        return found[:count]
