"""Validates a batch against its suite, and says what the severities make of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import polars as pl

from core.errors import IntegrityError, SpecError
from core.types import as_text
from core.words import nearest
from expectations.engines.choose import PANDAS_UP_TO, Choice, choose, run
from expectations.engines.values import Column, fitted, named
from expectations.entries import Expectation
from expectations.parameters import filled, not_judged
from expectations.suites import Suite
from expectations.verdict import FAILING_ROWS, Failure, Outcome, Verdict
from expectations.wording import sentence

__all__ = ["Failure", "Verdict", "validate"]

_EXAMPLES = 3

# Of rows that only serve as examples.
_LOOKED_THROUGH = 1_000

Frame = pl.DataFrame | pl.LazyFrame
Found = tuple[Failure, pl.DataFrame]


def validate(
    frame: Frame, suite: Suite, parameters: Mapping[str, Any], *, pandas_up_to: int = PANDAS_UP_TO
) -> Verdict:
    """Judge the rows of a batch by a suite.

    `frame` holds the typed columns and `row` (UInt32, unique); a LazyFrame is read where it lies.
    `parameters` holds a value for each of `suite.parameters`: a list, a number, or an instant with
    its zone (or as ISO 8601 text), or None where there is none yet. Up to `pandas_up_to` rows Great
    Expectations runs on pandas (see `engines.choose`).

    - critical: the batch stops. warning: the failing rows are named; where no row is to blame it is
      an alert. info: told, nothing more.
    - Nothing holds because there was nothing to judge: a batch without rows stops unless the suite
      has `meta: {allow_empty: true}`, and an expectation that found only nulls fails unless it has
      `meta: {allow_all_null: true}`.

    Raises SpecError if the suite does not fit the frame: a column or a parameter that is not there,
    an expectation that cannot be worked out on a column of that type.
    """
    schema, rows = frame.lazy().collect_schema(), _counted(frame, suite)
    if not rows and not suite.allow_empty:
        empty = Failure("batch_not_empty", "", "critical", "the batch has no rows", 0)
        return _verdict(suite, rows, [], [(empty, pl.DataFrame(schema=FAILING_ROWS))], [Choice("")])
    entries = _applicable(suite, [column for column in schema if column != "row"], rows)
    asked = [(entry, filled(entry, parameters, suite.where(entry))) for entry in entries]
    full = [_fitted(suite, schema, entry, kwargs) for entry, kwargs in asked if kwargs is not None]
    choices = choose(rows, schema, full, pandas_up_to)
    outcomes = iter(zip(full, run(suite.name, frame, full, choices), choices, strict=True))
    results: list[dict[str, Any]] = []
    failures: list[Found] = []
    for entry, kwargs in asked:
        said = {"type": entry.type, "kwargs": dict(entry.kwargs), "severity": entry.severity}
        if kwargs is None:
            results.append({**said, "holds": True, "why": not_judged(entry, parameters)})
            continue
        _, outcome, choice = next(outcomes)
        holds = _holds(suite, entry, outcome)
        results.append({**said, "holds": holds, **_chosen(choice), **outcome.document})
        if not holds:
            failures.append(_failure(frame, schema, replace(entry, kwargs=kwargs), entry, outcome))
    return _verdict(suite, rows, results, failures, choices)


def _fitted(suite: Suite, schema: pl.Schema, entry: Expectation, kwargs: Mapping[str, Any]) -> Expectation:
    """The entry with these arguments, as its columns hold values; SpecError if they cannot."""
    if entry.function is not None:
        return replace(entry, kwargs=kwargs)
    try:
        return replace(entry, kwargs=fitted([Column(each, schema[each]) for each in entry.columns], kwargs))
    except ValueError as error:
        raise SpecError(f"{suite.where(entry)}: {entry.type}: value_set: {error}") from None


def _counted(frame: Frame, suite: Suite) -> int:
    """The number of rows; IntegrityError if two have the same number."""
    row = pl.col("row")
    counted = frame.lazy().select(rows=pl.len(), rising=(row > row.shift(1)).all()).collect()
    if not counted["rising"][0] and frame.lazy().select(row.is_duplicated().any()).collect().item():
        raise IntegrityError(f"suite {suite.name}: two rows have the same number in `row`")
    return int(counted["rows"][0])


def _chosen(choice: Choice) -> dict[str, str]:
    return {"engine": choice.engine, **({"why": choice.why} if choice.why else {})}


def _applicable(suite: Suite, columns: Sequence[str], rows: int) -> list[Expectation]:
    """The entries that this frame can be asked about: without the columns whose absence is critical."""
    promised = {entry.kwargs["column"] for entry in suite.expectations if _must_exist(entry)}
    for entry in suite.expectations:
        for column in entry.columns:
            if column not in columns and column not in promised:
                said = (
                    f"{suite.where(entry)}: {entry.type} names the column {column!r}, which the batch has not"
                )
                raise SpecError(said + nearest(column, columns))
    present = [entry for entry in suite.expectations if {*entry.columns} <= {*columns}]
    return [entry for entry in present if entry.kind == "table" or rows]


def _must_exist(entry: Expectation) -> bool:
    return entry.type == "expect_column_to_exist" and entry.severity == "critical"


def _holds(suite: Suite, entry: Expectation, outcome: Outcome) -> bool:
    if outcome.error is not None:
        subject = ", ".join(entry.columns) or "the batch"
        raise SpecError(f"{suite.where(entry)}: {entry.type} cannot judge {subject}: {outcome.error}")
    if entry.kind != "table" and not outcome.looked_at:
        return entry.allow_all_null
    return outcome.passed


def _failure(
    frame: Frame, schema: pl.Schema, judged: Expectation, entry: Expectation, outcome: Outcome
) -> Found:
    """What fails, in a sentence, and its rows if they are to be set aside; `judged` has its arguments."""
    blamed = entry.severity == "warning"
    rows = _failing(frame, schema, entry, outcome.rows if blamed else outcome.rows.head(_LOOKED_THROUGH))
    values = rows["value"].head(_LOOKED_THROUGH).drop_nulls().unique(maintain_order=True)
    detail = sentence(entry, judged.kwargs, outcome, values.head(_EXAMPLES).to_list())
    column = ", ".join(entry.columns) or str(judged.kwargs.get("column", ""))
    if entry.type == "expect_column_to_exist":
        detail += nearest(column, [name for name in schema if name != "row"])
    return Failure(entry.type, column, entry.severity, detail, len(outcome.rows)), rows


def _failing(frame: Frame, schema: pl.Schema, entry: Expectation, rows: pl.Series) -> pl.DataFrame:
    """The failing rows in the shape FAILING_ROWS; the values of several columns stand as "a, b"."""
    if rows.is_empty():
        return pl.DataFrame(schema=FAILING_ROWS)
    values = [_text(column, schema[column]) for column in entry.columns]
    several = pl.concat_str([value.fill_null("null") for value in values], separator=", ")
    return (
        frame.lazy()
        .filter(pl.col("row").is_in(rows.implode()))
        .select(
            pl.col("row").cast(pl.UInt32),
            expectation=pl.lit(entry.type),
            column=pl.lit(", ".join(entry.columns)),
            value=values[0] if len(values) == 1 else several,
        )
        .collect()
    )


def _text(column: str, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_nested() or dtype in (pl.Binary, pl.Duration):
        return as_text(column, dtype)
    return named(column).cast(pl.String).str.replace(".000000", "", literal=True)


def _verdict(
    suite: Suite,
    rows: int,
    results: Sequence[dict[str, Any]],
    failures: Sequence[Found],
    choices: Sequence[Choice],
) -> Verdict:
    told = tuple(failure for failure, _ in failures)
    warnings = [(failure, rows) for failure, rows in failures if failure.severity == "warning"]
    stopped = any(failure.severity == "critical" for failure in told)
    engine = " and ".join(sorted({choice.engine for choice in choices if choice.engine})) or "none"
    document = {
        "suite": {"name": suite.name, "version": suite.version, "hash": suite.hash},
        "engine": engine,
        "rows": rows,
        "stopped": stopped,
        "failures": [asdict(failure) for failure in told],
        "results": list(results),
    }
    return Verdict(
        stopped=stopped,
        failures=told,
        rows=pl.concat([pl.DataFrame(schema=FAILING_ROWS), *(rows for _, rows in warnings)]),
        alerts=tuple(failure for failure, rows in warnings if rows.is_empty()),
        document=document,
        engine=engine,
    )
