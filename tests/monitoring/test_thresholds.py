"""A batch like the reference raises no alarm, though days differ; one that is not does."""

import numpy as np
import polars as pl
import pytest

from core.errors import IntegrityError
from core.spec import Monitoring
from models.rows import Columns
from monitoring.drift.drift import drift_of
from monitoring.drift.reference import MOST_BLOCKS, Reference, blocks_of, from_file, reference_of, to_file
from monitoring.drift.stability import DRAWS, FALSE_ALARMS, FEW, thresholds
from monitoring.profiles.profiling import profile

NUMBERS = tuple(f"n{place}" for place in range(8))
COLUMNS = Columns((*NUMBERS, "steady"), ("weather",))
RULES = Monitoring(drift=0.05)


def days(count: int, seed: int, first: int = 0) -> pl.DataFrame:
    """Days of 200 rows each. The rows of a day lie together, as those of a storm do, but for `steady`."""
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(first, first + count), 200)
    made = {
        name: np.repeat(random.normal(0, 2, count), 200) + random.normal(0, 1, day.size) for name in NUMBERS
    }
    weather = np.repeat(random.choice(["fair", "rain", "snow"], count, p=[0.6, 0.3, 0.1]), 200)
    steady = random.normal(0, 1, day.size)
    times = pl.Series(day * 86_400_000_000).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({**made, "steady": steady, "weather": weather, "event_time": times})


def reference(rows: pl.DataFrame) -> Reference:
    return reference_of(rows, COLUMNS, blocks_of(rows["event_time"], "1d", "UTC"))


@pytest.fixture(scope="module")
def year() -> Reference:
    return reference(days(300, 0))


def alarmed(year: Reference, batch: pl.DataFrame, blocks: int) -> list[str]:
    return [each.feature for each in drift_of(year, profile(batch, COLUMNS, blocks), RULES) if each.drifted]


def test_quiet_weeks_raise_hardly_any_alarm_though_a_constant_would(year: Reference) -> None:
    """Of a hundred weeks one may: were it for chance alone, five or more do once in 300 times."""
    weeks = [days(7, seed) for seed in range(1, 101)]
    assert sum(bool(alarmed(year, week, 7)) for week in weeks) <= 4
    without = Reference(year.profiles)
    assert sum(bool(alarmed(without, week, 7)) for week in weeks[:20]) >= 18


def test_a_shift_beyond_what_days_do_is_seen(year: Reference) -> None:
    week = days(7, 101)
    assert alarmed(year, week.with_columns(pl.col("steady") + 0.6), 7) == ["steady"]
    assert "n3" in alarmed(year, week.with_columns(pl.col("n3") + 12), 7)


def test_the_threshold_falls_with_the_days_of_a_batch_to_its_floor(year: Reference) -> None:
    found = [thresholds(year.blocks, drawn, 0.05) for drawn in (1, 7, 30)]
    varying = [each["n0"] for each in found]
    assert varying[0] > varying[1] > varying[2] >= 0.05
    assert found[2]["steady"] == 0.05


def test_more_features_ask_for_a_higher_threshold_each(year: Reference) -> None:
    alone = thresholds({"n0": year.blocks["n0"]}, 7, 0.01)["n0"]
    assert thresholds(year.blocks, 7, 0.01)["n0"] > 1.1 * alone


def test_the_furthest_feature_of_a_draw_is_beyond_it_as_often_as_is_said() -> None:
    """Ten features that are copies of one need no correction at all: the maximum knows that."""
    rows = days(100, 3)
    copies = {f"c{place}": reference(rows).blocks["n0"] for place in range(10)}
    one, ten = thresholds({"c0": copies["c0"]}, 7, 0.01), thresholds(copies, 7, 0.01)
    assert ten["c0"] == pytest.approx(one["c0"])
    assert DRAWS * FALSE_ALARMS >= 10


def test_few_days_have_the_floor_alone_and_say_so() -> None:
    few = reference(days(FEW - 1, 4))
    found = drift_of(few, profile(days(7, 5), COLUMNS, 7), RULES)
    assert {each.threshold for each in found} == {0.05}
    assert all(f"{FEW - 1} days of reference: too few" in each.note for each in found)


@pytest.mark.parametrize("value", [3.0, None])
def test_a_constant_reference_has_the_floor(value: float | None) -> None:
    still = days(20, 6).with_columns(steady=pl.lit(value, pl.Float64))
    assert thresholds(reference(still).blocks, 7, 0.05)["steady"] == 0.05
    assert "steady" in alarmed(reference(still), days(7, 7), 7)


def test_days_are_those_of_the_time_zone_and_hours_where_batches_are_hours() -> None:
    times = pl.Series(["2013-03-01T04:30:00Z", "2013-03-01T05:30:00Z", "2013-03-01T05:59:00Z"])
    times = times.str.to_datetime("%Y-%m-%dT%H:%M:%S%#z", time_zone="UTC")
    assert blocks_of(times, "1mo", "America/New_York").n_unique() == 2
    assert blocks_of(times, "1mo", "UTC").n_unique() == 1
    assert blocks_of(times, "1h", "UTC").n_unique() == 2


def test_a_reference_comes_back_from_its_file(year: Reference) -> None:
    back = from_file(to_file(year), "version v1")
    week = profile(days(7, 8), COLUMNS, 7)
    assert drift_of(back, week, RULES) == drift_of(year, week, RULES)
    damaged = to_file(year).with_columns(sketch=pl.lit(b"nothing"))
    with pytest.raises(IntegrityError, match="version v1, feature 'n0'"):
        from_file(damaged, "version v1")


def test_the_rows_by_day_add_up_to_those_of_the_profile(year: Reference) -> None:
    for name, (histogram,) in year.blocks.items():
        assert histogram.shape[0] == 300
        assert (histogram.sum(1) == 200).all(), name


def test_of_very_many_days_the_newest_are_kept() -> None:
    many = pl.DataFrame({"n0": np.zeros(MOST_BLOCKS + 50)})
    blocks = pl.Series(range(MOST_BLOCKS + 50))
    found = reference_of(many, Columns(("n0",), ()), blocks)
    assert found.days == MOST_BLOCKS
    assert found.profiles["n0"].tally.blocks == MOST_BLOCKS + 50
