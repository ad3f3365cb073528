"""Features of an entity's past: what counts in a window, by hand and against one row at a time."""

import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SpecError
from core.spec import Lag, Outcome, Past, TargetRate, Trailing
from features.history import numbered
from features.past import past

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
OUTCOME = Outcome.model_validate({"label": "late", "known_at": "arrived", "maturity": "1d"})


def feature(
    statistic: str,
    value: str | None = "late",
    over: str = "1d",
    by: tuple[str, ...] = ("plane",),
    quantile: float | None = None,
) -> Trailing:
    declared = {"value": value, "statistic": statistic, "over": over, "quantile": quantile}
    return Trailing.model_validate({"from": "trailing", "by": by, **declared})


def rate(weight: float, over: str = "1d", by: tuple[str, ...] = ("plane",)) -> TargetRate:
    return TargetRate.model_validate({"from": "target_rate", "by": by, "over": over, "weight": weight})


def lag(value: str, back: int = 1, within: str | None = None, by: tuple[str, ...] = ("plane",)) -> Lag:
    return Lag.model_validate({"from": "lag", "by": by, "value": value, "back": back, "within": within})


def made(rows: pl.DataFrame, facts: pl.DataFrame, features: Mapping[str, Past]) -> pl.DataFrame:
    """The features of `rows`, which ask and are no facts, from `facts`, which do not ask."""
    both = pl.concat([rows, facts], how="diagonal_relaxed")
    asked = pl.Series([True] * rows.height + [False] * facts.height, dtype=pl.Boolean)
    return past(both, asked, features, OUTCOME, ["decision_time", "port"] if "port" in both else [])


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
    return made(rows, facts, {"n": feature("count", over=over)})["n"].to_list()


def test_a_window_leaves_out_its_start_and_takes_in_its_end() -> None:
    moment = 1 / 3600
    facts = arrived(24, 24 - moment, 0, -moment)
    assert counted(asked("A"), facts) == [2]


def test_facts_known_at_the_same_instant_all_count() -> None:
    facts = arrived(3, 3, 3, late=[True, False, True])
    found = made(asked("A"), facts, {"n": feature("count"), "rate": feature("mean")})
    assert found.rows() == [(3, 2 / 3)]


def test_a_row_without_an_entity_has_no_past_and_is_in_no_past() -> None:
    facts = pl.concat([arrived(1), arrived(2, 3).with_columns(plane=pl.lit(None, pl.String))])
    assert counted(asked("A", None), facts) == [1, None]


def test_an_entity_without_a_past_has_counts_and_sums_of_nothing_and_no_mean() -> None:
    wanted = {name: feature(name) for name in ("count", "sum", "mean")}
    assert made(asked("B"), arrived(1), wanted).rows() == [(0, 0, None)]


def test_without_a_decision_time_nothing_is_known() -> None:
    assert counted(asked("A", at=None), arrived(1)) == [None]


def test_values_that_are_missing_or_not_finite_count_nowhere() -> None:
    facts = arrived(1, 2, 3, 4).with_columns(delay=pl.Series([10.0, None, math.nan, math.inf]))
    wanted = {"n": feature("count", "delay"), "mean": feature("mean", "delay")}
    assert made(asked("A"), facts, wanted).rows() == [(1, 10.0)]


def test_floats_known_at_the_same_instant_add_up_the_same_in_any_order() -> None:
    sums = set()
    for values in permutations([1e16, 1.0, -1e16]):
        facts = arrived(1, 1, 1).with_columns(delay=pl.Series(values))
        sums.add(made(asked("A"), facts, {"sum": feature("sum", "delay")}).item())
    assert len(sums) == 1


def test_an_event_does_not_see_its_own_value_though_its_clock_is_wrong() -> None:
    facts = arrived(5, 6).with_columns(
        decision_time=pl.Series([NOON, NOON - timedelta(days=1)], dtype=INSTANT)
    )
    assert counted(asked("A"), facts) == [1]


def test_a_value_that_is_known_earlier_than_the_outcome_counts_from_then_on() -> None:
    facts = arrived(-2).with_columns(departed=pl.lit(NOON - timedelta(hours=1)).cast(INSTANT))
    early = feature("count").model_copy(update={"known_at": "departed"})
    found = made(asked("A"), facts, {"arrivals": feature("count"), "departures": early})
    assert found.rows() == [(0, 1)]


def test_a_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(SpecError, match="'plane': the column is String"):
        made(asked("A"), arrived(1), {"x": feature("mean", "plane")})


def test_each_statistic_of_a_window_by_hand() -> None:
    facts = arrived(5, 4, 3, 2).with_columns(
        delay=pl.Series([10.0, 40.0, 10.0, None]), port=pl.Series([7, 8, 8, 9]), arrived=pl.col("arrived")
    )
    wanted = {
        "events": feature("count", None),
        "known": feature("count", "delay"),
        "rate": feature("rate"),
        "sum": feature("sum", "delay"),
        "median": feature("quantile", "delay", quantile=0.5),
        "high": feature("quantile", "delay", quantile=0.75),
        "ports": feature("distinct", "port"),
        "since": feature("since_last", None),
        "since_delay": feature("since_last", "delay"),
    }
    assert made(asked("A"), facts, wanted).row(0, named=True) == {
        "events": 4,
        "known": 3,
        "rate": 1.0,
        "sum": 60.0,
        "median": 10.0,
        "high": 25.0,
        "ports": 3,
        "since": 7200.0,
        "since_delay": 10800.0,
    }
    nothing = made(asked("B"), facts, wanted).row(0, named=True)
    assert nothing == {**dict.fromkeys(wanted), "events": 0, "known": 0, "sum": 0.0, "ports": 0}


def test_a_target_rate_is_drawn_towards_that_of_all_entities() -> None:
    facts = pl.concat(
        [
            arrived(1, 2, 3, 4, late=[True, True, True, False]),
            arrived(*[5.0] * 16, late=[True] * 2 + [False] * 14, plane="B"),
            arrived(30, plane="B"),
        ]
    )
    wanted = {"rate": rate(12.0), "none": rate(12.0, over="1h")}
    prior = 5 / 20
    assert made(asked("A", "B", "C", None), facts, wanted).rows() == [
        ((3 + 12 * prior) / (4 + 12), None),
        ((2 + 12 * prior) / (16 + 12), None),
        (prior, None),
        (None, None),
    ]


def test_a_lag_counts_back_over_the_values_that_are_known() -> None:
    facts = arrived(1, 2, 3, 400).with_columns(delay=pl.Series([math.nan, 20.0, None, 40.0]))
    wanted = {"1": lag("delay"), "2": lag("delay", 2), "2w": lag("delay", 2, "2d"), "3": lag("delay", 3)}
    assert made(asked("A"), facts, wanted).rows() == [(20.0, 40.0, None, None)]


def test_a_lag_can_be_of_words() -> None:
    facts = arrived(1, 2).with_columns(tail=pl.Series(["Zürich ✈", "b"]))
    assert made(asked("A", "B"), facts, {"x": lag("tail")})["x"].to_list() == ["Zürich ✈", None]


def test_of_events_known_at_one_instant_the_later_is_the_newer_then_that_of_the_greater_key() -> None:
    earlier, later = (NOON - timedelta(days=days) for days in (3, 2))
    facts = arrived(1, 1, 1).with_columns(
        delay=pl.Series([1.0, 2.0, 3.0]),
        port=pl.Series([9, 5, 4]),
        decision_time=pl.Series([earlier, later, later], dtype=INSTANT),
    )
    wanted = {str(back): lag("delay", back) for back in (1, 2, 3)}
    for order in permutations(range(3)):
        assert made(asked("A"), facts[order], wanted).rows() == [(2.0, 3.0, 1.0)]


def test_entities_may_be_of_any_dtype_and_of_several_parts() -> None:
    facts = arrived(1, 2, 3).with_columns(
        port=pl.Series([-5, 2**62, 2**62]),
        day=pl.Series([date(2013, 5, 1)] * 3),
        on=pl.Series([True, True, False]),
    )
    wanted = feature("count", None, by=("port", "plane", "day", "on"))
    found = past(
        facts.with_columns(decision_time=NOON - timedelta(hours=1)),
        facts["on"] | True,
        {"n": wanted},
        OUTCOME,
    )
    # None of them is known after the decision that they are asked at, but by the rows of another.
    assert found["n"].to_list() == [0, 0, 0]
    rows = facts.with_columns(decision_time=pl.lit(NOON).cast(INSTANT), arrived=None)
    assert made(rows, facts, {"n": wanted})["n"].to_list() == [1, 1, 1]


def test_many_parts_of_many_values_are_still_told_apart() -> None:
    number = 300
    rows = pl.DataFrame(
        {f"k{part}": [(each * (part + 7)) % 297 for each in range(number)] for part in range(6)}
    )
    facts = rows.with_columns(
        arrived=pl.lit(NOON).cast(INSTANT), decision_time=pl.lit(NOON - timedelta(days=9)).cast(INSTANT)
    )
    rows = rows.with_columns(decision_time=pl.lit(NOON).cast(INSTANT))
    found = made(rows, facts, {"n": feature("count", None, by=tuple(f"k{part}" for part in range(6)))})
    expected = Counter(facts.select(pl.col("^k.$")).rows())
    assert found["n"].to_list() == [expected[row] for row in rows.select(pl.col("^k.$")).rows()]


def test_a_window_may_be_longer_than_time() -> None:
    assert counted(asked("A"), arrived(1, 700), over="999999999d") == [2]


def test_no_event_and_no_asked_row_are_fine() -> None:
    wanted = {
        "n": feature("count"),
        "rate": rate(2.0),
        "lag": lag("late"),
        "q": feature("quantile", quantile=0.5),
    }
    none = arrived(1).clear()
    assert made(asked(), none, wanted).shape == (0, 4)
    assert made(asked("A"), none, wanted).rows() == [(0, None, None, None)]
    assert made(asked(), arrived(1), wanted).height == 0


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (feature("rate", "delay"), "rate of 'delay': the column is Float64, not a boolean"),
        (
            feature("quantile", "plane", quantile=0.5),
            "quantile of 'plane': the column is String, not a number",
        ),
        (feature("distinct", "list"), r"distinct of 'list': the column is List\(Int64\), not one value"),
        (lag("list"), "lag of 'list'"),
    ],
)
def test_a_statistic_that_the_values_have_not_is_refused(wanted: Past, sentence: str) -> None:
    facts = arrived(1).with_columns(delay=pl.lit(1.0), list=pl.Series([[1]]))
    with pytest.raises(SpecError, match=f"feature x: {sentence}"):
        made(asked("A"), facts, {"x": wanted})


hours = st.one_of(st.none(), st.integers(-8, 8))
facts_of_few = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "Ü ✈", None]),
        st.sampled_from([1, 2, None]),
        hours,
        hours,
        st.sampled_from([True, False, None]),
        st.sampled_from([0.1, 0.2, -7.3, 1e9, 1e300, -0.0, math.nan, math.inf, None]),
    ),
    max_size=25,
)
Fact = tuple[str | None, int | None, int | None, int | None, bool | None, float | None]
WANTED: dict[str, Past] = {
    f"{'_'.join(by)}_{statistic}_{value}_{over}": feature(
        statistic, value, over, by, 0.8 if statistic == "quantile" else None
    )
    for by in (("plane",), ("plane", "port"))
    for statistic, value in (
        ("count", "late"),
        ("count", None),
        ("rate", "late"),
        ("sum", "late"),
        ("sum", "delay"),
        ("mean", "delay"),
        ("quantile", "delay"),
        ("distinct", "delay"),
        ("distinct", "port"),
        ("since_last", None),
        ("since_last", "delay"),
    )
    for over in ("2h", "5h")
}
WANTED |= {f"rate_{weight}": rate(weight, over="4h") for weight in (0.5, 20.0)}
WANTED |= {f"lag_{value}_{back}": lag(value, back) for value in ("delay", "late", "port") for back in (1, 3)}
WANTED |= {"lag_within": lag("delay", 2, "3h", ("port", "plane"))}


def table(facts: list[Fact]) -> pl.DataFrame:
    def when(hour: int | None) -> datetime | None:
        return None if hour is None else NOON + timedelta(hours=hour)

    rows = [
        (plane, port, when(decided), when(known), late, delay)
        for plane, port, decided, known, late, delay in facts
    ]
    return pl.DataFrame(rows, SCHEMA, orient="row")


def every(events: pl.DataFrame) -> pl.DataFrame:
    asked = pl.Series([True] * events.height, dtype=pl.Boolean)
    return past(events, asked, WANTED, OUTCOME, ["decision_time", "plane", "port", "late"])


def known_facts(
    row: dict[str, Any],
    facts: list[dict[str, Any]],
    by: tuple[str, ...],
    value: str | None,
    over: timedelta | None,
) -> list[dict[str, Any]]:
    """The facts in the row's window, in the order in which they became known, by looking at every one."""
    asked, found = row["decision_time"], []
    for fact in facts:
        known, decided = fact["arrived"], fact["decision_time"]
        if None in (known, decided) or known <= decided or known > asked:
            continue
        if over is not None and known <= asked - over:
            continue
        if value and (fact[value] is None or not math.isfinite(fact[value])):
            continue
        if all(fact[column] == row[column] for column in by):
            found.append(fact)

    def place(fact: dict[str, Any]) -> list[tuple[bool, Any]]:
        order = ("arrived", "decision_time", "plane", "port", "late", *([value] if value else []))
        return [(fact[column] is not None, fact[column] or 0) for column in order]

    return sorted(found, key=place)


def one_at_a_time(row: dict[str, Any], facts: list[dict[str, Any]], wanted: Past) -> float | None:
    """The feature of one row, in plain Python."""
    if row["decision_time"] is None or None in [row[column] for column in wanted.by]:
        return None
    if isinstance(wanted, TargetRate):
        own = [fact["late"] for fact in known_facts(row, facts, wanted.by, "late", wanted.over)]
        all_of_them = [fact["late"] for fact in known_facts(row, facts, (), "late", wanted.over)]
        if not all_of_them:
            return None
        prior = sum(all_of_them) / len(all_of_them)
        return (sum(own) + wanted.weight * prior) / (len(own) + wanted.weight)
    if isinstance(wanted, Lag):
        there = known_facts(row, facts, wanted.by, wanted.value, wanted.within)
        return there[-wanted.back][wanted.value] if len(there) >= wanted.back else None
    there = known_facts(row, facts, wanted.by, wanted.value, wanted.over)
    values = [fact[wanted.value] for fact in there] if wanted.value else []
    if wanted.statistic == "count":
        return len(there)
    if wanted.statistic == "distinct":
        return len(set(values))
    if wanted.statistic == "sum":
        return float(sum(map(Fraction, values)))
    if not there:
        return None
    if wanted.statistic == "since_last":
        return (row["decision_time"] - max(fact["arrived"] for fact in there)).total_seconds()
    if wanted.statistic == "quantile":
        return float(np.quantile(np.array(values, float), wanted.quantile))
    return float(sum(map(Fraction, values))) / len(values)


@settings(max_examples=60, deadline=None)
@given(facts_of_few)
def test_every_row_is_what_looking_at_every_fact_in_turn_gives(facts: list[Fact]) -> None:
    events = table(facts)
    found, each = every(events), events.to_dicts()
    assert found.height == events.height
    for name, wanted in WANTED.items():
        expected = [one_at_a_time(row, each, wanted) for row in each]
        exact = not isinstance(wanted, Trailing) or wanted.statistic != "quantile"
        for value, right in zip(found[name].to_list(), expected, strict=True):
            assert value == (right if exact or right is None else pytest.approx(right, rel=1e-12)), name


@settings(max_examples=60, deadline=None)
@given(facts_of_few, st.integers(-4, 4))
def test_what_becomes_known_later_changes_nothing(facts: list[Fact], hour: int) -> None:
    events, now = table(facts), NOON + timedelta(hours=hour)
    asked = pl.col("decision_time") <= now
    whole = every(events).filter(events.select(asked).to_series())
    # What is not known yet is not there: neither what is known of an event, nor the event itself.
    unknown = pl.when(pl.col("arrived") <= now).then
    past_only = events.with_columns(*(unknown(pl.col(name)) for name in ("late", "delay"))).with_columns(
        arrived=unknown(pl.col("arrived"))
    )
    past_only = past_only.filter(asked | pl.col("arrived").is_not_null())
    assert every(past_only).filter(past_only.select(asked).to_series()).equals(whole)


@settings(max_examples=60, deadline=None)
@given(facts_of_few, st.randoms(use_true_random=False))
def test_the_order_of_the_events_is_of_no_account(facts: list[Fact], random: Any) -> None:
    places = random.sample(range(len(facts)), len(facts))
    events = table(facts)
    assert every(events[places]).equals(every(events)[places])


def test_equal_parts_of_an_entity_share_a_number_however_few_there_are() -> None:
    nan = float("nan")
    for values in ([nan], [nan, nan], [0.0, -0.0], [date(2013, 5, 2)], [True, True], [2**63 - 1] * 2):
        found = numbered(pl.Series(values))
        assert (found.numbers.tolist(), found.size) == ([0] * len(values), 1)
