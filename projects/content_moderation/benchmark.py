"""What the moderation project's champions are held against: a base rate, a list of words, and TF-IDF."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

LISTED = 100  # words of the list
YEARS = 2  # how far back is learnt, as the project's own models do
TOKEN = r"(?u)\w+|[^\w\s]"

Floats = NDArray[np.float64]


def base_rate(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """The share of the last two years, said of every message."""
    labels = _recent(known)["label"].cast(pl.Float64)
    return np.full(rows.height, (labels.sum() + 1) / (len(labels) + 2))


def word_list(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """By how many listed words a message has: the hundred that went most with the label."""
    some, labels = _recent(known), _labels(known)
    counts = CountVectorizer(token_pattern=TOKEN, binary=True, min_df=10)
    there = counts.fit_transform(_texts(some))
    often = np.asarray(there.sum(0)).ravel()
    rise = np.asarray(there.T @ (labels - labels.mean())).ravel() / np.sqrt(often)
    listed = np.argsort(-rise)[:LISTED]
    found = [np.asarray(each[:, listed].sum(1)) for each in (there, counts.transform(_texts(rows)))]
    model = LogisticRegression().fit(found[0], labels)
    return np.asarray(model.predict_proba(found[1])[:, 1])


def tfidf(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """Scikit-learn's TF-IDF of words and pairs, and a logistic regression, fitted anew each time."""
    return _regression(known, rows, _recent)


def tfidf_of_all(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """The same on all that is known, however old."""
    return _regression(known, rows, lambda frame: frame)


def _regression(
    known: pl.DataFrame, rows: pl.DataFrame, some: Callable[[pl.DataFrame], pl.DataFrame]
) -> Floats:
    words = TfidfVectorizer(token_pattern=TOKEN, ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    model = make_pipeline(words, LogisticRegression(C=10, max_iter=300))
    learnt = some(known)
    model.fit(_texts(learnt), learnt["label"].cast(pl.Float64).to_numpy())
    return np.asarray(model.predict_proba(_texts(rows))[:, 1])


def _recent(known: pl.DataFrame) -> pl.DataFrame:
    """What happened in the two years before the newest of it."""
    newest = known["event_time"].max()
    return known.filter(pl.col("event_time") > pl.lit(newest) - pl.duration(days=365 * YEARS))


def _labels(known: pl.DataFrame) -> Floats:
    return _recent(known)["label"].cast(pl.Float64).to_numpy()


def _texts(frame: pl.DataFrame) -> list[str]:
    return frame["tweet"].fill_null("").to_list()


BASELINES = {
    "base rate": base_rate,
    "word list": word_list,
    "TF-IDF, two years": tfidf,
    "TF-IDF, all years": tfidf_of_all,
}
