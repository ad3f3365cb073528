"""What tells events apart, and whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from core.errors import SpecError
from proposal.delivered import Delivered

RESERVED = (
    "event_time",
    "decision_time",
    "known_at",
    "label",
)  # other columns of the tables that have the key
HASHED, COUNTED = "event_id", "counted_at"

_AT_ONCE = 4_000_000  # hashes that are held to count the distinct ones


@dataclass(frozen=True, slots=True)
class Key:
    """The events' key `columns`, why these, and the `entity` that recurs, if there is one.

    `made` is the column that the project's functions make where nothing delivered tells rows apart.
    `repeated` are the rows that repeat another in every column.
    """

    columns: tuple[str, ...]
    why: str
    entity: tuple[str, ...] = ()
    events_each: float = 0.0
    made: str | None = None
    repeated: int = 0


def key_of(table: Delivered, rows: pl.LazyFrame, key: Sequence[str], time: str | None) -> Key:
    """The key of typed rows: what a person says, if it is unique, else the smallest that is.

    `time` is the column of instants, None where rows are counted.
    """
    asked = list(key)
    if asked:
        return _of_asked(table, rows, asked, time)
    for column in _candidates(table):
        if _counted(table, rows, _hash([column])) == (table.count, table.count):
            return Key((column,), f"{column!r} is another in each row, and never null")
    return _made(table, time, "no column is another in each row")


def _hash(columns: Sequence[str]) -> pl.Expr:
    """A hash of the values of some columns, null where one of them is."""
    return pl.when(pl.all_horizontal(pl.col(columns).is_not_null())).then(pl.struct(columns).hash(20130101))


def _counted(table: Delivered, rows: pl.LazyFrame, hashed: pl.Expr) -> tuple[int, int]:
    """How many rows have a hash, and how many distinct ones there are; held in parts of some million."""
    hashes = table.kept(rows.select(hashed.alias("hash")).drop_nulls(), "hashes")
    parts = -(-table.count // _AT_ONCE) or 1
    known = values = 0
    for part in range(parts):
        some = hashes.filter(pl.col("hash") % parts == part)
        found = some.select(pl.len(), distinct=pl.col("hash").n_unique()).collect(engine="streaming")
        known, values = known + found["len"].item(), values + found["distinct"].item()
    return known, values


def _of_asked(table: Delivered, rows: pl.LazyFrame, asked: list[str], time: str | None) -> Key:
    named = ", ".join(map(repr, asked))
    known, values = _counted(table, rows, _hash(asked))
    if not known:
        raise SpecError(
            f"KEY={','.join(asked)}: the column is null in every row: name another, or leave KEY out"
        )
    if values == known == table.count and not set(asked) & set(RESERVED):
        return Key(tuple(asked), f"KEY is {named}: another in each of {table.count:,} rows")
    nulls = f", and is null in {table.count - known:,}" if known < table.count else ""
    told = f"KEY {named} has {values:,} values in {table.count:,} rows{nulls}"
    each = known / values
    entity = tuple(asked) if each >= 1.5 else ()
    both = [*asked, time] if time else []
    usable = both and not nulls and not set(both) & set(RESERVED)
    if usable and _counted(table, rows, _hash(both)) == (table.count, table.count):
        return Key(tuple(both), f"{told}: with its time it is another in each row", entity, each)
    return replace(_made(table, time, told), entity=entity, events_each=each)


def _made(table: Delivered, time: str | None, told: str) -> Key:
    if time is None:
        return Key((COUNTED,), f"{told}: the place in the order of delivery tells rows apart", made=None)
    why = f"{told}: the hash of the whole row tells rows apart, and repetitions are set aside"
    _, values = _counted(table, table.rows, pl.struct(table.columns).hash(20130101))
    return Key((HASHED,), why, made=HASHED, repeated=table.count - values)


def _candidates(table: Delivered) -> list[str]:
    """Columns that may name the rows: each value once in the sample, no float; those called so first."""
    sample = table.sample
    found = [
        name
        for name in table.columns
        if not sample[name].dtype.is_float()
        and not sample[name].dtype.is_nested()
        and name not in RESERVED
        and sample[name].null_count() == 0
        and sample[name].n_unique() == sample.height
    ]
    named = [name for name in found if name.lower() == "id" or name.lower().endswith(("_id", " id", "key"))]
    texts = [name for name in found if name not in named and not _is_fraction(sample[name])]
    return [*named, *texts][:3]


def _is_fraction(values: pl.Series) -> bool:
    """Whether these are texts of measured numbers, which differ by chance alone."""
    return bool(values.cast(pl.String).str.contains(r"^-?\d+\.\d+$").all())
