"""Whether a canary surely loses more than the champion: by what it expects of itself, and by the outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from core.releasing import ReleaseRules
from core.spec import Outcome
from models.answers import from_column
from models.calibration.form import Calibration
from models.measures.paired import Interval
from models.measures.sequential import Arm, Floats, difference
from models.problem import Problem
from models.rows import Rows
from monitoring.performance.expected import expected_parts, is_probable
from monitoring.performance.refit import recalibrated
from monitoring.release.sides import Sides, arms
from monitoring.release.watches import Watch, few, judged, numbers, of_each

LossName = Literal["estimated loss", "realised loss"]


@dataclass(frozen=True, slots=True)
class Losses:
    """What was lost on units of rows [u], and the rows that stand for them, with `ours` and `unit`."""

    values: Floats
    rows: pl.DataFrame

    def arms(self) -> tuple[Arm, Arm]:
        """Ours, and theirs."""
        return arms(self.rows, self.values)


def estimated_loss(
    sides: Sides, problem: Problem, rules: ReleaseRules, calibrations: Mapping[str, Calibration]
) -> Watch:
    """Whether the answers themselves lead to expect a greater loss, where they say what they expect.

    `calibrations` are those that versions were found to need (`monitoring.performance.refit`): a champion
    that has become too sure of itself expects less than an honest canary.
    """
    if not is_probable(problem):
        kind = "scores" if problem.kind == "ranking" else "values"
        return Watch("estimated loss", "unknown", f"Answers that are {kind} do not say what they may lose")
    if not (rows := sides.answered()).height:
        return Watch("estimated loss", "unknown", "There are no answers yet")
    return _watch("estimated loss", expected_losses(rows, problem, calibrations), sides, rules)


def realised_loss(sides: Sides, problem: Problem, outcome: Outcome, rules: ReleaseRules) -> Watch:
    """Whether the outcomes that are in show a greater loss."""
    if "label" not in sides.rows.columns or not (known := labelled(sides)).height:
        return Watch("realised loss", "unknown", "No outcomes are known yet")
    return _watch("realised loss", losses(known, problem, outcome), sides, rules)


def labelled(sides: Sides) -> pl.DataFrame:
    """The rows with an answer whose outcome is known."""
    return sides.answered().filter(pl.col("label").is_not_null())


def expected_losses(rows: pl.DataFrame, problem: Problem, calibrations: Mapping[str, Calibration]) -> Losses:
    """The loss that probabilities expect of themselves, calibrated anew where that is known."""
    said = from_column(rows["prediction"])
    chances = said.copy()
    for version, calibration in calibrations.items():
        of = (rows["version"] == version).to_numpy()
        chances[of] = recalibrated(calibration, said[of])
    unlabelled = Rows(rows, np.zeros(rows.height), rows["at"])
    return Losses(expected_parts(problem, unlabelled, said, chances)["loss"], rows)


def losses(rows: pl.DataFrame, problem: Problem, outcome: Outcome) -> Losses:
    """The problem's losses on labelled rows of both sides, which have one scale.

    A list of a ranking is told by the outcome's columns or, where the log does not have them, is what a
    request asks of an entity. PerennialError when a label is none of the classes.
    """
    lists = outcome.group if set(outcome.group) <= set(rows.columns) else ("request_id", "unit")
    group = ("ours", *lists) if problem.kind == "ranking" else ()
    framed = outcome.model_copy(update={"group": group})
    known = Rows.of(rows.with_columns(event_time=pl.col("at")), framed)
    found = problem.losses(known, from_column(rows["prediction"]))
    return Losses(found, rows[problem.units(known)])


def above(ours: Arm, theirs: Arm, limit: float, sample: int, confidence: float) -> Interval:
    """How much more ours lose as a share of what theirs do, less `limit`.

    Theirs are raised by the limit before they are compared: so their own chance is counted in.
    """
    raised = Arm(theirs.sums * (1 + limit), theirs.squares * (1 + limit) ** 2, theirs.rows)
    found = difference(ours, raised, sample, confidence)
    scale = theirs.mean if theirs.mean > 0 else 1.0
    return Interval(found.value / scale, found.low / scale, found.high / scale)


def _watch(name: LossName, lost: Losses, sides: Sides, rules: ReleaseRules) -> Watch:
    ours, theirs = lost.arms()
    what = "labelled answers" if name == "realised loss" else "answers"
    if unknown := few(name, what, ours, theirs):
        return unknown
    beyond = above(ours, theirs, rules.loss, rules.requests, of_each(rules.confidence))
    found = Interval(*(each + rules.loss for each in (beyond.value, beyond.low, beyond.high)))
    verb = "lost" if name == "realised loss" else "expects to lose"
    surely = f" (surely {found.low:+.1%} to {found.high:+.1%})" if found.low > -np.inf else ""
    reason = (
        f"{sides.ours} {verb} {ours.mean:.4f} on each of {ours.count:,} {what}, {sides.theirs}"
        f" {theirs.mean:.4f} on each of {theirs.count:,}: {found.value:+.1%}{surely}; the limit is"
        f" {rules.loss:.1%}"
    )
    return Watch(name, judged(beyond.low, 0), reason, numbers(ours, theirs, found, rules.loss))
