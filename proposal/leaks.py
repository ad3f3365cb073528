"""Columns that know the label: by what they hold, by where they are filled, by their time, by their name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.spec import Outcome
from models.gate.leakage import LIMITS, Limits, alone, line_through
from models.problem import Problem
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.problems.regression import Regression
from models.rows import Columns, Rows
from proposal import limits
from proposal.label import Label

_BLOCKS = 64
_TRIED = 5_000
_OPEN = 10


@dataclass(frozen=True, slots=True)
class Told:
    """How much a column tells of the label by itself, up to 1; `leak` is why it may not be known in time."""

    strength: float
    leak: str = ""


def told(sample: pl.DataFrame, columns: Sequence[str], label: Label, time: str | None) -> dict[str, Told]:
    """What each of the `columns` of a typed sample tells; `time` is the sample's column of instants.

    The rows are in an order of time. Strengths are those of `models.gate.leakage`: an AUC, or the share
    of the labels' order, by what values mean in the other half of the rows. The gate refuses what tells
    more than its limits: that, and what only an outcome could have filled, is a suspected leak.
    """
    known = sample.with_columns(label.values().alias(":label")).filter(pl.col(":label").is_not_null())
    problem, rows = _rows(known, label)
    if problem.lack(rows):
        return dict.fromkeys(columns, Told(0.0))
    half = (np.arange(len(rows)) * _BLOCKS // len(rows)) % 2 == 0
    bounds = LIMITS[problem.kind]
    found = {}
    for name in columns:
        strength = alone(problem, rows, _values(known[name]), half)
        found[name] = Told(strength, _leak(name, strength, sample, known, label, problem, rows, half, time))
    return found | _together(known, found, problem, rows, half, bounds)


def _rows(known: pl.DataFrame, label: Label) -> tuple[Problem, Rows]:
    problem: Problem
    if label.problem == "binary":
        problem = Binary()
    elif label.problem == "multiclass":
        problem = Multiclass("log_loss", label.classes)
    else:
        problem = Regression()
    outcome = Outcome(label="label", known_at="event_time", maturity="1d", classes=label.classes)
    frame = known.select("row", label=pl.col(":label")).with_row_index("event_time")
    return problem, Rows.of(frame, outcome)


def _values(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        return column
    return column.to_physical().cast(pl.Float64) if column.dtype.is_temporal() else column.cast(pl.Float64)


def _leak(
    name: str,
    strength: float,
    sample: pl.DataFrame,
    known: pl.DataFrame,
    label: Label,
    problem: Problem,
    rows: Rows,
    half: NDArray[np.bool_],
    time: str | None,
) -> str:
    """Why a column may know the label; nothing where nothing speaks for it."""
    if strength >= LIMITS[problem.kind].feature:
        what = "AUC" if problem.kind != "regression" else "share of the label's order"
        return f"alone it tells the label: {what} {strength:.3f}"
    filled = known[name].is_not_null()
    if 0 < filled.sum() < len(filled):
        shown = alone(problem, rows, filled.cast(pl.Float64), half)
        if shown >= limits.FILLED:
            return f"whether it is filled tells the label: {shown:.3f}"
        if problem.kind != "regression" and (pure := _pure(filled, rows.labels, label)):
            return pure
    if with_label := _with_label(name, sample, label):
        return with_label
    if time is not None and (later := _later(name, known, time)):
        return later
    if _alike(name, label.column) and (strength >= 0.7 or _same(name, label.column)):
        return f"its name is like that of the label, and it tells of it ({strength:.3f})"
    return ""


def _pure(filled: pl.Series, labels: NDArray[np.float64], label: Label) -> str:
    """Why a column that is filled, or empty, for one label alone gives it away."""
    for where, said in ((filled, "is filled"), (~filled, "is empty")):
        some, others = labels[where.to_numpy()], labels[~where.to_numpy()]
        if len(some) < limits.PURE_ROWS or len(others) < limits.PURE_ROWS:
            continue
        code = np.bincount(some.astype(np.int64)).argmax()
        here, there = float((some == code).mean()), float((others == code).mean())
        if here >= limits.PURE and there <= 1 - 2 * (1 - limits.FILLED):
            value = label.classes[code] if label.classes else bool(code)
            told = f"where it {said}, the label is {value} in {here:.1%} of {len(some):,} rows"
            return f"{told}, else in {there:.1%}"
    return ""


def _with_label(name: str, sample: pl.DataFrame, label: Label) -> str:
    """Why a column that comes and goes with the label is filled with it."""
    labelled, filled = sample[label.column].is_not_null(), sample[name].is_not_null()
    open_ = len(labelled) - int(labelled.sum())
    if open_ < limits.PURE_ROWS:
        return ""
    early = int((filled & ~labelled).sum()) / open_
    late = int((filled & labelled).sum()) / max(int(labelled.sum()), 1)
    if early <= 0.01 and late >= 0.5:
        told = f"it is empty in {1 - early:.0%} of the {open_:,} rows whose label is not known yet"
        return f"{told}, and filled later"
    return ""


def _later(name: str, known: pl.DataFrame, time: str) -> str:
    if not isinstance(known[name].dtype, pl.Datetime) or name == time:
        return ""
    after = (known[name] > known[time]).drop_nulls()
    share = float(after.mean() or 0) if len(after) else 0.0  # type: ignore[arg-type]
    if share > limits.LATER:
        return f"it lies after the event in {share:.0%} of the rows"
    return ""


def _alike(name: str, label: str) -> bool:
    ours, theirs = _plain(name), _plain(label)
    if len(theirs) >= 4 and (theirs in ours or (len(ours) >= 4 and ours in theirs)):
        return True
    return (
        SequenceMatcher(None, ours, theirs).ratio() >= limits.NAMED_ALIKE and min(len(ours), len(theirs)) > 3
    )


def _same(name: str, label: str) -> bool:
    return _plain(name) == _plain(label)


def _plain(name: str) -> str:
    return re.sub(r"^(is|has|was)(?=_)|[\W_]|(flag|label|target|ind)$", "", name.lower())


def _together(
    known: pl.DataFrame,
    found: Mapping[str, Told],
    problem: Problem,
    rows: Rows,
    half: NDArray[np.bool_],
    bounds: Limits,
) -> dict[str, Told]:
    """The numbers that add up to the label: all without which a straight line no longer tells it."""
    left = [name for name, each in found.items() if not each.leak and known[name].dtype.is_numeric()]
    left = sorted(left, key=lambda name: -found[name].strength)[: limits.MAX_FEATURES]
    if not left:
        return {}
    # Few rows will do: what adds up does so in each, and every column is tried in turn.
    some = np.arange(len(rows)) % (len(rows) // _TRIED + 1) == 0
    frame = Rows(known.select(pl.col(left).cast(pl.Float32)), rows.labels, rows.times).at(some)
    half = half[some]
    suspects: dict[str, Told] = {}
    while left and (whole := line_through(problem, frame, Columns(tuple(left), ()), half)) >= bounds.model:
        without = {
            name: line_through(
                problem, frame, Columns(tuple(each for each in left if each != name), ()), half
            )
            for name in left
        }
        parts = [name for name, rest in without.items() if _is_part(whole, rest, bounds)]
        for name in parts or [min(without, key=lambda each: without[each])]:
            why = "with others it adds up to the label: "
            why += f"a straight line tells {whole:.4f}, without it {without[name]:.4f}"
            suspects[name] = replace(found[name], leak=why)
            left.remove(name)
    return suspects


def _is_part(whole: float, without: float, bounds: Limits) -> bool:
    """Whether a sum is none without a number: what the line leaves open grows many times over."""
    return without < bounds.model and 1 - without > _OPEN * (1 - whole)
