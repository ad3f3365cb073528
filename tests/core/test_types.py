"""A delivered value is read as what the spec declares, or is missing, or is reported: never lost."""

import math
import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.spec import Kind
from core.types import DTYPES, FAILING, read_as, type_failures

AWARE = datetime(2013, 7, 4, 12, 30, tzinfo=ZoneInfo("America/New_York"))
NAIVE = AWARE.replace(tzinfo=None)
NOON = datetime(2013, 7, 4, 16, 30, tzinfo=UTC)  # 12:30 in New York, UTC-4 in summer


def read(
    values: list[Any] | pl.Series, kind: Kind, dtype: pl.DataType | None = None
) -> tuple[list[Any], dict[int, Any]]:
    """What is read of each value, and the values that are reported, by position."""
    raw = pl.DataFrame({"row": range(len(values)), "x": pl.Series(values, dtype=dtype)}).cast(
        {"row": pl.UInt32}
    )
    typed = raw.select("row", read_as("x", raw.schema["x"], kind))
    assert typed.schema["x"] == DTYPES[kind]
    failing = type_failures(raw, typed, {"x": kind})
    assert failing.schema == FAILING
    assert set(failing["expectation"]) <= {f"is_{kind}"} and set(failing["column"]) <= {"x"}
    return typed["x"].to_list(), dict(failing.select("row", "value").rows())


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "12", 12),
        ("integer", "12.0", 12),
        ("integer", " 7 ", 7),
        ("integer", "-3", -3),
        ("integer", "+3", 3),
        ("integer", "1e3", 1000),
        ("integer", "1.5e3", 1500),
        ("integer", "100", 100),
        ("integer", "100.00", 100),
        ("integer", "9007199254740993", 2**53 + 1),
        ("integer", "9007199254740993.0", 2**53 + 1),
        ("integer", "-9223372036854775808", -(2**63)),
        ("float", "12", 12.0),
        ("float", " .5", 0.5),
        ("float", "1e-3", 0.001),
        ("string", " as it is ", " as it is "),
        ("string", "NaN", "NaN"),
        ("string", "", ""),
        ("boolean", "TRUE", True),
        ("boolean", " f", False),
        ("boolean", "1.0", True),
        ("date", "2013-07-04", date(2013, 7, 4)),
        ("datetime", "2013-07-04T16:30:00Z", NOON),
        ("datetime", "2013-07-04T16:30Z", NOON),
        ("datetime", "2013-07-04 16:30:00", NOON),
        ("datetime", "2013-07-04T16:30", NOON),
        ("datetime", "2013-07-04 12:30:00.000-04:00", NOON),
        ("datetime", "2013-07-04 12:30:00-04", NOON),
        ("datetime", "2013-07-04T22:15:00+0545", NOON),
        ("datetime", "2013-07-04", datetime(2013, 7, 4, tzinfo=UTC)),
        ("datetime", "2013-07-04T16:30:00.123456789Z", NOON + timedelta(microseconds=123456)),
    ],
)
def test_texts_are_read(kind: Kind, text: str, value: object) -> None:
    # Beside others of every form, as a form that is not the first in its column must be read, too.
    assert read([text, "2013-07-04 16:30", "x"], kind)[0][0] == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "12.5"),
        ("integer", "9007199254740991.4"),  # as a float, it would be whole
        ("integer", "9223372036854775808"),
        ("integer", "12345678901234567890"),
        ("integer", "1e18"),  # not all that a float of this size stands for is this number
        ("integer", "1_000"),
        ("integer", "0x10"),
        ("integer", "true"),
        ("integer", " "),
        ("float", "inf"),
        ("float", "-Infinity"),
        ("float", "1e400"),
        ("float", "1,5"),
        ("boolean", "2"),
        ("boolean", "maybe"),
        ("date", "2013-02-30"),
        ("date", "13-07-04"),
        ("date", "20130704"),
        ("date", "2013-07-04 16:30"),
        ("datetime", "2013-07-04T25:00:00Z"),
        ("datetime", "13-07-04 16:30"),
        ("datetime", "1372955400"),
        ("datetime", "04/07/2013"),
        ("datetime", "9999-12-31T23:59:59-01:00"),  # the year 10000 in UTC
        ("string", "caf\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_texts_that_are_no_such_thing_are_reported_as_they_came(kind: Kind, text: str) -> None:
    values, failing = read(["x", text], kind)
    assert values[1] is None
    assert failing[1] == text


@pytest.mark.parametrize("kind", ["integer", "float"])
@pytest.mark.parametrize("text", ["NaN", "nan", " NAN "])
def test_a_nan_is_missing_and_not_reported(kind: Kind, text: str) -> None:
    assert read([text], kind) == ([None], {})


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_float_that_is_nan_is_missing_whatever_it_should_be(kind: Kind) -> None:
    assert read([math.nan, None], kind, pl.Float64()) == ([None, None], {})


@pytest.mark.parametrize(
    ("kind", "dtype", "given_", "value"),
    [
        ("integer", pl.UInt64(), 2**63 - 1, 2**63 - 1),
        ("integer", pl.Int8(), -5, -5),
        ("integer", pl.Float64(), 12.0, 12),
        ("integer", pl.Decimal(20, 2), Decimal("12.00"), 12),
        ("integer", pl.Decimal(30, 2), Decimal("9007199254740993.00"), 2**53 + 1),
        ("float", pl.Int64(), 3, 3.0),
        ("float", pl.Float32(), 0.5, 0.5),
        ("float", pl.Decimal(20, 2), Decimal("0.25"), 0.25),
        ("string", pl.Categorical(), "JFK", "JFK"),
        ("string", pl.Enum(["JFK"]), "JFK", "JFK"),
        ("string", pl.Int64(), 12, "12"),
        ("string", pl.Binary(), "Genève".encode(), "Genève"),
        ("string", pl.Time(), time(12, 30), "12:30:00"),
        ("integer", pl.Categorical(), "12", 12),
        ("boolean", pl.Boolean(), False, False),
        ("boolean", pl.Int8(), 1, True),
        ("date", pl.Date(), date(2013, 7, 4), date(2013, 7, 4)),
        ("date", pl.Datetime("ms"), NAIVE.replace(hour=0, minute=0), date(2013, 7, 4)),
        # A day begins at midnight of the zone in which it was delivered, not of UTC.
        ("date", pl.Datetime("us", "Asia/Tokyo"), datetime(2013, 7, 3, 15, tzinfo=UTC), date(2013, 7, 4)),
        ("datetime", pl.Date(), date(2013, 7, 4), datetime(2013, 7, 4, tzinfo=UTC)),
        ("datetime", pl.Datetime("ms"), NAIVE, NAIVE.replace(tzinfo=UTC)),
        ("datetime", pl.Datetime("us"), NAIVE, NAIVE.replace(tzinfo=UTC)),
        ("datetime", pl.Datetime("ns"), NAIVE, NAIVE.replace(tzinfo=UTC)),
        ("datetime", pl.Datetime("ms", "America/New_York"), AWARE, NOON),
        ("datetime", pl.Datetime("us", "America/New_York"), AWARE, NOON),
        ("datetime", pl.Datetime("ns", "UTC"), NOON, NOON),
    ],
)
def test_values_of_other_dtypes_are_read(kind: Kind, dtype: pl.DataType, given_: Any, value: Any) -> None:
    assert read([given_, None], kind, dtype) == ([value, None], {})


@pytest.mark.parametrize(
    ("kind", "dtype", "given_", "shown"),
    [
        ("integer", pl.UInt64(), 2**63, "9223372036854775808"),
        ("integer", pl.Float64(), 12.5, "12.5"),
        ("integer", pl.Boolean(), True, "true"),
        ("float", pl.Float64(), math.inf, "inf"),
        ("float", pl.Datetime("us"), NAIVE, "2013-07-04 12:30:00.000000"),
        ("boolean", pl.Float64(), 0.5, "0.5"),
        ("date", pl.Datetime("us"), NAIVE, "2013-07-04 12:30:00.000000"),
        ("datetime", pl.Int64(), 1372955400, "1372955400"),
        ("datetime", pl.Time(), time(12, 30), "12:30:00"),
        ("string", pl.Binary(), b"caf\xe9", "caf\N{REPLACEMENT CHARACTER}"),
        ("integer", pl.List(pl.Int64()), [1, 2], '{"x":[1,2]}'),
        ("float", pl.Struct({"a": pl.Int64()}), {"a": 1}, '{"x":{"a":1}}'),
        ("integer", pl.Array(pl.Int64(), 2), [1, 2], '{"x":[1,2]}'),
        ("datetime", pl.List(pl.Binary()), [b"\xff"], "List(Binary)"),
        ("integer", pl.Duration("us"), timedelta(hours=1), '{"x":"PT3600S"}'),
    ],
)
def test_values_of_other_dtypes_are_reported(kind: Kind, dtype: pl.DataType, given_: Any, shown: str) -> None:
    assert read([None, given_], kind, dtype) == ([None, None], {1: shown})


@pytest.mark.parametrize("dtype", [pl.Datetime("ms"), pl.Datetime("us", "Asia/Tokyo"), pl.Date()])
@pytest.mark.parametrize("kind", get_args(Kind))
def test_an_instant_beyond_the_calendar_breaks_nothing(kind: Kind, dtype: pl.DataType) -> None:
    far = pl.Series([2**31 - 1], dtype=pl.Int32) if dtype == pl.Date() else pl.Series([2**62])
    values, failing = read(far.cast(dtype), kind)
    assert (values[0] is None) == (0 in failing)
    assert 0 in failing or kind == "string"


def test_an_empty_or_all_null_column_is_read() -> None:
    for kind in get_args(Kind):
        assert read([], kind, pl.String()) == ([], {})
        assert read([None, None], kind, pl.Null()) == ([None, None], {})


def plausible(kind: Kind, value: Any) -> bool:
    """Whether a value that was read is one of its kind, as Python has it."""
    python = {
        "integer": int,
        "float": float,
        "string": str,
        "boolean": bool,
        "datetime": datetime,
        "date": date,
    }
    return type(value) is python[kind]


DELIVERED = {
    pl.String(): st.text(max_size=12)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.datetimes().map(str)
    | st.datetimes(timezones=st.just(timezone(timedelta(hours=-5)))).map(datetime.isoformat)
    | st.sampled_from(["true", "NO", "1.0", "NaN", "inf", " 7 ", "12.0", "1e3"]),
    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
    pl.UInt64(): st.integers(0, 2**64 - 1),
    pl.Float64(): st.floats(),
    pl.Float32(): st.floats(width=32),
    pl.Boolean(): st.booleans(),
    pl.Date(): st.dates(),
    pl.Datetime("ms"): st.datetimes(),
    pl.Datetime("us", "Europe/London"): st.datetimes(timezones=st.just(UTC)),
    pl.Datetime("ns"): st.datetimes(NAIVE.replace(year=1700), NAIVE.replace(year=2200)),
    pl.Time(): st.times(),
    pl.Binary(): st.binary(max_size=6),
    pl.Decimal(20, 4): st.decimals(-(10**15), 10**15, places=4),
    pl.List(pl.Int64()): st.lists(st.integers(0, 9), max_size=2),
    pl.Categorical(): st.sampled_from(["1", "x", "2013-01-01"]),
}


@given(st.data(), st.sampled_from(list(DELIVERED)), st.sampled_from(get_args(Kind)))
def test_no_value_is_lost(data: st.DataObject, dtype: pl.DataType, kind: Kind) -> None:
    delivered = data.draw(st.lists(st.none() | DELIVERED[dtype], min_size=1, max_size=8))
    values, failing = read(delivered, kind, dtype)
    for position, (came, value) in enumerate(zip(delivered, values, strict=True)):
        missing = came is None or came != came
        if kind in ("integer", "float") and isinstance(came, str):
            missing = came.strip().lower() == "nan"
        # Exactly one of the three: it was missing, or it is read, or it is reported with its value.
        assert missing + (value is not None) + (position in failing) == 1, (came, value, failing)
        assert value is None or plausible(kind, value)
        assert failing.get(position, "") is not None


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False) | st.integers(), min_size=1, max_size=8))
def test_an_integer_is_read_exactly_or_not_at_all(numbers: list[Decimal | int]) -> None:
    values, _ = read([str(number) for number in numbers], "integer")
    for number, value in zip(numbers, values, strict=True):
        # Below the smallest float a number is 0, here as everywhere.
        assert value is None or value == number or (value == 0 and abs(number) < Decimal("1e-300"))
        if isinstance(number, int) and -(2**63) <= number < 2**63:
            assert value == number


@given(st.lists(st.text("0123456789.eE+- ", max_size=9), min_size=1, max_size=8))
def test_a_number_is_read_wherever_python_reads_one(texts: list[str]) -> None:
    values, _ = read(texts, "float")
    for text, value in zip(texts, values, strict=True):
        try:
            expected = float(Decimal(text.strip()))
        except (InvalidOperation, OverflowError):
            assert value is None
        else:
            assert value == (expected if math.isfinite(expected) else None)


@given(st.lists(st.datetimes(NAIVE.replace(year=1001), timezones=st.timezones()), min_size=1, max_size=8))
def test_an_instant_is_the_same_however_it_is_written(instants: list[datetime]) -> None:
    expected = [instant.astimezone(UTC) for instant in instants]
    assert read([instant.isoformat() for instant in expected], "datetime")[0] == expected
    assert read([instant.strftime("%Y-%m-%d %H:%M:%S.%f") for instant in expected], "datetime")[0] == expected


def test_a_time_is_read_the_same_whatever_form_stands_before_it() -> None:
    clocks = ("2013-07-04T16:30:00.25", "2013-07-04 16:30:00", "2013-07-04T16:30", "2013-07-04 16:30")
    texts = [clock + zone for clock in clocks for zone in ("", "Z", "+02:00", "-0430", "+05")]
    texts += ["2013-07-04", "soon", "2013-13-01T00:00:00", "10:30", "2013-07-04 16"]
    alone = [read([text], "datetime")[0][0] for text in texts]
    assert alone[0] == NOON.replace(microsecond=250_000) and alone[-4:] == [None] * 4
    for first, text in enumerate(texts):
        assert read([text, *texts], "datetime")[0] == [alone[first], *alone]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_kind_is_read_in_a_stream(kind: Kind, tmp_path: Path) -> None:
    """Where one column is not, those beside it wait in memory: of a large delivery, all of it."""
    pl.DataFrame({"x": ["1"], "y": ["1"]}).write_parquet(tmp_path / "delivered.parquet")
    rows = pl.scan_parquet(tmp_path / "delivered.parquet").select(
        read_as(name, pl.String(), kind) for name in ("x", "y")
    )
    steps = rows.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    assert steps is not None and "multi-scan" in steps
    assert not re.search("columnar-function|zip", steps)
