"""Hold the links between the units of two censuses: ``Correspondence``, checked, chained, raised.

A link says in which units of the older census the land of a newer unit, or of one of its blocks,
was.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from lipgeo.errors import CrosswalkError, IdError
from lipgeo.geography.hierarchy import parents_by_id, require_level
from lipgeo.geography.identifiers import are_ids
from lipgeo.report import Card, CheckReport, Shown, finding
from lipgeo.words import say

__all__ = ["CHANGES", "Change", "Correspondence"]

Change = Literal["intact", "split", "merge", "redrawn"]
#: what became of the units that hang together, by the flag of the official files
CHANGES: dict[str, Change] = {"1": "intact", "2": "merge", "3": "split", "4": "redrawn"}


class Correspondence(Shown):
    """Links between the units of two censuses. Made by ``lipgeo.read_correspondence``.

    Parameters
    ----------
    frame
        One row a link: ``new_id, old_id`` (text); ``block_id``, the newer census's block it goes
        by (the new unit itself where those are blocks; missing altogether where not known);
        ``flag``, the official class (1 to 4), and ``weight``, the share of the block that lies in
        the old unit, if there are any.
    level, vintage
        Level and census of the newer units.
    old_level, old_vintage
        Level and census of the older units.
    report
        What was assumed.

    Attributes
    ----------
    frame
        ``block_id, new_id, old_id`` (text), ``weight`` (float64): shares of the block in each old
        unit it is linked with, equal where nothing better is known; they add up to 1 a block.
    level, vintage, old_level, old_vintage, report
        As given.

    Raises
    ------
    IdError
        Ids that are none of their level and census.
    CrosswalkError
        The older census is not older.

    Examples
    --------
    >>> import pandas as pd
    >>> from lipgeo.crosswalk import Correspondence
    >>> links = pd.DataFrame({"new_id": ["35060001", "35060002", "35060002"],
    ...                       "old_id": ["35060001", "35060002", "35060003"]})
    >>> both = Correspondence(links, level="DA", vintage=2021, old_level="DA", old_vintage=2016)
    >>> both.changes()["change"].tolist()
    ['intact', 'merge', 'merge']
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        level: str,
        vintage: int,
        old_level: str,
        old_vintage: int,
        report: CheckReport | None = None,
    ) -> None:
        self.level = require_level(level, vintage).code
        self.old_level = require_level(old_level, old_vintage).code
        self.vintage, self.old_vintage = int(vintage), int(old_vintage)
        if self.old_vintage >= self.vintage:
            raise CrosswalkError(
                "crosswalk.not_older", new=str(self.vintage), old=str(self.old_vintage)
            )
        self._frame, official = self._check_links(frame)
        self.report = (report or CheckReport()) + self._compare_flags(official)

    def _check_links(self, given: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Return the links, ids checked and each once, and the official flags where there are."""
        frame = given.reset_index(drop=True).astype(
            {name: "string" for name in ("new_id", "old_id", "block_id") if name in given}
        )
        if "block_id" not in frame:
            frame["block_id"] = frame["new_id"]
        whole = [
            ("new_id", self.level, self.vintage),
            ("old_id", self.old_level, self.old_vintage),
        ]
        problems = [
            {"row": row, "column": column, "given": frame[column][row]}
            for column, level, vintage in whole
            for row in np.flatnonzero(~are_ids(frame[column], level, vintage).to_numpy(dtype=bool))
        ]
        if problems:
            shown = [f"{one['column']} {one['given']}" for one in problems]
            raise IdError("crosswalk.not_ids", problems, ids=shown)
        flags = None
        if "flag" in frame:
            flags = frame[["new_id", "old_id", "flag"]].drop_duplicates()
        if "weight" not in frame:
            frame = frame.drop_duplicates(["block_id", "new_id", "old_id"])
            frame["weight"] = 1.0 / frame.groupby("block_id")["old_id"].transform("size")
        columns = ["block_id", "new_id", "old_id", "weight"]
        frame = frame[columns].sort_values(columns[:3], ignore_index=True)
        return frame.astype({"weight": np.float64}), flags

    def _compare_flags(self, official: pd.DataFrame | None) -> CheckReport:
        """Compare official flags with what the links themselves say."""
        if official is None:
            return CheckReport()
        found = official.merge(self.pairs(), on=["new_id", "old_id"])
        stated = found["flag"].astype("string").str.strip().map(CHANGES)
        other = found[stated.notna() & stated.ne(found["change"])]
        strange = found.loc[stated.isna(), "flag"].unique()
        findings = []
        if len(other):
            units = (other["new_id"] + " - " + other["old_id"]).tolist()
            findings.append(
                finding("crosswalk.flags", "warning", "", value=len(other), units=units)
            )
        if len(strange):
            findings.append(
                finding("crosswalk.strange_flags", "warning", "", flags=list(map(str, strange)))
            )
        return CheckReport(findings)

    @property
    def frame(self) -> pd.DataFrame:
        """The links; a copy."""
        return self._frame.copy()

    @property
    def by_block(self) -> bool:
        """Whether links go by blocks, and not only by the units themselves."""
        return self.level == "DB" or not self._frame["block_id"].equals(self._frame["new_id"])

    @property
    def block_level(self) -> str:
        """Level of the newer units that links go by."""
        return "DB" if self.by_block else self.level

    def pairs(self) -> pd.DataFrame:
        """Return the pairs of new and old units that share land, with what became of them.

        Returns
        -------
        pandas.DataFrame
            ``new_id, old_id, change``: ``intact`` (one is one), ``split`` (one old unit, several
            new), ``merge`` (several old, one new) or ``redrawn`` (several, several), told by all
            units that hang together, as the official flags are.
        """
        pairs = self._frame[["new_id", "old_id"]].drop_duplicates(ignore_index=True)
        new, news = pd.factorize(pairs["new_id"])
        old, olds = pd.factorize(pairs["old_id"])
        # old and new units in one graph: those that hang together share a component
        size = len(news) + len(olds)
        links = csr_matrix((np.ones(len(pairs)), (new, len(news) + old)), shape=(size, size))
        group = connected_components(links, directed=False)[1]
        here = group[new]
        one_new = np.bincount(group[: len(news)], minlength=size)[here] == 1
        one_old = np.bincount(group[len(news) :], minlength=size)[here] == 1
        change = np.select(
            [one_new & one_old, one_new, one_old], ["intact", "merge", "split"], "redrawn"
        )
        return pairs.assign(change=pd.array(change, dtype="string"))

    def changes(self, of: Literal["old", "new"] = "old") -> pd.DataFrame:
        """Return what became of each unit.

        Parameters
        ----------
        of
            The older units, or the newer.

        Returns
        -------
        pandas.DataFrame
            Index ``unit_id``; ``change`` (see :meth:`pairs`) and ``count``, how many units of the
            other census it shares land with (int64).
        """
        pairs = self.pairs()
        grouped = pairs.groupby(f"{of}_id", sort=True)
        return pd.DataFrame(
            {"change": grouped["change"].first(), "count": grouped.size().astype(np.int64)}
        ).rename_axis("unit_id")

    def unsure(self) -> pd.Index:
        """Return the blocks that are linked with several old units: where in which, nobody says."""
        count = self._frame.groupby("block_id")["old_id"].nunique()
        return pd.Index(count.index[count > 1].astype(object))

    def chain(self, older: Correspondence) -> Correspondence:
        """Follow these links by those of the census before.

        Joined by blocks where both have them at that end, else by units: a block of a unit that
        was itself several is then linked with each of them, by how many of its blocks went there.

        Parameters
        ----------
        older
            From this correspondence's older census to one before it.

        Raises
        ------
        CrosswalkError
            It begins at another census, or its units cannot be met.
        """
        if older.vintage != self.old_vintage:
            raise CrosswalkError(
                "crosswalk.broken_chain",
                needed=str(self.old_vintage),
                given=str(older.vintage),
            )
        if self.old_level == older.block_level:
            key = older._frame["block_id"]
        elif self.old_level == older.level:
            key = older._frame["new_id"]
        elif self.old_level in (held := parents_by_id(older.level, older.vintage)):
            key = older._frame["new_id"].str.slice(
                held[self.old_level].start, held[self.old_level].stop
            )
        else:
            raise CrosswalkError("crosswalk.no_meeting", first=self.old_level, second=older.level)
        # shares of each unit between in the oldest units, multiplied into these links
        links = older._frame.assign(between=key).groupby(["between", "old_id"])["weight"].sum()
        links = (links / links.groupby(level="between").transform("sum")).reset_index()
        followed_links = self._frame.rename(columns={"old_id": "between"}).merge(
            links, on="between", how="left", suffixes=("", "_then")
        )
        lost = followed_links.loc[followed_links["old_id"].isna(), "between"].unique()
        followed_links = followed_links[followed_links["old_id"].notna()]
        followed_links["weight"] = followed_links["weight"] * followed_links["weight_then"]
        frame = followed_links.groupby(["block_id", "new_id", "old_id"], as_index=False)[
            "weight"
        ].sum()
        frame["weight"] = frame["weight"] / frame.groupby("block_id")["weight"].transform("sum")
        findings = []
        if len(lost):
            findings.append(
                finding(
                    "crosswalk.lost",
                    "warning",
                    "",
                    value=len(lost),
                    vintage=str(self.old_vintage),
                    units=list(lost),
                )
            )
        return Correspondence(
            frame,
            level=self.level,
            vintage=self.vintage,
            old_level=older.old_level,
            old_vintage=older.old_vintage,
            report=self.report + older.report + CheckReport(findings),
        )

    def raised(self, level: str, parents: pd.Series | None = None) -> Correspondence:
        """Return the links to what the older units lie in.

        Parameters
        ----------
        level
            Level of the older census that is wanted.
        parents
            Its units by id of this correspondence's older units; needed where the ids themselves
            do not hold it (a DA's id holds its census division, not its subdivision).

        Raises
        ------
        CrosswalkError
            The ids do not hold it and ``parents`` is not given, or lacks units.
        """
        code = require_level(level, self.old_vintage).code
        if code == self.old_level:
            return self
        where = parents_by_id(self.old_level, self.old_vintage).get(code)
        old = self._frame["old_id"]
        if where is not None:
            above = old.str.slice(where.start, where.stop)
        elif parents is not None:
            above = old.map(parents.astype("string"))
        else:
            raise CrosswalkError(
                "crosswalk.no_parents",
                level=code,
                below=self.old_level,
                vintage=str(self.old_vintage),
            )
        known = above.notna()
        frame = self._frame.assign(old_id=above.astype("string"))[known]
        frame = frame.groupby(["block_id", "new_id", "old_id"], as_index=False)["weight"].sum()
        findings = []
        if not known.all():
            units = old[~known].unique()
            findings.append(
                finding(
                    "crosswalk.no_parent",
                    "note",
                    "",
                    value=len(units),
                    level=code,
                    units=list(units),
                )
            )
        return Correspondence(
            frame,
            level=self.level,
            vintage=self.vintage,
            old_level=code,
            old_vintage=self.old_vintage,
            report=self.report + CheckReport(findings),
        )

    def __len__(self) -> int:
        return len(self._frame)

    def __repr__(self) -> str:
        return f"<{self._summary()}>"

    def _card(self) -> Card:
        return Card(self._summary(), self._frame, {name: name for name in self._frame})

    def _summary(self) -> str:
        return say(
            "crosswalk.correspondence_summary",
            level=self.level,
            vintage=str(self.vintage),
            old_level=self.old_level,
            old_vintage=str(self.old_vintage),
            links=len(self),
            unsure=len(self.unsure()),
        )
