"""What the bike_demand project adds to its declarations: instants of local hours, and holidays."""

from collections.abc import Mapping

import polars as pl

ZONE = "America/New_York"
HOUR, DAY = pl.duration(hours=1), pl.duration(days=1)
# Holidays of the District of Columbia on fixed days, as (month, day).
FIXED = ((1, 1), (4, 16), (7, 4), (11, 11), (12, 25))
# And on the n-th weekday of a month, as (month, weekday from 1 for Monday, first day that it may be on).
MOVABLE = ((1, 1, 15), (2, 1, 15), (5, 1, 25), (9, 1, 1), (10, 1, 8), (11, 4, 22))


def prepare_hours(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Add the instants of each hour (UTC), its place in the day and the week, and the system's name.

    `ts` is what the clocks of Washington show when the hour begins. `hour_began` is null where it cannot
    be read. An hour that comes twice is taken to begin with the first and to be over, and so known, with
    the second. For an hour that no clock showed stands the one that they showed instead. `planned_at` and
    `day_over` are the midnights before and after.
    """
    local = pl.col("ts").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
    midnight = local.dt.truncate("1d")
    return frame.with_columns(
        hour_began=_instant(local, "earliest"),
        hour_over=_instant(local, "latest") + HOUR,
        planned_at=_instant(midnight, "earliest"),
        day_over=_instant(midnight + DAY, "earliest"),
        hour_of_day=local.dt.hour().cast(pl.Int64),
        hour_of_week=(local.dt.weekday().cast(pl.Int64) - 1) * 24 + local.dt.hour(),
        system=pl.lit("Capital Bikeshare"),
    )


def expect_hours_that_clocks_showed(column: str) -> pl.Expr:
    """Whether the local time was ever shown: the hour from 02:00 on is left out once each spring."""
    local = pl.col(column).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
    return local.dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null").is_not_null()


def holiday() -> pl.Expr:
    """1 on a holiday of the District of Columbia, by its date and not where it is observed; else 0."""
    local = pl.col("hour_began").dt.convert_time_zone(ZONE)
    month, day, weekday = local.dt.month(), local.dt.day(), local.dt.weekday()
    fixed = [(month == in_month) & (day == on) for in_month, on in FIXED]
    movable = [
        (month == in_month) & (weekday == on) & day.is_between(first, first + 6)
        for in_month, on, first in MOVABLE
    ]
    return pl.any_horizontal(*fixed, *movable).cast(pl.Float64)


def _instant(local: pl.Expr, ambiguous: str) -> pl.Expr:
    """The instant at which clocks show a local time, in UTC."""
    shown = local.dt.replace_time_zone(ZONE, ambiguous=ambiguous, non_existent="null")
    instead = (local + HOUR).dt.replace_time_zone(ZONE, ambiguous=ambiguous, non_existent="null")
    return pl.coalesce(shown, instead).dt.convert_time_zone("UTC")
