"""Values of requests and of columns, brought to what the store holds."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import SpecError
from features.columns import finished
from features.online.rows import finisher
from features.online.values import RequestError, as_held, held, reader

NOON = datetime(2013, 5, 2, 12, 0, 0, 7, UTC)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (pl.String(), "Zürich"),
        (pl.Enum(["a", "b"]), "b"),
        (pl.Categorical(), "a"),
        (pl.Boolean(), False),
        (pl.Int8(), -128),
        (pl.UInt64(), 2**64 - 1),
        (pl.Int64(), np.int64(5)),
        (pl.Float64(), 0.1),
        (pl.Float64(), 7),
        (pl.Float32(), 0.1),
        (pl.Datetime("us", "UTC"), NOON),
        (pl.Datetime("us", "UTC"), datetime(1900, 1, 1, tzinfo=UTC)),
        (pl.Datetime("ns", "Europe/Zurich"), NOON),
        (pl.Datetime("ms"), NOON.replace(tzinfo=None, microsecond=3000)),
        (pl.Date(), date(1969, 12, 31)),
        (pl.Time(), time(23, 59, 59, 999_999)),
        (pl.Duration("us"), timedelta(days=-1, microseconds=5)),
        (pl.Duration("ms"), timedelta(seconds=2)),
    ],
)
def test_a_request_says_what_a_column_holds(dtype: pl.DataType, value: Any) -> None:
    column = pl.Series([value], dtype=dtype, strict=False)
    assert reader("x", dtype)(value) == as_held(column, "x")[0]
    assert as_held(column, "x").dtype == held(dtype, "x")
    assert reader("x", dtype)(None) is None


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (pl.String(), b"a"),
        (pl.String(), "\ud800"),  # half a character, which JSON can say
        (pl.Enum(["a"]), "b"),
        (pl.Boolean(), 1),
        (pl.UInt8(), -1),
        (pl.Int32(), 2.5),
        (pl.Int64(), 2.0**53),
        (pl.Int64(), "5"),
        (pl.Float64(), "0.1"),
        (pl.Float64(), True),
        (pl.Float64(), 10**400),
        (pl.Datetime("us", "UTC"), "2013-05-02T12:00:00"),
        (pl.Datetime("us", "UTC"), 1_367_496_000),
        (pl.Datetime("us"), NOON),
        (pl.Date(), NOON),
        (pl.Date(), "02.05.2013"),
        (pl.Time(), "noon"),
        (pl.Duration("us"), 5),
        (pl.Null(), 5),
    ],
)
def test_another_kind_of_value_is_refused(dtype: pl.DataType, value: Any) -> None:
    with pytest.raises(RequestError, match="request: 'x' should be"):
        reader("x", dtype)(value)


def test_texts_of_instants_and_dates_are_read() -> None:
    instant = reader("x", pl.Datetime("us", "UTC"))
    assert instant("2013-05-02T14:00:00.000007+02:00") == instant(NOON)
    assert instant(NOON.astimezone(timezone(timedelta(hours=-9)))) == instant(NOON)
    assert reader("x", pl.Date())("1970-01-02") == 1


@pytest.mark.parametrize(
    "dtype", [pl.List(pl.Int64), pl.Struct({"a": pl.Int64}), pl.Binary(), pl.Decimal(9, 2)]
)
def test_what_the_store_cannot_hold_is_refused(dtype: pl.DataType) -> None:
    with pytest.raises(SpecError, match=r"feature x is .*: the online store holds texts"):
        held(dtype, "feature x")


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.Float64(), [0.1, 1e300, -3.4028235677973366e38, 3.4028235e38, 1e-46, float("nan"), float("inf")]),
        (pl.Int64(), [2**54 + 2**30 + 1, -(2**63), 2**24 + 1, 0]),
        (pl.UInt64(), [2**64 - 1, 2**63 + 2**39 + 1]),
        (pl.Boolean(), [True, False]),
        (pl.String(), ["a", ""]),
        (pl.Datetime("us", "UTC"), [NOON]),
        (pl.Date(), [date(2013, 5, 2)]),
    ],
)
@pytest.mark.parametrize("kind", ["number", "category"])
def test_values_are_finished_as_offline(kind: Any, dtype: pl.DataType, values: list[Any]) -> None:
    if kind == "number" and dtype in (pl.String, pl.Datetime, pl.Date):
        with pytest.raises(SpecError, match="is no number"):
            finisher("x", kind, dtype)
        return
    column = pl.Series("x", [*values, None], dtype)
    offline = column.to_frame().select(finished("x", kind, dtype)).to_series().to_list()
    assert [finisher("x", kind, dtype)(value) for value in as_held(column, "x")] == offline


def test_a_whole_number_may_be_written_as_a_float_as_json_has_one_kind_of_number() -> None:
    read = reader("x", pl.Int32())
    assert [read(2.0), read(-3.0)] == [2, -3]
    assert all(isinstance(read(value), int) for value in (2.0, 2))
