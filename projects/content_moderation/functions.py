"""What the moderation project adds to its declarations: prepared columns, and groups that texts mention."""

from collections.abc import Mapping

import polars as pl

ANDROID = "Twitter for Android"
REVIEW = pl.duration(days=1)  # what is posted has been looked at a day later


def prepare_tweets(frame: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Add `from_android` and `reviewed_at` (UTC): when the label counts as known."""
    return frame.with_columns(
        from_android=pl.col("source") == ANDROID, reviewed_at=pl.col("created_at") + REVIEW
    )


def mentions_women() -> pl.Expr:
    """Whether it has a word for women."""
    return _mentions(r"\b(?:wom[ae]n|girls?|wife|wives|mothers?|moms?|daughters?|lad(?:y|ies))\b")


def mentions_immigrants() -> pl.Expr:
    """Whether it has a word for immigrants, for the border, or for Mexico."""
    return _mentions(r"\b(?:immigra\w*|illegals?|aliens?|refugees?|border|mexic\w*)\b")


def mentions_muslims() -> pl.Expr:
    """Whether it has a word for Muslims or Islam."""
    return _mentions(r"\b(?:muslims?|islam\w*|mosques?)\b")


def mentions_press() -> pl.Expr:
    """Whether it has a word for the press, or the name of a part of it."""
    return _mentions(r"\b(?:media|press|news|journalis\w*|reporters?|cnn|nytimes|washingtonpost|foxnews)\b")


def _mentions(words: str) -> pl.Expr:
    return pl.when(pl.col("text").str.contains(f"(?i){words}")).then(pl.lit("yes")).otherwise(pl.lit("no"))
