"""What the recommendation project adds to its declarations: prepared columns and a derived feature."""

from collections.abc import Mapping

import polars as pl

VISIT = "10m"  # the stretch of a sitting that is decided on at once
LIKED = 4.0  # stars from which a title counts as liked


def prepare_ratings(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Add `rated_at`, `visit_at` (UTC), `grade` and `genre`.

    A rating is known a second after it was given, so never at the very beginning of its visit. Who
    rates a title has watched it: grade 1, and 2 if it was liked. `genre` is the first that is listed.
    """
    given = pl.from_epoch("timestamp").cast(pl.Datetime("us", "UTC"))
    return frame.with_columns(
        rated_at=given + pl.duration(seconds=1),
        visit_at=given.dt.truncate(VISIT),
        grade=pl.when(pl.col("rating") >= LIKED).then(2).when(pl.col("rating").is_not_null()).then(1),
        genre=pl.col("genres").str.split("|").list.first(),
    )


def title_age() -> pl.Expr:
    """Full calendar years since the title came out."""
    return pl.col("visit_at").dt.year() - pl.col("year")
