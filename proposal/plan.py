"""A whole proposal: all that was found of a table, and what follows from it."""

from dataclasses import dataclass, replace

import polars as pl

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
from proposal.known import Known, known_of
from proposal.label import Label
from proposal.order import is_series, sorted_by
from proposal.stated import label_of
from proposal.times import Time, time_of


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
    if ask.group:  # whose columns are kept beside the features
        key = replace(key, columns=tuple(dict.fromkeys([*ask.group, *key.columns])))
    sample = _sample(table, read, time)
    series = is_series(sample, time, label, key)
    cut = _batches(table, timed, label, time)
    known, later = known_of(sample, label, time, cut)
    key_of_series = replace(key, entity=(SERIES,)) if series else key
    aside = (label.column, *((time.column,) if time else ()), *((known.column,) if later else ()), *ask.group)
    looked = Looked(
        sample, read, label, key_of_series, time.name if time else None, known.column, aside, cut.every
    )
    found = features(looked)
    if not found.proposed:
        why = "; ".join(f"{each.column!r} {each.why}" for each in found.left[:5])
        raise SpecError(f"no column is left to predict {label.column!r} from: {why}")
    if time is None and (why := sorted_by(sample, label)):
        cut = replace(cut, doubt="; ".join(filter(None, [why, cut.doubt])))
    for name in found.many:
        del read[name]
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
            f" holdout take at least {limits.MIN_LABELLED} together, and a gate that can tell skill from"
            " luck some thousands"
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


def _batches(table: Delivered, rows: pl.LazyFrame, label: Label, time: Time | None) -> Batches:
    known = label.values().is_not_null().alias("known")
    if time is None:
        return counted(rows.select(known).collect(engine="streaming")["known"].to_numpy())
    return batches(timeline(table.kept(rows.select(pl.col(time.name).alias("time"), known), "times")))


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
