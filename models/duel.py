"""The gate's comparison of a challenger with the champion: each check a number, its limit, a sentence."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import SpecError
from core.spec import Gate
from models.checks import Check, Contender, Floats
from models.evaluate import auc, calibration_curve, calibration_error, log_loss, log_losses
from models.paired import Blocks, Interval

MIN_SLICE_ROWS = 200


@dataclass(frozen=True, slots=True)
class Duel:
    """Two models' answers to the same rows; `theirs` are the champion's, or always the base rate.

    `labels` are [n], 0 or 1; `frame` has a row for each, with the columns of `rules.slices`.
    """

    rules: Gate
    frame: pl.DataFrame
    labels: Floats
    blocks: Blocks
    ours: Contender
    theirs: Contender

    @property
    def saved(self) -> Floats:
        """By how much the log loss of each row [n] is lower with ours."""
        theirs, ours = (log_losses(self.labels, each.answers) for each in (self.theirs, self.ours))
        return theirs - ours


def better(duel: Duel) -> Check:
    """The log loss is surely lower, or surely not higher by the margin and the model is simpler."""
    gain = duel.blocks.mean(duel.saved, duel.rules.confidence)
    simpler = duel.ours.complexity < duel.theirs.complexity
    limit = -duel.rules.margin if simpler else 0.0
    ours, theirs = (log_loss(duel.labels, each.answers) for each in (duel.ours, duel.theirs))
    detail = (
        f"log loss {ours:.4f} against {theirs:.4f} of {duel.theirs.id}: gain {gain}; as the challenger is "
        f"{'simpler' if simpler else 'not simpler'}, the low end must be above {limit:g}"
    )
    return Check("better", gain.low > limit, gain.low, limit, detail)


def ranking(duel: Duel, must_gain: bool) -> Check:
    """The AUC is not surely lower by more than the margin; or, if it `must_gain`, is surely higher."""
    probabilities = duel.ours.answers, duel.theirs.answers
    gain = duel.blocks.auc_gain(duel.labels, *probabilities, duel.rules.confidence)
    detail = f"AUC {auc(duel.labels, probabilities[0]):.4f}, {gain} against {duel.theirs.id}"
    if must_gain:
        return Check("ranking", gain.low > 0, gain.low, 0, f"{detail}; the low end must be above 0")
    detail += f"; it may fall by {duel.rules.margin:g}, or by what chance explains"
    return Check("ranking", not worse(gain, duel.rules.margin), gain.value, -duel.rules.margin, detail)


def slices(duel: Duel) -> Check:
    """No slice of the rows is surely worse by more than the slice margin.

    The confidence is that of all slices together (Bonferroni). SpecError for an unknown column.
    """
    found, margin = dict(_slices(duel)), duel.rules.slice_margin
    confidence = 1 - (1 - duel.rules.confidence) / max(len(found), 1)
    saved = duel.saved
    gains = {name: duel.blocks.mean(saved, confidence, among) for name, among in found.items()}
    ranked = sorted(gains, key=lambda name: gains[name].value)
    faults = [name for name in ranked if worse(gains[name], margin)]
    worst = ", ".join(f"{name} {gains[name]}" for name in (faults or ranked)[:3])
    detail = f"{len(faults)} of {len(found)} slices are surely worse by more than {margin:g}; the worst: "
    lowest = gains[ranked[0]].value if ranked else 0.0
    return Check("slices", not faults, lowest, -margin, detail + (worst or "none"))


def calibration(duel: Duel) -> Check:
    """The calibration error is within its limit, or not above the other's.

    The limit is widened by what chance adds on few rows: a perfectly calibrated model shows an
    error, too, of the size of the binomial deviation of its bins.
    """
    allowed, ours, theirs = (
        duel.rules.max_calibration_error,
        duel.ours.answers,
        duel.theirs.answers,
    )
    found, other = (calibration_error(duel.labels, each) for each in (ours, theirs))
    curve = calibration_curve(duel.labels, ours)
    chance = float(np.sqrt(curve.rows * curve.predicted * (1 - curve.predicted)).sum() / curve.rows.sum())
    limit = max(float(np.hypot(allowed, chance)), other)
    detail = (
        f"calibration error {found:.4f}, of {duel.theirs.id} {other:.4f}; at most {limit:.4f}: the higher of "
        f"that and of {allowed:g} with what chance adds on {len(duel.labels)} rows"
    )
    return Check("calibration", found <= limit, found, limit, detail)


def worse(gain: Interval, margin: float) -> bool:
    """Is it a loss of more than the margin, and one that chance does not explain?"""
    return gain.value < -margin and gain.high < 0


def _slices(duel: Duel) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for column in duel.rules.slices:
        if column not in duel.frame.columns:
            known = ", ".join(duel.frame.columns)
            raise SpecError(f"gate.slices: the rows have no column {column!r}, but {known}")
        values = duel.frame[column].cast(pl.String).fill_null("missing")
        counts = values.value_counts().filter(pl.col("count") >= MIN_SLICE_ROWS)
        for value in counts[column].sort():
            yield f"{column}={value}", (values == value).to_numpy()
