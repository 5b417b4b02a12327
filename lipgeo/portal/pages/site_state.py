"""Gather what one audience may be told of a portal: what sites and Fast Facts are made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from lipgeo.census.census import Census
from lipgeo.portal.changes import states_between
from lipgeo.portal.coming import add_expected
from lipgeo.portal.observations import shown
from lipgeo.portal.pages.blocks import Material, Row
from lipgeo.portal.pages.certainty import without_middles
from lipgeo.portal.pages.gap_page import consortia_of
from lipgeo.portal.pages.unchanged import mark_of
from lipgeo.portal.portal import Audience, Portal
from lipgeo.words import language, say

__all__ = ["SiteState", "state_of"]


@dataclass(frozen=True)
class SiteState:
    """What one site is made from.

    Attributes
    ----------
    portal
        The portal.
    whole
        The long table as the audience may see it, all origins.
    delivered
        Area and definition to how many numbers stand in rows of a delivery that are no indicator:
        they are in the long table to take away, and on no page.
    areas
        The areas that are told of.
    audience
        For whom.
    census
        Where areas lie.
    compared
        What was asked of the dictionary already: which censuses compare.
    held
        The rows of areas that were asked for already.
    """

    portal: Portal
    whole: pd.DataFrame
    delivered: Mapping[tuple[str, str], int]
    areas: pd.DataFrame
    audience: Audience
    census: Census | None
    compared: dict[tuple[str, str, str], tuple[str, str, str]] = field(default_factory=dict)
    held: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    _states: dict[tuple[str, str], tuple[pd.DataFrame, pd.DataFrame]] = field(default_factory=dict)

    @cached_property
    def consortia(self) -> Mapping[str, str]:
        """Whether a data consortium is known to cover each area of the registry."""
        return consortia_of(self.areas["area_id"])

    @cached_property
    def row_marks(self) -> Mapping[tuple[str, str], str]:
        """What the numbers of each area are, in short; of an estimate's untold middle nothing."""
        return _marks_by_area(self.long_table[~_is_delivered(self.portal, self.whole)])

    @cached_property
    def long_table(self) -> pd.DataFrame:
        """All that the audience may see, without the middle of an estimate that is not told."""
        return without_middles(self.whole)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The one number of each quantity that counts, indicators of the dictionary alone."""
        return shown(self.whole[~_is_delivered(self.portal, self.whole)])

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of ``frame`` as plain values, in its order; the same in both languages."""
        cells = (self.frame[name].tolist() for name in self.frame.columns)
        names = list(self.frame.columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]

    @cached_property
    def rows_by_area(self) -> Mapping[tuple[str, str], list[Row]]:
        """Area and definition to its rows."""
        return _grouped(self.rows, lambda row: (row["area_id"], row["definition"]))

    @cached_property
    def rows_by_indicator(self) -> Mapping[str, list[Row]]:
        """Code to its rows, by category, group, gender and period."""
        keys = ("category", "group", "gender", "period")
        in_order = sorted(self.rows, key=lambda row: [row[key] for key in keys])
        return _grouped(in_order, lambda row: row["indicator"])

    @cached_property
    def definitions(self) -> Mapping[str, list[Row]]:
        """Id to all areas of that id: one a definition."""
        return _grouped(self.areas.to_dict("records"), lambda area: area["area_id"])

    @cached_property
    def realised(self) -> Mapping[tuple[str, str], str]:
        """What is known of each area in each census, in short."""
        return _marks_by_area(self.portal.realisations)

    @cached_property
    def dictionary_mark(self) -> str:
        """What the indicators are, in short."""
        known = self.portal.dictionary
        tables = (known.frame.reset_index(), known.rows, known.comparability)
        return mark_of(one.to_csv(index=False) for one in tables)

    @property
    def public(self) -> bool:
        """Whether everybody reads it."""
        return self.audience == "public"

    def name(self, slug: str, end: str = "html") -> str:
        """Return a file's name; one for members says so."""
        return f"{self.stem(slug)}.{end}"

    def stem(self, slug: str) -> str:
        """Return a file's name without its ending."""
        return slug if self.public else f"{slug}-members"

    def setting(self, name: str) -> str:
        """Return what the workbook says in the language in force, else in the other."""
        mine = self._settings.get(name, {})
        other = "fr" if language() == "en" else "en"
        texts = [str(mine[f"value_{one}"]) for one in (language(), other) if mine]
        return next((one for one in texts if one), "")

    @cached_property
    def _settings(self) -> Mapping[str, Row]:
        """Each setting's row of the workbook, the first of its name."""
        sheet = self.portal.book["settings"].drop_duplicates("setting")
        return {str(one["setting"]): one for one in sheet.to_dict("records")}

    @property
    def title(self) -> str:
        """The name of the portal."""
        return self.setting("title") or say("site.title")

    def states(self, old: str, new: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return what the audience saw at two releases; looked at once for both languages."""
        if (old, new) not in self._states:
            found = states_between(self.portal, old, new, audience=self.audience)
            self._states[old, new] = found
        return self._states[old, new]

    def material(self) -> Material:
        """Return what the blocks of all areas are made from, in the language in force."""
        releases = self.portal.releases
        return Material(
            self.whole[~_is_delivered(self.portal, self.whole)],
            self.areas,
            comparators=self.portal.book["comparators"],
            dictionary=self.portal.dictionary,
            realisations=self.portal.realisations,
            dates=dict(zip(releases["release"], releases["date"], strict=True)),
            title=self.title,
            contact=self.setting("contact"),
            public=self.public,
            compared=self.compared,
            held=self.held,
        )


def state_of(portal: Portal, audience: Audience, census: Census | None = None) -> SiteState:
    """Return what an audience may be told of a portal: its numbers and its areas."""
    whole, _ = portal.view(audience, census=census)
    if len(portal.coming):
        whole = add_expected(whole, portal.frame(), portal.coming, portal.dictionary)
    areas = portal.areas
    if audience == "public":
        # an area that only a members' release brought is not told of
        named = [portal.book["areas"], whole]
        told = pd.concat([one[["area_id", "definition"]] for one in named]).drop_duplicates()
        areas = areas.merge(told, on=["area_id", "definition"], how="inner")
    areas = areas.sort_values(["area_id", "definition"], kind="stable", ignore_index=True)
    extra = _is_delivered(portal, whole)
    counts = whole[extra].groupby(["area_id", "definition"], sort=False).size()
    delivered = {(str(area), str(definition)): int(of) for (area, definition), of in counts.items()}
    return SiteState(portal, whole, delivered, areas, audience, census)


def _grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _marks_by_area(frame: pd.DataFrame) -> dict[tuple[str, str], str]:
    # a sum of each row, and of these one an area: rows are equal where their cells are
    sums = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    places = frame.groupby(["area_id", "definition"], sort=False).indices
    return {
        (str(area), str(of)): hashlib.sha256(sums[at].tobytes()).hexdigest()
        for (area, of), at in places.items()
    }


def _is_delivered(portal: Portal, frame: pd.DataFrame) -> pd.Series:
    """Return which rows are of a delivery and no indicator of the dictionary."""
    status = portal.dictionary.frame["status"]
    return frame["indicator"].isin(status.index[status.eq("delivered")])
