"""A small project whose feature rows can be worked out by hand: trips of planes, in days of UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from core.batches import Batch
from core.spec import Spec

INSTANT = pl.Datetime("us", "UTC")


def _source(name: str) -> dict[str, str]:
    return {"kind": "files", "path": f"{name}.csv"}


@pytest.fixture(scope="session")
def spec() -> Callable[..., Spec]:
    """The project with these features; a prediction is asked for two hours before departure."""

    def make(**features: dict[str, Any]) -> Spec:
        return Spec.model_validate(
            {
                "name": "trips",
                "title": "Trips",
                "objective": {"business": "-", "learning": "-"},
                "problem": "binary",
                "batches": {"every": "1d", "start": "2013-05-01", "end": "2013-06-01"},
                "events": "trips",
                "datasets": {
                    "trips": {
                        "source": _source("trips"),
                        "columns": {},
                        "key": ["trip"],
                        "event_time": "departs",
                    },
                    "weather": {
                        "source": _source("weather"),
                        "columns": {},
                        "key": ["at"],
                        "known_at": "seen",
                    },
                    "planes": {"source": _source("planes"), "columns": {}, "key": ["plane"]},
                },
                "decision": {"before": "departs", "lead": "2h"},
                "outcome": {"label": "late", "known_at": "arrived", "maturity": "1d"},
                "features": features,
            }
        )

    return make


@pytest.fixture(scope="session")
def trips() -> Callable[..., pl.DataFrame]:
    """Events from tuples of plane, hour of departure, hours under way, delay (null: no outcome).

    Hours count from the start of 2 May 2013 in UTC; `late` is a delay over 15.
    """

    def make(*rows: tuple[str | None, float, float, float | None]) -> pl.DataFrame:
        start = datetime(2013, 5, 2, tzinfo=UTC)
        columns: dict[str, list[Any]] = {"trip": list(range(len(rows))), "plane": [row[0] for row in rows]}
        columns["departs"] = [start + timedelta(hours=row[1]) for row in rows]
        columns["arrived"] = [start + timedelta(hours=row[1] + row[2]) for row in rows]
        columns["delay"] = [row[3] for row in rows]
        kinds = {"trip": pl.Int64(), "plane": pl.String(), "departs": INSTANT, "arrived": INSTANT}
        frame = pl.DataFrame(columns, pl.Schema({**kinds, "delay": pl.Float64()}))
        return frame.with_columns(
            late=pl.col("delay") > 15, arrived=pl.when(pl.col("delay").is_not_null()).then("arrived")
        )

    return make


@pytest.fixture(scope="session")
def day() -> Batch:
    """The batch of 2 May 2013."""
    return Batch(datetime(2013, 5, 2, tzinfo=UTC), datetime(2013, 5, 3, tzinfo=UTC), "2013-05-02")
