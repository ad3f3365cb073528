"""The gate's checks of the rows, the answers and the files: each a number, its limit, and a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.learning import Constraints
from models.evaluate import auc
from models.paired import Blocks
from models.rows import Columns

Floats = NDArray[np.float64]

MIN_BLOCKS = 7
FEATURE_TELLS_ALL = 0.98
MODEL_TELLS_ALL = 0.995


@dataclass(frozen=True, slots=True)
class Contender:
    """A model before the gate: its answers to the rows, and what is known of it.

    It was fitted on no row whose event time is `fitted_until` or later; of two equal models the
    one of lower `complexity` wins.
    """

    id: str
    answers: Floats
    complexity: int
    fitted_until: datetime


@dataclass(frozen=True, slots=True)
class Served:
    """A file that would serve: does it agree with the native model, how fast is it, how large?"""

    name: str
    parity: bool
    difference: float
    p99_us: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Check:
    """One answer of the gate; `detail` is for people, `value` and `limit` for machines."""

    name: str
    passed: bool
    value: float
    limit: float
    detail: str


def unseen(times: pl.Series, contenders: Sequence[Contender]) -> Check:
    """No contender was fitted on any of the rows."""
    seen = {each.id: int((times < each.fitted_until).sum()) for each in contenders}
    faults = [
        f"{each.id} was fitted on {seen[each.id]} of them, up to {each.fitted_until:%Y-%m-%d %H:%M %Z}"
        for each in contenders
        if seen[each.id]
    ]
    detail = "; ".join(faults) or "all rows are newer than what the models were fitted on"
    return Check("unseen rows", not faults, float(sum(seen.values())), 0, detail)


def sanity(contenders: Sequence[Contender]) -> Check:
    """Every probability is a number from 0 to 1, and the first contender's are not all the same."""
    wrong = {each.id: int((~((each.answers >= 0) & (each.answers <= 1))).sum()) for each in contenders}
    faults = [
        f"{count} probabilities of {id_} are not between 0 and 1" for id_, count in wrong.items() if count
    ]
    if np.ptp(contenders[0].answers) == 0:
        faults.append(f"{contenders[0].id} says the same for every row")
    detail = "; ".join(faults) or "all probabilities are numbers from 0 to 1, and they vary"
    return Check("sanity", not faults, float(sum(wrong.values())), 0, detail)


def evidence(labels: Floats, blocks: Blocks) -> Check:
    """There are enough blocks to tell skill from luck, and both outcomes occur."""
    late = int((labels > 0).sum())
    enough = blocks.count >= MIN_BLOCKS and 0 < late < len(labels)
    detail = f"{len(labels)} rows, {late} positive, in {blocks.count} blocks of time (at least {MIN_BLOCKS})"
    return Check("evidence", enough, float(blocks.count), MIN_BLOCKS, detail)


def parity(files: Sequence[Served]) -> Check:
    """Every file that would serve answers as the native model does; there is at least one."""
    faults = [file.name for file in files if not file.parity]
    each = ", ".join(f"{file.name} differs by at most {file.difference:.1e}" for file in files)
    detail = f"{each or 'there is no file to serve'}; beyond tolerance: {', '.join(faults) or 'none'}"
    return Check("parity", bool(files) and not faults, float(len(faults)), 0, detail)


def latency(rules: Constraints, files: Sequence[Served]) -> Check:
    """One row is answered in time by every file, in 99 of 100 cases."""
    slowest = max((file.p99_us / 1_000 for file in files), default=0.0)
    each = ", ".join(f"{file.name} {file.p99_us / 1_000:.3f}" for file in files)
    detail = f"99 % of single rows within ms: {each}; at most {rules.max_latency_ms:g}"
    return Check("latency", slowest <= rules.max_latency_ms, slowest, rules.max_latency_ms, detail)


def size(rules: Constraints, files: Sequence[Served]) -> Check:
    """Every file is small enough."""
    largest = max((file.bytes / 1e6 for file in files), default=0.0)
    each = ", ".join(f"{file.name} {file.bytes / 1e6:.2f}" for file in files)
    detail = f"megabytes: {each}; at most {rules.max_size_mb:g}"
    return Check("size", largest <= rules.max_size_mb, largest, rules.max_size_mb, detail)


def leakage(
    frame: pl.DataFrame, columns: Columns, label: str, labels: Floats, ours: Contender, blocks: Blocks
) -> Check:
    """Nothing tells the label outright: no feature by its name or alone, nor the model."""
    half = blocks.block % 2 == 0
    told = {name: _auc_alone(frame[name], labels, half) for name in columns.names}
    top, whole = max(told, key=lambda name: told[name]), auc(labels, ours.answers)
    faults = [f"{label} is the label, and a feature"] if label in columns.names else []
    faults += [f"{name} alone has AUC {told[name]:.4f}" for name in told if told[name] >= FEATURE_TELLS_ALL]
    faults += [f"{ours.id} has AUC {whole:.4f}, too good to be true"] if whole >= MODEL_TELLS_ALL else []
    detail = "; ".join(faults) or f"the strongest single feature is {top}, AUC {told[top]:.4f}"
    return Check("leakage", not faults, told[top], FEATURE_TELLS_ALL, detail)


def _auc_alone(values: pl.Series, labels: Floats, half: NDArray[np.bool_]) -> float:
    """The AUC of one feature, in the direction that helps; of a category, by its rates in the other half."""
    if values.dtype == pl.String:
        scores = np.empty(len(labels))
        for known in (half, ~half):
            table = pl.DataFrame({"value": values, "label": labels})
            rates = table.filter(known).group_by("value").agg(pl.col("label").mean().alias("rate"))
            joined = table.filter(~known).join(
                rates, on="value", how="left", nulls_equal=True, maintain_order="left"
            )
            scores[~known] = joined["rate"].fill_null(labels[known].mean()).to_numpy()
    else:
        numbers = values.cast(pl.Float64).to_numpy()
        scores = np.where(np.isnan(numbers), -np.inf, numbers)
    found = auc(labels, scores)
    return max(found, 1 - found)
