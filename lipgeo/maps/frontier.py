"""``frontier``: the picture of a trade-off, a matplotlib figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lipgeo.words import number, say

if TYPE_CHECKING:
    from lipgeo.tradeoffs import Tradeoff

__all__ = ["frontier"]

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
            markersize=9, label=say("tradeoff.majority_of", level=level),
        )  # fmt: skip
        for _, row in best.iterrows():
            axes.annotate(
                f"λ {row['lambda']:g}", (row["misfit_share"], row[across]), fontsize=7,
                xytext=(4, 4), textcoords="offset points",
            )  # fmt: skip
    share = FuncFormatter(lambda value, _: say("show.percent", share=float(value)))
    axes.xaxis.set_major_formatter(share)
    axes.yaxis.set_major_formatter(
        share if known else FuncFormatter(lambda value, _: number(float(value)))
    )
    axes.set_xlabel(say("tradeoff.head_misfit_share"))
    axes.set_ylabel(say(f"tradeoff.head_{across}"))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    return figure
