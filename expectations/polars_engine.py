"""Runs the entries of a suite as one Polars plan: it measures, Great Expectations' expectations judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from great_expectations.expectations.expectation import Expectation as Judge
from great_expectations.validator.metric_configuration import MetricConfiguration

from expectations import custom
from expectations.library import EXAMPLES, judged, judges, outcome
from expectations.pandas_engine import COUNTS_NULLS
from expectations.polars_columns import Measured, measured
from expectations.polars_rows import Rows, rows
from expectations.polars_values import Column, NoForm
from expectations.suites import Expectation
from expectations.verdict import Outcome

ENGINE = "polars"

# As many values as the library itself looks at for the commonest ones.
_SAMPLE = 200


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one entry needs: a mask over the rows, or measures, by Great Expectations' names for them."""

    entry: Expectation
    columns: list[Column]
    judge: Judge | None = None
    rows: Rows | None = None
    measures: Mapping[str, Measured] | None = None


def run(name: str, frame: pl.DataFrame | pl.LazyFrame, entries: Sequence[Expectation]) -> list[Outcome]:
    """What is found in `frame` (with `row`, unique) for each entry of a suite, in their order, in one pass.

    The arguments of the entries hold values, no parameters. Raises NoForm for an entry that Polars
    cannot judge as Great Expectations does on pandas: `why_not` tells beforehand.
    """
    schema = frame.lazy().collect_schema()
    try:
        plans = [_plan(schema, entry, judge) for entry, judge in _judged(entries)]
    except NoForm as reason:
        raise NoForm(f"suite {name}: {reason}") from None
    found = _Found(_collected(frame.lazy(), schema, plans), schema)
    return [_outcome(plan, place, found) for place, plan in enumerate(plans)]


def why_not(schema: pl.Schema, entries: Sequence[Expectation]) -> list[str | None]:
    """For each entry why it has no form in Polars, on columns of these dtypes; None where it has one."""
    return [_reason(schema, entry, judge) for entry, judge in _judged(entries)]


def _reason(schema: pl.Schema, entry: Expectation, judge: Judge | None) -> str | None:
    try:
        _plan(schema, entry, judge)
    except NoForm as reason:
        return f"Polars has no form of {reason} that judges as pandas does"
    return None


def _judged(entries: Sequence[Expectation]) -> list[tuple[Expectation, Judge | None]]:
    known = iter(judges([entry for entry in entries if entry.function is None]))
    return [(entry, next(known) if entry.function is None else None) for entry in entries]


def _plan(schema: pl.Schema, entry: Expectation, judge: Judge | None) -> _Plan:
    columns = [Column(column, schema[column]) for column in entry.columns]
    if judge is None:
        assert entry.function is not None
        good = custom.expression(entry.type, entry.function, entry.kwargs)
        return _Plan(entry, columns, rows=Rows(~good, good.count()))
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
        return _Plan(entry, columns, judge, rows=rows(condition, columns, given))
    measures = {
        name: measured(need.metric_name, columns[0], _given(entry, need))
        for name, need in needs.items()
        if entry.kind == "column"
    }
    return _Plan(entry, columns, judge, measures=measures)


def _given(entry: Expectation, need: MetricConfiguration) -> dict[str, Any]:
    """The arguments of a measure; a set is the whole one."""
    sets = {key: entry.kwargs[key] for key in ("value_set",) if key in need.metric_value_kwargs}
    return {**need.metric_value_kwargs, **sets}


def _collected(frame: pl.LazyFrame, schema: pl.Schema, plans: Sequence[_Plan]) -> pl.DataFrame:
    """All that the plans need, as one row: what is measured, and the rows where a mask is true."""
    mark = _mark(schema)
    masks = {f"{mark}{place}": plan.rows.bad for place, plan in enumerate(plans) if plan.rows}
    wanted = {"rows": pl.len()}
    for place, plan in enumerate(plans):
        for column in plan.columns if plan.entry.kind == "column" else ():
            wanted[f"count {column.name}"] = column.value.count()
        for name, measure in (plan.measures or {}).items():
            wanted |= {f"{place} {name} {part}": each for part, each in enumerate(measure.parts)}
        if plan.rows:
            failing = pl.col(f"{mark}{place}").arg_true()
            if plan.rows.key is not None:
                failing = failing.filter(plan.rows.key.gather(failing).is_duplicated())
            wanted[f"{place} judged"] = plan.rows.judged
            wanted[f"{place} rows"] = pl.col("row").gather(failing).implode()
            sample = failing.head(_SAMPLE)
            wanted |= {
                f"{place} sample {number}": column.shown.gather(sample).implode()
                for number, column in enumerate(plan.columns)
            }
    return frame.with_columns(**masks).select(**wanted).collect()


def _mark(schema: pl.Schema) -> str:
    """A beginning that no column of the frame has."""
    mark = "failing "
    while any(column.startswith(mark) for column in schema):
        mark += " "
    return mark


@dataclass(frozen=True, slots=True)
class _Found:
    """What was collected, as plain values; an instant as pandas holds it."""

    values: pl.DataFrame
    schema: pl.Schema

    def __getitem__(self, name: str) -> Any:
        column = self.values[name]
        return column.to_pandas().iloc[0] if isinstance(column.dtype, pl.Datetime) else column[0]

    def sample(self, place: int, plan: _Plan) -> list[Any]:
        """Values of the first failing rows, in the form in which the library lists them."""
        columns = range(len(plan.columns))
        values = [self[f"{place} sample {number}"].to_pandas().tolist() for number in columns]
        if len(values) == 1:
            return list(values[0])
        together = list(zip(*values, strict=True))
        return (
            [dict(zip(plan.entry.columns, each, strict=True)) for each in together]
            if ("column_list" in plan.entry.kwargs)
            else together
        )


def _outcome(plan: _Plan, place: int, found: _Found) -> Outcome:
    failing = found[f"{place} rows"] if plan.rows else pl.Series("row", [], pl.UInt32)
    if plan.judge is None:
        return _of_function(plan, place, found, failing)
    entry, names = plan.entry, found.schema.names()
    metrics = {"table.row_count": found["rows"]}
    metrics |= {
        "table.columns": [name for name in names if name != "row"],
        "table.column_count": len(names) - 1,
    }
    for name, measure in (plan.measures or {}).items():
        parts = (found[f"{place} {name} {part}"] for part in range(len(measure.parts)))
        metrics[name] = measure.value(*parts)
    if entry.kind == "rows":
        judging = _of_rows(str(plan.judge.map_metric), plan, place, found, failing)
        return outcome(entry, judged(plan.judge, metrics | judging), failing, None)
    whole = entry.kind == "table" or entry.type == COUNTS_NULLS
    looked_at = found["rows"] if whole else found[f"count {entry.columns[0]}"]
    return outcome(entry, judged(plan.judge, metrics), failing, looked_at)


def _of_rows(condition: str, plan: _Plan, place: int, found: _Found, failing: pl.Series) -> dict[str, Any]:
    looked_at = found[f"{place} judged"]
    return {
        "column_values.nonnull.unexpected_count": found["rows"] - looked_at,
        f"{condition}.filtered_row_count": looked_at,
        f"{condition}.unexpected_count": len(failing),
        f"{condition}.unexpected_values": found.sample(place, plan),
        f"{condition}.unexpected_index_list": failing.head(EXAMPLES).to_list(),
    }


def _of_function(plan: _Plan, place: int, found: _Found, failing: pl.Series) -> Outcome:
    """The outcome of a project's own expectation, in the shape of the library's results."""
    rows, judged = found["rows"], found[f"{place} judged"]
    passed = not judged or (judged - len(failing)) / judged >= plan.entry.kwargs.get("mostly", 1)
    result = {
        "element_count": rows,
        "missing_count": rows - judged,
        "unexpected_count": len(failing),
        "unexpected_percent": len(failing) / judged * 100 if judged else None,
        "partial_unexpected_list": [str(value) for value in found.sample(place, plan)[:EXAMPLES]],
        "partial_unexpected_index_list": failing.head(EXAMPLES).to_list(),
    }
    return Outcome(passed, judged, failing.cast(pl.UInt32), None, {"success": passed, "result": result})
