"""Validates a batch against its suite, and says what the severities make of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import polars as pl

from core.errors import IntegrityError, SpecError
from core.words import nearest
from expectations import pandas_engine
from expectations.suites import Expectation, Suite
from expectations.verdict import FAILING_ROWS, Failure, Outcome, Verdict
from expectations.vocabulary import wrong_values
from expectations.wording import sentence

__all__ = ["Failure", "Verdict", "validate"]

_EXAMPLES = 3


def validate(frame: pl.DataFrame, suite: Suite, parameters: Mapping[str, Any]) -> Verdict:
    """Judge the rows of a batch by a suite.

    `frame` holds the typed columns and `row` (UInt32, unique). `parameters` holds a value for each
    of `suite.parameters`: a list, a number, or an instant with its zone (or as ISO 8601 text).

    - critical: the batch stops. warning: the failing rows are named; where no row is to blame it is
      an alert. info: told, nothing more.
    - Nothing holds because there was nothing to judge: a batch without rows stops unless the suite
      has `meta: {allow_empty: true}`, and an expectation that found only nulls fails unless it has
      `meta: {allow_all_null: true}`.

    Raises SpecError if the suite does not fit the frame: a column or a parameter that is not there,
    an expectation that cannot be worked out on a column of that type.
    """
    if frame["row"].is_duplicated().any():
        raise IntegrityError(f"suite {suite.name}: two rows have the same number in `row`")
    if frame.is_empty() and not suite.allow_empty:
        empty = Failure("batch_not_empty", "", "critical", "the batch has no rows", 0)
        return _verdict(suite, frame, [], [(empty, pl.DataFrame(schema=FAILING_ROWS))])
    entries = _applicable(suite, frame)
    filled = [replace(entry, kwargs=_filled(suite, entry, parameters)) for entry in entries]
    outcomes = pandas_engine.run(suite.name, frame, filled)
    results, failures = [], []
    for entry, full, outcome in zip(entries, filled, outcomes, strict=True):
        if outcome.error is not None:
            subject = ", ".join(entry.columns) or "the batch"
            raise SpecError(f"{suite.where(entry)}: {entry.type} cannot judge {subject}: {outcome.error}")
        holds = _holds(entry, outcome)
        said = {"type": entry.type, "kwargs": dict(entry.kwargs), "severity": entry.severity, "holds": holds}
        results.append({**said, **outcome.document})
        if not holds:
            failures.append(_failure(frame, entry, full.kwargs, outcome))
    return _verdict(suite, frame, results, failures)


def _applicable(suite: Suite, frame: pl.DataFrame) -> list[Expectation]:
    """The entries that this frame can be asked about: without the columns whose absence is critical."""
    columns = [column for column in frame.columns if column != "row"]
    promised = {entry.kwargs["column"] for entry in suite.expectations if _must_exist(entry)}
    for entry in suite.expectations:
        for column in entry.columns:
            if column not in columns and column not in promised:
                said = (
                    f"{suite.where(entry)}: {entry.type} names the column {column!r}, which the batch has not"
                )
                raise SpecError(said + nearest(column, columns))
    present = [entry for entry in suite.expectations if {*entry.columns} <= {*columns}]
    return [entry for entry in present if entry.kind == "table" or not frame.is_empty()]


def _must_exist(entry: Expectation) -> bool:
    return entry.type == "expect_column_to_exist" and entry.severity == "critical"


def _filled(suite: Suite, entry: Expectation, parameters: Mapping[str, Any]) -> dict[str, Any]:
    kwargs = dict(entry.kwargs)
    for key, name in entry.parameters.items():
        if name not in parameters:
            raise SpecError(
                f"{suite.where(entry)}: parameter {name!r} has no value{nearest(name, parameters)}"
            )
        value = parameters[name]
        listed = isinstance(value, Collection) and not isinstance(value, str | Mapping)
        kwargs[key] = [item for item in value if item is not None] if listed else value
    for key, reason in wrong_values(entry.type, kwargs):
        raise SpecError(f"{suite.where(entry)}: {entry.type} with its parameters: {key} {reason}")
    return kwargs


def _holds(entry: Expectation, outcome: Outcome) -> bool:
    if entry.kind != "table" and not outcome.looked_at:
        return entry.allow_all_null
    return outcome.passed


def _failure(
    frame: pl.DataFrame, entry: Expectation, kwargs: Mapping[str, Any], outcome: Outcome
) -> tuple[Failure, pl.DataFrame]:
    rows = _failing(frame, entry, outcome.rows)
    values = rows["value"].head(1_000).drop_nulls().unique(maintain_order=True)
    detail = sentence(entry, kwargs, outcome, values.head(_EXAMPLES).to_list())
    column = ", ".join(entry.columns) or str(kwargs.get("column", ""))
    if entry.type == "expect_column_to_exist":
        detail += nearest(column, frame.columns)
    return Failure(entry.type, column, entry.severity, detail, rows.height), rows


def _failing(frame: pl.DataFrame, entry: Expectation, rows: pl.Series) -> pl.DataFrame:
    """The failing rows in the shape FAILING_ROWS; the values of several columns stand as "a, b"."""
    values = [
        pl.col(column).cast(pl.String).str.replace(".000000", "", literal=True) for column in entry.columns
    ]
    several = pl.concat_str([value.fill_null("null") for value in values], separator=", ")
    return (
        frame.filter(pl.col("row").is_in(rows.implode())).select(
            pl.col("row").cast(pl.UInt32),
            expectation=pl.lit(entry.type),
            column=pl.lit(", ".join(entry.columns)),
            value=values[0] if len(values) == 1 else several,
        )
        if values
        else pl.DataFrame(schema=FAILING_ROWS)
    )


def _verdict(
    suite: Suite,
    frame: pl.DataFrame,
    results: Sequence[dict[str, Any]],
    failures: Sequence[tuple[Failure, pl.DataFrame]],
) -> Verdict:
    told = tuple(failure for failure, _ in failures)
    warnings = [(failure, rows) for failure, rows in failures if failure.severity == "warning"]
    stopped = any(failure.severity == "critical" for failure in told)
    document = {
        "suite": {"name": suite.name, "version": suite.version, "hash": suite.hash},
        "engine": pandas_engine.ENGINE,
        "rows": frame.height,
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
        engine=pandas_engine.ENGINE,
    )
