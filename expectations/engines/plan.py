"""Plans for the Polars engine: what an entry of a suite needs from the rows, as Polars expressions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from great_expectations.expectations.expectation import Expectation as Judge
from great_expectations.validator.metric_configuration import MetricConfiguration

from expectations import custom
from expectations.engines.columns import Measured, measured
from expectations.engines.library import judges
from expectations.engines.rows import Rows, rows
from expectations.engines.values import Column, NoForm
from expectations.entries import Expectation


@dataclass(frozen=True, slots=True)
class Plan:
    """What one entry needs: a mask over the rows, or measures, by Great Expectations' names for them."""

    entry: Expectation
    columns: list[Column]
    judge: Judge | None = None
    rows: Rows | None = None
    measures: Mapping[str, Measured] | None = None


def plans(schema: pl.Schema, entries: Sequence[Expectation]) -> list[Plan | NoForm]:
    """The plan of each entry over columns of these dtypes, or why Polars has no form of it."""
    known = iter(judges([entry for entry in entries if entry.function is None]))
    return [_tried(schema, entry, next(known) if entry.function is None else None) for entry in entries]


def _tried(schema: pl.Schema, entry: Expectation, judge: Judge | None) -> Plan | NoForm:
    try:
        return _plan(schema, entry, judge)
    except NoForm as reason:
        return reason


def _plan(schema: pl.Schema, entry: Expectation, judge: Judge | None) -> Plan:
    columns = [Column(column, schema[column]) for column in entry.columns]
    if judge is None:
        good = _own(schema, entry)
        return Plan(entry, columns, rows=Rows(~good, good.count()))
    try:
        # In this format the library asks for the least: what the examples need is known here.
        needs = judge.get_validation_dependencies(
            runtime_configuration={"result_format": {"result_format": "BOOLEAN_ONLY"}}
        ).metric_configurations
    except ValueError as error:
        raise NoForm(str(error)) from error
    if entry.kind == "rows":
        condition = str(judge.map_metric)
        need = needs[f"{condition}.unexpected_count"]
        given = {**_given(entry, need), "ignore_row_if": need.metric_domain_kwargs.get("ignore_row_if")}
        return Plan(entry, columns, judge, rows=rows(condition, columns, given))
    measures = {
        name: measured(need.metric_name, columns[0], _given(entry, need))
        for name, need in needs.items()
        if entry.kind == "column"
    }
    return Plan(entry, columns, judge, measures=measures)


def _own(schema: pl.Schema, entry: Expectation) -> pl.Expr:
    """What a function of the project says of each row; SpecError if that is not true or false."""
    assert entry.function is not None
    good = custom.expression(entry.type, entry.function, entry.kwargs)
    try:
        dtype = pl.LazyFrame(schema=schema).select(good).collect_schema().dtypes()[0]
    except pl.exceptions.PolarsError as error:
        custom.fail(entry.function, f"{entry.type} does not fit the batch: {error}")
    if dtype not in (pl.Boolean, pl.Null):
        custom.fail(entry.function, f"{entry.type} should say true or false of each row, not {dtype}")
    # An aggregate says the same of every row.
    return good.cast(pl.Boolean) & pl.repeat(True, pl.len(), dtype=pl.Boolean)


def _given(entry: Expectation, need: MetricConfiguration) -> dict[str, Any]:
    """The arguments of a measure, its set as a whole."""
    given = dict(need.metric_value_kwargs)
    return {**given, "value_set": entry.kwargs["value_set"]} if "value_set" in given else given
