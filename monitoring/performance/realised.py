"""How good the predictions of a batch turned out to be, as far as their outcomes are known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import IntegrityError, PerennialError
from core.spec import Outcome
from models.answers import from_column
from models.measures.discrimination import Discrimination
from models.measures.intervals import intervals, local
from models.measures.paired import Blocks, Interval
from models.measures.probabilities import calibration_curve
from models.problem import Floats, Problem, relative_loss
from models.rows import Rows
from monitoring.performance.blocks import DAY, Block, blocks_of
from monitoring.performance.refinement import refined

DRAWS = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a calibration curve: mean probability, observed rate, and rows of a bin."""

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True, slots=True)
class Realised:
    """What is known at `as_of` of the quality of `scored` predictions, `labelled` of which have outcomes.

    `measures` are those of the problem and `relative_loss`, with the two parts of it and its excess (see
    `monitoring.performance.refinement`), and of two classes the AUC within days, realised and promised;
    `intervals` are their 95 % intervals by day. Both, and the `calibration` of a binary problem, are
    empty while no outcome is known. `blocks` are the labelled rows by day. What is said before all
    outcomes are due is not `final`.
    """

    as_of: datetime
    scored: int
    labelled: int
    measures: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    calibration: tuple[Point, ...] = ()
    blocks: tuple[Block, ...] = ()
    final: bool = True

    @property
    def labelled_share(self) -> float:
        """The share of the predictions whose outcome is known, 0 to 1."""
        return self.labelled / self.scored if self.scored else 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """How predictions are judged: the problem and its outcome, the events' key, the clock of their days.

    `due` is the instant from which on all their outcomes are in, so that what is said is final.
    """

    problem: Problem
    outcome: Outcome
    key: Sequence[str]
    timezone: str = "UTC"
    seed: int = 0
    due: datetime | None = None


def joined(predictions: pl.DataFrame, outcomes: pl.DataFrame, as_of: datetime, by: Judgement) -> pl.DataFrame:
    """The predictions whose outcome was known by `as_of`, with the newest `label` known, in order of time.

    Raises PerennialError when a column is missing, IntegrityError when a key was predicted twice.
    """
    key = list(by.key)
    _require(predictions, "predictions", (*key, "event_time", "prediction"))
    _require(outcomes, "outcomes", (*key, "known_at", "label"))
    if repeated := predictions.height - predictions.n_unique(key):
        raise IntegrityError(f"predictions: {repeated} of {predictions.height} rows repeat a key {key}")
    newest = (
        outcomes.filter(pl.col("known_at") <= as_of)
        .sort("known_at", maintain_order=True)
        .unique(key, keep="last", maintain_order=True)
        .select(*key, "label")
    )
    found = predictions.join(newest, on=key, how="inner", maintain_order="left")
    return found.sort("event_time", maintain_order=True)


def realised(predictions: pl.DataFrame, outcomes: pl.DataFrame, as_of: datetime, by: Judgement) -> Realised:
    """Join predictions with the outcomes known by `as_of`, and measure.

    `predictions` has the key, `event_time` and `prediction` (a list, where there are classes);
    `outcomes` has the key, `known_at` and `label`. Of an outcome that was corrected the newest counts.
    Intervals are drawn by whole days: the rows of a day hang together.

    Raises as `joined` does.
    """
    final = by.due is None or as_of >= by.due
    known = joined(predictions, outcomes, as_of, by)
    if known.is_empty():
        return Realised(as_of, predictions.height, 0, final=final)
    rows, answers = Rows.of(known, by.outcome), from_column(known["prediction"])
    blocks = Blocks.draw(local(rows.times, by.timezone) // DAY, DRAWS, by.seed)
    split, drawn = refined(by.problem, rows, answers, blocks, CONFIDENCE)
    if by.problem.kind == "binary":
        within = Discrimination.of(rows.labels, answers, blocks, CONFIDENCE)
        split |= {"auc_within": within.realised, "auc_promised": within.expected, "auc_gap": within.gap}
        drawn["auc_gap"] = Interval(within.gap, within.low, within.high)
    reach = {name: ends(each) for name, each in drawn.items()}
    found = by.problem.measures(rows, answers)
    return Realised(
        as_of=as_of,
        scored=predictions.height,
        labelled=known.height,
        measures=found | {"relative_loss": relative_loss(by.problem, rows, answers)} | split,
        intervals=_intervals(by.problem, rows, answers, blocks) | reach,
        calibration=_points(rows.labels, answers) if by.problem.kind == "binary" else (),
        blocks=blocks_of(by.problem, rows, answers, by.timezone),
        final=final,
    )


def _intervals(
    problem: Problem, rows: Rows, answers: Floats, blocks: Blocks
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each measure; NaN where there is one day only."""
    found = intervals(problem, rows, answers, blocks, CONFIDENCE)
    return {name: ends(each) for name, each in found.items()}


def ends(found: Interval) -> tuple[float, float]:
    """The ends of an interval; NaN where it is infinite, as of one day."""
    return (found.low, found.high) if math.isfinite(found.low) else (math.nan, math.nan)


def _points(labels: Floats, probabilities: NDArray[np.float64]) -> tuple[Point, ...]:
    curve = calibration_curve(labels, probabilities)
    columns = (curve.predicted.tolist(), curve.observed.tolist(), curve.rows.tolist())
    return tuple(Point(*values) for values in zip(*columns, strict=True))


def _require(frame: pl.DataFrame, table: str, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise PerennialError(f"{table}: no column {', '.join(missing)}; there are {', '.join(frame.columns)}")
