"""The features of the flights project written by hand, in Polars and in pandas, without the house.

Both are what a person would write who knows the library and these features, and no others: running
totals of what had become known, joined as of a decision and as of the start of its window.
"""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl

ZONE = "America/New_York"
KEY = ("year", "month", "day", "carrier", "flight", "origin")
WEATHER = ("temp", "humid", "wind_speed", "precip", "visib", "pressure")
# By entity and the instant that counts: the means of which value, over how many hours.
MEANS: dict[tuple[tuple[str, ...], str], Mapping[str, tuple[str, int]]] = {
    (("origin",), "arrived_at"): {"origin_late_2h": ("late", 2), "origin_late_1d": ("late", 24)},
    (("origin",), "departed_at"): {"origin_departure_delay_3h": ("dep_delay", 3)},
    (("carrier",), "arrived_at"): {"carrier_late_1d": ("late", 24)},
    (("carrier",), "departed_at"): {"carrier_departure_delay_3h": ("dep_delay", 3)},
    (("carrier", "origin"), "departed_at"): {"carrier_origin_departure_delay_3h": ("dep_delay", 3)},
    (("dest",), "arrived_at"): {"dest_delay_1d": ("arr_delay", 24)},
    (("route",), "arrived_at"): {"route_late_1d": ("late", 24), "route_late_7d": ("late", 168)},
    (("carrier", "route"), "arrived_at"): {"carrier_route_delay_1d": ("arr_delay", 24)},
    (("carrier", "flight"), "arrived_at"): {"flight_delay_7d": ("arr_delay", 168)},
    (("tailnum",), "arrived_at"): {"plane_delay_3h": ("arr_delay", 3), "plane_late_7d": ("late", 168)},
    (("tailnum",), "departed_at"): {"plane_departure_delay_6h": ("dep_delay", 6)},
}


def in_polars(
    events: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame], start: datetime, end: datetime
) -> pl.DataFrame:
    """The features of the flights that are scheduled in [start, end), in their order."""
    local = pl.col("scheduled_departure").dt.convert_time_zone(ZONE)
    decision = pl.col("scheduled_departure") - pl.duration(hours=2)
    known = events.with_columns(decision_time=decision)
    scheduled = pl.col("scheduled_departure").is_between(start, end, closed="left")
    rows = known.filter(scheduled).with_row_index("place").sort("decision_time")
    planes = tables["planes"].select("tailnum", "seats", built="year")
    rows = rows.join(planes, on="tailnum", how="left", maintain_order="left")
    weather = tables["weather"].select("origin", *WEATHER, seen="known_at").sort("seen")
    rows = rows.join_asof(
        weather, left_on="decision_time", right_on="seen", by="origin", tolerance="6h", check_sortedness=False
    )
    for (by, instant), wanted in MEANS.items():
        rows = _polars_means(rows, known, list(by), instant, wanted)
    age = local.dt.year() - pl.col("built")
    numbers = {
        "distance": pl.col("distance"),
        "minute_of_day": local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute(),
        "weekday": local.dt.weekday(),
        "seats": pl.col("seats"),
        "plane_age": pl.when(age >= 0).then(age),
        **{name: pl.col(name) for name in WEATHER},
        **{name: pl.col(name) for wanted in MEANS.values() for name in wanted},
    }
    return (
        rows.sort("place")
        .select(
            *KEY,
            "decision_time",
            "dest",
            event_time="scheduled_departure",
            **{name: _finite(value.cast(pl.Float32)) for name, value in numbers.items()},
        )
        .collect()
    )


def _finite(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_finite()).then(value)


def _polars_means(
    rows: pl.LazyFrame,
    events: pl.LazyFrame,
    by: list[str],
    instant: str,
    wanted: Mapping[str, tuple[str, int]],
) -> pl.LazyFrame:
    values = list(dict.fromkeys(value for value, _ in wanted.values()))
    totals = (
        events.filter(pl.col(instant) > pl.col("decision_time"))
        .select(*by, instant, *values)
        .drop_nulls(by)
        .sort(instant)
        .with_columns(pl.col(value).cast(pl.Int64) for value in values)
        .select(
            *by,
            instant,
            *(pl.col(value).fill_null(0).cum_sum().over(by).alias(f"sum {value}") for value in values),
            *(pl.col(value).cum_count().over(by).alias(f"count {value}") for value in values),
        )
    )
    for hours in dict.fromkeys([0, *(hours for _, hours in wanted.values())]):
        then = totals.rename(lambda name, hours=hours: name if name in by else f"{name} {hours}")
        rows = rows.with_columns(when=pl.col("decision_time") - pl.duration(hours=hours)).join_asof(
            then, left_on="when", right_on=f"{instant} {hours}", by=by, check_sortedness=False
        )
    held = pl.selectors.matches("^(sum|count) ")
    rows = rows.with_columns(held.fill_null(0))
    means = {
        name: (pl.col(f"sum {value} 0") - pl.col(f"sum {value} {hours}"))
        / (pl.col(f"count {value} 0") - pl.col(f"count {value} {hours}"))
        for name, (value, hours) in wanted.items()
    }
    return rows.with_columns(**means).drop(held, pl.selectors.starts_with(f"{instant} "))


def in_pandas(
    events: pd.DataFrame, tables: Mapping[str, pd.DataFrame], start: datetime, end: datetime
) -> pd.DataFrame:
    """The same in pandas."""
    known = events.assign(decision_time=events["scheduled_departure"] - pd.Timedelta(hours=2))
    rows = known[(known["scheduled_departure"] >= start) & (known["scheduled_departure"] < end)]
    rows = rows.reset_index(names="place").sort_values("decision_time", kind="stable")
    planes = tables["planes"][["tailnum", "seats", "year"]].rename(columns={"year": "built"})
    rows = rows.merge(planes, on="tailnum", how="left")
    weather = tables["weather"][["origin", "known_at", *WEATHER]].dropna(subset="known_at")
    weather = weather.rename(columns={"known_at": "seen"}).sort_values("seen")
    within = pd.Timedelta(hours=6)
    rows = pd.merge_asof(
        rows, weather, left_on="decision_time", right_on="seen", by="origin", tolerance=within
    )
    means = {
        name: _pandas_mean(rows, known, list(by), instant, value, hours)
        for (by, instant), wanted in MEANS.items()
        for name, (value, hours) in wanted.items()
    }
    local = rows["scheduled_departure"].dt.tz_convert(ZONE).dt
    age = local.year - rows["built"]
    rows = rows.assign(
        event_time=rows["scheduled_departure"],
        minute_of_day=local.hour * 60 + local.minute,
        weekday=local.weekday + 1,
        plane_age=age.where(age >= 0),
        **means,
    )
    numbers = ["distance", "minute_of_day", "weekday", "seats", "plane_age", *WEATHER, *means]
    rows = rows.astype(dict.fromkeys(numbers, np.float32)).sort_values("place")
    return rows[[*KEY, "decision_time", "dest", "event_time", *numbers]]


def _pandas_mean(
    rows: pd.DataFrame, events: pd.DataFrame, by: list[str], instant: str, value: str, hours: int
) -> pd.Series:
    facts = events[events[instant] > events["decision_time"]].dropna(subset=[*by, value])
    facts = facts[[*by, instant]].assign(total=facts[value].astype(float), count=1.0).sort_values(instant)
    held = ["total", "count"]
    facts[held] = facts.groupby(by)[held].cumsum()

    def as_of(when: pd.Series) -> pd.DataFrame:
        asked = rows[by].assign(when=when)
        return pd.merge_asof(asked, facts, left_on="when", right_on=instant, by=by)[held].fillna(0.0)

    window = as_of(rows["decision_time"]) - as_of(rows["decision_time"] - pd.Timedelta(hours=hours))
    return window["total"] / window["count"]
