"""Outcomes: which events have one, and when it was known."""

from collections.abc import Callable

import polars as pl
import pytest

from core.errors import SpecError
from core.spec import Spec
from features.outcomes import outcomes

INSTANT = pl.Datetime("us", "UTC")


def test_only_events_with_a_label_that_was_known_at_some_time_have_an_outcome(
    spec: Callable[..., Spec], trips: Callable[..., pl.DataFrame]
) -> None:
    events = trips(("A", 1, 2, 16), ("A", 2, 2, 15), ("A", 3, 2, None), ("A", 4, 2, 99))
    events = events.with_columns(arrived=pl.when(pl.col("trip") < 3).then("arrived"))
    found = outcomes(spec(), events.lazy()).collect()
    assert found.schema == {"trip": pl.Int64, "event_time": INSTANT, "known_at": INSTANT, "label": pl.Boolean}
    assert found.select("trip", "label").rows() == [(0, True), (1, False)]
    assert found["event_time"].equals(events["departs"][:2])
    assert found["known_at"].equals(events["arrived"][:2])


def test_a_label_that_is_not_boolean_is_refused(
    spec: Callable[..., Spec], trips: Callable[..., pl.DataFrame]
) -> None:
    with pytest.raises(SpecError, match=r"outcome\.label: column 'late' is Int64, not boolean"):
        outcomes(spec(), trips(("A", 1, 2, 16)).with_columns(late=pl.lit(1, pl.Int64)).lazy())


def test_a_missing_column_is_named_with_the_nearest(
    spec: Callable[..., Spec], trips: Callable[..., pl.DataFrame]
) -> None:
    with pytest.raises(SpecError, match="has no column 'arrived'; did you mean 'arrive'"):
        outcomes(spec(), trips(("A", 1, 2, 16)).rename({"arrived": "arrive"}).lazy())
