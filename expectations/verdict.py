"""What validating a batch says: an outcome an expectation, failures in words, the verdict."""

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from core.types import FAILING

Severity = Literal["critical", "warning", "info"]

# What `core.types` finds has the same shape, so that all that speaks against a row can be joined.
FAILING_ROWS = FAILING


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an engine found for one expectation.

    `looked_at` counts the values (rows, for several columns) that it judged, nulls left out where
    the expectation leaves them out. `rows` holds the `row` of each failing row [k], UInt32, also of
    those that `mostly` lets pass. `document` is the engine's own result, ready for JSON; `error`
    says why there is no result.
    """

    passed: bool
    looked_at: int
    rows: pl.Series
    observed: Any
    document: dict[str, Any]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that does not hold, in a sentence; `count` is its failing rows, 0 for an aggregate."""

    expectation: str
    column: str
    severity: Severity
    detail: str
    count: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a batch.

    `stopped`: a critical expectation failed, nothing of the batch may be used. `rows`: the failing
    rows at severity warning, in the shape FAILING_ROWS, one line a row and expectation. `alerts`:
    the failures at severity warning that no row can be blamed for. `document`: the results as JSON.
    """

    stopped: bool
    failures: tuple[Failure, ...]
    rows: pl.DataFrame
    alerts: tuple[Failure, ...]
    document: dict[str, Any]
    engine: str

    @property
    def critical(self) -> tuple[Failure, ...]:
        """The failures that stopped the batch."""
        return tuple(failure for failure in self.failures if failure.severity == "critical")
