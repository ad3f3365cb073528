"""Tables of a database as a source: by a column of time, or by a key that only rises."""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.batches import Batch
from core.ledger import fingerprint
from core.scalars import Kind
from core.secrets import Secrets
from core.sources.connect import connect, shielded
from core.sources.databases import Database
from core.sources.declared import SqlSource
from core.sources.delimited import require
from core.sources.items import Fetched, Item
from core.sources.queries import Condition, above, table_of, within
from core.sources.rising import held, pieces_by_key
from core.sources.streams import stage, typed

_SETTLED = "settled"


def items(
    folder: Path, source: SqlSource, batches: Sequence[Batch], known: Mapping[str, str], secrets: Secrets
) -> list[Item]:
    """What the table holds for these batches.

    By `time`, each batch is a piece of its own. It has no mark, and so is always asked for again,
    unless there is a `lookback`: once the table holds rows from that long after the batch's end (and
    from before the end of the last batch), the batch is settled, and is asked for once more only.

    By `key`, each look that finds rows above the highest key so far makes a piece of them; the
    earlier pieces stay, and one whose number of rows has changed since (a transaction that took its
    keys early and was committed late, a deletion) is asked for again.

    Raises SpecError when a secret or a driver is missing, DeliveryError when the table cannot be
    read so, ConnectionError when the database cannot be reached now.
    """
    if source.time is None and source.key is None:
        return [Item(source.table, None)]
    if source.key is None and source.lookback is None:
        return _by_time(source, batches, 0)
    return shielded(source.table, secrets, lambda: _look(folder, source, batches, known, secrets))


def fetch(
    folder: Path,
    source: SqlSource,
    item: Item,
    columns: Mapping[str, Kind],
    batches: Sequence[Batch],
    staging: Path,
    secrets: Secrets,
) -> Fetched:
    """Stage the rows of an item, as one snapshot, ordered by time or key and then by all else.

    Numbers, booleans, texts, dates and timestamps come in those dtypes, decimals and whatever has no
    plain dtype (uuid, json, arrays, intervals, bytes, ...) as text. A time column of seconds since
    1970 that is declared a datetime comes as one.

    The first batch also has what lies before it and what has no time, the last one what lies after.
    Raises what `items` does.
    """
    return shielded(
        item.name, secrets, lambda: _fetch(folder, source, item, columns, batches, staging, secrets)
    )


def _look(
    folder: Path, source: SqlSource, batches: Sequence[Batch], known: Mapping[str, str], secrets: Secrets
) -> list[Item]:
    with closing(connect(folder, source.url, secrets)) as database:
        names = database.names(source.table)
        require(Path(source.table), [_by(source)], names)
        if source.key is not None:
            return pieces_by_key(database, source, source.key, known)
        return _by_time(source, batches, _settled(database, source, batches))


def _by_time(source: SqlSource, batches: Sequence[Batch], settled: int) -> list[Item]:
    if not batches:
        return [Item(source.table, None)]
    return [
        Item(
            f"{source.table} {batch.id}",
            _mark(source, batches, place) if place < settled else None,
            batch=batch.id,
        )
        for place, batch in enumerate(batches)
    ]


def _mark(source: SqlSource, batches: Sequence[Batch], place: int) -> str:
    """Of a settled batch: it is asked for again, by another column or for another interval."""
    start, end = _interval(batches, place)
    return f"{_SETTLED} {source.time} {start and start.isoformat()} {end and end.isoformat()}"


def _interval(batches: Sequence[Batch], place: int) -> tuple[datetime | None, datetime | None]:
    """What is asked for a batch: the first also has what lies before it, the last what lies after."""
    last = place == len(batches) - 1
    return batches[place].start if place else None, None if last else batches[place].end


def _settled(database: Database, source: SqlSource, batches: Sequence[Batch]) -> int:
    """How many of the first batches ended at least `lookback` before a row that there is."""
    column, lookback = _by(source), source.lookback
    form = database.form(source.table, column)
    table = table_of(source.table)

    def changes(batch: Batch) -> bool:
        assert lookback is not None
        later = within(database, column, form, batch.end + lookback, batches[-1].end)
        rows: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(table).where(later)
        return not database.one(sa.select(sa.exists(rows).label("found")), "boolean")[0]

    return bisect_left(batches, True, key=changes)


def _fetch(
    folder: Path,
    source: SqlSource,
    item: Item,
    columns: Mapping[str, Kind],
    batches: Sequence[Batch],
    staging: Path,
    secrets: Secrets,
) -> Fetched:
    with closing(connect(folder, source.url, secrets)) as database:
        by, table = [name for name in (source.time, source.key) if name], table_of(source.table)
        require(Path(item.name), [*columns, *by], database.names(source.table))
        where = _rows_of(database, source, item, batches)
        forms = database.forms(source.table, list(columns), where)
        times = [name for name in by if item.batch and columns.get(name) == "datetime"]
        for name in times:  # whole seconds and broken ones are one kind of number here
            forms[name] = "float" if forms[name] == "other" else forms[name]
        shown = [
            database.shown(name, form).label(f"c{place}") for place, (name, form) in enumerate(forms.items())
        ]
        query = sa.select(*shown).select_from(table).where(where).order_by(*map(sa.column, by), *shown)
        schema, read = typed(forms, times)
        if source.key is not None:  # before the rows: what changes meanwhile then differs from both
            piece = json.loads(item.mark or "")
            form = database.form(source.table, source.key)
            piece |= held(database, source, form, piece["after"], piece["to"])
        with closing(database.stream(query, list(forms.values()))) as rows:
            fetched = stage(map(read, rows), schema, staging)
    if source.key is None:
        return replace(fetched, mark=item.mark)
    # Two pieces may hold equal rows in the declared columns, and then the table has them twice.
    digest = fingerprint(fetched.digest, item.name)
    return replace(fetched, digest=digest, mark=json.dumps(piece | {"rows": fetched.rows}, sort_keys=True))


def _rows_of(database: Database, source: SqlSource, item: Item, batches: Sequence[Batch]) -> Condition:
    by = _by(source)
    if source.key is not None:
        piece = json.loads(item.mark or "")
        return above(database, by, database.form(source.table, by), piece["after"], piece["to"])
    if item.batch is None:
        return sa.true()
    start, end = _interval(batches, [batch.id for batch in batches].index(item.batch))
    return within(database, by, database.form(source.table, by), start, end)


def _by(source: SqlSource) -> str:
    return str(source.time if source.key is None else source.key)
