"""What the tracker is told of a fit: its data, how good it is and why, how it was tuned, its files."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.lake import Lake
from models.measures.curves import agreement, confusion, confusion_at, precision_recall, roc
from models.tracking import Artifact, Run, Table
from models.tracking.charts import (
    Bars,
    Chart,
    Lines,
    Matrix,
    agreement_lines,
    calibration_lines,
    precision_recall_lines,
    residual_lines,
    roc_lines,
)

_log = logging.getLogger(__name__)

CURVES = 10
BARS = 30

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model answered for rows that it was not fitted on, and what was true.

    | problem | `labels` [n] | `predictions` |
    | --- | --- | --- |
    | binary | 0 or 1 | probabilities of 1, [n] |
    | multiclass | positions in `classes` | probabilities, [n, classes] |
    | regression | values | values, or middle quantiles, [n] |
    | ranking | grades | scores, [n] |

    `calibration` is the mean probability and the observed rate of each bin, or the level of each quantile
    and the share of labels up to it. In a confusion matrix a
    probability of at least `threshold` is the second class of a binary problem.
    """

    problem: Literal["binary", "multiclass", "regression", "ranking"]
    labels: NDArray[Any]
    predictions: Floats
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    calibration: tuple[Floats, Floats] | None = None


@dataclass(frozen=True, slots=True)
class Tracked:
    """The facts of a fit; what is not known of it stays empty.

    `measures` are by part of the rows, such as holdout, `intervals` by measure and of the part
    `sure_of`. `contributions` has a row a feature (its mean absolute contribution and quantiles of
    its contributions), `slices` a row a slice, `trials` a row a trial of the tuning, each with its
    `number` and its `loss`, if it was not pruned before.
    """

    data: Artifact
    model: Artifact
    answers: Answers
    measures: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sure_of: str = "holdout"
    importance: Mapping[str, float] = field(default_factory=dict)
    contributions: Sequence[Mapping[str, Any]] = ()
    slices: Sequence[Mapping[str, Any]] = ()
    trials: Sequence[Mapping[str, Any]] = ()
    results: Mapping[str, Any] = field(default_factory=dict)


def record(run: Run, fit: Tracked) -> None:
    """Put all that is known of a fit into its run; what cannot be drawn is said, and left out."""
    run.used(fit.data)
    sure = {name: {"low": low, "high": high} for name, (low, high) in fit.intervals.items()}
    run.summary({**fit.results, **fit.measures, f"{fit.sure_of}_interval": sure})
    run.table("measures", _measures(fit))
    ranked = dict(sorted(fit.importance.items(), key=lambda each: -each[1]))
    run.table("importance", [{"feature": name, "share": share} for name, share in ranked.items()])
    run.table("contributions", fit.contributions)
    run.table("slices", fit.slices)
    run.table("trials", fit.trials)
    if ranked:
        run.chart("importance_chart", Bars("Importance", dict(list(ranked.items())[:BARS])))
    if done := {each["number"]: each["loss"] for each in fit.trials if each["loss"] is not None}:
        run.chart("trials_chart", Lines("Tuning", "trial", {"loss": (list(done), list(done.values()))}))
    try:
        for name, chart in charts(fit.answers):
            run.chart(name, chart)
    except Exception as error:  # as with all of the tracker: it is in no fit's way
        _log.warning("the answers of this fit cannot be drawn, which goes on: %s", error)
    run.made(fit.model)


def charts(answers: Answers) -> Iterator[tuple[str, Chart]]:
    """What is drawn of a problem's answers, by name; scores of a ranking have no scale to draw.

    Raises PerennialError when a prediction is not finite.
    """
    labels, predictions = np.asarray(answers.labels), np.asarray(answers.predictions, np.float64)
    if answers.problem == "binary":
        names = answers.classes or ("no", "yes")
        yield (
            "confusion",
            Matrix(
                f"Confusion at {answers.threshold:g}",
                confusion_at(labels, predictions, answers.threshold, (names[0], names[1])),
            ),
        )
        yield from _rankings({names[1]: (labels > 0, predictions)})
    elif answers.problem == "multiclass":
        labels = labels.astype(np.int64)
        found = confusion(labels, predictions.argmax(1), answers.classes)
        yield "confusion", Matrix("Confusion of the most likely class", found)
        frequent = np.argsort(-np.bincount(labels, minlength=len(answers.classes)), kind="stable")[:CURVES]
        yield from _rankings({answers.classes[k]: (labels == k, predictions[:, k]) for k in frequent})
    elif answers.problem == "regression":
        drawn = agreement(labels, predictions)
        yield "agreement", agreement_lines(drawn)
        yield "residuals", residual_lines(drawn)
    if answers.calibration is not None:
        predicted, observed = answers.calibration
        yield "calibration", calibration_lines(predicted, observed)


def tables_read(lake: Lake, versions: Mapping[str, int], batches: Sequence[str]) -> list[Table]:
    """What a fit reads of tables, by name, at these versions; IntegrityError when one is not there."""
    found = []
    for name, version in versions.items():
        rows = lake.scan(name, batches, version)
        columns = {column: str(dtype) for column, dtype in rows.collect_schema().items()}
        count = rows.select(pl.len()).collect().item()
        found.append(Table(name, lake.path(name), version, columns, tuple(batches), count))
    return found


def _rankings(by_class: Mapping[str, tuple[NDArray[np.bool_], Floats]]) -> Iterator[tuple[str, Chart]]:
    """ROC and precision-recall curves of the classes that have rows, and rows beside them."""
    drawn = {name: each for name, each in by_class.items() if 0 < each[0].sum() < len(each[0])}
    if drawn:
        yield "roc", roc_lines({name: roc(*each) for name, each in drawn.items()})
        curves = {name: precision_recall(*each) for name, each in drawn.items()}
        yield "precision_recall", precision_recall_lines(curves)


def _measures(fit: Tracked) -> list[dict[str, Any]]:
    rows = []
    for part, measures in fit.measures.items():
        for name, value in measures.items():
            low, high = fit.intervals.get(name, (None, None)) if part == fit.sure_of else (None, None)
            rows.append({"rows": part, "measure": name, "value": value, "low": low, "high": high})
    return rows
