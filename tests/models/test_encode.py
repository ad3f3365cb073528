"""Encodings: the formulas, what is unseen or missing, and that no row's label leaks into its features."""

import numpy as np
import polars as pl
import pytest

from models.learning.encode import CategoryValues, fit_codes, fit_scaling, fit_values, out_of_fold
from models.measures.probabilities import auc


def test_target_values_are_smoothed_towards_the_base_rate() -> None:
    series = pl.Series("airline", ["UA", "UA", "UA", "B6", ""])
    encoding = fit_values(series, np.array([1, 1, 0, 0, 1], np.float32), smoothing=2.0)
    base = 3 / 5
    expected = {"UA": (2 + 2 * base) / 5, "B6": (0 + 2 * base) / 3, "": (1 + 2 * base) / 3}
    assert encoding.column == "airline"
    assert dict(encoding.values) == {name: float(np.float32(value)) for name, value in expected.items()}
    assert encoding.default == float(np.float32(base))


def test_unseen_and_missing_categories_differ_when_missing_was_seen() -> None:
    encoding = CategoryValues("airline", {"UA": 0.25, "": 0.75}, 0.5)
    assert encoding.apply(pl.Series(["UA", None, "", "never"])).tolist() == [0.25, 0.75, 0.75, 0.5]
    assert CategoryValues("airline", {}, 0.5).apply(pl.Series(["UA", None])).tolist() == [0.5, 0.5]


def test_out_of_fold_values_come_from_the_other_folds() -> None:
    random = np.random.default_rng(3)
    names = pl.Series("airline", random.choice(["UA", "B6", "EV"], 60).tolist())
    labels = random.integers(0, 2, 60).astype(np.float32)
    folds = np.arange(60) // 15
    encoded = out_of_fold(names, labels, folds, smoothing=4.0)
    for fold in range(4):
        other = folds != fold
        encoding = fit_values(names.filter(pl.Series(other)), labels[other], smoothing=4.0)
        np.testing.assert_array_equal(encoded[~other], encoding.apply(names)[~other])


def test_a_category_of_one_row_tells_nothing_of_its_label() -> None:
    labels = np.random.default_rng(5).integers(0, 2, 1_000).astype(np.float32)
    unique = pl.Series("tail", [f"N{row}" for row in range(1_000)])
    within = fit_values(unique, labels, smoothing=1.0).apply(unique)
    assert auc(labels, within) == 1.0  # the leak that folds are there to stop
    folds = np.arange(1_000) % 2
    encoded = out_of_fold(unique, labels, folds, smoothing=1.0)
    assert [len(np.unique(encoded[folds == fold])) for fold in (0, 1)] == [1, 1]


def test_out_of_fold_needs_two_folds() -> None:
    with pytest.raises(ValueError, match="two folds"):
        out_of_fold(pl.Series("a", ["x", "y"]), np.array([0, 1], np.float32), np.zeros(2, np.int64), 1.0)


def test_rare_unseen_and_missing_categories_share_code_zero() -> None:
    encoding = fit_codes(pl.Series("airline", ["B6", "UA", "B6", "UA", "HA", "", "", "DL"] + ["EV"] * 3), 2)
    assert dict(encoding.codes) == {"EV": 1, "B6": 2, "UA": 3}
    assert encoding.size == 4
    assert encoding.apply(pl.Series(["EV", "UA", "HA", None, "", "never"])).tolist() == [1, 3, 0, 0, 0, 0]


def test_codes_do_not_depend_on_the_order_of_the_rows() -> None:
    names = pl.Series("airline", ["UA", "B6", "EV", "UA", "B6", "EV"])
    assert list(fit_codes(names, 1).codes.items()) == list(fit_codes(names.reverse(), 1).codes.items())


def test_numbers_are_standardised_and_missing_ones_imputed() -> None:
    values = np.random.default_rng(1).normal(50, 7, (500, 1)).astype(np.float32)
    values[::5] = np.nan
    known, missing = fit_scaling(values).apply(values)
    assert missing.sum() == 100
    assert np.all(known[missing == 1] == 0)
    assert abs(known[missing == 0].mean()) < 1e-6
    assert known[missing == 0].std() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("value", [np.nan, 0.0, 1e7, -3.3])
def test_a_constant_or_empty_column_stays_finite(value: float) -> None:
    values = np.full((10, 1), value, np.float32)
    scaling = fit_scaling(values)
    known, _ = scaling.apply(values)
    assert scaling.scale.tolist() == [1.0]
    assert np.all(known == 0)
