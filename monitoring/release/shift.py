"""How far a canary's predictions lie from the champion's, beyond what so many reach by chance."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.releasing import ReleaseRules
from models.answers import from_column
from models.measures.paired import Interval
from models.measures.sequential import Arm, Floats, difference
from models.problem import Problem
from monitoring.drift.binning import by_block
from monitoring.drift.drift import answers
from monitoring.drift.stability import FLOOR, psi
from monitoring.profiles.profile import Profile
from monitoring.profiles.profiling import profile
from monitoring.release.sides import Sides, ours_of
from monitoring.release.watches import Watch, few, judged, of_each

Counts = NDArray[np.int64]

# Of the limit so much may be reached by chance: where more is, the samples are too small for their bins.
_BY_CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class Histograms:
    """The rows of each entity in each bin: of ours [k, bins], and of theirs [l, bins]."""

    ours: Counts
    theirs: Counts

    @property
    def distance(self) -> float:
        """The PSI of all rows of ours from all of theirs."""
        return psi(self.theirs.sum(0), self.ours.sum(0))

    @property
    def by_chance(self) -> float:
        """The PSI to be expected between samples of these sizes that are drawn alike.

        It is the sum over bins of (p - q)² / p to second order, so that of their variances over p; a bin's
        variance is the jackknife's over entities.
        """
        rows = self.ours.sum(0) + self.theirs.sum(0)
        shares = rows / rows.sum()
        common = shares > FLOOR  # rarer ones count as FLOOR on both sides
        variances = _variances(self.ours) + _variances(self.theirs)
        return float((variances[common] / shares[common]).sum())

    def beyond_chance(self, sample: int, confidence: float) -> Interval:
        """The PSI less what is to be expected by chance, with ends that hold at every look.

        The PSI is homogeneous in its shares: it is the difference of the means of its own derivatives, and
        strays as that does (the delta method).
        """
        ours, theirs = (np.maximum(each.sum(0) / each.sum(), FLOOR) for each in (self.ours, self.theirs))
        rising, falling = np.log(ours / theirs) + 1 - theirs / ours, np.log(ours / theirs) - 1 + ours / theirs
        found = difference(_arm(self.ours, rising), _arm(self.theirs, falling), sample, confidence)
        value = self.distance - self.by_chance
        return Interval(value, value - (found.value - found.low), value + (found.high - found.value))


def prediction_shift(sides: Sides, problem: Problem, rules: ReleaseRules) -> Watch:
    """Whether the predictions are surely elsewhere: of several values of an answer, those of any of them."""
    rows = sides.answered()
    some = [rows.filter(each) for each in (pl.col("ours"), ~pl.col("ours"))]
    ours, theirs = (Arm.of(np.zeros(each.height), each["unit"].to_numpy()) for each in some)
    if unknown := few("prediction shift", "answers", ours, theirs):
        return unknown
    counted = histograms(rows, problem)
    each = 1 - (1 - of_each(rules.confidence)) / len(counted)
    found = [(one.beyond_chance(rules.requests, each), one) for one in counted]
    furthest, of = max(found, key=lambda one: (one[0].low, one[0].value))
    numbers = {
        "psi": of.distance,
        "by_chance": of.by_chance,
        "low": furthest.low,
        "limit": rules.prediction_shift,
        "canary_rows": float(ours.count),
        "champion_rows": float(theirs.count),
    }
    told = (
        f"The PSI of {ours.count:,} answers of {sides.ours} from {theirs.count:,} of {sides.theirs} is"
        f" {of.distance:.2f}, where {of.by_chance:.2f} is to be expected by chance"
    )
    if of.by_chance > _BY_CHANCE * rules.prediction_shift:
        return Watch("prediction shift", "unknown", f"{told}: more answers are needed", numbers)
    told += f": surely {max(furthest.low, 0.0):.2f} more; the limit is {rules.prediction_shift:.2f}"
    return Watch("prediction shift", judged(furthest.low, rules.prediction_shift), told, numbers)


def histograms(rows: pl.DataFrame, problem: Problem) -> list[Histograms]:
    """The answers of both sides in bins of theirs: one histogram, or one for each value of an answer."""
    said, columns = answers(from_column(rows["prediction"]), values=problem.link == "sorted")
    theirs = profile(said.filter(~rows["ours"]), columns)
    return [_histograms(rows, said[name], each) for name, each in theirs.items()]


def _histograms(rows: pl.DataFrame, said: pl.Series, theirs: Profile) -> Histograms:
    ours = ours_of(rows)
    counts = [_counts(theirs, said.filter(among), rows["unit"].filter(among)) for among in (ours, ~ours)]
    return Histograms(*counts)


def _counts(bins: Profile, said: pl.Series, units: pl.Series) -> Counts:
    known, place = np.unique(units.to_numpy(), return_inverse=True)
    return next(by_block(bins, said, place, len(known)))


def _variances(counts: Counts) -> Floats:
    """The variance of the share of rows in each bin [bins]."""
    rows = counts.sum(axis=1, keepdims=True)
    off = (counts - counts.sum(0) / rows.sum() * rows) / (rows.sum() - rows)
    return np.asarray((off**2).sum(0), np.float64)


def _arm(counts: Counts, values: Floats) -> Arm:
    """The arm whose rows are worth what their bin is."""
    return Arm(counts @ values, counts @ values**2, counts.sum(axis=1))
