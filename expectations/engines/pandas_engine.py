"""Great Expectations on pandas: runs the entries of a suite over one batch held in memory."""

import gc
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import great_expectations as gx
import pandas as pd
import polars as pl
import polars.selectors as cs
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig

from core.errors import IntegrityError
from expectations.engines.library import RESULT_FORMAT, argument, loaded, outcome
from expectations.engines.values import Column
from expectations.entries import Expectation
from expectations.verdict import Outcome

ENGINE = "great_expectations on pandas"

# From here on a float64 no longer tells neighbouring whole numbers apart.
EXACT = 2**53

_LONG = 50

_QUANTILES = "expect_column_quantile_values_to_be_between"

_LARGE = 8  # megabytes of a batch

# An aggregate that leaves no null out.
COUNTS_NULLS = "expect_column_proportion_of_non_null_values_to_be_between"


def run(name: str, frame: pl.DataFrame, entries: Sequence[Expectation]) -> list[Outcome]:
    """What Great Expectations finds in `frame` (with `row`, unique) for each entry, in their order.

    The arguments of the entries hold values, no parameters. A context lives as long as the call,
    so that threads share none. Raises IntegrityError if an entry or a failing row is lost.
    """
    try:
        return _run(name, frame, entries)
    finally:
        # The library's objects refer to each other in circles, and hold on to copies of the batch.
        if frame.estimated_size("mb") > _LARGE:
            gc.collect()


def _run(name: str, frame: pl.DataFrame, entries: Sequence[Expectation]) -> list[Outcome]:
    # Each context tells at level INFO of a temporary folder that it removes again.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("batch").get_batch({"dataframe": _pandas(frame)})
    outcomes: dict[int, Outcome] = {}
    for places in _apart(entries):
        mine = [entries[place] for place in places]
        suite = loaded(name, mine, lambda entry, key: _argument(frame, entry, key))
        # The library gives its results back in another order.
        results = batch.validate(suite, result_format=RESULT_FORMAT).results
        by_entry = {_place(result): result for result in results}
        if sorted(by_entry) != list(range(len(mine))):
            raise IntegrityError(
                f"suite {name}: {len(mine)} expectations went in, {len(results)} results came out"
            )
        outcomes |= {place: _outcome(entries[place], by_entry[at], frame) for at, place in enumerate(places)}
    return [outcomes[place] for place in range(len(entries))]


def _apart(entries: Sequence[Expectation]) -> list[list[int]]:
    """The places of the entries that may be judged at once: nearly always all.

    Quantiles of one column may not: the library gives the first ones for all of them.
    """
    rounds: list[list[int]] = [[]]
    seen: Counter[str] = Counter()
    for place, entry in enumerate(entries):
        turn = seen[entry.columns[0]] if entry.type == _QUANTILES else 0
        if entry.type == _QUANTILES:
            seen[entry.columns[0]] += 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(place)
    return rounds


def _place(result: ExpectationValidationResult) -> int:
    configuration = result.expectation_config
    return -1 if configuration is None else int(configuration.meta["entry"])


def _argument(frame: pl.DataFrame, entry: Expectation, key: str) -> Any:
    value = argument(entry, key)
    if key == "value_set" and entry.type == "expect_column_values_to_be_in_set" and len(value) > _LONG:
        # The library copies a set a hundred times: members that do not occur cost, and change nothing.
        column = Column(entry.columns[0], frame.schema[entry.columns[0]])
        there = set(frame.select(column.value.unique()).to_series())
        return [member for member in value if member in there]
    return value


def _pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """The batch with `row` as its index, in the few dtypes that the library is quick and right on."""
    plain = frame.drop("row").with_columns(
        (cs.integer() - cs.by_dtype(pl.UInt64)).cast(pl.Int64),
        cs.float().cast(pl.Float64),
        (cs.categorical() | cs.enum()).cast(pl.String),
        cs.date().cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        cs.datetime(time_zone=None).dt.replace_time_zone("UTC"),
    )
    table = plain.to_pandas()
    for column in plain.select(cs.integer()):
        if _needs_python(column.rename("")):
            table[column.name] = pd.Series(column.to_list(), dtype=object)
    table.index = pd.Index(frame["row"].to_numpy())
    return table


def _needs_python(numbers: pl.Series) -> bool:
    """Whether NumPy would lose something: as floats beside a null, in sums and differences, below zero."""
    sizes = numbers.cast(pl.Float64).abs()
    holes = numbers.null_count() > 0 and bool((sizes >= EXACT).any())
    return holes or float(sizes.sum()) >= 2**63 or numbers.dtype == pl.UInt64


def _outcome(entry: Expectation, result: ExpectationValidationResult, frame: pl.DataFrame) -> Outcome:
    rows = pl.Series("row", result.result.get("unexpected_index_list") or [], pl.UInt32)
    return outcome(entry, result, rows, _looked_at(entry, frame))


def _looked_at(entry: Expectation, frame: pl.DataFrame) -> int | None:
    if entry.kind == "rows":
        return None
    if entry.kind == "table" or entry.type == COUNTS_NULLS:
        return frame.height
    column = frame[entry.columns[0]]
    return column.len() - int(
        column.fill_nan(None).null_count() if column.dtype.is_float() else column.null_count()
    )
