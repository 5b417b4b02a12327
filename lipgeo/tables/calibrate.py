"""Move shares as little as possible so that areas meet known totals: ``calibrate``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import scipy.sparse.linalg

from lipgeo.arrays import Flags, Floats, Ints
from lipgeo.crosswalk.crosswalk import Crosswalk
from lipgeo.errors import CalibrationError, require_kind
from lipgeo.report import CheckReport, Finding, finding
from lipgeo.tables.pairs import Pairs
from lipgeo.zones.validity import SLIVER_SHARE

__all__ = ["calibrate", "residuals"]

#: how far controls may stay unmet for the sake of unmoved shares: from loose to next to nothing
_LOOSENESS = tuple(10.0**-power for power in range(1, 12))
_STEPS = 60
#: a control counts as met within this, relative to it or to one unit
_MET = 1e-6
#: a control missed by more than this, and by more than this share of it, is named
_NOTABLE = 0.5
_NOTABLE_SHARE = 0.001
#: Share of a control within which several controls are met: counts of one area come from different
#: questions, universes and roundings, and sources are rounded on their own. What is asked for
#: beyond that is bought with shares moved the wrong way.
TOLERANCE = 0.002
#: variance of random rounding of a control to base 5
_ROUNDED = 4.0
#: People who live together, as one building's do: a unit's split is as sure as that of so many
#: clumps. It weighs moved shares against missed controls.
_CLUMP = 70.0
_RESIDUALS = ("target_id", "variable", "control", "before", "after", "residual")


def calibrate(
    xw: Crosswalk,
    controls: pd.DataFrame,
    sources: pd.DataFrame,
    *,
    tolerance: float | None = None,
) -> Crosswalk:
    """Move shares so that areas meet known totals, and as little as that allows.

    Of all shares that meet the controls, those of least relative entropy to the shares given are
    taken, each source as weighty as what it holds of the controlled variables (for one variable
    that is raking). What lies outside all areas is one more column, free to give and take; so are
    areas without a control. Sources wholly inside an area, but for slivers, keep their shares.

    Parameters
    ----------
    xw
        Shares to start from.
    controls
        Index target ids, one column a variable; totals known for the areas. Missing where none is.
    sources
        Index source ids, the same columns: what each source holds.
    tolerance
        Share of a control within which it is to be met; 0 is to the last digit. By default 0 for
        one variable. Controls of several disagree by rounding and definition, and forced to agree
        they move shares the wrong way: by default the one that shares go by (``xw.weight``) is met
        as well as it is rounded, and the others within 0.002. So they are with 0, too, where no
        shares meet them all (``controls_contradict`` in the report).

    Returns
    -------
    Crosswalk
        The same pairs with other shares; ``meta["calibration"]`` tells variables and residuals
        (:func:`residuals` as a frame), and the report has a finding for each control missed by
        more than half a unit and a thousandth: ``control_not_met`` (it contradicts others),
        ``control_unreachable`` (no shares of the sources that touch the area give it).

    Raises
    ------
    CalibrationError
        Controls are negative, infinite, repeated, for unknown areas or variables; more than all
        sources hold; what a source that must move holds is not known; or targets overlap by more
        than slivers. ``problems`` lists all.

    Notes
    -----
    Minimises ``sum m_i sum_j w_ij log(w_ij / w0_ij)`` subject to ``sum_i x_iv w_ij = T_jv`` and
    ``sum_j w_ij + remainder_i = 1``, by Newton's method on its dual; ``m_i`` is the mean over
    variables of ``x_iv`` in units of the mean control. A share of 0 stays 0. Controls that
    contradict each other are missed by as little as possible, in the sum of squares. With a
    tolerance, the sum of squares of what is missed, each over the variance of its control
    (``(tolerance T)^2 + 4``), is added to what is minimised: a control is met as well as it
    is known.

    Targets may overlap by slivers. Sources that move no longer lie in two targets at once.

    Examples
    --------
    >>> import pandas as pd, shapely
    >>> from lipgeo import Zones, build_crosswalk, calibrate
    >>> fields = Zones(["a", "b"], shapely.box([0, 2], 0, [2, 4], 2), "EPSG:26917")
    >>> town = Zones(["t"], [shapely.box(1, 0, 4, 2)], "EPSG:26917")
    >>> held = pd.DataFrame({"people": [100, 40]}, index=["a", "b"])
    >>> known = pd.DataFrame({"people": [115]}, index=["t"])
    >>> calibrate(build_crosswalk(fields, town), known, held).frame["share"].round(6).tolist()
    [0.75, 1.0]
    """
    require_kind(xw, Crosswalk, "errors.crosswalk", "xw")
    require_kind(controls, pd.DataFrame, "errors.frame", "controls")
    require_kind(sources, pd.DataFrame, "errors.frame", "sources")
    pairs = Pairs.of(xw)
    _require_apart(xw)
    wanted = _controls(controls, pairs)
    held = _source_amounts(sources, wanted, pairs)
    _require_enough(wanted, held, pairs)
    # what shares go by is counted in units and areas alike: it gives way to no other
    several = np.where(wanted.columns == xw.weight, 0.0, TOLERANCE)
    exact = np.zeros(len(several))
    given = exact if tolerance is None else np.full(len(several), float(tolerance))
    allowed = several if tolerance is None and len(several) > 1 else given
    moved = _Problem.of(pairs, wanted, held, allowed).solve(pairs)
    done = _with(xw, pairs, wanted, held, moved, allowed)
    # controls of several variables that no shares meet together would drive shares to 0 and 1
    missed = residuals(done)["residual"].abs().max()
    if len(several) > 1 and not allowed.any() and missed > _NOTABLE:
        moved = _Problem.of(pairs, wanted, held, several).solve(pairs)
        told = finding(
            "tables.controls_contradict",
            "warning",
            "",
            value=float(missed),
            variables=list(wanted.columns),
            tolerance=TOLERANCE,
        )
        done = _with(xw, pairs, wanted, held, moved, several, [told])
    return done


def residuals(xw: Crosswalk) -> pd.DataFrame:
    """Return how far a calibrated crosswalk is from its controls.

    Returns
    -------
    pandas.DataFrame
        ``target_id, variable, control, before, after, residual`` (after minus control); empty
        where the crosswalk is not calibrated.
    """
    rows = xw.meta.get("calibration", {}).get("residuals", [])
    return pd.DataFrame(rows, columns=list(_RESIDUALS))


# ---------------------------------------------------------------- at the door


def _require_apart(xw: Crosswalk) -> None:
    overlaps = xw.overlaps
    real = overlaps[overlaps["area_share"] > SLIVER_SHARE]
    if len(real):
        couples = real[["target_id", "other_id"]].drop_duplicates()
        raise CalibrationError(
            "tables.overlaps",
            couples.to_dict("records"),
            couples=[f"{a}/{b}" for a, b in couples.itertuples(index=False)],
        )


def _text_index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(frame.index.astype(str), axis=0)


def _refuse(problems: list[dict[str, Any]], sentence: str, named: Iterable[Any]) -> None:
    if problems:
        raise CalibrationError(sentence, problems, which=list(dict.fromkeys(map(str, named))))


def _controls(controls: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Return the controls by target and variable, NaN where there is none; refuse bad ones."""
    given = _text_index(controls)
    given.columns = given.columns.astype(str)
    strange = given.index.difference(pairs.targets)
    _refuse([{"target_id": one} for one in strange], "tables.unknown_targets", strange)
    twice = given.index[given.index.duplicated()].unique()
    _refuse([{"target_id": one} for one in twice], "tables.repeated", twice)
    numbers = given.apply(pd.to_numeric, errors="coerce").astype("float64")
    bad = (numbers.isna() & given.notna()) | np.isinf(numbers) | (numbers < 0)
    cells = [
        {
            "target_id": given.index[row],
            "variable": given.columns[at],
            "given": str(given.iloc[row, at]),
        }
        for row, at in np.argwhere(bad.to_numpy())
    ]
    _refuse(
        cells,
        "tables.bad_controls",
        [f"{one['target_id']} {one['variable']} ({one['given']})" for one in cells],
    )
    if not numbers.notna().any(axis=None):
        raise CalibrationError("tables.no_controls")
    return numbers.reindex(pairs.targets)


def _source_amounts(sources: pd.DataFrame, wanted: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Return what each source holds of the controlled variables; refuse what is not known."""
    given = _text_index(sources)
    given.columns = given.columns.astype(str)
    lacking = [name for name in wanted.columns if name not in given.columns]
    _refuse([{"variable": name} for name in lacking], "tables.unknown_variables", lacking)
    twice = given.index[given.index.duplicated()].unique()
    _refuse([{"source_id": one} for one in twice], "tables.repeated", twice)
    numbers = given[list(wanted.columns)].apply(pd.to_numeric, errors="coerce")
    numbers = numbers.astype("float64").reindex(pairs.sources)
    asked = wanted.notna().any(axis=1).to_numpy()
    touching = np.zeros(len(pairs.sources), dtype=bool)
    touching[pairs.source[asked[pairs.target]]] = True
    bad = ~(numbers >= 0) | np.isinf(numbers)
    rows = np.argwhere(bad.to_numpy() & touching[:, None])
    cells = [(pairs.sources[row], wanted.columns[at]) for row, at in rows]
    _refuse(
        [{"source_id": a, "variable": b} for a, b in cells],
        "tables.sources_unknown",
        [a for a, _ in cells],
    )
    return numbers.where(~bad, 0.0)


def _require_enough(wanted: pd.DataFrame, held: pd.DataFrame, pairs: Pairs) -> None:
    """Refuse controls of another place, vintage or unit: more than there is altogether."""
    total = held.sum()
    slack = 1 + 0.01
    rows = [
        {"variable": name, "controls": float(wanted[name].sum()), "sources": float(total[name])}
        for name in wanted.columns
        if wanted[name].sum() > slack * total[name] + 1
    ]
    _refuse(rows, "tables.too_much", [row["variable"] for row in rows])


# ---------------------------------------------------------------- the dual


@dataclass(frozen=True)
class _Moved:
    """Shares of all pairs and remainders of all sources, after."""

    share: Floats
    remainder: Floats


@dataclass(frozen=True)
class _Problem:
    """What is free to move, in units of the mean control.

    Attributes
    ----------
    free
        Pairs that may move.
    source
        Source of each free pair, among the sources that move; ``rows`` gives their positions.
    column
        Target of each free pair.
    log0
        Logarithm of its share.
    rest
        Sources that move and have a remainder; with ``rest0``, the logarithm of it.
    mass
        Weight of each source that moves.
    x
        What each holds of each variable, times the share free to move.
    goal
        What free shares must give, targets by variables; ``asked`` where there is a control.
    allowed
        Variance of each control over what moving shares costs: how loosely it is to be met.
    """

    rows: Ints
    free: Ints
    source: Ints
    column: Ints
    log0: Floats
    rest: Ints
    rest0: Floats
    mass: Floats
    x: Floats
    goal: Floats
    asked: Flags
    allowed: Floats

    @classmethod
    def of(
        cls,
        pairs: Pairs,
        wanted: pd.DataFrame,
        held: pd.DataFrame,
        tolerance: Floats,
    ) -> _Problem:
        """Take the pairs apart into what stays and what may move.

        A control is held to within the root of ``(tolerance x control)^2 + 4``, to the last digit
        where all tolerances are 0; ``tolerance`` by variable.
        """
        # what sources hold, in units of the mean control of each variable
        amounts = held.to_numpy()
        scale = wanted.where(wanted > 0).mean().fillna(1.0).to_numpy()
        x = amounts / scale
        mass = x.mean(axis=1)
        # sources wholly inside an area keep their shares; so do those that hold nothing
        whole = np.zeros(len(pairs.sources), dtype=bool)
        whole[pairs.source[pairs.inside]] = True
        moving = ~whole & (mass > 0)
        free = np.flatnonzero(moving[pairs.source] & (pairs.share > 0))
        kept = np.flatnonzero(~moving[pairs.source])
        # what those give each target already
        by = np.zeros(wanted.shape)
        np.add.at(by, pairs.target[kept], pairs.share[kept, None] * x[pairs.source[kept]])
        # the sources that move, numbered, and what of them lies outside all targets
        rows, source = np.unique(pairs.source[free], return_inverse=True)
        remainder = pairs.crosswalk.remainder["share"].to_numpy()[rows]
        rest = np.flatnonzero(remainder > 0)
        asked = wanted.notna().to_numpy()
        known = np.nan_to_num(wanted.to_numpy())
        variance = (tolerance * known) ** 2 + (_ROUNDED if tolerance.any() else 0.0)
        return cls(
            rows=rows,
            free=free,
            source=np.asarray(source, np.int64),
            column=pairs.target[free],
            log0=np.log(pairs.share[free]),
            rest=rest,
            rest0=np.log(remainder[rest]),
            mass=mass[rows],
            x=x[rows],
            goal=np.where(asked, np.nan_to_num(wanted.to_numpy() / scale) - by, 0.0),
            asked=asked,
            allowed=variance / (scale * _CLUMP),
        )

    def shares(self, force: Floats) -> tuple[Floats, Floats, Floats]:
        """Return free shares and remainders under forces, and the log of what they were scaled by.

        A share is multiplied by the exponential of its target's force; what a source has is shared
        out again so that it adds up to 1.
        """
        # logarithms of the shares, pulled; the remainder is not pulled
        pull = (force[self.column] * (self.x / self.mass[:, None])[self.source]).sum(axis=1)
        tall = np.concatenate([self.log0 + pull, self.rest0])
        owner = np.concatenate([self.source, self.rest])
        # exponentials less the greatest of each source, so that none overflows
        top = np.full(len(self.rows), -np.inf)
        np.maximum.at(top, owner, tall)
        weights = np.exp(tall - top[owner])
        total = np.bincount(owner, weights=weights, minlength=len(self.rows))
        shares = weights / total[owner]
        return shares[: len(self.free)], shares[len(self.free) :], top + np.log(total)

    def solve(self, pairs: Pairs) -> _Moved:
        """Return all shares and all remainders."""
        share = pairs.share.copy()
        remainder = pairs.crosswalk.remainder["share"].to_numpy().copy()
        if not len(self.free):
            return _Moved(share, remainder)
        force = np.zeros(self.goal.shape)
        for loose in _LOOSENESS:
            force = self._newton(force, np.maximum(self.allowed, loose))
            if loose <= self.allowed[self.asked].min():
                break
        moved, rest, _ = self.shares(force)
        share[self.free] = moved
        left = np.zeros(len(self.rows))
        left[self.rest] = rest
        remainder[self.rows] = left
        return _Moved(share, remainder)

    def _newton(self, force: Floats, loose: Floats) -> Floats:
        """Climb the dual, a concave function, from where the looser one ended."""
        value = self._dual(force, loose)
        at = np.flatnonzero(self.asked.ravel())
        for _ in range(_STEPS):
            # at the top the slope is nothing
            shares, _, _ = self.shares(force)
            slope = self._slope(force, shares, loose)
            if np.abs(slope[at]).max(initial=0.0) < 1e-13:
                break
            # Newton's step
            curve = self._curve(shares)[at][:, at] + scipy.sparse.diags(loose.ravel()[at])
            step = np.zeros(force.size)
            step[at] = scipy.sparse.linalg.spsolve(curve.tocsc(), slope[at])
            gain = float(slope[at] @ step[at])
            # half of it and half again until it climbs enough (Armijo)
            size = 1.0
            while size > 1e-9:
                tried = force + size * step.reshape(force.shape)
                reached = self._dual(tried, loose)
                if reached >= value + 1e-4 * size * gain or gain < 1e-15:
                    break
                size /= 2
            else:
                break
            force, value = tried, reached
            if gain < 1e-20:
                break
        return force

    def _dual(self, force: Floats, loose: Floats) -> float:
        """Return the dual, which is greatest where the controls are met."""
        _, _, scaled = self.shares(force)
        return float(
            (force * self.goal).sum()
            - self.mass @ scaled
            - (loose * force**2)[self.asked].sum() / 2
        )

    def _slope(self, force: Floats, shares: Floats, loose: Floats) -> Floats:
        """Return its derivative: what is lacking of each control."""
        given = np.zeros(self.goal.shape)
        np.add.at(given, self.column, shares[:, None] * self.x[self.source])
        return np.where(self.asked, self.goal - given - loose * force, 0.0).ravel()

    def _curve(self, shares: Floats) -> Any:
        """Return minus the second derivative: targets times variables, sparse."""
        count, kinds = self.goal.shape
        by = scipy.sparse.csr_matrix(
            (shares, (self.source, self.column)), shape=(len(self.rows), count)
        )
        blocks = []
        for one in range(kinds):
            row = []
            for other in range(kinds):
                both = self.x[:, one] * self.x[:, other] / self.mass
                row.append(scipy.sparse.diags(by.T @ both) - by.T @ scipy.sparse.diags(both) @ by)
            blocks.append(row)
        full = scipy.sparse.bmat(blocks, format="csr")
        # blocks are by variable, forces by target: bring rows and columns to the same order
        order = np.arange(count * kinds).reshape(kinds, count).T.ravel()
        return full[order][:, order]


# ---------------------------------------------------------------- the result


def _with(  # noqa: PLR0917
    xw: Crosswalk,
    pairs: Pairs,
    wanted: pd.DataFrame,
    held: pd.DataFrame,
    moved: _Moved,
    allowed: Floats,
    told: Sequence[Finding] = (),
) -> Crosswalk:
    """Return the calibrated crosswalk with what is left between it and its controls."""
    # each control with its row and column
    x = held.to_numpy()
    asked = np.argwhere(wanted.notna().to_numpy())
    row, at = asked[:, 0], asked[:, 1]
    # the least and the most that shares of what touches the area could give
    whole = np.zeros(len(pairs.sources), dtype=bool)
    whole[pairs.source[pairs.inside]] = True
    fixed = np.where(whole[pairs.source], pairs.share, 0.0)
    most = np.where(whole[pairs.source], pairs.share, pairs.share > 0)
    sums = {
        "before": pairs.matrix(pairs.share) @ x,
        "after": pairs.matrix(moved.share) @ x,
        "least": pairs.matrix(fixed) @ x,
        "most": pairs.matrix(most) @ x,
    }
    found = pd.DataFrame(
        {
            "target_id": pairs.targets[row].astype(str),
            "variable": wanted.columns[at].astype(str),
            "control": wanted.to_numpy()[row, at],
            **{name: np.asarray(values)[row, at] for name, values in sums.items()},
        }
    ).assign(residual=lambda frame: frame["after"] - frame["control"])
    return xw.with_shares(
        moved.share,
        moved.remainder,
        meta={
            "calibration": {
                "variables": [str(name) for name in wanted.columns],
                "tolerance": float(allowed.max()),
                "residuals": found[list(_RESIDUALS)].to_dict("records"),
            }
        },
        report=CheckReport([*told, *_unmet(found, float(allowed.max()))]),
    )


def _unmet(found: pd.DataFrame, tolerance: float) -> list[Finding]:
    """Return what must be said of controls not met: how many by a little, and each by more."""
    missed = found["residual"].abs()
    little = missed > _MET * found["control"].clip(lower=1.0)
    # within twice what its rounding and definition allow a control counts as met
    share = max(_NOTABLE_SHARE, 2 * tolerance)
    much = missed > np.maximum(
        _NOTABLE + (tolerance > 0) * 2 * _ROUNDED**0.5, share * found["control"]
    )
    findings = []
    if little.any():
        findings.append(
            finding(
                "tables.controls_missed",
                "note",
                "",
                value=float(missed.max()),
                count=int(little.sum()),
                total=len(found),
                greatest=float(missed.max()),
            )
        )
    for one in found[much].itertuples():
        reachable = one.least - _MET <= one.control <= one.most + _MET
        findings.append(
            finding(
                "tables.control_not_met" if reachable else "tables.control_unreachable",
                "warning",
                one.target_id,
                value=float(one.after),
                limit=float(one.control),
                area=one.target_id,
                variable=one.variable,
                control=one.control,
                reached=one.after,
                least=one.least,
                most=one.most,
            )
        )
    return findings
