"""Says in a sentence what a failed expectation found."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from expectations.entries import Expectation
from expectations.verdict import Outcome

_SHOWN = 8

Kwargs = Mapping[str, Any]


def sentence(entry: Expectation, kwargs: Kwargs, outcome: Outcome, examples: Sequence[str]) -> str:
    """The columns, how many failed of how many, what was wrong, examples.

    `kwargs` are the entry's, its parameters replaced by their values. A result:
    "distance: 3 of 27,004 values not between 1 and 6,000 (e.g. -5)".
    """
    subject = ", ".join(entry.columns)
    if entry.kind != "table" and not outcome.looked_at:
        return f"{subject}: there is no value to judge (`meta: {{allow_all_null: true}}` allows that)"
    if entry.kind != "rows":
        return _whole(entry, kwargs, outcome.observed)
    what = "values" if len(entry.columns) == 1 else "rows"
    wrong = _WRONG[entry.type](entry, kwargs) if entry.type in _WRONG else f"fail {entry.type}"
    most = f", of which {1 - kwargs['mostly']:.4g} may" if kwargs.get("mostly", 1) < 1 else ""
    example = f" (e.g. {'; '.join(examples)})" if examples else ""
    return f"{subject}: {len(outcome.rows):,} of {outcome.looked_at:,} {what}{most} {wrong}{example}"


def _whole(entry: Expectation, kwargs: Kwargs, observed: Any) -> str:
    if entry.type == "expect_column_to_exist":
        return f"{kwargs['column']}: there is no such column"
    subject = ", ".join(entry.columns) or "the batch"
    measure = re.fullmatch(r"expect_(?:column|table)_(\w+)_to_be_between", entry.type)
    if measure and ("min_value" in kwargs or "max_value" in kwargs):
        return f"{subject}: {measure[1].replace('_', ' ')} {_shown(observed)} is not {_bounds(kwargs)}"
    found = "" if observed is None else f" (found {_shown(observed)})"
    return f"{subject}: fails {entry.type}{found}"


def _bounds(kwargs: Kwargs) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    strict = kwargs.get("strict_min"), kwargs.get("strict_max")
    if low is not None and high is not None and not any(strict):
        return f"between {_shown(low)} and {_shown(high)}"
    above = f"{'above' if strict[0] else 'at least'} {_shown(low)}" if low is not None else ""
    below = f"{'below' if strict[1] else 'at most'} {_shown(high)}" if high is not None else ""
    return " and ".join(part for part in (above, below) if part)


def _set(entry: Expectation, kwargs: Kwargs) -> str:
    values = kwargs["value_set"]
    if "value_set" in entry.parameters:
        return f"the {len(values):,} values of {entry.parameters['value_set']}"
    more = f" … ({len(values):,} values)" if len(values) > _SHOWN else ""
    return f"{{{', '.join(str(value) for value in values[:_SHOWN])}}}{more}"


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return "nothing" if value is None else str(value)[:200]


_WRONG: dict[str, Callable[[Expectation, Kwargs], str]] = {
    "expect_column_values_to_be_between": lambda _, kwargs: f"not {_bounds(kwargs)}",
    "expect_column_values_to_not_be_null": lambda _, kwargs: "null",
    "expect_column_values_to_be_null": lambda _, kwargs: "not null",
    "expect_column_values_to_be_unique": lambda _, kwargs: "not unique",
    "expect_compound_columns_to_be_unique": lambda _, kwargs: "not unique",
    "expect_column_values_to_be_in_set": lambda entry, kwargs: f"not in {_set(entry, kwargs)}",
    "expect_column_values_to_not_be_in_set": lambda entry, kwargs: f"in {_set(entry, kwargs)}",
    "expect_column_values_to_match_regex": lambda _, kwargs: f"not matching {kwargs['regex']}",
    "expect_column_values_to_not_match_regex": lambda _, kwargs: f"matching {kwargs['regex']}",
    "expect_column_value_lengths_to_be_between": lambda _, kwargs: f"of a length not {_bounds(kwargs)}",
    "expect_column_value_lengths_to_equal": lambda _, kwargs: f"of a length other than {kwargs['value']}",
    "expect_column_pair_values_to_be_equal": lambda entry, _: "with different values",
    "expect_column_pair_values_a_to_be_greater_than_b": lambda entry, kwargs: (
        f"with {entry.columns[0]} {'below' if kwargs.get('or_equal') else 'not above'} {entry.columns[1]}"
    ),
}
