"""When a label is known: what a delivered column says of it, or a guess."""

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from core.batches import duration
from proposal import limits
from proposal.calendar import Batches
from proposal.label import Label
from proposal.times import Time


@dataclass(frozen=True, slots=True)
class Known:
    """When the label is known: at the delivered `column`, or `after` so long (None) and then prepared.

    `maturity` is after how long that of nearly all events is.
    """

    column: str
    after: str | None
    maturity: str


def known_of(sample: pl.DataFrame, label: Label, time: Time | None, cut: Batches) -> tuple[Known, bool]:
    """When the label is known, and whether a column says so: one that is there with each label, later."""
    guess = limits.MATURITY[cut.every]
    labelled = sample.filter(label.values().is_not_null())
    for name, dtype in sample.schema.items() if time else ():
        if not isinstance(dtype, pl.Datetime) or time is None or name in (time.name, time.column):
            continue
        delays = labelled.select(delay=pl.col(name) - pl.col(time.name))["delay"]
        late = float((delays > timedelta()).sum() / max(len(delays), 1))
        most = delays.quantile(0.99)
        if late >= 0.999 and isinstance(most, timedelta) and most <= 2 * _length(cut):
            return Known(name, None, f"{max(1, -(-int(most.total_seconds()) // 3600))}h"), True
    taken = "known_at" if "known_at" not in sample.columns else "outcome_known_at"
    return Known(taken, guess, guess), False


def _length(cut: Batches) -> timedelta:
    """How long a batch is, about."""
    return max((cut.end - cut.start) / max(len(cut.rows), 1), duration("1h"))
