"""Received = accepted + quarantined, whatever is delivered."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contents import row_hash
from core.errors import IntegrityError
from expectations.quarantine import QUARANTINE, Divided, divide, duplicates
from expectations.suites import Suite
from expectations.validate import validate
from expectations.verdict import FAILING_ROWS, Failure

NOW = datetime(2013, 4, 1, tzinfo=UTC)


def numbered(**columns: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(columns).with_row_index("row")


def failing(*rows: tuple[int, str, str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FAILING_ROWS, orient="row")


def cut(
    delivered: pl.DataFrame,
    faults: pl.DataFrame,
    max_share: float = 1,
    critical: tuple[Failure, ...] = (),
    rows: pl.DataFrame | None = None,
) -> Divided:
    typed = delivered if rows is None else rows
    return divide(
        typed,
        delivered,
        faults,
        origin=origin(delivered),
        batch="2013-03",
        as_of=NOW,
        max_share=max_share,
        critical=critical,
    )


def origin(delivered: pl.DataFrame) -> pl.DataFrame:
    """Where the rows came from: one file, in their order."""
    columns = [name for name in delivered.columns if name != "row"]
    return delivered.select(
        "row", row_hash(columns, delivered.schema), delivery=pl.lit("a.csv"), position=pl.col("row")
    )


FOUR = numbered(distance=["500", "-5", "x", None], name=["é", 'a"b', "c", "d"])


def test_a_row_goes_to_one_side_with_all_its_reasons() -> None:
    faults = failing((1, "between", "distance", "-5"), (2, "type", "distance", "x"), (1, "late", "", None))
    divided = cut(FOUR, faults, rows=FOUR.filter(pl.col("row") != 2).with_columns(late=pl.lit(True)))
    assert divided.stopped is None
    assert divided.accepted["row"].to_list() == [0, 3]
    assert divided.accepted.columns == ["row", "distance", "name", "late"]
    assert divided.quarantined.schema == QUARANTINE
    assert divided.quarantined.drop("row_hash").to_dicts() == [
        {
            "batch": "2013-03",
            "row": 1,
            "delivery": "a.csv",
            "position": 1,
            "reasons": [
                {"expectation": "between", "column": "distance", "value": "-5"},
                {"expectation": "late", "column": "", "value": None},
            ],
            "record": '{"distance":"-5","name":"a\\"b"}',
            "as_of": NOW,
        },
        {
            "batch": "2013-03",
            "row": 2,
            "delivery": "a.csv",
            "position": 2,
            "reasons": [{"expectation": "type", "column": "distance", "value": "x"}],
            "record": '{"distance":"x","name":"c"}',
            "as_of": NOW,
        },
    ]


def test_a_set_aside_row_keeps_the_hash_of_what_was_delivered() -> None:
    divided = cut(FOUR, failing((1, "between", "distance", "-5")))
    wanted = origin(FOUR).filter(pl.col("row") == 1)["row_hash"]
    assert divided.quarantined["row_hash"].to_list() == wanted.to_list()


def test_a_clean_delivery_leaves_an_empty_quarantine_of_the_right_shape() -> None:
    divided = cut(FOUR, failing())
    assert divided.accepted.equals(FOUR)
    assert divided.quarantined.is_empty() and divided.quarantined.schema == QUARANTINE


def test_a_row_that_was_never_typed_is_set_aside() -> None:
    divided = cut(FOUR, failing(), rows=FOUR.head(3))
    assert divided.quarantined["row"].to_list() == [3]
    assert divided.quarantined["reasons"].to_list() == [
        [{"expectation": "readable", "column": "", "value": ""}]
    ]


def test_a_fault_without_a_value_is_a_fault() -> None:
    faults = pl.DataFrame({"row": [1], "expectation": ["type"], "column": ["name"], "value": [None]})
    assert cut(FOUR, faults).quarantined["row"].to_list() == [1]


def test_too_many_failing_rows_stop_the_batch() -> None:
    faults = failing((1, "between", "distance", "-5"), (2, "between", "distance", "x"))
    assert cut(FOUR, faults, max_share=0.5).stopped is None
    divided = cut(FOUR, faults, max_share=0.49)
    assert divided.accepted.is_empty() and divided.accepted.schema == FOUR.schema
    assert divided.stopped == (
        "share 50.00% of rows fails (2 of 4), at most 49.00% may; most often distance: between (such as '-5')"
    )
    share = {"expectation": "batch", "column": "", "value": divided.stopped}
    own = [{"expectation": "between", "column": "distance", "value": value} for value in ("-5", "x")]
    assert divided.quarantined["reasons"].to_list() == [[share], [own[0], share], [own[1], share], [share]]


def test_a_critical_failure_is_the_reason_of_every_row() -> None:
    critical = Failure("expect_table_row_count_to_be_between", "", "critical", "the batch: 4 rows", 0)
    divided = cut(FOUR, failing((0, "late", "", None)), critical=(critical,))
    assert divided.accepted.is_empty()
    assert divided.stopped == "the batch: 4 rows"
    reason = {"expectation": critical.expectation, "column": "", "value": critical.detail}
    assert [reasons[-1] for reasons in divided.quarantined["reasons"].to_list()] == [reason] * 4


def test_an_empty_delivery_is_divided_too() -> None:
    divided = cut(FOUR.clear(), failing(), max_share=0)
    assert (divided.accepted.height, divided.quarantined.height, divided.stopped) == (0, 0, None)


def test_the_record_keeps_what_json_does_not_know() -> None:
    delivered = numbered(
        batch=["a", "b"],
        reasons=["c", "d"],
        speed=[float("nan"), float("inf")],
        day=[datetime(2013, 1, 1, tzinfo=UTC), None],
    )
    divided = cut(delivered, failing((0, "x", "", None), (1, "x", "", None)))
    assert [json.loads(record) for record in divided.quarantined["record"]] == [
        {"batch": "a", "reasons": "c", "speed": "NaN", "day": "2013-01-01T00:00:00+00:00"},
        {"batch": "b", "reasons": "d", "speed": "inf", "day": None},
    ]


@pytest.mark.parametrize(
    ("typed", "faults", "said"),
    [
        (pl.concat([FOUR, FOUR.head(1)]), failing(), "two typed rows"),
        (FOUR.with_columns(row=pl.col("row") + 1), failing(), "typed row 4 was never delivered"),
        (FOUR, failing((9, "x", "", None)), "failing row 9 was never delivered"),
    ],
)
def test_rows_from_nowhere_are_refused(typed: pl.DataFrame, faults: pl.DataFrame, said: str) -> None:
    with pytest.raises(IntegrityError, match=said):
        cut(FOUR, faults, rows=typed)
    with pytest.raises(IntegrityError, match="two delivered rows"):
        cut(pl.concat([FOUR, FOUR]), failing(), rows=FOUR)


def test_copies_are_the_rows_that_repeat_an_earlier_one_wholly() -> None:
    delivered = numbered(a=["1", "1", "1", None, None], b=["x", "y", "x", None, None])
    assert duplicates(origin(delivered)).rows() == [
        (2, "delivered_once", "", "0"),
        (4, "delivered_once", "", "3"),
    ]
    assert duplicates(origin(delivered.head(2))).schema == FAILING_ROWS


def test_a_copy_does_not_take_its_original_with_it(suite: Callable[..., Suite]) -> None:
    delivered = numbered(flight=["1", "2", "1", "2"], distance=["500", "-5", "500", "700"])
    copies = duplicates(origin(delivered))
    typed = delivered.cast({"flight": pl.Int64, "distance": pl.Int64}).join(copies, on="row", how="anti")
    key = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "flight"}}
    divided = cut(delivered, pl.concat([validate(typed, suite(key), {}).rows, copies]), rows=typed)
    assert divided.accepted["row"].to_list() == [0]
    assert [[reason["expectation"] for reason in reasons] for reasons in divided.quarantined["reasons"]] == [
        ["expect_column_values_to_be_unique"],
        ["delivered_once"],
        ["expect_column_values_to_be_unique"],
    ]


values = st.sampled_from(["1", "2", "-5", "é", "", None])


@given(
    st.lists(st.tuples(values, values), max_size=30),
    st.sets(st.integers(0, 29)),
    st.lists(st.tuples(st.integers(0, 29), st.sampled_from(["between", "null"])), max_size=20),
    st.floats(0, 1),
    st.booleans(),
)
def test_no_row_is_lost_and_none_is_in_both(
    records: list[tuple[str | None, str | None]],
    untyped: set[int],
    faults: list[tuple[int, str]],
    max_share: float,
    stop: bool,
) -> None:
    delivered = pl.DataFrame(records, schema={"a": pl.String, "b": pl.String}, orient="row").with_row_index(
        "row"
    )
    typed = delivered.filter(~pl.col("row").is_in(sorted(untyped)))
    named = [(row, name, "a", None) for row, name in faults if row < len(records)]
    copies = duplicates(origin(delivered))
    critical = (Failure("volume", "", "critical", "too few", 0),) if stop else ()
    divided = cut(delivered, pl.concat([failing(*named), copies]), max_share, critical, typed)

    accepted, set_aside = divided.accepted["row"].to_list(), divided.quarantined["row"].to_list()
    assert sorted(accepted + set_aside) == list(range(len(records)))
    assert divided.accepted.equals(typed.filter(pl.col("row").is_in(accepted)))
    assert all(len(reasons) > 0 for reasons in divided.quarantined["reasons"])
    for row, record in divided.quarantined.select("row", "record").rows():
        assert json.loads(record) == dict(zip("ab", records[row], strict=True))

    bad = {row for row, *_ in named} | {*copies["row"]} | {row for row in untyped if row < len(records)}
    wrong = bad - ({*copies["row"]} - {row for row, *_ in named})
    stopped = stop or len(wrong) > max_share * len(records)
    assert (divided.stopped is not None) == stopped
    assert set(set_aside) == (set(range(len(records))) if stopped else bad)
