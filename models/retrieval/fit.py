"""From events that were known to a retriever: popularity, the words of items, and the towers."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from core.candidates import Candidates
from models.retrieval.pasts import Pasts
from models.retrieval.retriever import HISTORY, NONE, Floats, Retriever, Whole

WORDS = 64  # the most frequent words of what is about items
BANDS = 10  # of a number
DECISION, KNOWN = "decision_time", "known_at"
_LITTLE = 0.01  # of an event: what an item counts that has none of late


def fit(facts: pl.DataFrame, rules: Candidates, at: datetime, seed: int) -> Retriever:
    """The retriever of the events known `at` an instant; the same ones and seed give the same.

    `facts` have the columns of `rules`, `decision_time` and `known_at` (UTC), and are in the order in
    which they became known.
    """
    from models.retrieval.towers import towers  # imports torch: seconds that only a fit is to take

    catalogue = newest(facts, rules)
    items = tuple(catalogue[rules.item].cast(pl.String))
    bare = Retriever(items, np.zeros(len(items), np.float32), *np.zeros((2, len(items), 1), np.float32))
    chosen = bare.codes(facts[rules.item])
    asked, index = towers(*_examples(facts, rules, chosen), words(catalogue, rules.about), seed)
    return Retriever(items, _popularity(facts, chosen, len(items), rules, at), asked, index)


def newest(facts: pl.DataFrame, rules: Candidates) -> pl.DataFrame:
    """The catalogue: each item, by name in order, with what is about it in the newest of its facts."""
    return (
        facts.select(rules.item, *rules.about)
        .drop_nulls(rules.item)
        .unique(rules.item, keep="last", maintain_order=True)
        .sort(pl.col(rules.item).cast(pl.String))
    )


def entities(frames: Sequence[pl.DataFrame], by: Sequence[str]) -> list[Whole]:
    """A number for who asks in each row of each frame, the same for the same."""
    every = pl.concat([frame.select(pl.struct(by)) for frame in frames]).to_series().rank("dense")
    ends = np.cumsum([frame.height for frame in frames])
    return np.split(every.cast(pl.Int64).to_numpy(), ends[:-1])


def instants(frame: pl.DataFrame, column: str) -> Whole:
    """A column of instants in microseconds [n]."""
    return frame[column].cast(pl.Datetime("us", "UTC")).to_physical().to_numpy()


def words(catalogue: pl.DataFrame, about: Sequence[str]) -> Floats:
    """Which of the most frequent words each item has [items, words]: of texts, and the bands of numbers.

    >>> words(pl.DataFrame({"kind": ["Comedy|War", "War", None]}), ["kind"]).tolist()
    [[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
    """
    found = [_words(catalogue[column]) for column in about]
    every = pl.concat(found) if found else pl.DataFrame(schema={"row": pl.UInt32, "word": pl.String})
    counts = every.group_by("word").len().sort("len", "word", descending=[True, False]).head(WORDS)
    kept = every.join(counts.sort("word").with_row_index("place"), on="word")
    marks = np.zeros((catalogue.height, counts.height), np.float32)
    marks[kept["row"].to_numpy(), kept["place"].to_numpy()] = 1
    return marks


def _words(column: pl.Series) -> pl.DataFrame:
    """The words of each row of a column, each once."""
    if column.dtype.is_numeric():
        bands = ((column.rank("min") - 1) * BANDS // max(column.count(), 1)).cast(pl.String)
        rows = pl.DataFrame({"word": bands})
    else:
        texts = column.cast(pl.String).str.to_lowercase()
        rows = pl.DataFrame({"word": texts.str.extract_all(r"[\p{L}\p{N}-]+")})
    rows = rows.with_row_index("row")
    rows = rows.explode("word") if rows["word"].dtype == pl.List else rows
    return rows.drop_nulls("word").unique().with_columns(word=pl.lit(f"{column.name} ") + pl.col("word"))


def _popularity(facts: pl.DataFrame, items: Whole, count: int, rules: Candidates, at: datetime) -> Floats:
    """The logarithm of each item's share of the events [items]; older ones count less."""
    now = at.timestamp() * 1e6
    ages = now - instants(facts, KNOWN)
    weights = 0.5 ** (ages / (rules.half_life.total_seconds() * 1e6))
    there = items != NONE
    sums = np.bincount(items[there], weights[there], count) + _LITTLE
    return np.asarray(np.log(sums / sums.sum()), np.float32)


def _examples(facts: pl.DataFrame, rules: Candidates, items: Whole) -> tuple[Whole, Whole]:
    """Of each event whose entity had something by its decision: the last of that [n, HISTORY], the item."""
    there = items != NONE
    known = facts.filter(pl.Series(there))
    asks = entities([known], rules.by)[0]
    past = Pasts.of(asks, instants(known, KNOWN), items[there])
    low, high = past.until(asks, instants(known, DECISION))
    some = high > low
    return past.last(low[some], high[some], HISTORY, NONE), items[there][some]
