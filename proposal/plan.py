"""A whole proposal: all that was found of a table, and what follows from it."""

from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from core.batches import duration
from core.errors import SpecError
from core.sources.declared import SqlSource
from core.words import nearest
from proposal import limits
from proposal.ask import Ask
from proposal.calendar import Batches, batches, counted, timeline
from proposal.delivered import Delivered
from proposal.features import SERIES, Features, Looked, features
from proposal.keys import COUNTED, Key, key_of
from proposal.kinds import Reading, readings, typed
from proposal.label import Label, label_of
from proposal.times import Time, time_of


@dataclass(frozen=True, slots=True)
class Known:
    """When the label is known: at the delivered `column`, or `after` so long (None) and then prepared.

    `maturity` is after how long that of nearly all events is.
    """

    column: str
    after: str | None
    maturity: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is proposed for a table, and what that rests on.

    `unread` are the values of each column that are not of its kind. `series`: the events are one
    series, whose own past is asked for.
    """

    ask: Ask
    table: Delivered
    readings: dict[str, Reading]
    unread: dict[str, int]
    time: Time | None
    label: Label
    key: Key
    batches: Batches
    known: Known
    features: Features
    series: bool

    @property
    def event_time(self) -> str:
        """The column that is the events' time."""
        return self.time.name if self.time else COUNTED


def planned(ask: Ask, table: Delivered) -> Plan:
    """The proposal for a table; SpecError where nothing can be proposed, with what would be right."""
    _require(ask, table)
    read = readings(table.sample)
    time = time_of(table, ask.time) if ask.time else None
    label = label_of(table, ask.label, read[ask.label], ask.problem)
    read[label.column] = replace(read[label.column], kind=label.kind)
    if time:
        read[time.column] = replace(read[time.column], kind=time.kind)
    rows = typed(table.rows, read)
    timed = rows.with_columns(time.instant().alias(time.name)) if time else rows
    key = key_of(table, timed, ask.key, time.name if time else None)
    sample = _sample(table, read, time)
    series = _is_series(sample, time, label, key)
    cut = _batches(timed, label, time)
    known, later = _known(sample, label, time, cut)
    key_of_series = replace(key, entity=(SERIES,)) if series else key
    aside = (label.column, *((time.column,) if time else ()), *((known.column,) if later else ()), *ask.group)
    looked = Looked(
        sample, read, label, key_of_series, time.name if time else None, known.column, aside, cut.every
    )
    found = features(looked)
    if not found.proposed:
        why = "; ".join(f"{each.column!r} {each.why}" for each in found.left[:5])
        raise SpecError(f"no column is left to predict {label.column!r} from: {why}")
    if time is None and (sorted_by := _sorted(sample, label)):
        cut = replace(cut, doubt="; ".join(filter(None, [sorted_by, cut.doubt])))
    unread = _unread(table, rows, read)
    return Plan(ask, table, read, unread, time, label, key, cut, known, found, series)


def _require(ask: Ask, table: Delivered) -> None:
    """Raise SpecError unless the columns that a person names are there, and are not one and the same."""
    named = {
        "LABEL": (ask.label,),
        "TIME": (ask.time,) if ask.time else (),
        "KEY": ask.key,
        "GROUP": ask.group,
    }
    for argument, columns in named.items():
        for column in columns:
            if column in table.unusable:
                raise SpecError(f"{argument}={column}: the column {column!r} {table.unusable[column]}")
            if column not in table.columns:
                hint = nearest(column, table.columns) or f"; it has {', '.join(table.columns)[:300]}"
                raise SpecError(f"{argument}={column}: {table.source.described} has no such column{hint}")
    for argument in ("TIME", "KEY"):
        if ask.label in named[argument]:
            raise SpecError(
                f"{argument}={ask.label} is the LABEL, too: an event is not told apart by its outcome"
            )
    if table.count < limits.MIN_LABELLED:
        raise SpecError(
            f"{table.source.described} has {table.count:,} rows: a fit, its validation and its"
            " holdout take at least"
            f" {limits.MIN_LABELLED} together, and a gate that can tell skill from luck some thousands"
        )
    if isinstance(table.source, SqlSource) and not ask.time and len(ask.key) != 1:
        raise SpecError(
            f"{table.source.described} has no order of its own: name a TIME, or as KEY a column that"
            " only rises"
        )
    if ask.problem == "ranking" and not ask.group:
        raise SpecError(
            "PROBLEM=ranking needs GROUP=…, the columns that tell one list of events from another"
        )
    if ask.group and ask.problem != "ranking":
        raise SpecError("GROUP goes with PROBLEM=ranking: nothing else has lists")


def _sample(table: Delivered, read: dict[str, Reading], time: Time | None) -> pl.DataFrame:
    """The typed sample in an order of time."""
    rows = typed(table.sample.lazy(), read)
    if time is None:
        return rows.collect()
    return rows.with_columns(time.instant().alias(time.name)).sort(time.name, "row").collect()


def _sorted(sample: pl.DataFrame, label: Label) -> str:
    """That the label goes with the order of the rows, where it does: the share of it that batches explain."""
    values = sample.select(label.values().alias("value")).drop_nulls().to_series()
    codes = values.rank("dense") if values.dtype == pl.String else values
    frame = pl.DataFrame({"value": codes.cast(pl.Float64)}).with_row_index("place")
    part = pl.col("place") * limits.IDEAL // max(frame.height, 1)
    means = frame.select(pl.col("value").mean().over(part).var() / pl.col("value").var()).item() or 0.0
    if means < limits.SORTED:
        return ""
    return (
        f"the order of the rows alone explains {means:.0%} of the label: the table is sorted by"
        " something that goes"
        " with it; shuffle its rows first, as in polars.read_csv(path).sample(fraction=1,"
        " shuffle=True, seed=1)"
    )


def _is_series(sample: pl.DataFrame, time: Time | None, label: Label, key: Key) -> bool:
    """Whether the events are the values of one series: a number at each of many times, once."""
    if time is None or key.entity or label.problem != "regression":
        return False
    times = sample[time.name].drop_nulls()
    return (
        len(times) > 0 and times.n_unique() > 0.95 * len(times) and sample.height > 200 and _is_steady(times)
    )


def _is_steady(times: pl.Series) -> bool:
    """Whether most times follow each other at one distance."""
    gaps = times.sort().diff().drop_nulls()
    return bool((gaps == gaps.median()).mean() > 0.5)  # type: ignore[operator]


def _batches(rows: pl.LazyFrame, label: Label, time: Time | None) -> Batches:
    known = label.values().is_not_null().alias("known")
    if time is None:
        return counted(rows.select(known).collect(engine="streaming")["known"].to_numpy())
    return batches(timeline(rows.select(pl.col(time.name).alias("time"), known)))


def _known(sample: pl.DataFrame, label: Label, time: Time | None, cut: Batches) -> tuple[Known, bool]:
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


def _unread(table: Delivered, rows: pl.LazyFrame, read: dict[str, Reading]) -> dict[str, int]:
    """How many values of each column are not of its kind, where there are any."""
    markers = sorted({marker for each in read.values() for marker in each.markers})
    schema = table.rows.collect_schema()
    known = [
        (pl.col(name).is_not_null() & ~pl.col(name).cast(pl.String).is_in([*markers, "NaN", "nan"]))
        .sum()
        .alias(name)
        if schema[name] == pl.String
        else pl.col(name).fill_nan(None).count().alias(name)
        if schema[name].is_float()
        else pl.col(name).count().alias(name)
        for name in read
    ]
    delivered = table.rows.select(known).collect(engine="streaming").row(0, named=True)
    there = rows.select(pl.col(list(read)).count()).collect(engine="streaming").row(0, named=True)
    return {name: lost for name in read if (lost := delivered[name] - there[name]) > 0}
