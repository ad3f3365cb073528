"""Trailing aggregates: what counts in a window, checked by hand and against one row at a time."""

import math
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SpecError
from core.spec import Trailing
from features.trailing import trailing

NOON = datetime(2013, 5, 2, 12, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")
SCHEMA = pl.Schema(
    {
        "plane": pl.String(),
        "port": pl.Int64(),
        "decision_time": INSTANT,
        "arrived": INSTANT,
        "late": pl.Boolean(),
        "delay": pl.Float64(),
    }
)
Fact = tuple[str | None, int | None, int | None, int | None, bool | None, float | None]


def feature(
    statistic: str, value: str = "late", over: str = "1d", by: tuple[str, ...] = ("plane",)
) -> Trailing:
    return Trailing.model_validate(
        {"from": "trailing", "by": by, "value": value, "statistic": statistic, "over": over}
    )


def arrived(*hours: float, late: list[Any] | None = None, plane: str = "A") -> pl.DataFrame:
    """Facts of one plane that became known so many hours before noon."""
    known = [NOON - timedelta(hours=hour) for hour in hours]
    return pl.DataFrame(
        {"plane": plane, "arrived": known, "late": late or [True] * len(hours)},
    ).with_columns(
        decision_time=pl.lit(NOON - timedelta(days=30)).cast(INSTANT), arrived=pl.col("arrived").cast(INSTANT)
    )


def asked(*planes: str | None, at: datetime | None = NOON) -> pl.DataFrame:
    return pl.DataFrame(
        {"plane": planes, "decision_time": [at] * len(planes)}, {"plane": pl.String, "decision_time": INSTANT}
    )


def counted(rows: pl.DataFrame, facts: pl.DataFrame, over: str = "1d") -> list[Any]:
    return trailing(rows, facts, {"n": feature("count", over=over)}, "arrived")["n"].to_list()


def test_a_window_leaves_out_its_start_and_takes_in_its_end() -> None:
    moment = 1 / 3600
    facts = arrived(24, 24 - moment, 0, -moment)
    assert counted(asked("A"), facts) == [2]


def test_facts_known_at_the_same_instant_all_count() -> None:
    facts = arrived(3, 3, 3, late=[True, False, True])
    found = trailing(asked("A"), facts, {"n": feature("count"), "rate": feature("mean")}, "arrived")
    assert found.rows() == [(3, 2 / 3)]


def test_a_row_without_an_entity_has_no_past_and_is_in_no_past() -> None:
    facts = pl.concat([arrived(1), arrived(2, 3).with_columns(plane=pl.lit(None, pl.String))])
    assert counted(asked("A", None), facts) == [1, None]


def test_an_entity_without_a_past_has_counts_and_sums_of_nothing_and_no_mean() -> None:
    wanted = {name: feature(name) for name in ("count", "sum", "mean")}
    assert trailing(asked("B"), arrived(1), wanted, "arrived").rows() == [(0, 0, None)]


def test_without_a_decision_time_nothing_is_known() -> None:
    assert counted(asked("A", at=None), arrived(1)) == [None]


def test_values_that_are_missing_or_not_finite_count_nowhere() -> None:
    facts = arrived(1, 2, 3, 4).with_columns(delay=pl.Series([10.0, None, math.nan, math.inf]))
    wanted = {"n": feature("count", "delay"), "mean": feature("mean", "delay")}
    assert trailing(asked("A"), facts, wanted, "arrived").rows() == [(1, 10.0)]


def test_floats_known_at_the_same_instant_add_up_the_same_in_any_order() -> None:
    sums = set()
    for values in permutations([1e16, 1.0, -1e16]):
        facts = arrived(1, 1, 1).with_columns(delay=pl.Series(values))
        sums.add(trailing(asked("A"), facts, {"sum": feature("sum", "delay")}, "arrived").item())
    assert len(sums) == 1


def test_an_event_does_not_see_its_own_value_though_its_clock_is_wrong() -> None:
    facts = arrived(5, 6).with_columns(
        decision_time=pl.Series([NOON, NOON - timedelta(days=1)], dtype=INSTANT)
    )
    assert counted(asked("A"), facts) == [1]


def test_a_value_that_is_known_earlier_than_the_outcome_counts_from_then_on() -> None:
    facts = arrived(-2).with_columns(departed=pl.lit(NOON - timedelta(hours=1)).cast(INSTANT))
    early = feature("count").model_copy(update={"known_at": "departed"})
    found = trailing(asked("A"), facts, {"arrivals": feature("count"), "departures": early}, "arrived")
    assert found.rows() == [(0, 1)]


def test_a_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(SpecError, match="'plane': the column is String"):
        trailing(asked("A"), arrived(1), {"x": feature("mean", "plane")}, "arrived")


hours = st.one_of(st.none(), st.integers(-8, 8))
facts_of_few = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", None]),
        st.sampled_from([1, 2, None]),
        hours,
        hours,
        st.sampled_from([True, False, None]),
        st.sampled_from([0.1, 0.2, -7.3, 1e9, math.nan, math.inf, None]),
    ),
    max_size=25,
)
WANTED = {
    f"{'_'.join(by)}_{statistic}_{value}_{over}": feature(statistic, value, over, by)
    for by in (("plane",), ("plane", "port"))
    for statistic, value in (("count", "late"), ("mean", "late"), ("sum", "late"), ("mean", "delay"))
    for over in ("2h", "5h")
}


def table(facts: list[Fact]) -> pl.DataFrame:
    def when(hour: int | None) -> datetime | None:
        return None if hour is None else NOON + timedelta(hours=hour)

    rows = [
        (plane, port, when(decided), when(known), late, delay)
        for plane, port, decided, known, late, delay in facts
    ]
    return pl.DataFrame(rows, SCHEMA, orient="row")


def one_at_a_time(row: dict[str, Any], facts: list[dict[str, Any]], wanted: Trailing) -> float | None:
    """The statistic of one row, by looking at every fact in turn."""
    entity, asked = [row[column] for column in wanted.by], row["decision_time"]
    if None in entity or asked is None:
        return None
    past: list[float] = []
    for fact in facts:
        known, decided, value = fact["arrived"], fact["decision_time"], fact[wanted.value]
        usable = None not in (known, decided, value) and math.isfinite(value) and decided < known
        if (
            usable
            and [fact[column] for column in wanted.by] == entity
            and asked - wanted.over < known <= asked
        ):
            past.append(value)
    if wanted.statistic == "count":
        return len(past)
    if wanted.statistic == "sum":
        return sum(past)
    return sum(past) / len(past) if past else None


@settings(max_examples=50, deadline=None)
@given(facts_of_few)
def test_every_row_is_what_looking_at_every_fact_in_turn_gives(facts: list[Fact]) -> None:
    events = table(facts)
    found, each = trailing(events, events, WANTED, "arrived"), events.to_dicts()
    assert found.height == events.height
    for name, wanted in WANTED.items():
        for row, value in zip(each, found[name], strict=True):
            expected = one_at_a_time(row, each, wanted)
            if expected is None or value is None or wanted.value == "late":
                assert value == expected, name
            else:
                assert value == pytest.approx(expected, rel=1e-9, abs=1e-6), name


@settings(max_examples=60, deadline=None)
@given(facts_of_few, st.randoms(use_true_random=False), st.integers(-4, 4))
def test_neither_the_order_nor_the_future_of_the_facts_matters(
    facts: list[Fact], random: Any, hour: int
) -> None:
    rows, now = table(facts), NOON + timedelta(hours=hour)
    rows = rows.filter(pl.col("decision_time") <= now)
    shuffled = random.sample(facts, len(facts))
    whole = trailing(rows, table(facts), WANTED, "arrived")
    assert trailing(rows, table(shuffled), WANTED, "arrived").equals(whole)
    assert trailing(rows, table(facts).filter(pl.col("arrived") <= now), WANTED, "arrived").equals(whole)
