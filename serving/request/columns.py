"""Columns of an Arrow stream, read as the rows of the spec: features, instants, and whom they are about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from core.spec import Spec
from core.words import nearest
from features.columns import DECISION, INSTANT, finished
from features.online.layout import entity_text
from features.online.values import EPOCH, TEXTS, as_held, wanted
from serving.request.fields import MOST_FAULTS, Fault, Malformed, cut

_YEARS = datetime.min.replace(tzinfo=UTC) - EPOCH, datetime.max.replace(tzinfo=UTC) - EPOCH
"""What instants Python, and so everybody who reads the log, can tell."""
_UNITS = {"ms": timedelta(milliseconds=1), "us": timedelta(microseconds=1)}


def typed(dtypes: Mapping[str, pl.DataType], sent: pl.DataFrame) -> pl.DataFrame:
    """The columns as those of these dtypes; Malformed where one is not among them, or holds other values."""
    faults, found = list[Fault](), list[pl.Series]()
    for column in sent.iter_columns():
        if column.name not in dtypes:
            near = nearest(cut(column.name), dtypes)
            faults.append(Fault(0, cut(column.name), f"is no column of these rows{near}"))
        elif (cast := _cast(column, dtypes[column.name])) is None:
            kind = cut(f"{column.dtype}", 60)
            faults.append(Fault(0, column.name, f"should be {wanted(dtypes[column.name])}, and not {kind}"))
        else:
            found.append(cast)
    if faults:
        raise Malformed(faults[:MOST_FAULTS])
    return pl.DataFrame(found)


def features_of(spec: Spec, sent: pl.DataFrame) -> pl.DataFrame:
    """The features of typed columns as models get them; Malformed where a value lacks that is required."""
    lacking = [name for name in spec.serving.required if name not in sent.columns or sent[name].null_count()]
    if lacking:
        raise Malformed([Fault(0, name, "should be there, and not null in any row") for name in lacking])
    return sent.select(finished(name, it.kind, sent.schema[name]) for name, it in spec.features.items())


def _cast(column: pl.Series, dtype: pl.DataType) -> pl.Series | None:
    """The column in a dtype that holds the same; None where it holds what that cannot."""
    if column.dtype != pl.Null and not (_alike(column.dtype, dtype) and _tellable(column)):
        return None
    try:
        found = column.cast(dtype)
    except pl.exceptions.PolarsError:
        return None
    whole = dtype.is_integer() and column.dtype.is_float()
    return found if not whole or (found.cast(column.dtype) == column).all() else None


def _alike(sent: pl.DataType, dtype: pl.DataType) -> bool:
    if isinstance(sent, pl.Datetime) and isinstance(dtype, pl.Datetime):
        return (sent.time_zone is None) == (dtype.time_zone is None)
    if sent.is_integer() or sent.is_float():
        return dtype.is_integer() or dtype.is_float()
    return (sent in TEXTS and dtype in TEXTS) or type(sent) is type(dtype)


def _tellable(column: pl.Series) -> bool:
    """Whether instants and dates lie in the years from 1 to 9999."""
    dtype = column.dtype
    unit = _UNITS.get(dtype.time_unit) if isinstance(dtype, pl.Datetime) else None
    unit = timedelta(days=1) if dtype == pl.Date else unit
    if unit is None:
        return True
    first, last = (edge // unit for edge in _YEARS)
    return bool(column.to_physical().is_between(first, last).all())


def decided(sent: pl.DataFrame, at: datetime) -> pl.Series:
    """The instant of each row's decision; Malformed where one has not come."""
    if DECISION not in sent.columns:
        return pl.Series(DECISION, [at], dtype=INSTANT).new_from_index(0, sent.height)
    found = sent[DECISION].fill_null(at)
    if (late := (found > at).arg_max()) is not None and found[late] > at:
        raise Malformed([Fault(late, DECISION, f"should not lie after now, {at:%Y-%m-%dT%H:%M:%SZ}")])
    return found


def texts(columns: Sequence[str], rows: pl.DataFrame) -> list[str] | None:
    """The entity that these columns make, of each row; None where one of them is not there."""
    if not set(columns) <= set(rows.columns):
        return None
    values = [as_held(rows[name], f"column {name!r}").to_list() for name in columns]
    return [entity_text(each) for each in zip(*values, strict=True)]
