"""What the champions of recommendation are held against: `benchmarks/catalogue.py` says how."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]

SHOWN = 10
RECENT = 20  # as many of a user's last films say what he is after
SHRINK = 20  # watchers in common that a likeness is held back by


def popular(days: int, known: pl.DataFrame) -> pl.DataFrame:
    """By film, in rising order, how often it was watched in the last days; of equals, how often at all."""
    newest = known["known_at"].max()
    recent = (pl.col("known_at") > newest - pl.duration(days=days)).sum()
    return known.group_by("movieId").agg(times=recent + pl.len() * 1e-6).sort("movieId")


def popular_of_late(known: pl.DataFrame, asks: pl.DataFrame) -> Floats:
    """The most watched of the last 90 days."""
    return np.tile(popular(90, known)["times"].to_numpy(), (asks.height, 1))


def popular_for_a_year(known: pl.DataFrame, asks: pl.DataFrame) -> Floats:
    """The most watched of the last year."""
    return np.tile(popular(365, known)["times"].to_numpy(), (asks.height, 1))


def item_knn(known: pl.DataFrame, asks: pl.DataFrame) -> Floats:
    """The likeness (cosine of who watched both, shrunk) to the user's last films; without any, popularity."""
    films = popular(365, known)
    places = films.select("movieId").with_row_index("place")
    watched = known.join(places, on="movieId")
    user = watched["userId"].rank("dense").to_numpy() - 1
    who = sparse.csc_array((np.ones(len(user), np.float32), (user, watched["place"].to_numpy())))
    recent = asks.select(movieId=pl.col("past").list.tail(RECENT)).with_row_index("row").explode("movieId")
    had = recent.join(places, on="movieId")
    marks = np.zeros((asks.height, films.height), np.float32)
    marks[had["row"].to_numpy(), had["place"].to_numpy()] = 1
    asked, counts = np.flatnonzero(marks.any(axis=0)), who.sum(axis=0)
    both = (who[:, asked].T @ who).toarray()  # how many watched one and the other
    like = both / (np.sqrt(np.outer(counts[asked], counts)) + SHRINK)
    found = marks[:, asked] @ like
    return np.where(marks.any(axis=1)[:, None], found, films["times"].to_numpy())


BASELINES = {
    "popular, 90 days": popular_of_late,
    "popular, a year": popular_for_a_year,
    "item-kNN": item_knn,
}


def measures(rows: pl.DataFrame, answers: Floats) -> dict[str, float]:
    """Coverage, popularity bias, and how those fare who are new, or what is rare.

    `coverage` is the share of the catalogue that is shown to anybody, `popularity` the mean share of it
    that is watched less often than what is shown (of what is watched: `watched`), `new users` and
    `rare films` the share that is shown of what users without a past, and of what of the less popular
    half of the catalogue, is watched.
    """
    place = pl.col("answer").rank("ordinal", descending=True).over("userId", "visit_at")
    ranked = rows.with_columns(answer=answers).with_columns(shown=place <= SHOWN)
    shown, watched = ranked.filter("shown"), ranked.filter(pl.col("label") > 0)
    found = {
        "coverage": shown["movieId"].n_unique() / rows["catalogue"].max(),
        "popularity": shown["popularity"].mean(),
        "watched": watched["popularity"].mean(),
        "new users": watched.filter(pl.col("had") == 0)["shown"].mean(),
        "rare films": watched.filter(pl.col("popularity").fill_null(0) < 0.5)["shown"].mean(),
    }
    return {name: float("nan") if value is None else float(value) for name, value in found.items()}
