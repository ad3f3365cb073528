"""Every measure of a problem with its interval, from one block bootstrap."""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.spec import Spec
from models.measures.paired import Blocks, Interval, interval
from models.measures.probabilities import BINS, drawn_auc, equal_bins
from models.measures.recall import drawn_precision
from models.problem import Floats, Problem, constant_losses, relative_loss
from models.rows import Rows

# A measure that more than one draw in 20 does not have, as where rows of one class are few, has no interval.
KNOWN = 0.95


def intervals(
    problem: Problem, rows: Rows, answers: Floats, blocks: Blocks, confidence: float
) -> dict[str, Interval]:
    """The measures of these answers that have an interval, by name; `blocks` are those of the rows.

    They are what `problem.measures` gives, but for its counts and the mean of the labels, and
    `relative_loss`. Means and
    roots of means reach no further than their smallest and largest part. With fewer than two blocks
    the ends are infinite, and a measure that these rows do not have is NaN. Empty where nothing can
    be judged.
    """
    units = problem.units(rows)
    if len(units) == 0:
        return {}
    of_units = replace(blocks, block=blocks.block[units])
    parts = problem.parts(rows, answers)
    found = {name: mean(of_units, part, confidence) for name, part in parts.items()}
    if "squared_error" in found:
        squared = found.pop("squared_error")
        found["rmse"] = Interval(*(_root(end) for end in (squared.value, squared.low, squared.high)))
    found["relative_loss"] = _relative(problem, rows, answers, of_units, confidence)
    return found | _of_classes(problem, rows, answers, blocks, confidence)


def mean(
    blocks: Blocks, values: Floats, confidence: float, among: NDArray[np.bool_] | None = None
) -> Interval:
    """The mean of `values` [n], or of those `among` them; it reaches no further than the values do."""
    found = blocks.mean(values, confidence, among)
    if not np.isfinite(found.low):
        return found
    low, high = max(found.low, float(values.min())), min(found.high, float(values.max()))
    return Interval(found.value, low, high)


def local(times: pl.Series, timezone: str) -> NDArray[np.int64]:
    """What the clocks of a time zone show at these instants [n], in microseconds since 1970."""
    shown = times.dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    return np.asarray(shown.dt.epoch("us").to_numpy(), np.int64)


def drawn_blocks(rows: Rows, spec: Spec) -> Blocks:
    """The rows in blocks of `gate.block` by local time, drawn as often as `gate.draws` says."""
    return Blocks.draw(blocks_of(rows.times, spec), spec.gate.draws, spec.training.seed)


def blocks_of(times: pl.Series, spec: Spec) -> NDArray[np.int64]:
    """The number of the block of `gate.block` in which each instant lies by local time [n]."""
    return local(times, spec.batches.timezone) // int(spec.gate.block.total_seconds() * 1_000_000)


def _relative(problem: Problem, rows: Rows, answers: Floats, of_units: Blocks, confidence: float) -> Interval:
    """The loss as a share of the best constant's on the rows as they are; both are drawn at once."""
    value = relative_loss(problem, rows, answers)
    if np.isnan(value):
        return Interval(value, -np.inf, np.inf)
    ours, constant = (
        of_units.weights @ np.bincount(of_units.block, losses, of_units.count)
        for losses in (problem.losses(rows, answers), constant_losses(problem, rows, answers))
    )
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw may hold rows of one label alone
        drawn = ours / constant
    return interval(value, drawn, of_units.count, confidence)


def _root(end: float) -> float:
    """The root of an end of an interval; one that reaches down without end still does."""
    return end if end < 0 else float(np.sqrt(end))


def _of_classes(
    problem: Problem, rows: Rows, answers: Floats, blocks: Blocks, confidence: float
) -> dict[str, Interval]:
    """What is no mean: AUC and precision of a binary problem, of both with classes the calibration error."""
    weights = np.vstack([np.ones(blocks.count, np.int64), blocks.weights])  # the rows as they are, too
    if problem.kind == "binary":
        draws = {
            "auc": drawn_auc(rows.labels, answers, blocks.block, weights),
            "calibration_error": _calibration(rows.labels, answers, blocks, weights),
        }
        if recall := getattr(problem, "recall", None):
            draws["precision_at_recall"] = drawn_precision(
                rows.labels, answers, recall, blocks.block, weights
            )
    elif problem.kind == "multiclass":
        right = (answers.argmax(axis=1) == rows.labels).astype(np.float64)
        draws = {"calibration_error": _calibration(right, answers.max(axis=1), blocks, weights)}
    else:
        return {}
    return {name: _within(found, blocks.count, confidence) for name, found in draws.items()}


def _within(draws: Floats, blocks: int, confidence: float) -> Interval:
    """The interval of a measure from 0 to 1, whose first draw is the estimate."""
    value, known = float(draws[0]), ~np.isnan(draws[1:])
    found = interval(value, draws[1:], blocks if known.mean() > KNOWN else 1, confidence)
    if not np.isfinite(found.low):
        return found
    return Interval(found.value, max(found.low, 0.0), min(found.high, 1.0))


def _calibration(truth: Floats, chances: Floats, blocks: Blocks, weights: NDArray[np.int64]) -> Floats:
    """The expected calibration error of each draw [draws]; the bins stay those of all rows."""
    cells = blocks.block * BINS + equal_bins(chances)
    gaps = np.bincount(cells, chances - truth, blocks.count * BINS).reshape(blocks.count, BINS)
    rows = weights @ np.bincount(blocks.block, minlength=blocks.count)
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / rows, np.float64)
