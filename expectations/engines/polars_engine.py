"""Runs the entries of a suite as one Polars plan: it measures, Great Expectations' expectations judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from expectations.engines.library import EXAMPLES, judged, outcome
from expectations.engines.pandas_engine import COUNTS_NULLS
from expectations.engines.plan import Plan, plans
from expectations.engines.rows import Rows
from expectations.engines.values import NoForm
from expectations.entries import Expectation
from expectations.verdict import Outcome

ENGINE = "polars"

# As many values as the library itself looks at for the commonest ones.
_SAMPLE = 200

# What Polars needs to plan a pass grows with the square of this.
_AT_ONCE = 100


def run(name: str, frame: pl.DataFrame | pl.LazyFrame, entries: Sequence[Expectation]) -> list[Outcome]:
    """What is found in `frame` (with `row`, unique) for each entry of a suite, in their order, in one pass.

    The arguments of the entries hold values, no parameters. Raises NoForm for an entry that Polars
    cannot judge as Great Expectations does on pandas: `why_not` tells beforehand.
    """
    lazy = frame.lazy()
    schema = lazy.collect_schema()
    made: list[Plan] = []
    for plan in plans(schema, entries):
        if isinstance(plan, NoForm):
            raise NoForm(f"suite {name}: {plan}")
        made.append(plan)
    together = [made[start : start + _AT_ONCE] for start in range(0, len(made), _AT_ONCE)]
    return [outcome for plans in together for outcome in _run(lazy, schema, plans)]


def _run(frame: pl.LazyFrame, schema: pl.Schema, plans: Sequence[Plan]) -> list[Outcome]:
    try:
        found = _Found(frame, _collected(frame, schema, plans), schema)
    except Exception as error:
        known = isinstance(error, pl.exceptions.PolarsError)
        # What a function of the project does with Python may raise anything.
        if not known and all(plan.entry.function is None for plan in plans):
            raise
        if len(plans) == 1:
            said = str(error) if known else f"{type(error).__name__}: {error}"
            return [Outcome(False, 0, pl.Series("row", [], pl.UInt32), None, {}, said)]
        # One expression that fails takes the others with it: each alone shows which it is.
        return [outcome for plan in plans for outcome in _run(frame, schema, [plan])]
    return [_outcome(plan, place, found) for place, plan in enumerate(plans)]


def why_not(schema: pl.Schema, entries: Sequence[Expectation]) -> list[str | None]:
    """For each entry why it has no form in Polars, on columns of these dtypes; None where it has one."""
    return [
        f"no form in Polars that judges as pandas does: {plan}" if isinstance(plan, NoForm) else None
        for plan in plans(schema, entries)
    ]


def _collected(frame: pl.LazyFrame, schema: pl.Schema, plans: Sequence[Plan]) -> pl.DataFrame:
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
            wanted[f"{place} judged"] = plan.rows.judged
            wanted |= _failing(plan, plan.rows, place, pl.col(f"{mark}{place}").arg_true())
    return frame.with_columns(**masks).select(**wanted).collect()


def _failing(plan: Plan, rows: Rows, place: int, failing: pl.Expr) -> dict[str, pl.Expr]:
    """The rows that fail, and the values of the first of them."""
    if rows.key is not None:
        # Worked out once: the values are looked up later.
        twice = failing.filter(rows.key.gather(failing).is_duplicated())
        return {f"{place} rows": pl.col("row").gather(twice).implode()}
    sample = [column.shown.gather(failing.head(_SAMPLE)).implode() for column in plan.columns]
    return {
        f"{place} rows": pl.col("row").gather(failing).implode(),
        **{f"{place} sample {number}": values for number, values in enumerate(sample)},
    }


def _mark(schema: pl.Schema) -> str:
    """A beginning that no column of the frame has."""
    mark = "failing "
    while any(column.startswith(mark) for column in schema):
        mark += " "
    return mark


@dataclass(frozen=True, slots=True)
class _Found:
    """What was collected, as plain values; an instant as pandas holds it."""

    frame: pl.LazyFrame
    values: pl.DataFrame
    schema: pl.Schema

    def __getitem__(self, name: str) -> Any:
        column = self.values[name]
        return column.to_pandas().iloc[0] if isinstance(column.dtype, pl.Datetime) else column[0]

    def sample(self, place: int, plan: Plan) -> list[Any]:
        """Values of the first failing rows, in the form in which the library lists them."""
        values = [
            self._values(place, plan, number).to_pandas().tolist() for number in range(len(plan.columns))
        ]
        if len(values) == 1:
            return list(values[0])
        together = list(zip(*values, strict=True))
        return (
            [dict(zip(plan.entry.columns, each, strict=True)) for each in together]
            if ("column_list" in plan.entry.kwargs)
            else together
        )

    def _values(self, place: int, plan: Plan, number: int) -> pl.Series:
        if plan.rows is None or plan.rows.key is None:
            sampled: pl.Series = self[f"{place} sample {number}"]
            return sampled
        first: pl.Series = self[f"{place} rows"].head(_SAMPLE)
        rows = self.frame.filter(pl.col("row").is_in(first.implode())) if len(first) else self.frame.clear()
        return rows.select(plan.columns[number].shown.alias("value")).collect()["value"]


def _outcome(plan: Plan, place: int, found: _Found) -> Outcome:
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


def _of_rows(condition: str, plan: Plan, place: int, found: _Found, failing: pl.Series) -> dict[str, Any]:
    looked_at = found[f"{place} judged"]
    return {
        "column_values.nonnull.unexpected_count": found["rows"] - looked_at,
        f"{condition}.filtered_row_count": looked_at,
        f"{condition}.unexpected_count": len(failing),
        f"{condition}.unexpected_values": found.sample(place, plan),
        f"{condition}.unexpected_index_list": failing.head(EXAMPLES).to_list(),
    }


def _of_function(plan: Plan, place: int, found: _Found, failing: pl.Series) -> Outcome:
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
