"""The Polars engine finds what Great Expectations finds on pandas: for every type, on dirty data."""

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.engines import pandas_engine, polars_engine
from expectations.engines.values import NoForm
from expectations.entries import Expectation
from expectations.verdict import Outcome
from expectations.vocabulary import words, wrong_values

# What the libraries warn of is the dirt that is asked for here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:This pattern is interpreted as a regular expression"),
]

BASE = [
    datetime(2013, 3, 10, hour, minute, tzinfo=UTC)
    for hour, minute in [(1, 0), (6, 59), (6, 59), (7, 0), (4, 0), (23, 59), (0, 0), (5, 5), (8, 8), (8, 8)]
]
EARLY, LATE = datetime(2013, 3, 10, 2, tzinfo=UTC), datetime(2013, 3, 10, 7, tzinfo=UTC)
ROWS = len(BASE)

# The columns hold what has gone wrong before: nulls, NaN, infinities, -0.0, numbers that a float64
# does not hold, text of many scripts, a night when the clocks change, names that Polars reads as patterns.
NIGHT = datetime(2013, 1, 1, tzinfo=UTC)
DIRTY = pl.DataFrame(
    {
        "row": pl.Series(range(3, 3 + 3 * ROWS, 3), dtype=pl.UInt32),
        "whole": [1, 2, 2, 3, 4, 5, 6, 7, 10, 10],
        "holes": [5, None, 3, 3, None, -7, 0, 100, 7, 5],
        "small": pl.Series([1, 2, None, 127, -128, 5, 5, 0, 1, 4], dtype=pl.Int8),
        "count": pl.Series([0, 1, 2, 3, 4, 5, 6, 7, 255, 0], dtype=pl.UInt8),
        "big": [2**53, 2**53 + 1, None, -(2**60), 1, 2, 2**53 + 1, 3, 4, 5],
        "share": [0.1, 0.2, 0.30000000000000004, 0.3, 1.0, 1.0, 2.5, 3.7, -3.3, 9.9],
        "wild": [0.5, math.nan, None, math.inf, -math.inf, 0.0, -0.0, 1e16, 1e-7, 0.5],
        "endless": [math.inf, math.inf, 1.0, 2.0, math.nan, -math.inf, -math.inf, 0.0, None, 1.0],
        "text": ["a", "A", "é", "e\u0301", "日本", "", "a\n", " a", None, "a"],
        "clock": ["517", "١٢", "2400", "1\x1c", "x_1", "K", "\u3000", "-1", "517", None],
        "code": pl.Series(["a", "b", None, "a", "c", "a", "b", "a", "a", "b"], dtype=pl.Categorical),
        "flag": [True, False, None, True, True, False, False, None, True, False],
        "day": [None if place == 4 else date(2013, 3, place + 1) for place in range(ROWS)],
        "instant": pl.Series([*BASE[:3], None, *BASE[4:]], dtype=pl.Datetime("us", "UTC")),
        "local": pl.Series(BASE).dt.convert_time_zone("America/New_York"),
        "naive": pl.Series(BASE).dt.replace_time_zone(None),
        "coarse": pl.Series(BASE).dt.cast_time_unit("ms"),
        "fine": pl.Series(BASE).dt.cast_time_unit("ns"),
        "same": [7] * ROWS,
        "json": ['{"a": 1}', "{}", "[", None, "1", "null", '{"a": 2}', "x", '""', "{}"],
        "list": [[1], [2], None, [], [1, 2], [3], [4], [5], [6], [7]],
        "decimal": pl.Series(["1.5", "2", None, *["3"] * 7]).cast(pl.Decimal(10, 2)),
        "length": [timedelta(hours=place) for place in range(ROWS)],
        "time": [time(place) for place in range(ROWS)],
        "bytes": [b"a", b"", None, *[b"x"] * 7],
        "null": [None] * ROWS,
        "^s.*$": [1, 2, None, 4, 5, 6, 7, 8, 9, 10],
        "*": ["x", "y", None, "x", "z", "u", "v", "w", "s", "t"],
    }
)
# As these, "failing 0" and "0 rows", the engine might call its own columns.
DIRTY = DIRTY.with_columns(pl.col("whole").alias("failing 0"), pl.col("holes").alias("0 rows"))
DIRTY = DIRTY.with_columns(mark=pl.col("flag").reverse())

FRAMES = {
    "dirty": DIRTY,
    "one row": DIRTY.head(1),
    "another row": DIRTY[2:3],
    "nothing but nulls": DIRTY.select(
        "row", *(pl.lit(None, dtype).alias(name) for name, dtype in DIRTY.schema.items() if name != "row")
    ),
}

NUMBERS = ["whole", "holes", "small", "share", "wild", "endless", "same"]
TEXTS = ["text", "clock", "code"]
INSTANTS = ["day", "instant", "local", "naive", "coarse", "fine"]
ODDLY_NAMED = ["^s.*$", "*", "failing 0", "0 rows"]
ODD = ["list", "decimal", "length", "time", "bytes", "null"]

SETS: list[list[Any]] = [
    [1, 2, 5, 0.1],
    ["a", "é", "x", "517"],
    [1, "a", 2.5, math.inf, True, None],
    [EARLY, LATE, BASE[1]],
]
PATTERNS = [
    "^a",
    r"^\d+$",
    r"\w\s",
    "a$",
    "(?i)k",
    r"^.$",
    "é|日",
    "(?=a)",
    r"(.)\1",
    r"\bx",
    "(?:)",
    r"^\d(\.0)?$",
]
PARTITIONS: list[dict[str, Any]] = [
    {"partition_object": {"bins": [0, 2, 6, 10], "weights": [0.3, 0.3, 0.4]}},
    {
        "partition_object": {"bins": [0, 0.5, 2, 3], "weights": [0.6, 0, 0.4]},
        "tail_weight_holdout": 0.1,
        "internal_weight_holdout": 0.05,
    },
    {"partition_object": {"bins": [-math.inf, 0, 2, math.inf], "weights": [0.3, 0.3, 0.4]}},
    {"partition_object": {"bins": [0, 2, 6], "weights": [0.3, 0.3], "tail_weights": [0.2, 0.2]}},
    {"partition_object": {"values": ["a", "x", "b"], "weights": [0.3, 0.3, 0.4]}},
    {"partition_object": {"values": [1, 2, 5], "weights": [0.3, 0.3, 0.4]}, "tail_weight_holdout": 0.1},
]
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")
QUANTILES = {
    "quantiles": [0, 0.05, 0.07, 0.25, 0.5, 0.77, 1],
    "value_ranges": [[None, None], [0, 9], [None, 3], [0, None], [1, 2], [0, 9], [None, 10]],
}
PAIRS = [
    ("whole", "holes"),
    ("share", "wild"),
    ("holes", "share"),
    ("text", "clock"),
    ("flag", "mark"),
    ("instant", "local"),
    ("naive", "coarse"),
    ("day", "fine"),
    ("whole", "text"),
    ("null", "whole"),
]
LISTS = [
    ["whole", "holes"],
    ["share", "wild", "same"],
    ["text", "code", "clock"],
    ["flag", "whole"],
    ["instant", "local"],
    ["^s.*$", "whole", "small"],
    ["*", "0 rows"],
]
BOUNDS: list[dict[str, Any]] = [
    {"min_value": 2, "max_value": 7},
    {"min_value": 0, "strict_min": True, "max_value": 7, "strict_max": True},
    {"min_value": 0.2, "strict_min": True},
    {"max_value": 7, "strict_max": True, "mostly": 0.5},
    {"min_value": EARLY, "max_value": LATE},
    {"min_value": "2013-03-10T00:59:00-06:00", "strict_min": True},
    {"min_value": -(2**60), "max_value": 2.0**53},
]


def _each(columns: Sequence[str], *arguments: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"column": column, **given} for column in columns for given in arguments]


def _several(*arguments: dict[str, Any]) -> list[dict[str, Any]]:
    ignored = ("all_values_are_missing", "any_value_is_missing", "never")
    return [
        {"column_list": columns, "ignore_row_if": ignored[(place + number) % 3], **given}
        for place, columns in enumerate(LISTS)
        for number, given in enumerate(arguments * 2)
    ]


def _pairs(*arguments: dict[str, Any]) -> list[dict[str, Any]]:
    ignored = ("both_values_are_missing", "either_value_is_missing", "neither")
    return [
        {"column_A": one, "column_B": other, "ignore_row_if": ignored[(place + number) % 3], **given}
        for place, (one, other) in enumerate(PAIRS)
        for number, given in enumerate(arguments * 2)
    ]


def _measured(columns: Sequence[str]) -> list[dict[str, Any]]:
    return _each(columns, {"min_value": 1, "max_value": 10}, {"min_value": 2, "strict_min": True})


EVERY = [*NUMBERS, *TEXTS, *INSTANTS, "flag"]
SET_CASES = [{"value_set": values} for values in SETS]
CASES: dict[str, list[dict[str, Any]]] = {
    "expect_column_distinct_values_to_be_in_set": _each(EVERY, *SET_CASES[:3])
    + _each(INSTANTS, SET_CASES[3]),
    "expect_column_distinct_values_to_contain_set": _each(EVERY, *SET_CASES[:2]),
    "expect_column_distinct_values_to_equal_set": _each(EVERY, SET_CASES[2], {"value_set": [7]}),
    "expect_column_kl_divergence_to_be_less_than": _each(
        [*NUMBERS, "text"], *({**each, "threshold": 0.5} for each in PARTITIONS)
    ),
    "expect_column_max_to_be_between": _measured([*NUMBERS, "big"])
    + _each(INSTANTS, {"min_value": EARLY, "max_value": LATE}),
    "expect_column_mean_to_be_between": _measured(NUMBERS),
    "expect_column_median_to_be_between": _measured(NUMBERS),
    "expect_column_min_to_be_between": _measured([*NUMBERS, "big"])
    + _each(INSTANTS, {"min_value": EARLY, "max_value": LATE}),
    "expect_column_most_common_value_to_be_in_set": _each(
        EVERY, *SET_CASES[:2], {"value_set": ["a", 5, 7], "ties_okay": True}
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": _pairs({}, {"or_equal": True}, {"mostly": 0.3}),
    "expect_column_pair_values_to_be_equal": _pairs({}, {"mostly": 0.5}),
    "expect_column_pair_values_to_be_in_set": _pairs(
        {
            "value_pairs_set": [
                [1, 5],
                ["a", "517"],
                [None, 2],
                [True, True],
                [3, 3.0],
                [0.1, None],
                [None, None],
            ]
        }
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": _each(
        [*EVERY, *ODD], {"min_value": 0.85, "max_value": 1}
    ),
    "expect_column_proportion_of_unique_values_to_be_between": _each(
        EVERY, {"min_value": 0.5, "max_value": 0.9}
    ),
    "expect_column_quantile_values_to_be_between": [
        {"column": column, "quantile_ranges": QUANTILES, **given}
        for column in NUMBERS
        for given in (
            {},
            *(
                {"allow_relative_error": kind}
                for kind in ("linear", "lower", "higher", "midpoint", "nearest")
            ),
        )
    ],
    "expect_column_stdev_to_be_between": _measured(NUMBERS),
    "expect_column_sum_to_be_between": _measured(NUMBERS),
    "expect_column_to_exist": [
        {"column": "whole"},
        {"column": "hole"},
        {"column": "holes", "column_index": 1},
    ],
    "expect_column_unique_value_count_to_be_between": _measured([*EVERY, *ODDLY_NAMED]),
    "expect_column_value_lengths_to_be_between": _each(
        [*TEXTS, *NUMBERS], {"min_value": 1, "max_value": 2}, {"min_value": 1, "strict_min": True}
    ),
    "expect_column_value_lengths_to_equal": _each([*TEXTS, "holes", "big"], {"value": 1}, {"value": 3}),
    "expect_column_value_z_scores_to_be_less_than": _each(
        NUMBERS, {"threshold": 1, "double_sided": True}, {"threshold": -0.5, "double_sided": False}
    ),
    "expect_column_values_to_be_between": _each([*EVERY, "big"], *BOUNDS),
    "expect_column_values_to_be_dateutil_parseable": _each(["clock", "text"], {}),
    "expect_column_values_to_be_decreasing": _each([*NUMBERS, *INSTANTS], {}, {"strictly": True}),
    "expect_column_values_to_be_in_set": _each(EVERY, *SET_CASES),
    "expect_column_values_to_be_increasing": _each([*NUMBERS, *INSTANTS, "big"], {}, {"strictly": True}),
    "expect_column_values_to_be_json_parseable": _each(["json", "text"], {}),
    "expect_column_values_to_be_null": _each([*EVERY, *ODD], {}, {"mostly": 0.1}),
    "expect_column_values_to_be_unique": _each([*EVERY, *ODDLY_NAMED, "big", "count"], {}, {"mostly": 0.5}),
    "expect_column_values_to_match_json_schema": _each(["json"], {"json_schema": {"type": "object"}}),
    "expect_column_values_to_match_regex": _each(
        [*TEXTS, "whole", "holes", "big", "share"], *({"regex": pattern} for pattern in PATTERNS)
    ),
    "expect_column_values_to_match_regex_list": _each(
        [*TEXTS, "holes"],
        {"regex_list": ["^a", "1"]},
        {"regex_list": ["^a", "a$"], "match_on": "all"},
        {"regex_list": ["(?=a)", "b"]},
    ),
    "expect_column_values_to_match_strftime_format": _each(["clock"], {"strftime_format": "%H%M"}),
    "expect_column_values_to_not_be_in_set": _each(EVERY, *SET_CASES),
    "expect_column_values_to_not_be_null": _each([*EVERY, *ODD], {}, {"mostly": 0.9}),
    "expect_column_values_to_not_be_outliers": _each(
        NUMBERS, {}, {"multiplier": 0.25}, {"method": "std", "multiplier": 1.0}
    ),
    "expect_column_values_to_not_match_regex": _each(TEXTS, *({"regex": pattern} for pattern in PATTERNS)),
    "expect_column_values_to_not_match_regex_list": _each([*TEXTS, "holes"], {"regex_list": ["^a", "7"]}),
    "expect_compound_columns_to_be_unique": _several({}, {"mostly": 0.5}),
    "expect_multicolumn_sum_to_equal": _several({"sum_total": 6}, {"sum_total": 0.3}),
    "expect_multicolumn_values_to_be_equal": _several({}, {"mostly": 0.1}),
    "expect_select_column_values_to_be_unique_within_record": _several({}, {"mostly": 0.5}),
    "expect_table_column_count_to_be_between": [{"min_value": 1, "max_value": 5}, {"min_value": 3}],
    "expect_table_column_count_to_equal": [{"value": DIRTY.width - 1}, {"value": 3}],
    "expect_table_columns_to_match_ordered_list": [
        {"column_list": DIRTY.columns[1:]},
        {"column_list": ["a"]},
    ],
    "expect_table_columns_to_match_set": [
        {"column_set": ["whole"], "exact_match": False},
        {"column_set": ["Whole", "hole"]},
    ],
    "expect_table_row_count_to_be_between": [
        {"min_value": 2, "max_value": 20},
        {"min_value": 10, "strict_min": True},
    ],
    "expect_table_row_count_to_equal": [{"value": 1}, {"value": ROWS}],
}

# In these Polars has no way to say what Python says.
IN_PYTHON = {
    "expect_column_values_to_be_dateutil_parseable",
    "expect_column_values_to_be_json_parseable",
    "expect_column_values_to_match_json_schema",
    "expect_column_values_to_match_strftime_format",
}


def entry(name: str, kwargs: dict[str, Any]) -> Expectation:
    """An entry as a suite would hold it once its parameters are filled in."""
    word = words()[name]
    assert wrong_values(name, kwargs) == []
    columns: tuple[str, ...] = ()
    if word.kind != "table":
        named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
        columns = tuple(kwargs.get("column_list", named))
    return Expectation(name, kwargs, "warning", word.kind, columns, 1)


def entries() -> list[Expectation]:
    return [entry(name, kwargs) for name, cases in CASES.items() for kwargs in cases]


def few(first: int) -> list[Expectation]:
    """Of each type an entry for each of its columns, with their arguments in turn."""
    alike = groupby(entries(), lambda each: (each.type, each.columns))
    cases = [list(group) for _, group in alike]
    return [group[turn % len(group)] for turn, group in enumerate(cases, first)]


@cache
def both(frame: str) -> dict[str, list[tuple[Expectation, Outcome, Outcome]]]:
    """By type, what the two engines say of each case that has a form in Polars; of the small frames, few."""
    table, asked = FRAMES[frame], entries() if frame == "dirty" else few([*FRAMES].index(frame))
    reasons = polars_engine.why_not(table.schema, asked)
    claimed = [each for each, why in zip(asked, reasons, strict=True) if why is None]
    polars = polars_engine.run("flights", table, claimed)
    pandas = pandas_engine.run("flights", table, claimed)
    found: dict[str, list[tuple[Expectation, Outcome, Outcome]]] = {}
    for each, ours, theirs in zip(claimed, polars, pandas, strict=True):
        found.setdefault(each.type, []).append((each, ours, theirs))
    return found


def differences(each: Expectation, ours: Outcome, theirs: Outcome) -> Iterator[str]:
    """In what two outcomes differ, numbers beyond rounding."""
    if (ours.error is None) != (theirs.error is None):
        yield f"errors {ours.error!r} and {theirs.error!r}"
    if ours.error or theirs.error:
        return
    if (ours.passed, ours.looked_at) != (theirs.passed, theirs.looked_at):
        yield f"passed, looked at {ours.passed, ours.looked_at} and {theirs.passed, theirs.looked_at}"
    if sorted(ours.rows) != sorted(theirs.rows):
        yield f"rows {ours.rows.to_list()} and {theirs.rows.to_list()}"
    if not alike(ours.observed, theirs.observed):
        yield f"observed {ours.observed!r} and {theirs.observed!r}"
    one, other = (outcome.document["result"] for outcome in (ours, theirs))
    for key in sorted(one.keys() | other.keys()):
        # Of several columns, and of the members of a set, the examples are shown in another way.
        other_way = key.startswith("partial_") and (each.kind != "rows" or len(each.columns) > 1)
        if not other_way and not alike(one.get(key), other.get(key)):
            yield f"{key} {one.get(key)!r} and {other.get(key)!r}"


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) or isinstance(other, float):
        close = isinstance(one, float | int) and isinstance(other, float | int)
        return close and (
            math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12) or (one != one and other != other)
        )
    return bool(one == other) or (one != one and other != other)


def test_every_word_has_a_case() -> None:
    assert CASES.keys() == words().keys()


@pytest.mark.parametrize(
    "frame", ["dirty", *(pytest.param(f, marks=pytest.mark.slow) for f in [*FRAMES][1:])]
)
@pytest.mark.parametrize("name", sorted(CASES.keys() - IN_PYTHON))
def test_the_engines_agree(frame: str, name: str) -> None:
    found = both(frame).get(name, [])
    wrong = [
        (dict(each.kwargs), *told)
        for each, ours, theirs in found
        if (told := [*differences(each, ours, theirs)])
    ]
    assert found and not wrong


@pytest.mark.parametrize("name", sorted(IN_PYTHON))
def test_what_has_no_form_says_so(name: str) -> None:
    (kwargs, *_) = CASES[name]
    (why,) = polars_engine.why_not(DIRTY.schema, [entry(name, kwargs)])
    assert why is not None and "no form in Polars that judges as pandas does: the condition" in why
    with pytest.raises(NoForm):
        polars_engine.run("flights", DIRTY, [entry(name, kwargs)])


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("match_regex", {"column": "text", "regex": "(?=a)"}, "'(?=a)'"),
        ("match_regex", {"column": "share", "regex": "1"}, "column 'share' of Float64 as text"),
        ("be_between", {"column": "text", "min_value": 1}, "column 'text' of String"),
        ("be_between", {"column": "whole", "min_value": EARLY}, "a bound datetime"),
        ("be_between", {"column": "whole", "min_value": 2.0**60}, "beyond what a float64 tells apart"),
        ("be_unique", {"column": "list"}, "column 'list' of List(Int64)"),
        ("not_be_in_set", {"column": "instant", "value_set": ["2013-03-10"]}, "a set with text"),
    ],
)
def test_what_pandas_sees_otherwise_has_no_form(name: str, kwargs: dict[str, Any], said: str) -> None:
    (why,) = polars_engine.why_not(DIRTY.schema, [entry(f"expect_column_values_to_{name}", kwargs)])
    assert why is not None and said in why


def test_most_cases_have_a_form() -> None:
    # Or agreement would be cheap.
    reasons = polars_engine.why_not(DIRTY.schema, entries())
    assert sum(why is None for why in reasons) > 0.7 * len(reasons)


def test_results_are_ready_for_json() -> None:
    for cases in both("dirty").values():
        for _, ours, _ in cases:
            json.dumps(ours.document, allow_nan=False)


@pytest.mark.slow
def test_a_file_is_read_as_the_frame_would_be(tmp_path: Path) -> None:
    # Many times the batch: its file has several row groups, which are read apart.
    many = pl.concat([DIRTY.drop("null")] * 6_000).with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
    many.write_parquet(tmp_path / "many.parquet", row_group_size=10_000)
    names = ["be_unique", "be_increasing", "match_regex", "be_in_set", "not_be_null"]
    asked = [
        entry(f"expect_column_values_to_{name}", kwargs)
        for name in names
        for kwargs in CASES[f"expect_column_values_to_{name}"]
        if kwargs["column"] != "null"
    ]
    reasons = polars_engine.why_not(many.schema, asked)
    asked = [each for each, why in zip(asked, reasons, strict=True) if why is None][::5]
    lazy = polars_engine.run("flights", pl.scan_parquet(tmp_path / "many.parquet"), asked)
    held = polars_engine.run("flights", many, asked)
    for each, one, other in zip(asked, lazy, held, strict=True):
        assert not [*differences(each, one, other)]


# Hashes and counters: their differences and sums are beyond 64 bits, or below zero.
HUGE = {"i": [-(2**63), 2**63 - 1, 5, 5, -1], "u": [7, 3, 3, 9, 2**64 - 1], "x": [-math.inf] * 4 + [1.0]}


@pytest.mark.parametrize(
    ("name", "kwargs", "rows", "observed"),
    [
        ("values_to_be_increasing", {"column": "i"}, [2, 4], None),
        ("values_to_be_decreasing", {"column": "i", "strictly": True}, [1, 3], None),
        ("values_to_be_increasing", {"column": "u"}, [1], None),
        ("sum_to_be_between", {"column": "i", "min_value": 1}, [], sum(HUGE["i"])),
        ("sum_to_be_between", {"column": "u", "min_value": 1}, [], sum(HUGE["u"])),
        ("median_to_be_between", {"column": "x", "max_value": 1}, [], -math.inf),
        ("value_lengths_to_be_between", {"column": "x", "min_value": 2**70}, None, None),
    ],
)
def test_numbers_at_the_ends_of_their_range(
    name: str, kwargs: dict[str, Any], rows: list[int] | None, observed: Any
) -> None:
    frame = pl.DataFrame(HUGE, {"i": pl.Int64, "u": pl.UInt64, "x": pl.Float64}).with_row_index("row")
    asked = [entry(f"expect_column_{name}", kwargs)]
    if rows is None:
        assert polars_engine.why_not(frame.schema, asked) != [None]
        return
    for engine in (polars_engine, pandas_engine):
        (found,) = engine.run("huge", frame, asked)
        assert found.error is None and found.rows.to_list() == rows
        assert observed is None or found.observed == observed


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "n": st.none() | st.integers(-3, 3),
    "f": st.none() | st.floats(allow_infinity=True, width=16),
    "s": st.none() | st.text("aA1é\n \u0661", max_size=3),
    "t": st.none() | st.integers(0, 86_400).map(lambda second: NIGHT + timedelta(seconds=second)),
}
ANY_CASES: list[tuple[str, dict[str, Any]]] = [
    ("column_values_to_be_unique", {"column": "n"}),
    ("column_values_to_be_unique", {"column": "f"}),
    ("column_values_to_be_increasing", {"column": "f"}),
    ("column_values_to_be_decreasing", {"column": "n", "strictly": True}),
    ("column_values_to_be_between", {"column": "f", "min_value": 0, "strict_min": True}),
    ("column_values_to_match_regex", {"column": "n", "regex": r"^-?\d(\.0)?$"}),
    ("column_values_to_match_regex", {"column": "s", "regex": r"\d$|^\s|\w\W"}),
    ("column_value_lengths_to_equal", {"column": "s", "value": 2}),
    ("column_values_to_not_be_outliers", {"column": "n", "multiplier": 0.5}),
    ("column_values_to_be_in_set", {"column": "f", "value_set": [0, 1, 0.5]}),
    ("compound_columns_to_be_unique", {"column_list": ["n", "s"], "ignore_row_if": "never"}),
    ("column_pair_values_a_to_be_greater_than_b", {"column_A": "n", "column_B": "f"}),
    ("column_median_to_be_between", {"column": "f", "max_value": 1}),
    ("column_most_common_value_to_be_in_set", {"column": "s", "value_set": ["a"]}),
    ("column_max_to_be_between", {"column": "t", "max_value": "2013-01-01T12:00:00+00:00"}),
]
ANY = [entry(f"expect_{name}", kwargs) for name, kwargs in ANY_CASES]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=8))
def test_the_engines_agree_on_any_dirt(rows: list[dict[str, Any]]) -> None:
    schema = {"n": pl.Int64(), "f": pl.Float64(), "s": pl.String(), "t": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame(rows, schema).with_row_index("row")
    found = zip(polars_engine.run("any", frame, ANY), pandas_engine.run("any", frame, ANY), strict=True)
    wrong = {each.type: [*differences(each, *pair)] for each, pair in zip(ANY, found, strict=True)}
    assert not any(wrong.values()), wrong
