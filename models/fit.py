"""From feature rows with outcomes to a fitted, calibrated and measured model."""

import time
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import PerennialError
from core.spec import Spec
from models.calibrate import Calibration, fit_calibration
from models.evaluate import measures
from models.family import Fitted, Report, family
from models.rows import Columns, Rows, columns, numbers, require

MIN_ROWS = 20  # of each part: fewer can neither stop a fit nor say anything about it


@dataclass(frozen=True, slots=True)
class Split:
    """Rows in three parts, each wholly before the next; the newest, `holdout`, is seen by no fit."""

    train: Rows
    validation: Rows
    holdout: Rows


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model with its calibration, and its measures on `validation` and `holdout`."""

    family: str
    complexity: int
    model: Fitted
    calibration: Calibration
    columns: Columns
    measures: dict[str, dict[str, float]]
    seconds: float

    def probabilities(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The calibrated probability of each row of a feature frame [n]."""
        return self.calibration.apply(self.model.margins(frame)[:, None])


def split(rows: pl.DataFrame, spec: Spec, as_of: datetime) -> Split:
    """Cut the rows whose outcome is known at `as_of` into train, validation and holdout, by time.

    `rows` are feature rows with `label` and `known_at`. Rows older than `training.window`, counted
    from `as_of`, are left out. A cut falls between two days of the project's time zone, or between
    two instants where a part would hold no whole day. PerennialError when a part has fewer than 20
    rows or only one class, or a number is infinite.
    """
    require(rows, ("event_time", "known_at", "label"))
    _require_finite(rows, columns(spec))
    keys = [name for name in spec.datasets[spec.events].key if name in rows.columns]
    usable = rows.filter(pl.col("known_at") <= as_of)
    if spec.training.window is not None:
        usable = usable.filter(pl.col("event_time") >= as_of - spec.training.window)
    usable = usable.sort("event_time", *keys, maintain_order=True)
    first, second = _cuts(usable["event_time"], spec)
    parts = {
        "train": usable[:first],
        "validation": usable[first:second],
        "holdout": usable[second:],
    }
    for name, part in parts.items():
        _require_both_classes(name, part, as_of)
    return Split(**{name: Rows.of(part) for name, part in parts.items()})


def fit(name: str, split: Split, spec: Spec, report: Report) -> Fit:
    """Fit the family of this name with the project's parameters and seed, calibrate it, measure it.

    The same rows and spec give the same model. `report` is told the losses as they fall. SpecError
    when the family or one of its parameters is unknown.
    """
    started = time.monotonic()
    chosen, taken = family(name), columns(spec)
    parameters = spec.training.parameters.get(name, {})
    model = chosen.fit(split.train, split.validation, taken, parameters, spec.training.seed, report)
    margins = model.margins(split.validation.frame)[:, None]
    calibration = fit_calibration(margins, split.validation.labels, "sigmoid", (0.0,))
    measured = {
        part: measures(rows.labels, calibration.apply(model.margins(rows.frame)[:, None]))
        for part, rows in (("validation", split.validation), ("holdout", split.holdout))
    }
    seconds = time.monotonic() - started
    return Fit(chosen.name, chosen.complexity, model, calibration, taken, measured, seconds)


def _cuts(times: pl.Series, spec: Spec) -> tuple[int, int]:
    """The positions at which validation and holdout start."""
    rows, shares = len(times), (spec.training.validation + spec.training.holdout, spec.training.holdout)
    wanted = [round(rows * (1 - share)) for share in shares]
    for period in (times.dt.convert_time_zone(spec.batches.timezone).dt.date(), times):
        edges = np.flatnonzero((period != period.shift()).fill_null(False).to_numpy())
        if len(edges):
            first, second = (int(edges[np.abs(edges - place).argmin()]) for place in wanted)
            if first < second:
                return first, second
    return wanted[0], wanted[1]


def _require_finite(rows: pl.DataFrame, taken: Columns) -> None:
    wrong = [
        name
        for name, values in zip(taken.numbers, numbers(rows, taken).T, strict=True)
        if np.isinf(values).any()
    ]
    if wrong:
        raise PerennialError(
            f"the features {wrong} hold infinite numbers: make them null, or mend their source"
        )


def _require_both_classes(name: str, part: pl.DataFrame, as_of: datetime) -> None:
    positives = int(part["label"].sum())
    if part.height < MIN_ROWS or positives in (0, part.height):
        raise PerennialError(
            f"the {name} part of the rows known at {as_of:%Y-%m-%d %H:%M %Z} has {part.height} rows, "
            f"{positives} of them positive: it takes at least {MIN_ROWS}, of both classes; "
            "train on more batches, or change training.window or the shares of validation and holdout"
        )
