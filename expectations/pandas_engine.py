"""Great Expectations on pandas: runs the entries of a suite over one batch held in memory."""

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import great_expectations as gx
import pandas as pd
import polars as pl
import polars.selectors as cs
from great_expectations.core import ExpectationSuite
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig

from core.errors import IntegrityError
from expectations.suites import Expectation
from expectations.verdict import Outcome

ENGINE = "great_expectations on pandas"

_EXAMPLES = 20
_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "partial_unexpected_count": _EXAMPLES,
    "include_unexpected_rows": False,
    "return_unexpected_index_query": False,
}

# Above this a float64 no longer tells neighbouring whole numbers apart.
_EXACT = 2**53

_LONG = 50

# An aggregate that leaves no null out.
_COUNTS_NULLS = "expect_column_proportion_of_non_null_values_to_be_between"


def run(name: str, frame: pl.DataFrame, entries: Sequence[Expectation]) -> list[Outcome]:
    """What Great Expectations finds in `frame` (with `row`, unique) for each entry, in their order.

    The arguments of the entries hold values, no parameters. A context lives as long as the call,
    so that threads share none. Raises IntegrityError if an entry or a failing row is lost.
    """
    # Each context tells at level INFO of a temporary folder that it removes again.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("batch").get_batch({"dataframe": _pandas(frame)})
    results = batch.validate(_suite(name, frame, entries), result_format=_RESULT_FORMAT).results
    by_entry = {_place(result): result for result in results}
    if sorted(by_entry) != list(range(len(entries))):
        raise IntegrityError(
            f"suite {name}: {len(entries)} expectations went in, {len(results)} results came out"
        )
    return [_outcome(entry, by_entry[place], frame) for place, entry in enumerate(entries)]


def _place(result: ExpectationValidationResult) -> int:
    configuration = result.expectation_config
    return -1 if configuration is None else int(configuration.meta["entry"])


def _suite(name: str, frame: pl.DataFrame, entries: Sequence[Expectation]) -> ExpectationSuite:
    # The library drops what it does not understand and returns its results in another order.
    configurations = [
        {
            "type": entry.type,
            "kwargs": {key: _argument(frame, entry, key) for key in entry.kwargs},
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


def _argument(frame: pl.DataFrame, entry: Expectation, key: str) -> Any:
    value = entry.kwargs[key]
    if key in ("min_value", "max_value") and isinstance(value, str):
        instant = datetime.fromisoformat(value)
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if key == "value_set" and entry.type == "expect_column_values_to_be_in_set" and len(value) > _LONG:
        # The library copies a set a hundred times: members that do not occur cost, and change nothing.
        there = set(frame[entry.columns[0]].unique())
        return [member for member in value if member in there]
    return value


def _pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """The batch with `row` as its index, in the few dtypes that the library is quick and right on."""
    plain = frame.drop("row").with_columns(
        (cs.integer() - cs.by_dtype(pl.UInt64)).cast(pl.Int64),
        cs.float().cast(pl.Float64),
        cs.categorical().cast(pl.String),
        cs.date().cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        cs.datetime(time_zone=None).dt.replace_time_zone("UTC"),
    )
    table = plain.to_pandas()
    for column in plain.select(cs.integer()):
        if column.null_count() and (column.cast(pl.Float64).abs() >= _EXACT).any():
            table[column.name] = pd.Series(column.to_list(), dtype=object)
    table.index = pd.Index(frame["row"].to_numpy())
    return table


def _outcome(entry: Expectation, result: ExpectationValidationResult, frame: pl.DataFrame) -> Outcome:
    error = _error(result.exception_info)
    found = dict(result.result)
    failing, _ = found.pop("unexpected_index_list", []), found.pop("unexpected_list", None)
    passed = bool(result.success) and error is None
    if entry.kind == "rows" and error is None and len(failing) != found["unexpected_count"]:
        raise IntegrityError(f"{entry.type}: {found['unexpected_count']} rows fail, {len(failing)} are known")
    rows = pl.Series("row", failing, pl.UInt32)
    result.result = found
    document = {"success": passed, "result": _plain(result.to_json_dict()["result"])}
    return Outcome(
        passed, _looked_at(entry, found, frame), rows, found.get("observed_value"), document, error
    )


def _looked_at(entry: Expectation, found: Mapping[str, Any], frame: pl.DataFrame) -> int:
    if entry.kind == "rows":
        return int(found.get("element_count") or 0) - int(found.get("missing_count") or 0)
    if entry.kind == "table" or entry.type == _COUNTS_NULLS:
        return frame.height
    column = frame[entry.columns[0]]
    return column.len() - int(
        column.fill_nan(None).null_count() if column.dtype.is_float() else column.null_count()
    )


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
