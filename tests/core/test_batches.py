"""A calendar cuts the history into batches: all of it, each instant once, with a name for each."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.batches import Batch, Calendar, Every, duration
from core.errors import SpecError

# Zones that change their clocks at midnight, by half an hour, in the south, or skipped a whole day.
ZONES = [
    "UTC",
    "America/New_York",
    "Europe/London",
    "America/Sao_Paulo",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
]
DAYS = st.dates(date(1995, 1, 1), date(2030, 1, 1))


def calendar(every: Every, zone: str = "America/New_York", year: int = 2013) -> Calendar:
    return Calendar(every, zone, date(year, 1, 1), date(year + 1, 1, 1))


@given(st.sampled_from(get_args(Every)), st.sampled_from(ZONES), DAYS, st.integers(1, 90))
@example("1d", "America/Havana", date(2013, 11, 1), 5)  # midnight comes twice
@example("1d", "America/Sao_Paulo", date(2013, 10, 18), 5)  # there is no midnight
@example("1d", "Pacific/Apia", date(2011, 12, 28), 5)  # there is no 30 December
@example("1mo", "UTC", date(2013, 1, 31), 60)
@example("1h", "Australia/Lord_Howe", date(2013, 4, 6), 2)  # clocks go back half an hour
def test_batches_cover_the_history_without_gap_or_overlap(
    every: Every, zone: str, first: date, days: int
) -> None:
    last = first + timedelta(days=days)
    batches = Calendar(every, zone, first, last).batches()
    assert all(before.end == after.start for before, after in pairwise(batches))
    local = ZoneInfo(zone)
    assert batches[0].start.astimezone(local).date() == first or zone == "Pacific/Apia"
    assert (batches[0].start - timedelta(seconds=1)).astimezone(local).date() < first
    assert (batches[-1].end - timedelta(seconds=1)).astimezone(local).date() < last
    assert batches[-1].end.astimezone(local).date() >= last
    assert len({batch.id for batch in batches}) == len(batches)


@given(st.sampled_from(get_args(Every)), st.sampled_from(ZONES), DAYS, st.integers(1, 90))
def test_an_edge_between_batches_is_where_clocks_show_it(
    every: Every, zone: str, first: date, days: int
) -> None:
    for batch in Calendar(every, zone, first, first + timedelta(days=days)).batches()[1:]:
        before = (batch.start - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
        begins = batch.start.astimezone(ZoneInfo(zone))
        if every == "1h":
            assert batch.start.minute == 0 or zone in ("Asia/Kathmandu", "Australia/Lord_Howe")
        elif every == "1mo":
            assert (before.month, before.year) != (begins.month, begins.year)
        else:
            assert before.date() < begins.date()
        if every in ("3mo", "6mo", "1y"):
            months = {"3mo": 3, "6mo": 6, "1y": 12}[every]
            assert begins.day == 1 and (begins.month - 1) % months == 0


def test_a_year_may_be_one_batch_and_the_first_may_be_shorter() -> None:
    years = Calendar("1y", "UTC", date(1995, 10, 9), date(1998, 1, 1)).batches()
    assert [(batch.id, batch.start.date()) for batch in years] == [
        ("1995", date(1995, 10, 9)),
        ("1996", date(1996, 1, 1)),
        ("1997", date(1997, 1, 1)),
    ]


def test_a_month_is_one_of_the_zone_not_of_utc() -> None:
    march = calendar("1mo").batch("2013-03")
    assert march.start == datetime(2013, 3, 1, 5, tzinfo=UTC)  # winter time: UTC-5
    assert march.end == datetime(2013, 4, 1, 4, tzinfo=UTC)  # summer time: UTC-4


def test_the_days_on_which_clocks_change_are_an_hour_shorter_and_longer() -> None:
    days = calendar("1d")
    lengths = {day: days.batch(day).end - days.batch(day).start for day in ("2013-03-10", "2013-11-03")}
    assert lengths == {"2013-03-10": timedelta(hours=23), "2013-11-03": timedelta(hours=25)}


def test_the_hour_that_autumn_repeats_is_two_batches() -> None:
    hours = calendar("1h").batches("2013-11-03T00-0400", "2013-11-03T02-0500")
    assert [hour.id[11:] for hour in hours] == ["00-0400", "01-0400", "01-0500", "02-0500"]
    assert len(calendar("1h").batches()) == 8760


def test_weeks_begin_on_the_weekday_of_the_first() -> None:
    weeks = Calendar("1w", "America/New_York", date(2013, 3, 4), date(2013, 3, 25)).batches()
    assert [week.id for week in weeks] == ["2013-03-04", "2013-03-11", "2013-03-18"]
    assert weeks[0].end - weeks[0].start == timedelta(days=7, hours=-1)  # clocks went forward


def test_a_history_that_ends_within_a_batch_is_not_cut_short() -> None:
    months = Calendar("1mo", "UTC", date(2013, 1, 15), date(2013, 3, 10)).batches()
    assert [month.id for month in months] == ["2013-01", "2013-02", "2013-03"]
    assert months[0].start == datetime(2013, 1, 15, tzinfo=UTC)
    assert months[0].end == datetime(2013, 2, 1, tzinfo=UTC)
    assert months[-1].end == datetime(2013, 3, 10, tzinfo=UTC)


def test_batches_are_chosen_by_their_ids_both_ends_included() -> None:
    months = calendar("1mo")
    assert [month.id for month in months.batches("2013-02", "2013-04")] == ["2013-02", "2013-03", "2013-04"]
    assert len(months.batches(start="2013-11")) == 2
    assert len(months.batches(end="2013-02")) == 2
    assert len(months.batches()) == 12
    assert str(months.batch("2013-02")) == "2013-02"


def test_changing_the_list_that_was_given_changes_no_calendar() -> None:
    calendar("1mo").batches().clear()
    assert len(calendar("1mo").batches()) == 12


def test_an_unknown_batch_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(SpecError, match=r"no batch '2013-13': .* from '2013-01' to '2013-12', every 1mo"):
        calendar("1mo").batch("2013-13")


def test_an_end_before_the_start_is_an_error() -> None:
    with pytest.raises(SpecError, match="batch '2013-04' is after '2013-02'"):
        calendar("1mo").batches("2013-04", "2013-02")


def test_a_batch_needs_a_zone_and_a_length() -> None:
    noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        Batch(noon.replace(tzinfo=None), noon, "x")
    with pytest.raises(ValueError, match="not after start"):
        Batch(noon, noon, "x")


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-2h", "1.5h", "2hours", "2M", "٢h", "9" * 12 + "w"])
def test_what_is_no_duration_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration(text)
