"""What the champions of ad_click are held against: `benchmarks/baselines.py` says how."""

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]

NUMBERS = ["nights", "days_ahead", "distance", "adults", "children", "rooms", "package", "mobile"]
CLOCK = ["hour", "weekday"]
CATEGORIES = [
    "site",
    "seller_continent",
    "user_country",
    "user_region",
    "user_location_city",
    "channel",
    "srch_destination_id",
    "destination_type",
    "hotel_continent",
    "hotel_country",
    "market",
    "cluster",
]
BUCKETS = 1 << 16


def base_rate(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """The share of booked clicks in the month before the batch."""
    return np.full(rows.height, _last_month(known)["label"].mean())


def destination_rate(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """The share at the destination so far, drawn towards the last month's by the weight of 100 clicks."""
    recent = _last_month(known)["label"].mean()
    counted = known.group_by("srch_destination_id").agg(clicks=pl.len(), booked=pl.col("label").sum())
    of_rows = rows.join(counted, on="srch_destination_id", how="left", maintain_order="left").fill_null(0)
    return of_rows.select((pl.col("booked") + 100 * recent) / (pl.col("clicks") + 100)).to_series().to_numpy()


def hashed_logistic_regression(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """Logistic regression on hashed categories and the logarithms of the numbers, fitted anew."""
    scaler = StandardScaler().fit(_logarithms(known))
    model = LogisticRegression(C=0.03, max_iter=400)  # of C from 0.01 to 1 the best on 2013-07 to 2014-06
    model.fit(_design(known, scaler), known["label"].to_numpy())
    return np.asarray(model.predict_proba(_design(rows, scaler))[:, 1])


def plain_lightgbm(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """LightGBM with its default parameters, on the columns of the click, categories as they are."""
    taken = [*NUMBERS, *CLOCK, *CATEGORIES]
    both = pl.concat([known.select(taken), rows.select(taken)])
    coded = both.with_columns(pl.col(CATEGORIES).cast(pl.String).cast(pl.Categorical).to_physical())
    places = list(range(len(taken) - len(CATEGORIES), len(taken)))
    model = lightgbm.LGBMClassifier(verbose=-1, n_jobs=1)
    values = coded.to_numpy()
    model.fit(values[: known.height], known["label"].to_numpy(), categorical_feature=places)
    return np.asarray(model.predict_proba(values[known.height :])[:, 1])


def _last_month(known: pl.DataFrame) -> pl.DataFrame:
    return known.filter(pl.col("known_at") > pl.col("known_at").max() - pl.duration(days=30))


def _logarithms(rows: pl.DataFrame) -> Floats:
    missing = pl.col("distance").is_null().cast(pl.Float64)
    logarithms = pl.col(NUMBERS).fill_null(0).clip(lower_bound=0).log1p()
    return rows.select(logarithms, missing.alias("distance_missing")).to_numpy()


def _design(rows: pl.DataFrame, scaler: StandardScaler) -> sparse.csr_matrix:
    """The scaled numbers, and each category in its bucket, bias by collision and all."""
    texts = rows.select(pl.format(f"{name}={{}}", pl.col(name)) for name in CATEGORIES)
    hasher = FeatureHasher(BUCKETS, input_type="string", alternate_sign=False)
    hashed = hasher.transform(map(list, texts.fill_null("").iter_rows()))
    return sparse.hstack([sparse.csr_matrix(scaler.transform(_logarithms(rows))), hashed], format="csr")


BASELINES = {
    "base rate of the last month": base_rate,
    "rate of the destination": destination_rate,
    "hashed logistic regression": hashed_logistic_regression,
    "plain LightGBM": plain_lightgbm,
}
