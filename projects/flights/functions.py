"""What the flights project adds to its declarations: prepared columns and a derived feature."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import available_timezones

import polars as pl

LATE = 15  # minutes of arrival delay: a flight is late when it has more
# Destinations that airports.csv does not have; Puerto Rico and the Virgin Islands share their time.
ATLANTIC = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
DAY = pl.duration(days=1)
# Instants that clocks can be worked out for; a flight at any other is an error in the data.
FLYING = (datetime(1903, 12, 17, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))

ZONES = available_timezones()  # once: to look for them takes as long as the rest of a request


def prepare_flights(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Add `scheduled_departure`, `departed_at`, `arrived_at` (UTC), `late` and `route`.

    Each is null where what it is made from is missing or impossible. The scheduled arrival is given
    in the local time of the destination: it is the next such time after departure. Where the
    destination's zone is unknown it is taken to be a day after departure, which no flight is
    under way, so that a label is never held to be known before it was.
    """
    zones = _zones(tables["airports"])
    zone = pl.col("dest").replace_strict(zones, default=None, return_dtype=pl.String)
    known = [pl.when(zone == name).then(_arrival(name)) for name in sorted(set(zones.values()))]
    arrival = pl.coalesce(*known, pl.when(zone.is_null()).then(pl.col("scheduled_departure") + DAY))
    hour = pl.when(pl.col("time_hour").is_between(*FLYING)).then("time_hour")
    return frame.with_columns(scheduled_departure=hour + _minutes("minute", 0, 59)).with_columns(
        departed_at=pl.col("scheduled_departure") + _minutes("dep_delay", -1440, 10080),
        arrived_at=arrival + _minutes("arr_delay", -1440, 10080),
        late=pl.col("arr_delay") > LATE,
        route=pl.concat_str("origin", "dest", separator="-"),
    )


def prepare_weather(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Add `known_at` (UTC): the end of the hour, whose observations the row sums up."""
    return frame.with_columns(known_at=pl.col("time_hour") + pl.duration(hours=1))


def plane_age() -> pl.Expr:
    """Full calendar years since the plane was built; null where that is unknown or in the future."""
    age = pl.col("scheduled_departure").dt.convert_time_zone("America/New_York").dt.year() - pl.col("built")
    return pl.when(age >= 0).then(age)


def _minutes(column: str, least: int, most: int) -> pl.Expr:
    return pl.duration(minutes=pl.when(pl.col(column).is_between(least, most)).then(column))


def _zones(airports: pl.LazyFrame) -> dict[str, str]:
    """The time zone of each airport that has a known one."""
    listed = airports.select("faa", "tzone").drop_nulls().collect()
    return ATLANTIC | {airport: zone for airport, zone in listed.iter_rows() if zone in ZONES}


def _arrival(zone: str) -> pl.Expr:
    """When a flight to this zone is scheduled to arrive, in UTC."""
    hour, minute = pl.col("sched_arr_time") // 100, pl.col("sched_arr_time") % 100
    clock = pl.when(hour.is_between(0, 24) & (minute < 60)).then(hour * 60 + minute)
    departure = pl.col("scheduled_departure").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    today = departure.dt.truncate("1d") + pl.duration(minutes=clock)
    arrival = pl.when(today > departure).then(today).otherwise(today + DAY)
    # When clocks go back an hour comes twice, and the later is meant; when they go forward one is
    # left out, and clocks show the next.
    return pl.coalesce(_instant(arrival, zone), _instant(arrival + pl.duration(hours=1), zone))


def _instant(local: pl.Expr, zone: str) -> pl.Expr:
    shown = local.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    return shown.dt.convert_time_zone("UTC")
