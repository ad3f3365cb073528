"""Cutting rows in order of time, so that nothing is judged by what it could have learnt from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import polars as pl

from core.errors import PerennialError, UnfitError
from core.spec import Spec
from models.problem import problem_of
from models.rows import Columns, Rows, columns, numbers, require

MIN_ROWS = 20  # of each part: fewer can neither stop a fit nor say anything about it


@dataclass(frozen=True, slots=True)
class Split:
    """Rows in three parts, each wholly before the next; the newest, `holdout`, is seen by no fit."""

    train: Rows
    validation: Rows
    holdout: Rows


def split(rows: pl.DataFrame, spec: Spec, as_of: datetime) -> Split:
    """Cut the rows whose outcome is known at `as_of` into train, validation and holdout, by time.

    `rows` are feature rows with `label` and `known_at`. Rows older than `training.window`, counted
    from `as_of`, are left out. A cut falls between two days of the project's time zone, or between
    two instants where a part would hold no whole day; before it there is a gap of the rows whose
    outcome was not yet known when the first decision after it was made. PerennialError when a part
    has too few rows or labels that nothing can be learnt from, or a number is infinite.
    """
    usable = _usable(rows, spec, as_of)
    parts = _parts(usable, _ends(usable, spec), spec)
    named = dict(zip(("train", "validation", "holdout"), parts, strict=True))
    known = f"part of the rows known at {as_of:%Y-%m-%d %H:%M %Z}"
    return Split(**{name: learnable(f"the {name} {known}", part, spec) for name, part in named.items()})


def before_holdout(rows: pl.DataFrame, spec: Spec, as_of: datetime) -> pl.DataFrame:
    """Of the same rows those before `split`'s holdout and its gap, which is all that a fit may know."""
    usable = _usable(rows, spec, as_of)
    return _parts(usable, _ends(usable, spec)[-1:], spec)[0]


def cut(rows: pl.DataFrame, spec: Spec, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows before and after a cut, with about this share of them before it, and a gap."""
    earlier, later = _parts(rows, _cuts(rows["event_time"], [share], spec.batches.timezone), spec)
    return earlier, later


def folds(rows: pl.DataFrame, spec: Spec, count: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """`count` pairs of rows to fit on and later rows to judge by, the first on the fewest.

    `rows` are in order of event time, with `known_at`. They are cut into `count` + 1 stretches of about
    as many rows; each but the first is judged by what was known when its first decision was made.
    """
    wanted = [place / (count + 1) for place in range(1, count + 1)]
    cuts = _cuts(rows["event_time"], wanted, spec.batches.timezone)
    for first, end in zip(cuts, [*cuts[1:], rows.height], strict=True):
        seen, unseen = _parts(rows[:end], [first], spec)
        yield seen, unseen


def _usable(rows: pl.DataFrame, spec: Spec, as_of: datetime) -> pl.DataFrame:
    require(rows, ("event_time", "known_at", "label"))
    _require_finite(rows, columns(spec))
    keys = [name for name in spec.datasets[spec.events].key if name in rows.columns]
    usable = rows.filter(pl.col("known_at") <= as_of)
    if spec.training.window is not None:
        usable = usable.filter(pl.col("event_time") >= as_of - spec.training.window)
    return usable.sort("event_time", *keys, maintain_order=True)


def _ends(usable: pl.DataFrame, spec: Spec) -> list[int]:
    """Where train and validation end."""
    wanted = [1 - spec.training.validation - spec.training.holdout, 1 - spec.training.holdout]
    return _cuts(usable["event_time"], wanted, spec.batches.timezone)


def _cuts(times: pl.Series, shares: Sequence[float], timezone: str) -> list[int]:
    """The positions nearest to these shares of the rows at which a day, or else an instant, begins."""
    wanted = [round(len(times) * share) for share in shares]
    for period in (times.dt.convert_time_zone(timezone).dt.date(), times):
        edges = np.flatnonzero((period != period.shift()).fill_null(False).to_numpy())
        if len(edges):
            found = [int(edges[np.abs(edges - place).argmin()]) for place in wanted]
            if len(set(found)) == len(found):
                return found
    return wanted


def _parts(rows: pl.DataFrame, cuts: Sequence[int], spec: Spec) -> list[pl.DataFrame]:
    """The rows between the cuts, each part without its gap, and without lists that lie across a cut."""
    edges = [0, *cuts, rows.height]
    parts = [rows[start:end] for start, end in pairwise(edges)]
    for place, later in enumerate(parts[1:]):
        asked = later["decision_time" if "decision_time" in rows.columns else "event_time"].min()
        if asked is not None:
            parts[place] = parts[place].filter(pl.col("known_at") <= asked)
    return (
        [_whole_lists(part, parts, list(spec.outcome.group)) for part in parts]
        if spec.outcome.group
        else parts
    )


def _whole_lists(part: pl.DataFrame, parts: Sequence[pl.DataFrame], group: list[str]) -> pl.DataFrame:
    """The rows of a part but for those whose list has rows in another part."""
    others = [other.select(group) for other in parts if other is not part]
    return part.join(pl.concat(others), on=group, how="anti", nulls_equal=True, maintain_order="left")


def learnable(what: str, part: pl.DataFrame, spec: Spec) -> Rows:
    """The rows of a part; UnfitError when they are too few, or their labels teach nothing."""
    found, problem = Rows.of(part, spec.outcome), problem_of(spec)
    few = f"{len(found)} rows, and it takes at least {MIN_ROWS}"
    lack = few if len(found) < MIN_ROWS else problem.lack(found)
    if lack is None:
        return found
    raise UnfitError(
        f"{what} has {lack}: train on more batches, or change training.window or the shares of "
        "validation and holdout"
    )


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
