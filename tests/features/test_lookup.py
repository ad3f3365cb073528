"""Lookups: by key, as of decision time, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import IntegrityError, SpecError
from core.spec import Lookup, Spec
from features.lookup import lookup

NOON = datetime(2013, 5, 2, 12, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")
WEATHER = pl.Schema({"at": pl.String(), "seen": INSTANT, "wind": pl.Float64()})
Find = Callable[..., list[Any]]


def wind(within: str | None = "6h", **changes: Any) -> Lookup:
    declared = {
        "from": "lookup",
        "dataset": "weather",
        "column": "wind",
        "kind": "number",
        "by": {"port": "at"},
    }
    return Lookup.model_validate({**declared, "within": within, **changes})


def seats(**changes: Any) -> Lookup:
    declared = {
        "from": "lookup",
        "dataset": "planes",
        "column": "seats",
        "kind": "number",
        "by": {"plane": "tail"},
    }
    return Lookup.model_validate({**declared, **changes})


def weather(*rows: tuple[str | None, float | None, float | None]) -> pl.LazyFrame:
    """Observations: where, how many hours before noon they became known, the wind."""
    seen = [(at, None if hour is None else NOON - timedelta(hours=hour), wind) for at, hour, wind in rows]
    return pl.LazyFrame(seen, WEATHER, orient="row")


def planes(*rows: tuple[str | None, int]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, {"tail": pl.String, "seats": pl.Int64}, orient="row")


@pytest.fixture
def find(spec: Callable[..., Spec]) -> Find:
    """The values of one lookup for rows asked at noon."""

    def of(keys: list[Any], wanted: Lookup, tables: dict[str, pl.LazyFrame]) -> list[Any]:
        column = next(iter(wanted.by))
        rows = pl.DataFrame({column: keys, "decision_time": [NOON] * len(keys)}).cast(
            {"decision_time": INSTANT}
        )
        return lookup(rows, tables, spec().datasets, {"x": wanted})["x"].to_list()

    return of


def test_a_value_is_found_by_its_key_in_the_order_of_the_rows(find: Find) -> None:
    tables = {"planes": planes(("A", 55), ("B", 182), (None, 2))}
    assert find(["B", None, "C", "A", "B"], seats(), tables) == [182, None, None, 55, 182]


def test_the_newest_row_known_by_decision_time_is_taken(find: Find) -> None:
    observed = weather(("JFK", 2, 10.0), ("JFK", 0, 20.0), ("JFK", -0.01, 30.0), ("LGA", 1, 40.0))
    assert find(["JFK", "LGA"], wind(), {"weather": observed}) == [20.0, 40.0]


def test_a_row_older_than_within_is_not_taken(find: Find) -> None:
    observed = weather(("JFK", 6, 10.0), ("LGA", 6.001, 20.0))
    assert find(["JFK", "LGA"], wind(), {"weather": observed}) == [10.0, None]
    assert find(["JFK", "LGA"], wind(within=None), {"weather": observed}) == [10.0, 20.0]


def test_lookups_of_one_dataset_keep_their_own_columns_and_tolerances(spec: Callable[..., Spec]) -> None:
    rows = pl.DataFrame({"port": ["JFK"], "decision_time": [NOON]}).cast({"decision_time": INSTANT})
    observed = weather(("JFK", 3, 10.0)).with_columns(gust=pl.lit(15.0))
    wanted = {"short": wind("1h"), "gust": wind(column="gust"), "long": wind(), "ever": wind(None)}
    assert lookup(rows, {"weather": observed}, spec().datasets, wanted).rows() == [(None, 15.0, 10.0, 10.0)]


def test_what_the_newest_row_leaves_out_is_missing(find: Find) -> None:
    assert find(["JFK"], wind(), {"weather": weather(("JFK", 2, 10.0), ("JFK", 1, None))}) == [None]


def test_rows_without_a_key_or_an_instant_are_nobodys(find: Find) -> None:
    observed = weather((None, 1, 10.0), ("JFK", None, 20.0))
    assert find([None, "JFK"], wind(), {"weather": observed}) == [None, None]


def test_two_rows_of_one_key_are_refused_by_name(find: Find) -> None:
    with pytest.raises(IntegrityError, match=r"dataset planes: 2 rows share their key .*plane=A"):
        find(["B"], seats(), {"planes": planes(("A", 55), ("A", 56), ("B", 182))})
    with pytest.raises(IntegrityError, match=r"dataset weather: 2 rows .*port=JFK"):
        find(["LGA"], wind(), {"weather": weather(("JFK", 1, 10.0), ("JFK", 1, 20.0))})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (seats(dataset="plane"), "no dataset 'plane'; there is planes, weather"),
        (seats(column="seat"), "dataset planes has no column 'seat'; did you mean 'seats'"),
        (seats(by={"plane": "seats"}), "the events' 'plane' is String, but planes's 'seats' is Int64"),
        (seats(within="1h"), "`within` needs a dataset with `known_at`, and planes has none"),
    ],
)
def test_a_lookup_that_does_not_fit_the_data_says_why(find: Find, wanted: Lookup, message: str) -> None:
    with pytest.raises(SpecError, match=f"feature x: {message}"):
        find(["A"], wanted, {"planes": planes(("A", 1)), "weather": weather()})


minutes = st.integers(-5, 12)
observations = st.lists(
    st.tuples(st.sampled_from(["JFK", "LGA", None]), minutes, st.integers(0, 99)),
    unique_by=lambda row: row[:2],
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(
    observations,
    st.lists(st.tuples(st.sampled_from(["JFK", "LGA", None]), minutes), max_size=10),
    st.randoms(),
)
def test_as_of_is_what_looking_at_every_row_in_turn_gives(
    spec: Callable[..., Spec], observed: list[Any], asked: list[Any], random: Any
) -> None:
    def one_at_a_time(port: str | None, hour: int) -> int | None:
        known = [(-age, wind) for at, age, wind in observed if at == port and at and hour <= age <= hour + 6]
        return max(known)[1] if known else None

    times = [NOON - timedelta(hours=hour) for _, hour in asked]
    rows = pl.DataFrame(
        {"port": [port for port, _ in asked], "decision_time": times},
        {"port": pl.String, "decision_time": INSTANT},
    )
    tables = {"weather": weather(*random.sample(observed, len(observed)))}
    found = lookup(rows, tables, spec().datasets, {"x": wind()})["x"].to_list()
    assert found == [one_at_a_time(port, hour) for port, hour in asked]
