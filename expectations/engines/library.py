"""Great Expectations' part in every engine: its expectations, filled in, and its results."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
from great_expectations.core import ExpectationSuite
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.expectations.expectation import Expectation as Judge

from core.errors import IntegrityError
from expectations.entries import Expectation
from expectations.sense import instant
from expectations.verdict import Outcome

EXAMPLES = 20
RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "partial_unexpected_count": EXAMPLES,
    "include_unexpected_rows": False,
    "return_unexpected_index_query": False,
}

Argument = Callable[[Expectation, str], Any]


def argument(entry: Expectation, key: str) -> Any:
    """An argument as the library compares it: a bound in text is an instant, UTC where it has no zone."""
    value = entry.kwargs[key]
    if key in ("min_value", "max_value") and isinstance(value, str):
        return instant(value)
    return value


def loaded(name: str, entries: Sequence[Expectation], given: Argument = argument) -> ExpectationSuite:
    """The suite of these entries; an expectation's place among them is `meta["entry"]`.

    Raises IntegrityError if the library drops one: it does so with what it does not understand.
    """
    configurations = [
        {
            "type": entry.type,
            "kwargs": {key: given(entry, key) for key in entry.kwargs},
            "severity": entry.severity,
            "meta": {"entry": place},
        }
        for place, entry in enumerate(entries)
    ]
    suite = ExpectationSuite(name=name, expectations=configurations)
    if len(suite.expectations) != len(entries):
        raise IntegrityError(
            f"suite {name}: {len(suite.expectations)} of {len(entries)} expectations were loaded"
        )
    return suite


def judges(entries: Sequence[Expectation]) -> list[Judge]:
    """The library's expectation for each entry, in order: it judges by what others measured.

    What only the measures need is not in it: a long set, which the library would copy a hundred times.
    """
    judging = loaded("judges", entries, _short).expectations
    by_place = {judge.meta["entry"]: judge for judge in judging if judge.meta}
    return [by_place[place] for place in range(len(entries))]


def _short(entry: Expectation, key: str) -> Any:
    compared = entry.type == "expect_column_most_common_value_to_be_in_set"
    return entry.kwargs[key][:1] if key == "value_set" and not compared else argument(entry, key)


def judged(judge: Judge, measures: Mapping[str, Any]) -> ExpectationValidationResult:
    """What an expectation says of these measures, each under the library's name for it.

    What it raises, as its own validator does with it, is the result.
    """
    try:
        said = judge._validate(dict(measures), {"result_format": dict(RESULT_FORMAT)})
    except Exception as error:
        raised = {"raised_exception": True, "exception_message": str(error)}
        return ExpectationValidationResult(success=False, result={}, exception_info=raised)
    if isinstance(said, ExpectationValidationResult):
        return said
    return ExpectationValidationResult(success=bool(said["success"]), result=said.get("result", {}))


def outcome(
    entry: Expectation, result: ExpectationValidationResult, rows: pl.Series, looked_at: int | None
) -> Outcome:
    """What a result says of an entry.

    `rows` are the failing ones. `looked_at` is None where the result itself counts what it judged.
    """
    error = _error(result.exception_info or {"raised_exception": False})
    found = {key: value for key, value in result.result.items() if key not in _LISTS}
    if entry.kind == "rows" and error is None and len(rows) != found["unexpected_count"]:
        raise IntegrityError(f"{entry.type}: {found['unexpected_count']} rows fail, {len(rows)} are known")
    passed = bool(result.success) and error is None
    result.result = found
    document = {"success": passed, "result": _plain(result.to_json_dict()["result"])}
    judged = int(found.get("element_count") or 0) - int(found.get("missing_count") or 0)
    return Outcome(
        passed,
        judged if looked_at is None else looked_at,
        rows.cast(pl.UInt32),
        found.get("observed_value"),
        document,
        error,
    )


# Of every failing row: told as rows, not in the document.
_LISTS = ("unexpected_index_list", "unexpected_list")


def _error(information: Mapping[str, Any]) -> str | None:
    """The first exception in a result: it holds one, or one a metric."""
    each = [information] if "raised_exception" in information else list(information.values())
    raised = [str(one["exception_message"]) for one in each if one["raised_exception"]]
    return raised[0] if raised else None


def _plain(value: Any) -> Any:
    """The value as JSON knows it: no NaN, no infinity."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
