"""Rows with free texts whose meaning is known: an angry word, or two words in one order, tell the label."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from models.rows import Columns, Rows

COLUMNS = Columns(("size",), ("place",), ("title", "remark"))
WORDS = ("river", "house", "seven", "green", "walk", "paper", "cloud", "table", "music", "stone", "light")
ODD = (
    *(
        "",
        None,
        "   ",
        "a",
        "🛫🛫",
        "x" * 5000,
        "! " * 2000,
        "word " * 900,
        "a\0b",
        "Привет, мир",
        "สวัสดีชาวโลก",
    ),
    *("猫と犬", "e\N{COMBINING ACUTE ACCENT}", "\u202eabc", "\n\t", "g h a s t l y", "gh4stly", "GHASTLY!!"),
)


def frame(rows: int, seed: int = 3) -> pl.DataFrame:
    """Rows in order of time; `heard` is how loud each one's truth is."""
    random = np.random.default_rng(seed)
    texts = [list(random.choice(WORDS, random.integers(3, 9))) for _ in range(rows)]
    angry, kind = random.random((2, rows)) < 0.35
    for text, one, other in zip(texts, angry, kind, strict=True):
        if one:
            text.insert(int(random.integers(len(text))), "ghastly")
        if other:
            text.insert(int(random.integers(len(text))), "lovely")
    start = datetime(2013, 1, 1, tzinfo=UTC)
    times = [start + timedelta(hours=row) for row in range(rows)]
    return pl.DataFrame(
        {
            "event_time": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
            "size": random.normal(size=rows).astype(np.float32),
            "place": random.choice(["here", "there"], rows),
            "title": [" ".join(text[:2]) for text in texts],
            "remark": [" ".join(text) for text in texts],
            "heard": 2.5 * angry - 2.5 * kind + random.logistic(0, 0.6, rows),
        }
    )


def rows_of(problem: str, made: pl.DataFrame) -> Rows:
    """The rows with the label that a problem asks for."""
    heard = made["heard"].to_numpy()
    labels: dict[str, Any] = {
        "binary": (heard > 0).astype(float),
        "multiclass": np.digitize(heard, [-1, 1]).astype(float),
        "regression": 50 + 10 * heard,
        "ranking": np.digitize(heard, [-1, 1]).astype(float),
    }
    groups = np.arange(len(made)) // 8 if problem == "ranking" else None
    return Rows(made.drop("heard"), labels[problem], made["event_time"], groups)


def odd(like: pl.DataFrame) -> pl.DataFrame:
    """Rows whose texts are hard to read, of the columns that a model takes."""
    some = like.select(COLUMNS.names).head(1)[np.zeros(len(ODD), int)]
    return some.with_columns(title=pl.Series(ODD[::-1]), remark=pl.Series(ODD))
