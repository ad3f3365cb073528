"""What the ad_click project adds to its declarations: instants, pairs, and features of a search."""

from collections.abc import Mapping

import polars as pl

# Longer stays and searches further ahead are typed by mistake: no hotel of the log's time took bookings.
LONGEST, FURTHEST = 60, 550  # nights, days


def prepare_clicks(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Add `logged_at` and `settled_at` (UTC), and pairs of columns that rates are counted by.

    The log does not say when a booking was known: a day after the click is taken to be late enough.
    That there was a click is known a second after it.
    """
    return frame.with_columns(
        logged_at=pl.col("date_time") + pl.duration(seconds=1),
        settled_at=pl.col("date_time") + pl.duration(days=1),
        cluster_in_market=pl.concat_str("hotel_market", "hotel_cluster", separator=":"),
        cluster_at_destination=pl.concat_str("srch_destination_id", "hotel_cluster", separator=":"),
        journey=pl.concat_str("user_location_country", "hotel_country", separator=":"),
    )


def nights() -> pl.Expr:
    """Nights from check-in to check-out; null where there are no such dates, or none that make sense."""
    return _between((pl.col("srch_co") - pl.col("srch_ci")).dt.total_days(), 0, LONGEST)


def days_ahead() -> pl.Expr:
    """Days from the click to check-in, -1 where it is already tomorrow for the user; null as `nights`."""
    return _between((pl.col("srch_ci") - pl.col("date_time").dt.date()).dt.total_days(), -1, FURTHEST)


def saturday_night() -> pl.Expr:
    """Whether a night from Saturday to Sunday is among the nights."""
    until_saturday = (13 - pl.col("srch_ci").dt.weekday()) % 7
    return until_saturday < nights()


def adults_per_room() -> pl.Expr:
    """How many adults share a room; null where no room is asked for."""
    return pl.when(pl.col("srch_rm_cnt") > 0).then(pl.col("srch_adults_cnt") / pl.col("srch_rm_cnt"))


def _between(days: pl.Expr, least: int, most: int) -> pl.Expr:
    return pl.when(days.is_between(least, most)).then(days)
