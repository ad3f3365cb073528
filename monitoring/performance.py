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
from models.measures.intervals import intervals, local
from models.measures.paired import Blocks, Interval
from models.measures.probabilities import calibration_curve
from models.problem import Floats, Problem, relative_loss
from models.rows import Rows

DRAWS = 1000
CONFIDENCE = 0.95
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a calibration curve: mean probability, observed rate, and rows of a bin."""

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True, slots=True)
class Realised:
    """What is known at `as_of` of the quality of `scored` predictions, `labelled` of which have outcomes.

    `measures` are those of the problem and `relative_loss`; `intervals` are their 95 % intervals by
    day. Both, and the `calibration` of a binary problem, are empty while no outcome is known.
    """

    as_of: datetime
    scored: int
    labelled: int
    measures: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    calibration: tuple[Point, ...] = ()

    @property
    def labelled_share(self) -> float:
        """The share of the predictions whose outcome is known, 0 to 1."""
        return self.labelled / self.scored if self.scored else 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """How predictions are judged: the problem and its outcome, the events' key, the clock of their days."""

    problem: Problem
    outcome: Outcome
    key: Sequence[str]
    timezone: str = "UTC"
    seed: int = 0


def realised(predictions: pl.DataFrame, outcomes: pl.DataFrame, as_of: datetime, by: Judgement) -> Realised:
    """Join predictions with the outcomes known by `as_of`, and measure.

    `predictions` has the key, `event_time` and `prediction` (a list, where there are classes);
    `outcomes` has the key, `known_at` and `label`. Of an outcome that was corrected the newest counts.
    Intervals are drawn by whole days: the rows of a day hang together.

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
    joined = predictions.join(newest, on=key, how="inner", maintain_order="left")
    if joined.is_empty():
        return Realised(as_of, predictions.height, 0)
    joined = joined.sort("event_time", maintain_order=True)
    rows, answers = Rows.of(joined, by.outcome), from_column(joined["prediction"])
    found = by.problem.measures(rows, answers)
    return Realised(
        as_of=as_of,
        scored=predictions.height,
        labelled=joined.height,
        measures=found | {"relative_loss": relative_loss(by.problem, rows, answers)},
        intervals=_intervals(by, rows, answers),
        calibration=_points(rows.labels, answers) if by.problem.kind == "binary" else (),
    )


def _intervals(by: Judgement, rows: Rows, answers: Floats) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each measure; NaN where there is one day only."""
    blocks = Blocks.draw(local(rows.times, by.timezone) // DAY, DRAWS, by.seed)
    found = intervals(by.problem, rows, answers, blocks, CONFIDENCE)
    return {name: _ends(each) for name, each in found.items()}


def _ends(found: Interval) -> tuple[float, float]:
    return (found.low, found.high) if math.isfinite(found.low) else (math.nan, math.nan)


def _points(labels: Floats, probabilities: NDArray[np.float64]) -> tuple[Point, ...]:
    curve = calibration_curve(labels, probabilities)
    columns = (curve.predicted.tolist(), curve.observed.tolist(), curve.rows.tolist())
    return tuple(Point(*values) for values in zip(*columns, strict=True))


def _require(frame: pl.DataFrame, table: str, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise PerennialError(f"{table}: no column {', '.join(missing)}; there are {', '.join(frame.columns)}")
