"""Proposes a suite from data: what several batches have in common, for a person to read and edit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import polars as pl

from core.batches import Calendar
from core.errors import PerennialError
from core.spec import Dataset
from expectations.proposal import instants, numbers, order, referring, texts, wholes
from expectations.proposal.bounds import share_below
from expectations.proposal.closer import Look, closer
from expectations.proposal.draft import Entry, Section, shown, written
from expectations.proposal.profile import VALUES, Sort, profile, sort
from expectations.proposal.seen import Seen, between

_OWN = frozenset({"batch", "row", "row_hash"})  # the lake's own columns
_PARTS = 5
_FORMS = 250  # kinds of shape up to which texts have a form

Frames = Sequence[tuple[str, pl.LazyFrame]]
_SORTS: Mapping[Sort, Callable[[Seen, str, list[str]], Iterator[Entry]]] = MappingProxyType(
    {"number": numbers.expected, "instant": instants.expected, "text": texts.expected}
)


def propose(
    frames: Frames,
    dataset: Dataset,
    *,
    name: str,
    calendar: Calendar | None = None,
    lists: Mapping[str, pl.Series] = MappingProxyType({}),
) -> str:
    """The YAML text of a suite `name` for a dataset, from several of its batches.

    `frames` are the batches (id, accepted typed rows) in order of time; `calendar` knows their
    intervals; `lists` are the values of other datasets' keys, by parameter name (`airlines.carrier`).
    A dataset without `event_time` comes as one whole, and is divided into parts by its key. Bounds
    hold on every batch and are widened by how much these differ; each entry says what was seen.
    Each batch is read twice, in a stream.

    Raises PerennialError if fewer than two batches have rows: nothing is guessed from one alone.
    """
    parts = dataset.event_time is None and len(frames) == 1
    seen, full = _first(_divided(frames[0][1], dataset) if parts else frames, dataset, calendar, parts)
    others = {each: values for each, values in lists.items() if not each.startswith(f"{name}.")}
    seen = replace(seen, lists=others)
    look = _look(seen)
    seen = replace(seen, closer=tuple(closer(rows, look) for _, rows in full))
    return written(name, _header(seen, name), list(_sections(seen)))


def _divided(rows: pl.LazyFrame, dataset: Dataset) -> Frames:
    there = rows.collect_schema().names()
    by = [column for column in dataset.key if column in there] or there
    part = pl.struct(by).hash(20130101) % _PARTS
    return [(f"part {place + 1}", rows.filter(part == place)) for place in range(_PARTS)]


def _first(frames: Frames, dataset: Dataset, calendar: Calendar | None, parts: bool) -> tuple[Seen, Frames]:
    """The first pass over the batches, and those of them that have rows."""
    schemas = [rows.collect_schema() for _, rows in frames]
    columns = {
        column: dtype
        for column, dtype in (schemas[0] if schemas else {}).items()
        if column not in _OWN and not column.startswith(":") and all(column in other for other in schemas)
    }
    if not columns:
        raise PerennialError("a suite needs two batches with rows to be proposed from: there is no column")
    counted = [(each, profile(each[1], columns)) for each in frames]
    filled = [(each, found) for each, found in counted if next(iter(found.values())).rows]
    if len(filled) < 2:
        held = f"only {filled[0][0][0]} has" if filled else "none has"
        raise PerennialError(
            f"a suite needs two batches with rows to be proposed from, and {held} of {len(frames)}:"
            " ingest another, nothing is guessed from one alone"
        )
    ids = tuple(each[0] for each, _ in filled)
    spans = tuple(map(calendar.batch, ids)) if calendar is not None and not parts else None
    found = {column: [each[column] for _, each in filled] for column in columns}
    rows = tuple(each.rows for each in next(iter(found.values())))
    return Seen(dataset, ids, rows, spans, parts, columns, found, {}), [each for each, _ in filled]


def _look(seen: Seen) -> Look:
    """What the second pass should count, after what the first one found."""
    of = {
        kind: [each for each in seen.schema if sort(seen.schema[each]) == kind] for kind in ("number", "text")
    }
    most = {column: max(one.distinct for one in seen.columns[column]) for column in seen.schema}
    whole = [each for each in of["number"] if seen.schema[each].is_integer()]
    forms = {column: max(one.shapes for one in seen.columns[column]) for column in of["text"]}
    key = list(seen.dataset.key) if set(seen.dataset.key) <= set(seen.schema) else []
    serial = [column for column in of["text"] if seen.serial(column)]
    return Look(
        values=[each for each in [*of["text"], *whole] if 0 < most[each] <= VALUES * 1.1],
        shapes={column: forms[column] > _FORMS for column in of["text"] if most[column]},
        often=[column for column in of["text"] if seen.repeats(column)],
        exact=list(dict.fromkeys([*serial, *(key if len(key) == 1 else ())])),
        key=key if len(key) > 1 else [],
        members={
            (column, other): values
            for column in [*of["text"], *whole]
            for other, values in seen.lists.items()
            if referring.may_refer(seen, column, other)
        },
        pairs=order.candidates(seen),
    )


def _sections(seen: Seen) -> Iterator[Section]:
    yield Section("The batch as a whole.", [*wholes.schema(seen), *wholes.volume(seen)])
    key = list(wholes.key(seen))
    named = ", ".join(map(shown, seen.dataset.key))
    notes = [] if key else ["Not unique in every batch, or not there: no expectation."]
    yield Section(f"The key: {named}.", key, notes)
    for column in seen.schema:
        yield _of_column(seen, column)
    if ordered := list(order.ordered(seen)):
        yield Section("Order between columns.", ordered)


def _of_column(seen: Seen, column: str) -> Section:
    kind, each = sort(seen.schema[column]), seen.columns[column]
    heading = f"{shown(column)} ({seen.schema[column].base_type().__name__})"
    notes: list[str] = []
    if not any(one.held for one in each):
        return Section(heading, (), ["There is not one value in it: nothing to expect."])
    entries = list(_presence(seen, column))
    if kind in _SORTS:
        entries += _SORTS[kind](seen, column, notes)
    return Section(heading, entries, notes)


def _presence(seen: Seen, column: str) -> Iterator[Entry]:
    each = seen.columns[column]
    if seen.complete(column):
        told = f"Never null in {sum(seen.rows):,} rows."
        yield Entry("expect_column_values_to_not_be_null", "warning", {"column": column}, told)
        return
    shares = [one.held / one.rows for one in each]
    if least := share_below(shares):
        kind = "expect_column_proportion_of_non_null_values_to_be_between"
        more = f" to {max(shares):.2%}" if max(shares) > min(shares) else ""
        told = f"Of the values, {min(shares):.2%}{more} are there."
        yield Entry(kind, "warning", {"column": column, "min_value": least}, told)


def _header(seen: Seen, name: str) -> list[str]:
    batches = f"{seen.batches} batches, {seen.ids[0]} to {seen.ids[-1]}"
    where = f"{seen.batches} parts of one whole, divided by its key" if seen.parts else batches
    return [
        f"Proposed for {name} from {where} ({between(seen.rows)} rows each): read it, and edit it.",
        "Bounds hold on every one of them, and are widened by how much these differ. Severities: critical",
        "stops the batch (columns, number of rows, freshness); warning sets the failing rows aside or, of a",
        "batch as a whole, alerts; info is told.",
    ]
