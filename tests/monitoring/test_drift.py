"""Planted drifts are seen, quiet batches stay quiet, and odd columns break nothing."""

import numpy as np
import polars as pl
import pytest

from core.spec import Monitoring
from models.rows import Columns
from monitoring.drift.drift import Drift, feature_drift, prediction_drift
from monitoring.drift.stability import FLOOR, psi

RULES = Monitoring()
ROWS = 4_000


def frame(seed: int, rows: int = ROWS) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "wind": random.gamma(2, 5, rows),
            "rain": np.where(random.random(rows) < 0.9, 0, random.exponential(1, rows)),
            "hour": random.integers(5, 23, rows).astype(np.float32),
            "carrier": random.choice(["UA", "B6", "EV"], rows, p=[0.5, 0.3, 0.2]),
            "tail": [f"N{number}" for number in random.integers(0, 3_000, rows)],
        }
    )


COLUMNS = Columns(("wind", "rain", "hour"), ("carrier", "tail"))


def drift(current: pl.DataFrame, reference: pl.DataFrame | None = None) -> dict[str, Drift]:
    found = feature_drift(frame(1) if reference is None else reference, current, COLUMNS, RULES)
    assert tuple(one.feature for one in found) == COLUMNS.names
    return {one.feature: one for one in found}


def test_psi_is_the_sum_over_bins_and_symmetric() -> None:
    uniform, skewed = np.array([50, 50]), np.array([80, 20])
    expected = 0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5)
    assert psi(uniform, skewed) == pytest.approx(expected)
    assert psi(skewed, uniform) == pytest.approx(expected)
    assert psi(uniform, 7 * uniform) == 0


def test_an_empty_bin_adds_the_same_in_a_batch_of_any_length() -> None:
    expected = (0.5 - FLOOR) * np.log(0.5 / FLOOR) + 0.5 * np.log(2)
    assert psi(np.array([50, 50]), np.array([100, 0])) == pytest.approx(expected)
    assert psi(np.array([50, 50]), np.array([10**7, 0])) == pytest.approx(expected)


@pytest.mark.parametrize("rows", [500, 4_000])
def test_quiet_batches_do_not_drift(rows: int) -> None:
    found = drift(frame(2, rows), frame(1, rows))
    assert not [one for one in found.values() if one.drifted]


PLANTED = {
    "a mean shift": ("wind", pl.col("wind") + 5),
    "a skewed feature's rare values": ("rain", pl.when(pl.col("rain") > 0).then(0.0).otherwise("rain")),
    "a new scale": ("hour", pl.col("hour") * 100),
    "values that went missing": ("wind", pl.when(pl.int_range(pl.len()) % 4 > 0).then("wind")),
    "a swapped category": ("carrier", pl.col("carrier").replace({"UA": "EV", "EV": "UA"})),
    "a category gone missing": ("carrier", pl.col("carrier").replace({"EV": None})),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_drift_is_seen_on_its_feature_alone(name: str) -> None:
    feature, planted = PLANTED[name]
    found = drift(frame(2).with_columns(planted.alias(feature)))
    assert [one.feature for one in found.values() if one.drifted] == [feature]


def test_the_share_missing_is_said() -> None:
    quarter = pl.when(pl.int_range(pl.len()) % 4 > 0).then("wind").alias("wind")
    assert drift(frame(2).with_columns(quarter))["wind"].note == (
        "missing in 25.0% of rows, 0.0% in the reference"
    )


def test_new_and_vanished_categories_are_named_most_frequent_first() -> None:
    rare = pl.int_range(pl.len())
    renamed = pl.when(rare < 5).then(pl.lit("typo")).otherwise(pl.col("carrier").replace({"B6": "JB"}))
    found = drift(frame(2).with_columns(carrier=renamed))["carrier"]
    assert (found.new, found.vanished) == (("JB",), ("B6",))
    assert found.note == "new: JB; vanished: B6"


def test_a_column_of_many_values_is_pooled_but_its_collapse_is_seen() -> None:
    quiet = drift(frame(2))["tail"]
    assert quiet.value is not None
    assert quiet.value < RULES.drift / 2
    assert drift(frame(2).with_columns(tail=pl.lit("N1")))["tail"].drifted


@pytest.mark.parametrize("name", COLUMNS.names)
def test_all_null_and_absent_columns_are_measured_as_missing(name: str) -> None:
    nothing = frame(2).with_columns(pl.lit(None).alias(name))
    assert drift(nothing)[name].drifted
    assert drift(frame(2), nothing)[name].drifted
    absent, empty = drift(frame(2).drop(name))[name], drift(nothing)[name]
    assert absent.value == empty.value
    assert (absent.changes, empty.changes) == (("absent",), ("all missing",))
    assert "the batch has no such column" in absent.note
    both = drift(nothing, nothing)[name]
    assert (both.value, both.drifted, both.note) == (0, False, "missing in all rows of both")


@pytest.mark.parametrize("moved", [2.0, 4.0])
def test_a_constant_may_leave_in_either_direction(moved: float) -> None:
    still = frame(1).with_columns(wind=pl.lit(3.0))
    assert drift(still, still)["wind"].value == 0
    assert drift(still.with_columns(wind=pl.lit(moved)), still)["wind"].drifted


def test_too_few_rows_measure_nothing_and_say_so() -> None:
    found = drift(frame(2, 499).with_columns(wind=pl.lit(99.0)))["wind"]
    assert (found.value, found.drifted) == (None, False)
    assert found.note == "4000 reference and 499 batch rows: 500 of each are needed"


def test_predictions_have_their_own_threshold() -> None:
    random = np.random.default_rng(3)
    low, high = random.beta(2, 6, ROWS), random.beta(4, 6, ROWS // 2)
    rules = Monitoring(drift=9, prediction_drift=0.3)
    assert prediction_drift(low, high, rules).drifted
    calm = prediction_drift(low, random.beta(2, 6, ROWS), rules)
    assert (calm.feature, calm.threshold, calm.drifted) == ("prediction", 0.3, False)
    assert prediction_drift(low[:3], high, rules).value is None


def test_quantiles_drift_as_far_as_the_one_that_moved_most() -> None:
    random = np.random.default_rng(4)
    then, now = (np.sort(random.normal(0, 1, (count, 3)), axis=1) for count in (ROWS, ROWS // 2))
    rules = Monitoring()
    assert not prediction_drift(then, now, rules, values=True).drifted
    higher = now + np.array([0, 0, 1.5])
    moved = prediction_drift(then, higher, rules, values=True)
    assert moved.drifted
    assert moved.value == prediction_drift(then[:, 2], higher[:, 2], rules).value
