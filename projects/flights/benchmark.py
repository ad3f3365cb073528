"""What the champions of flights are held against: `benchmarks/baselines.py` says how."""

import lightgbm
import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Floats = NDArray[np.float64]

WEEKS = pl.duration(weeks=4)
CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = cs.float()  # the number features, and nothing else


def base_rate(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """The share of late arrivals in the four weeks before the batch."""
    recent = known.filter(pl.col("known_at") > pl.col("known_at").max() - WEEKS)
    return np.full(rows.height, recent["label"].mean())


def schedule(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """Logistic regression on the schedule: who flies when, from where, to where and how far."""
    named, scheduled = [*CATEGORIES, "hour"], ["distance", "minute_of_day", "weekday"]
    encoded = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=50), named), (StandardScaler(), scheduled)
    )
    model = make_pipeline(encoded, LogisticRegression(max_iter=500))
    hour = pl.col("minute_of_day") // 60
    model.fit(known.with_columns(hour=hour), known["label"])
    return np.asarray(model.predict_proba(rows.with_columns(hour=hour))[:, 1])


def plain_lightgbm(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """LightGBM with its default parameters on the champion's features, categories as they are."""
    both = pl.concat([known.select(NUMBERS, *CATEGORIES), rows.select(NUMBERS, *CATEGORIES)])
    coded = both.with_columns(pl.col(CATEGORIES).cast(pl.Categorical).to_physical()).to_numpy()
    model = lightgbm.LGBMClassifier(verbose=-1, n_jobs=1)
    places = list(range(coded.shape[1] - len(CATEGORIES), coded.shape[1]))
    model.fit(coded[: known.height], known["label"].to_numpy(), categorical_feature=places)
    return np.asarray(model.predict_proba(coded[known.height :])[:, 1])


BASELINES = {
    "base rate": base_rate,
    "logistic regression on the schedule": schedule,
    "plain LightGBM": plain_lightgbm,
}
