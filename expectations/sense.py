"""Arguments that the library would take, but with which an expectation holds for any data, or for none."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from great_expectations.execution_engine.util import is_valid_partition_object

Kwargs = Mapping[str, Any]
Problem = tuple[str, str]

# The library cuts the bounds of these down to whole numbers, without a word.
COUNTS = re.compile(r"expect_\w+_(count|lengths)_to_be_between")
_NEVER_NEGATIVE = re.compile(r"expect_\w+_(count|lengths|stdev|proportion_of_\w+)_to_be_between")
_ANY, _NONE = "it would hold for any data", "it would hold for no data"


def senseless(name: str, kwargs: Kwargs, *, bounded: bool) -> list[Problem]:
    """What is wrong with the arguments, each with the reason; "" stands for all.

    `bounded`: the expectation is about bounds.

    >>> senseless("expect_column_values_to_be_in_set", {"column": "a", "value_set": []}, bounded=False)
    [('value_set', 'it is empty: there is nothing to compare with')]
    """
    found = [*_lists(kwargs), *_patterns(kwargs), *_quantiles(kwargs), *_distributions(kwargs)]
    return found or (list(_bounds(name, kwargs)) if bounded else [])


def instant(value: str) -> datetime:
    """The instant that a text in ISO 8601 names, in UTC where it has no zone; ValueError if it is none."""
    read = datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _lists(kwargs: Kwargs) -> Iterator[Problem]:
    if kwargs.get("mostly") == 0:
        yield "mostly", f"0: {_ANY}"
    for key in ("value_set", "value_pairs_set", "column_set", "regex_list"):
        if key in kwargs and kwargs[key] == []:
            yield key, "it is empty: there is nothing to compare with"
    columns = kwargs.get("column_list", ())
    for place, column in enumerate(columns if isinstance(columns, list) else ()):
        if column in columns[:place]:
            yield "column_list", f"{column!r} is there twice"
    if "column_A" in kwargs and kwargs["column_A"] == kwargs.get("column_B"):
        yield "column_B", f"{kwargs['column_B']!r} would be compared with itself"


def _patterns(kwargs: Kwargs) -> Iterator[Problem]:
    for key in ("regex", "regex_list"):
        listed = kwargs.get(key, [])
        for pattern in listed if isinstance(listed, list) else [listed]:
            try:
                if not isinstance(pattern, dict) and not re.compile(str(pattern)).pattern:
                    yield key, "an empty pattern is in any text"
            except re.error as error:
                yield key, f"{pattern!r} cannot be read: {error}"


def _quantiles(kwargs: Kwargs) -> Iterator[Problem]:
    asked = kwargs.get("quantile_ranges")
    if asked is None or "$PARAMETER" in asked:
        return
    quantiles, ranges = asked.get("quantiles", []), asked.get("value_ranges", [])
    if not quantiles or len(quantiles) != len(ranges):
        yield "quantile_ranges", "there should be quantiles, and as many value_ranges"
    elif not all(0 <= quantile <= 1 for quantile in quantiles):
        yield "quantile_ranges", f"quantiles {quantiles} should be shares from 0 to 1"
    elif any(len(each) != 2 for each in ranges):
        yield "quantile_ranges", "each of value_ranges should be two bounds, such as [0, null]"
    elif all(low is None and high is None for low, high in ranges):
        yield "quantile_ranges", f"there is no bound: {_ANY}"
    elif any(low > high for low, high in ranges if None not in (low, high)):
        yield "quantile_ranges", f"in value_ranges {ranges} one is above the other: {_NONE}"


def _distributions(kwargs: Kwargs) -> Iterator[Problem]:
    weights = kwargs.get("partition_object")
    if isinstance(weights, dict) and "$PARAMETER" not in weights:
        try:
            valid = bool(weights.get("values") or weights.get("bins")) and is_valid_partition_object(weights)
        except (TypeError, ValueError):
            valid = False
        if not valid:
            yield (
                "partition_object",
                "it should hold values or rising bins, and a weight for each that add up to 1",
            )
        if (threshold := kwargs.get("threshold")) is not None and threshold < 0:
            yield "threshold", f"{threshold} is below 0: {_NONE}"


def _bounds(name: str, kwargs: Kwargs) -> Iterator[Problem]:
    ends = {key: kwargs[key] for key in ("min_value", "max_value") if kwargs.get(key) is not None}
    if not ends:
        yield "", f"min_value and max_value are both missing: {_ANY}"
    for key, value in ends.items():
        if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
            yield key, f"{value!r} is no bound: write a number or an instant, or leave it out"
            return
        if isinstance(value, float) and not value.is_integer() and COUNTS.fullmatch(name):
            yield key, f"{value} should be a whole number: it bounds a count"
            return
        try:
            ends[key] = instant(value) if isinstance(value, str) else value
        except ValueError as error:
            yield key, f"{value!r} cannot be read: {error}"
            return
    yield from _between(name, kwargs, *map(ends.get, ("min_value", "max_value")))


def _between(name: str, kwargs: Kwargs, low: Any, high: Any) -> Iterator[Problem]:
    if any(isinstance(end, dict) for end in (low, high)):
        return
    if low is not None and high is not None:
        if isinstance(low, datetime) != isinstance(high, datetime):
            yield "", "min_value and max_value should both be numbers, or both instants"
        elif low > high:
            yield "min_value", f"{kwargs['min_value']} is above max_value {kwargs['max_value']}: {_NONE}"
        elif low == high and (kwargs.get("strict_min") or kwargs.get("strict_max")):
            yield "min_value", f"nothing lies between {kwargs['min_value']} and itself: {_NONE}"
    if isinstance(low or 0, int | float) and _NEVER_NEGATIVE.fullmatch(name):
        # A share is never above 1, either.
        free = high is None or ("_proportion_" in name and high >= 1 and not kwargs.get("strict_max"))
        if free and (low is None or low < 0 or (low == 0 and not kwargs.get("strict_min"))):
            yield "min_value" if low is not None else "max_value", _ANY
