"""Feature rows that look like real ones, shared by the tests of this room."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.spec import Spec
from models.rows import Columns


@pytest.fixture(scope="session")
def columns() -> Columns:
    """The features of `rows_frame`."""
    return Columns(numbers=("distance", "wind", "late_rate"), categories=("airline", "route"))


@pytest.fixture(scope="session")
def rows_frame(columns: Columns) -> pl.DataFrame:
    """3,000 feature rows of 40 days with their outcomes, in order of event time.

    The label depends on wind (and on its absence), on late_rate, on the airline and on the route.
    """
    random, rows = np.random.default_rng(7), 3_000
    start = datetime(2013, 1, 1, 5, tzinfo=UTC)
    times = pl.Series(
        [start + timedelta(minutes=19 * row) for row in range(rows)], dtype=pl.Datetime("us", "UTC")
    )
    airline = random.choice(5, rows, p=[0.35, 0.25, 0.2, 0.15, 0.05])
    route = np.minimum(random.geometric(0.06, rows), 60)
    wind, late_rate = random.gamma(2.0, 5.0, rows), random.beta(2, 6, rows)
    no_wind, no_rate, no_route = (random.random(rows) < share for share in (0.1, 0.2, 0.03))
    effect = random.normal(0, 0.6, 61)[route] + np.array([-0.8, -0.3, 0.1, 0.5, 1.2])[airline]
    margin = (
        effect
        + np.where(no_wind, 1.0, 0.12 * (wind - 10))
        + np.where(no_rate, 0.0, 4 * (late_rate - 0.25))
        - 1
    )
    frame = pl.DataFrame(
        {
            "flight": np.arange(rows, dtype=np.int64),
            "event_time": times,
            "decision_time": times - timedelta(hours=2),
            "known_at": times + timedelta(hours=3),
            "label": random.random(rows) < 1 / (1 + np.exp(-margin)),
            "distance": random.uniform(80, 2_600, rows).round(),
            "wind": np.where(no_wind, np.nan, wind),
            "late_rate": np.where(no_rate, np.nan, late_rate),
            "airline": np.array(["UA", "B6", "EV", "DL", "HA"])[airline],
            "route": [
                None if none else f"JFK-{code:03d}" for code, none in zip(route, no_route, strict=True)
            ],
        }
    )
    return frame.with_columns(pl.col(columns.numbers).cast(pl.Float32).fill_nan(None))


@pytest.fixture(scope="session")
def spec() -> Spec:
    """A project whose features are those of `rows_frame`."""
    row, lookup = {"from": "row"}, {"from": "lookup", "dataset": "weather", "by": {"origin": "origin"}}
    return Spec.model_validate(
        {
            "name": "flights",
            "title": "Late arrivals",
            "objective": {"business": "fewer surprises", "learning": "late or not"},
            "problem": "binary",
            "batches": {
                "every": "1mo",
                "timezone": "America/New_York",
                "start": date(2013, 1, 1),
                "end": date(2014, 1, 1),
            },
            "datasets": {
                "flights": {
                    "source": {"kind": "files", "path": "flights.csv"},
                    "columns": {"flight": "integer"},
                    "key": ["flight"],
                }
            },
            "events": "flights",
            "decision": {"before": "event_time", "lead": "2h"},
            "outcome": {"label": "label", "known_at": "known_at", "maturity": "1d"},
            "features": {
                "airline": {**row, "column": "carrier", "kind": "category"},
                "distance": {**row, "column": "distance", "kind": "number"},
                "wind": {
                    **lookup,
                    "column": "wind_speed",
                    "kind": "number",
                    "meaning": "wind at the airport",
                    "unit": "m/s",
                },
                "route": {"from": "function", "function": "route", "kind": "category"},
                "late_rate": {
                    "from": "trailing",
                    "by": ["airline"],
                    "value": "late",
                    "statistic": "mean",
                    "over": "7d",
                },
            },
        }
    )
