"""Divides a delivery into the rows that are accepted and those set aside, and loses none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import polars.selectors as cs

from core.errors import IntegrityError
from expectations.verdict import FAILING_ROWS, Failure

DELIVERED_ONCE = "delivered_once"
QUARANTINE = pl.Schema(
    {
        "batch": pl.String(),
        "row": pl.UInt32(),
        "delivery": pl.String(),
        "position": pl.Int64(),
        "reasons": pl.List(
            pl.Struct({"expectation": pl.String(), "column": pl.String(), "value": pl.String()})
        ),
        "record": pl.String(),
        "row_hash": pl.Int64(),
        "as_of": pl.Datetime("us", "UTC"),
    }
)


@dataclass(frozen=True, slots=True)
class Divided:
    """A delivery in two parts.

    `accepted` has the columns of the typed rows, `row` among them; `quarantined` has the shape
    QUARANTINE. `stopped` says why nothing at all was accepted, None if that is not so.
    """

    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    stopped: str | None


def duplicates(origin: pl.DataFrame) -> pl.DataFrame:
    """The rows that repeat an earlier one as it was delivered, in the shape FAILING_ROWS; not the first copy.

    `origin` holds `row` (UInt32) and `row_hash`, the hash of all that was delivered in a row; `value`
    is the row that is repeated. Leave these rows out of what is validated, or a key expectation
    blames the first copy.

    >>> duplicates(pl.DataFrame({"row": [0, 1, 2], "row_hash": [7, -3, 7]})).rows()
    [(2, 'delivered_once', '', '0')]
    """
    first = origin.select(pl.col("row"), first=pl.col("row").min().over("row_hash"))
    return first.filter(pl.col("row") > pl.col("first")).select(
        pl.col("row").cast(pl.UInt32),
        expectation=pl.lit(DELIVERED_ONCE),
        column=pl.lit(""),
        value=pl.col("first").cast(pl.String),
    )


def divide(
    rows: pl.DataFrame,
    delivered: pl.DataFrame,
    failing: pl.DataFrame,
    *,
    origin: pl.DataFrame,
    batch: str,
    as_of: datetime,
    max_share: float,
    critical: Sequence[Failure] = (),
) -> Divided:
    """Accept the typed `rows` that nothing speaks against; set every other delivered row aside.

    `rows` (typed) and `delivered` (as delivered) share `row`; `failing` has the shape FAILING_ROWS
    and may name a row often; `origin` says of each row in which `delivery` it came, at which
    `position`, and its `row_hash`. A delivered row that is not in `rows` is set aside too. If a
    `critical` failure is given, or more than `max_share` of the delivered rows fail (other than by
    being repeated), the batch stops: nothing is accepted, and each row bears that reason after its own.

    Raises IntegrityError if a row has no number of its own, if one is not delivered, or unless
    received = accepted + quarantined.
    """
    failing = failing.select(FAILING_ROWS.names()).cast(FAILING_ROWS)
    _check_numbers(rows, delivered, failing)
    unread = delivered.join(rows, on="row", how="anti").join(failing, on="row", how="anti").select("row")
    own = pl.concat([failing, _blame(unread, "readable", "", "")])
    # A repeated row costs nothing, its first copy is kept: it says nothing against the batch.
    wrong = own.filter(pl.col("expectation") != DELIVERED_ONCE)
    stops = _stops(wrong, delivered.height, max_share, critical)
    shared = [_blame(delivered.select("row"), *stop) for stop in stops]
    reasons = (
        pl.concat([own, *shared])
        .group_by("row", maintain_order=True)
        .agg(reasons=pl.struct("expectation", "column", "value"))
    )
    accepted = rows.join(reasons, on="row", how="anti").sort("row")
    quarantined = (
        reasons.join(_records(delivered), on="row")
        .join(origin, on="row")
        .sort("row")
        .with_columns(batch=pl.lit(batch), as_of=pl.lit(as_of, QUARANTINE["as_of"]))
        .select(QUARANTINE.names())
        .cast(QUARANTINE)
    )
    if delivered.height != accepted.height + quarantined.height:
        raise IntegrityError(
            f"batch {batch}: {delivered.height:,} rows were received, but {accepted.height:,} accepted and"
            f" {quarantined.height:,} set aside"
        )
    return Divided(accepted, quarantined, "; ".join(said for _, _, said in stops) or None)


def _check_numbers(rows: pl.DataFrame, delivered: pl.DataFrame, failing: pl.DataFrame) -> None:
    for name, frame in (("delivered", delivered), ("typed", rows)):
        if frame["row"].is_duplicated().any():
            raise IntegrityError(f"two {name} rows have the same number in `row`")
    for name, frame in (("typed", rows), ("failing", failing)):
        strange = frame.join(delivered, on="row", how="anti")
        if not strange.is_empty():
            raise IntegrityError(f"{name} row {strange['row'][0]} was never delivered")


def _stops(
    wrong: pl.DataFrame, received: int, max_share: float, critical: Sequence[Failure]
) -> list[tuple[str, str, str]]:
    """The reasons that hold for every row of the batch: expectation, column, what was found."""
    stops = [(failure.expectation, failure.column, failure.detail) for failure in critical]
    failing = wrong["row"].n_unique()
    if failing > max_share * received:
        counted = f"share {failing / received:.2%} of rows fails ({failing:,} of {received:,})"
        share = f"{counted}, at most {max_share:.2%} may"
        stops.append(("batch", "", f"{share}; most often {_commonest(wrong)}"))
    return stops


def _commonest(wrong: pl.DataFrame) -> str:
    """The reason that most rows fail for, with one of the values."""
    counts = wrong.group_by("column", "expectation").agg(pl.len(), pl.col("value").first())
    first = counts.sort("len", "column", "expectation", descending=[True, False, False]).row(0, named=True)
    value = f" (such as {first['value']!r})" if first["value"] is not None else ""
    return f"{first['column']}: {first['expectation']}{value}".removeprefix(": ")


def _blame(rows: pl.DataFrame, expectation: str, column: str, value: str) -> pl.DataFrame:
    return rows.select(
        pl.col("row"), expectation=pl.lit(expectation), column=pl.lit(column), value=pl.lit(value)
    )


def _records(delivered: pl.DataFrame) -> pl.DataFrame:
    """Each delivered row as JSON, by `row`."""
    columns = delivered.drop("row")
    # JSON knows neither NaN nor infinity: a column that has one is written as text.
    strange = [
        column.name for column in columns.select(cs.float()) if not column.is_finite().all(ignore_nulls=True)
    ]
    record = columns.with_columns(pl.col(strange).cast(pl.String)).select(
        pl.struct(pl.all()).struct.json_encode()
    )
    return delivered.select("row", record=record.to_series())
