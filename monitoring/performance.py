"""How good the predictions of a batch turned out to be, as far as their outcomes are known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import IntegrityError, PerennialError
from models.evaluate import calibration_curve, intervals, log_losses, measures

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

    `measures` are those of models.evaluate and `relative_log_loss`; `intervals` are their 95 %
    intervals by day. Both, and `calibration`, are empty while no outcome is known.
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


def realised(
    predictions: pl.DataFrame,
    outcomes: pl.DataFrame,
    key: Sequence[str],
    as_of: datetime,
    timezone: str = "UTC",
    seed: int = 0,
) -> Realised:
    """Join predictions with the outcomes known by `as_of`, and measure.

    `predictions` has `key`, `event_time` and `prediction`; `outcomes` has `key`, `known_at` and
    `label`. Of an outcome that was corrected the newest counts. Intervals are drawn by whole days
    of `timezone`: the rows of a day hang together.

    Raises PerennialError when a column is missing, IntegrityError when a key was predicted twice.

    >>> noon = datetime.fromisoformat("2013-04-01T12:00Z")
    >>> scored = pl.DataFrame({"id": [1, 2, 3], "event_time": noon, "prediction": [0.2, 0.7, 0.4]})
    >>> known = pl.DataFrame({"id": [1, 2, 3], "known_at": noon, "label": [False, True, True]})
    >>> known = known.with_columns(known_at=pl.col("known_at").dt.offset_by(pl.format("{}h", "id")))
    >>> found = realised(scored, known, ["id"], datetime.fromisoformat("2013-04-01T14:00Z"))
    >>> found.labelled, found.measures["auc"]
    (2, 1.0)
    """
    _require(predictions, "predictions", (*key, "event_time", "prediction"))
    _require(outcomes, "outcomes", (*key, "known_at", "label"))
    if repeated := predictions.height - predictions.n_unique(key):
        raise IntegrityError(f"predictions: {repeated} of {predictions.height} rows repeat a key {list(key)}")
    newest = (
        outcomes.filter(pl.col("known_at") <= as_of)
        .sort("known_at", maintain_order=True)
        .unique(key, keep="last", maintain_order=True)
        .select(*key, "label")
    )
    joined = predictions.join(newest, on=list(key), how="inner", maintain_order="left")
    if joined.is_empty():
        return Realised(as_of, predictions.height, 0)
    labels = joined["label"].cast(pl.Float64).to_numpy()
    probabilities = joined["prediction"].to_numpy()
    days = joined["event_time"].dt.convert_time_zone(timezone).dt.date().to_physical().to_numpy()
    found = measures(labels, probabilities)
    return Realised(
        as_of=as_of,
        scored=predictions.height,
        labelled=joined.height,
        measures=found | {"relative_log_loss": relative_log_loss(found["log_loss"], found["base_rate"])},
        intervals={
            **intervals(labels, probabilities, days, DRAWS, CONFIDENCE, seed),
            "relative_log_loss": _relative_interval(labels, log_losses(labels, probabilities), days, seed),
        },
        calibration=_points(labels, probabilities),
    )


def relative_log_loss(log_loss: float, base_rate: float) -> float:
    """Log loss as a share of the constant base rate's on the same rows; NaN with one class only.

    Below 1 the probabilities tell something (normalised entropy, He et al. 2014). Batches of
    unlike rates can be compared by it.

    >>> relative_log_loss(math.log(2) / 2, base_rate=0.5)
    0.5
    """
    return float(np.divide(log_loss, _entropy(np.array(base_rate))))


def _entropy(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log loss of a constant that is right on average, in nats; NaN where it is 0 or not defined."""
    inside: NDArray[np.float64] = np.where((rates > 0) & (rates < 1), rates, np.nan)
    return -inside * np.log(inside) - (1 - inside) * np.log1p(-inside)


def _relative_interval(
    labels: NDArray[np.float64], losses: NDArray[np.float64], days: NDArray[Any], seed: int
) -> tuple[float, float]:
    """The interval of `relative_log_loss` when whole days are drawn with replacement."""
    day = np.unique(days, return_inverse=True)[1]
    count = int(day.max()) + 1
    if count < 2:
        return (math.nan, math.nan)
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    rows = weights @ np.bincount(day)
    shares = (weights @ np.bincount(day, losses) / rows) / _entropy(weights @ np.bincount(day, labels) / rows)
    if np.isnan(shares).all():
        return (math.nan, math.nan)
    low, high = np.nanquantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _points(labels: NDArray[np.float64], probabilities: NDArray[np.float64]) -> tuple[Point, ...]:
    curve = calibration_curve(labels, probabilities)
    columns = (curve.predicted.tolist(), curve.observed.tolist(), curve.rows.tolist())
    return tuple(Point(*values) for values in zip(*columns, strict=True))


def _require(frame: pl.DataFrame, table: str, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise PerennialError(f"{table}: no column {', '.join(missing)}; there are {', '.join(frame.columns)}")
