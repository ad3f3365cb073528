"""What the values of a column are: the kind that a spec declares them as."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from core.spec import Kind
from core.types import read_as
from proposal.limits import MARKED, READ

# What people write where a number or a time is missing. A category may well mean something by them.
MARKERS = ("?", "-", "--", "NULL", "null", "None", "none", "N/A", "n/a", "#N/A", "NaN", "nan", "missing", ".")

_ORDER: Sequence[Kind] = ("integer", "float", "boolean", "datetime")
_LEADING_ZERO = r"^[+-]?0\d"
_LONG = r"^\d{19,}$"
_MONEY = re.compile(r"[-+(]?\s*[$€£¥]?\s*\d{1,3}([,.' ]?\d{3})*([.,]\d+)?\s*[$€£¥%]?\)?")


@dataclass(frozen=True, slots=True)
class Reading:
    """As which kind a column is read, and the `markers` that stand in it for what is missing.

    `why` says why it is read as text although it looks like something else.
    """

    kind: Kind
    markers: tuple[str, ...] = ()
    why: str = ""


def readings(sample: pl.DataFrame) -> dict[str, Reading]:
    """How each column but `row` is read.

    >>> frame = pl.DataFrame({"n": ["1", "?", "3"], "zip": ["01", "02", "11"], "on": ["yes", "no", "yes"]})
    >>> {name: reading.kind for name, reading in readings(frame).items()}
    {'n': 'integer', 'zip': 'string', 'on': 'boolean'}
    """
    return {name: _reading(sample[name]) for name in sample.columns if name != "row"}


def typed(rows: pl.LazyFrame, found: Mapping[str, Reading]) -> pl.LazyFrame:
    """The rows in the kinds that were found, as a source that knows all markers would deliver them."""
    schema = rows.collect_schema()
    markers = sorted({marker for reading in found.values() for marker in reading.markers})
    texts = [name for name in found if schema[name] == pl.String] if markers else []
    known = rows.with_columns(pl.when(~pl.col(name).is_in(markers)).then(pl.col(name)) for name in texts)
    read = [read_as(name, schema[name], reading.kind) for name, reading in found.items()]
    return known.select("row", *read)


def _reading(values: pl.Series) -> Reading:
    dtype = values.dtype
    if dtype == pl.Boolean:
        return Reading("boolean")
    if dtype.is_integer():
        return Reading("integer")
    if dtype.is_float() or dtype.is_decimal():
        return Reading("float")
    if isinstance(dtype, pl.Datetime | pl.Date):
        return Reading("datetime")
    if dtype.is_nested() or dtype in (pl.Binary, pl.Time) or isinstance(dtype, pl.Duration):
        return Reading("string", why=f"is {dtype.base_type().__name__}, of which no feature is made")
    return _of_texts(values.cast(pl.String).drop_nulls())


def _of_texts(texts: pl.Series) -> Reading:
    if texts.is_empty():
        return Reading("string")
    counts = texts.value_counts(name="rows")
    named = counts.columns[0]
    marked = counts.filter(pl.col(named).is_in(MARKERS))
    if marked["rows"].sum() > MARKED * len(texts):
        marked = marked.clear()
    plain = counts.join(marked, on=named, how="anti")
    if plain.is_empty():
        return Reading("string")
    for kind in _ORDER:
        if _share(plain, kind) >= READ and not _is_code(plain[named], kind):
            return Reading(kind, tuple(sorted(marked[named])))
    money = plain.head(1_000)[named].map_elements(
        lambda text: bool(_MONEY.fullmatch(text.strip())), pl.Boolean
    )
    why = "holds numbers with signs in them: deliver plain ones, such as 1234.5" if money.mean() == 1 else ""
    return Reading("string", why="" if _is_code(plain[named], "integer") else why)


def _share(counts: pl.DataFrame, kind: Kind) -> float:
    """The share of the rows whose value is of a kind; a few values tell most that is none of it."""
    named = counts.columns[0]
    for some in (counts.head(200), counts):
        read = some.select(read_as(named, pl.String(), kind).is_not_null().alias("read"), "rows")
        share = float(read.filter("read")["rows"].sum()) / float(read["rows"].sum())
        if share < READ / 2:
            return share
    return share


def _is_code(texts: pl.Series, kind: Kind) -> bool:
    """Whether digits are no number: what begins with 0, or is longer than a number holds exactly."""
    if kind not in ("integer", "float"):
        return False
    return bool((texts.str.contains(_LEADING_ZERO) | texts.str.contains(_LONG)).any())
