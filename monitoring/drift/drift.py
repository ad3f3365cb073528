"""How far a batch lies from the reference, a feature at a time: an effect size, never a p-value."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.spec import Monitoring
from models.rows import Columns
from monitoring.drift.binning import MAX_CATEGORIES, number_bins, value_bins
from monitoring.drift.changes import Change, absences, named, notes_of
from monitoring.drift.distances import jensen_shannon, wasserstein
from monitoring.drift.reference import Reference, reference_of
from monitoring.drift.stability import FEW, psi
from monitoring.profiles.profile import Profile, Profiles
from monitoring.profiles.profiling import profile

__all__ = ["COMMON", "MAX_CATEGORIES", "Drift"]

# A value that this share of the batch has is looked at by itself, however rare it was before.
COMMON = 0.05
OFF = "drift is not watched: monitoring.drift is null"


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one feature moved; `value` is None where it could not be measured, and `note` says why.

    `new` and `vanished` are categories, or words of a text, on one side only, the most frequent first.
    `changes` says in fixed words what else is the matter than other values. `distance` is the one that
    people know: by Wasserstein over the reference's standard deviation for numbers, by Jensen and
    Shannon for categories; the words of a text are such. It decides nothing.
    """

    feature: str
    method: str
    value: float | None
    threshold: float
    drifted: bool
    note: str = ""
    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    distance: float | None = None


def drift_of(reference: Reference, current: Profiles, rules: Monitoring) -> tuple[Drift, ...]:
    """The drift of each feature of the reference, in its order; what is missing is a bin of its own.

    The threshold is `rules.drift`, or how far the reference's own days lie apart where that is more
    (`monitoring.drift.stability.thresholds`). With fewer than `rules.min_rows` rows on either side nothing
    is measured. None at all where drift is not watched. The cost hangs on no number of rows.
    """
    if rules.drift is None:
        return ()
    limits = _thresholds(reference, current, rules.drift)
    return tuple(
        _drift(before, current[name], limits[name], reference.days, rules)
        for name, before in reference.profiles.items()
        if name in current
    )


def answers_drift(reference: Reference, current: Profiles, rules: Monitoring) -> Drift:
    """The drift of the predictions: that of the one of several answers that moved most."""
    limit = rules.prediction_drift
    if rules.drift is None:
        return Drift("prediction", "psi", None, limit, False, OFF)
    limits = _thresholds(reference, current, limit)
    moved = [
        _drift(before, current[name], limits[name], reference.days, rules)
        for name, before in reference.profiles.items()
    ]
    return replace(max(moved, key=lambda each: each.value or 0.0), feature="prediction")


def feature_drift(
    reference: pl.DataFrame, current: pl.DataFrame, columns: Columns, rules: Monitoring
) -> tuple[Drift, ...]:
    """The drift of each feature of a frame, in the order of `columns`, from another one.

    Of its days nothing is known. A feature that a frame lacks counts as missing in all its rows.

    >>> calm = pl.DataFrame({"wind": [1.0, 2.0, 3.0, 4.0] * 25, "carrier": ["UA", "B6"] * 50})
    >>> storm = calm.with_columns(wind=pl.col("wind") + 10)
    >>> rules = Monitoring(min_rows=100)
    >>> columns = Columns(("wind",), ("carrier",))
    >>> [(drift.feature, drift.drifted) for drift in feature_drift(calm, storm, columns, rules)]
    [('wind', True), ('carrier', False)]
    """
    return drift_of(reference_of(reference, columns), profile(current, columns), rules)


def prediction_drift(
    reference: NDArray[np.float64], current: NDArray[np.float64], rules: Monitoring, values: bool = False
) -> Drift:
    """The drift of the answers [n], [m], of any n and m, or of the likeliest class [n, K], [m, K].

    Where the K answers are `values`, as quantiles are, it is that of the one of them that moved most.
    """
    (before, columns), (now, _) = (answers(each, values) for each in (reference, current))
    return answers_drift(reference_of(before, columns), profile(now, columns), rules)


def answers(found: NDArray[np.float64], values: bool = False) -> tuple[pl.DataFrame, Columns]:
    """Answers [n] or [n, K] as columns to be profiled: numbers, or the likeliest class as a category."""
    if found.ndim == 2 and not values:
        return pl.DataFrame({"prediction": found.argmax(axis=1).astype(str)}), Columns((), ("prediction",))
    if found.ndim == 1:
        return pl.DataFrame({"prediction": found}), Columns(("prediction",), ())
    names = tuple(f"prediction {place + 1}" for place in range(found.shape[1]))
    return pl.DataFrame(dict(zip(names, found.T, strict=True))), Columns(names, ())


def _thresholds(reference: Reference, current: Profiles, floor: float) -> dict[str, float]:
    drawn = max((each.tally.blocks for each in current.values()), default=0)
    return dict.fromkeys(reference.profiles, floor) | reference.thresholds(drawn, floor)


def _drift(before: Profile, now: Profile, limit: float, days: int, rules: Monitoring) -> Drift:
    nothing = Drift(before.feature, "psi", None, limit, False)
    rows = before.tally.rows, now.tally.rows
    if min(rows) < rules.min_rows:
        few = f"{rows[0]} reference and {rows[1]} batch rows: {rules.min_rows} of each are needed"
        return replace(nothing, note=few)
    if before.kind != now.kind:
        note = f"a {now.kind} in the batch, a {before.kind} in the reference"
        return replace(nothing, note=note, changes=("another kind",))
    moved = [each for each in (_numbers(before, now), _values(before, now)) if each is not None]
    changes, notes = notes_of(before, now)
    if before.kind == "text" and len(moved) > 1:
        notes = [f"length {moved[0][0]:.3f}", f"words {moved[1][0]:.3f}", *notes]
    new, vanished = absences(before, now)
    notes += [named("new", new), named("vanished", vanished)]
    if 0 < days < FEW:
        notes.append(f"{days} days of reference: too few to tell how far days differ")
    value = max(psi for psi, _ in moved)
    return replace(
        nothing,
        value=value,
        drifted=value >= limit,
        note="; ".join(filter(None, notes)),
        new=new,
        vanished=vanished,
        changes=changes,
        distance=moved[-1][1],
    )


def _numbers(before: Profile, now: Profile) -> tuple[float, float | None] | None:
    """How far numbers, or the lengths of texts, moved: the PSI, and Wasserstein's distance."""
    if before.numbers is None or now.numbers is None:
        return None
    bins = number_bins(before)
    moved = psi(bins.of(before), bins.of(now))
    return moved, wasserstein(before.numbers, now.numbers, before.moments)


def _values(before: Profile, now: Profile) -> tuple[float, float | None] | None:
    """How far categories, or the words of texts, moved: the PSI, and Jensen and Shannon's distance."""
    if before.values is None or now.values is None:
        return None
    # Of no words there is no telling which they are.
    if before.kind == "text" and not (before.values.known and now.values.known):
        return None
    bins, known = value_bins(before), now.tally.rows if now.kind == "category" else now.values.known
    counts = now.values.counts()
    common = [value for value, rows in counts.items() if rows >= COMMON * known and value not in bins.kept]
    moved = psi(bins.of(before, common), bins.of(now, common))
    return moved, jensen_shannon(before.values, now.values)
