"""The expectations that a suite may use: Great Expectations' own, with the arguments each one takes."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import great_expectations.expectations.core as core_expectations
from great_expectations.compatibility.pydantic import ValidationError
from great_expectations.expectations.expectation import (
    ColumnAggregateExpectation,
    ColumnMapExpectation,
    ColumnPairMapExpectation,
    Expectation,
    MulticolumnMapExpectation,
)

from core.words import nearest
from expectations.sense import COUNTS, senseless

Kind = Literal["rows", "column", "table"]

_ROW_LEVEL = (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)

# These have no form for data frames in the library.
_SQL_ONLY = frozenset(
    {
        "expect_column_values_to_match_like_pattern",
        "expect_column_values_to_match_like_pattern_list",
        "expect_column_values_to_not_match_like_pattern",
        "expect_column_values_to_not_match_like_pattern_list",
        "expect_query_results_to_match_comparison",
        "expect_table_row_count_to_equal_other_table",
        "unexpected_rows_expectation",
    }
)

# A nullable integer is a float in pandas: these would judge the engine, not the data.
_TYPE_CHECKS = frozenset(
    {
        "expect_column_type_to_be",
        "expect_column_values_to_be_in_type_list",
        "expect_column_values_to_be_of_type",
    }
)

_NOT_ARGUMENTS = frozenset(
    {*Expectation.__fields__, "batch_id", "row_condition", "condition_parser", "library_metadata"}
)

# The library gives these a default with which the expectation holds for any data.
_NEVER_DEFAULT = frozenset({"regex", "column_set", "column_list", "partition_object", "threshold"})


@dataclass(frozen=True, slots=True)
class Word:
    """One expectation type: what it speaks about, and the names of its arguments."""

    type: str
    kind: Kind
    arguments: tuple[str, ...]
    needed: tuple[str, ...]


@cache
def words() -> dict[str, Word]:
    """Every expectation type that a suite may use, by its name.

    >>> words()["expect_column_values_to_be_in_set"]
    Word(type='expect_column_values_to_be_in_set', kind='rows', arguments=('column', 'mostly', \
'value_set'), needed=('column', 'value_set'))
    """
    classes = _classes()
    return {name: _word(name, classes[name]) for name in sorted(classes)}


def why_not(name: str, functions: Collection[str] = ()) -> str:
    """Why `name` is no expectation type that a suite may use, and what comes nearest.

    `functions` are the project's own expectations.
    """
    if name in _SQL_ONLY:
        return f"{name!r} is for SQL tables only; a suite runs on data frames"
    if name in _TYPE_CHECKS:
        return f"{name!r} cannot be used: column types belong in `columns` of the project's spec"
    return f"unknown expectation type {name!r}{nearest(name, [*words(), *functions])}"


def wrong_values(name: str, kwargs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The arguments whose values the expectation cannot take, each with the reason; "" stands for all.

    >>> wrong_values("expect_column_mean_to_be_between", {"column": "distance"})
    [('', 'min_value and max_value are both missing: it would hold for any data')]
    """
    nulls = [(key, "null says nothing: leave it out") for key, value in kwargs.items() if value is None]
    try:
        made = _classes()[name](**kwargs)
    except ValidationError as error:
        reasons: dict[str, str] = {}
        for problem in error.errors():
            argument = str(problem["loc"][0])
            reasons.setdefault("" if argument == "__root__" else argument, problem["msg"])
        return nulls + list(reasons.items())
    word = words()[name]
    bounded = "min_value" in word.arguments and "threshold" not in word.needed
    return nulls or _reread(made, kwargs) or senseless(name, kwargs, bounded=bounded)


def whole_bounds(name: str, kwargs: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """The arguments, with the bounds of a count under `keys` as the whole numbers that mean the same.

    >>> whole_bounds("expect_table_row_count_to_be_between", {"min_value": 50.5}, ["min_value"])
    {'min_value': 51}
    """
    rounded = dict(kwargs)
    for key, up in (("min_value", True), ("max_value", False)):
        value = kwargs.get(key)
        if key in keys and isinstance(value, float) and math.isfinite(value) and COUNTS.fullmatch(name):
            # Above 50.5 is above 50, at least 50.5 is at least 51.
            strict = bool(kwargs.get(f"strict_{key[:3]}"))
            rounded[key] = math.ceil(value) if up != strict else math.floor(value)
    return rounded


@cache
def _classes() -> dict[str, type[Expectation]]:
    members = vars(core_expectations).values()
    classes: list[type[Expectation]] = [
        member for member in members if isinstance(member, type) and issubclass(member, Expectation)
    ]
    # Abstract classes have no type.
    found = {
        expectation.expectation_type: expectation for expectation in classes if expectation.expectation_type
    }
    return {name: found[name] for name in found.keys() - _SQL_ONLY - _TYPE_CHECKS}


def _word(name: str, expectation: type[Expectation]) -> Word:
    fields = {key: field for key, field in expectation.__fields__.items() if key not in _NOT_ARGUMENTS}
    kind: Kind = "table"
    if issubclass(expectation, _ROW_LEVEL):
        kind = "rows"
    elif issubclass(expectation, ColumnAggregateExpectation):
        kind = "column"
    needed = tuple(key for key, field in fields.items() if field.required or key in _NEVER_DEFAULT)
    return Word(name, kind, tuple(fields), needed)


def _reread(made: Expectation, kwargs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Texts that the library takes for numbers, or for true and false; and true and false for numbers."""
    found = []
    for key, value in kwargs.items():
        held = getattr(made, key, value)
        if key in ("min_value", "max_value") or not isinstance(value, str | bool):
            continue
        if isinstance(held, bool) and isinstance(value, str):
            found.append((key, f"{value!r} should be true or false"))
        elif isinstance(held, int | float) and not isinstance(held, bool):
            found.append((key, f"{value!r} should be a number, without quotes"))
    return found
