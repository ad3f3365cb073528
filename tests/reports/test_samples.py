"""A sample of the page looks like the whole: each day has its share, and no frequent value is left out."""

from datetime import UTC, datetime

import numpy as np
import polars as pl

from reports.monitoring.samples import stratified

SIZE, KEPT = 500, 20


def year() -> pl.DataFrame:
    """Days of unlike length, of which one has a carrier of its own."""
    day = np.repeat(np.arange(60), np.where(np.arange(60) % 2, 50, 250))
    start = int(datetime(2013, 1, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000
    times = pl.Series(start + day * 86_400_000_000).cast(pl.Datetime("us", "UTC"))
    carrier = np.where(np.arange(day.size) % 4_500 == 17, "rare", np.where(day % 3 == 0, "UA", "B6"))
    return pl.DataFrame({"event_time": times, "day": day, "carrier": carrier, "place": np.arange(day.size)})


def drawn(rows: pl.DataFrame, size: int = SIZE) -> pl.DataFrame:
    return stratified(rows.lazy(), rows.columns, ["carrier"], size, KEPT, "UTC")


def test_each_day_has_its_share() -> None:
    rows = year()
    counts = dict(drawn(rows).group_by("day").len().iter_rows())
    for day, length in rows.group_by("day").len().iter_rows():
        assert abs(counts[day] - SIZE * length / rows.height) < 1.5


def test_no_frequent_value_is_left_out_by_chance() -> None:
    found = drawn(year())
    assert (year()["carrier"] == "rare").sum() == 2
    assert "rare" in found["carrier"].to_list()
    assert SIZE <= found.height <= SIZE + KEPT


def test_rows_stay_in_their_order_and_the_same_are_drawn_again() -> None:
    found = drawn(year())
    assert found["place"].is_sorted()
    assert found["place"].n_unique() == found.height
    assert drawn(year()).equals(found)


def test_few_rows_and_rows_without_a_time_are_taken_as_they_are() -> None:
    assert drawn(year(), 100_000).equals(year())
    assert stratified(year().drop("event_time").lazy(), ["place"], [], SIZE, KEPT, "UTC").height == SIZE
    assert drawn(year().clear()).height == 0
