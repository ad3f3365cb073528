"""Trees in ONNX answer as LightGBM does on the rows where conversions go wrong, or they are refused."""

import re
from collections.abc import Iterator
from typing import Any

import lightgbm as lgb
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from core.errors import PerennialError
from models.onnx.booster import ZERO
from models.onnx.trees import tree_margin

Matrix = NDArray[np.float32]
CATEGORY, GAPPY, ZEROS, WIDTH = 1, 2, 3, 5
BASE = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 15, "min_data_in_leaf": 5}


@pytest.fixture(scope="module")
def rows() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows in float64, so that thresholds are no float32s, and their labels: with codes, NaN and zeros."""
    random, count = np.random.default_rng(3), 3_000
    x = random.normal(size=(count, WIDTH))
    x[:, CATEGORY] = random.integers(0, 40, count)
    x[random.random(count) < 0.1, GAPPY] = np.nan
    x[random.random(count) < 0.4, ZEROS] = 0.0
    effect = x[:, 0] + 2 * (x[:, CATEGORY] % 7 == 3) + np.nan_to_num(x[:, GAPPY]) * x[:, ZEROS]
    return x, (effect + random.normal(size=count) > 0).astype(float)


def grown(rows: tuple[NDArray[Any], NDArray[Any]], rounds: int = 20, **settings: Any) -> lgb.Booster:
    x, labels = rows
    categorical = settings.pop("categorical", [CATEGORY])
    return lgb.train(BASE | settings, lgb.Dataset(x, labels, categorical_feature=categorical), rounds)


def splits(tree: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Every numerical split, as LightGBM itself dumps it: the converter reads another text."""
    if "split_feature" in tree:
        if tree["decision_type"] == "<=":
            yield tree["split_feature"], tree["threshold"]
        yield from splits(tree["left_child"])
        yield from splits(tree["right_child"])


def awkward(x: NDArray[np.float64], booster: lgb.Booster) -> Matrix:
    """The rows in float32; rows on each split and two float32s to either side; rows of strange values."""
    plain = x.astype(np.float32)
    parts, up = [plain], np.float32(np.inf)
    strange = [
        np.nan,
        np.inf,
        -np.inf,
        0.0,
        -0.0,
        1e-35,
        -1e-35,
        2e-35,
        -2e-35,
        1e-40,
        -0.5,
        0.5,
        3.7,
        -1.0,
        -3.7,
    ]
    strange += [np.nextafter(-ZERO, -up), np.nextafter(ZERO, up), 3e9, 1e30]
    found = {split for info in booster.dump_model()["tree_info"] for split in splits(info["tree_structure"])}
    values = [(feature, np.float32(value)) for feature in range(WIDTH) for value in strange]
    for feature, threshold in sorted(found):
        with np.errstate(over="ignore"):
            nearest = np.float32(threshold)
        around = [nearest, np.nextafter(nearest, up), np.nextafter(nearest, -up)]
        values += [(feature, value) for value in around]
    for position, (feature, value) in enumerate(values):
        row = plain[[position % len(plain)]].copy()
        row[0, feature] = value
        parts.append(row)
    return np.concatenate(parts)


def answer(model: onnx.ModelProto, x: Matrix) -> NDArray[np.float64]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["margin"], {"x": x})[0], np.float64)[:, 0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"categorical": []},
        {"max_cat_to_onehot": 100},
        {"max_cat_to_onehot": 1, "min_data_per_group": 1, "cat_smooth": 1},
        {"use_missing": False},
        {"boosting": "dart"},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"data_sample_strategy": "goss"},
        {"sigmoid": 2.5},
        {"objective": "cross_entropy"},
    ],
    ids=["plain", "numbers", "one-hot", "sets", "no-missing", "dart", "forest", "goss", "sigmoid", "entropy"],
)
def test_the_graph_gives_the_raw_score(
    rows: tuple[NDArray[np.float64], NDArray[np.float64]], settings: dict[str, Any]
) -> None:
    booster = grown(rows, **settings)
    x = awkward(rows[0], booster)
    native = booster.predict(x, raw_score=True)
    # A row on the wrong side of a split is off by the difference of two leaves; a float32 sum is not.
    np.testing.assert_allclose(answer(tree_margin(booster), x), native, rtol=1e-6, atol=4e-6)


@pytest.mark.parametrize("threshold", ["0", "1e-36", "-1e-36", "1.0000000180025095e-35"])
def test_splits_within_what_lightgbm_reads_as_zero(threshold: str) -> None:
    x = np.repeat([[1.0], [2.0]], 20, axis=0)
    text = grown((x, x[:, 0] - 1), rounds=1, categorical=[]).model_to_string()
    edited = re.sub(r"(?m)^threshold=.*$", f"threshold={threshold}", text)
    booster = lgb.Booster(model_str=edited)
    given = np.array([[0], [1e-36], [-1e-36], [ZERO], [-ZERO], [1], [-1], [np.nan]], np.float32)
    native = booster.predict(given, raw_score=True)
    assert len(set(native)) == 2
    np.testing.assert_allclose(answer(tree_margin(booster), given), native, rtol=1e-6)


def test_a_forest_of_single_leaves_says_the_base_rate() -> None:
    x, labels = np.zeros((8, 2)), np.array([1, 0, 0, 0, 0, 0, 0, 0.0])
    booster = grown((x, labels), rounds=2, categorical=[])
    given = answer(tree_margin(booster), np.ones((3, 2), np.float32))
    np.testing.assert_allclose(given, np.log(1 / 7), rtol=1e-6)


def test_only_the_trees_up_to_the_best_iteration_count(
    rows: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    booster = grown(rows)
    booster.best_iteration = 3
    x = rows[0].astype(np.float32)
    expected = booster.predict(x, raw_score=True, num_iteration=3)
    np.testing.assert_allclose(answer(tree_margin(booster), x), expected, rtol=1e-6, atol=1e-6)


def test_it_agrees_with_onnxmltools_on_plain_trees(
    rows: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    x = rows[0].astype(np.float32)
    booster = grown((x, rows[1]), categorical=[])
    other = convert_lightgbm(booster, initial_types=[("x", FloatTensorType([None, WIDTH]))], zipmap=False)
    session = ort.InferenceSession(other.SerializeToString(), providers=["CPUExecutionProvider"])
    probabilities = session.run(["probabilities"], {"x": x})[0][:, 1]
    ours = 1 / (1 + np.exp(-answer(tree_margin(booster), x)))
    np.testing.assert_allclose(ours, probabilities, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"zero_as_missing": True}, "zero_as_missing=false"),
        ({"linear_tree": True, "categorical": []}, "linear_tree=false"),
        ({"objective": "regression", "reg_sqrt": True}, "objective 'regression'"),
        ({"objective": "multiclass", "num_class": 2}, "objective 'multiclass'"),
        ({"objective": lambda scores, data: (scores, np.ones_like(scores))}, "objective 'none'"),
    ],
)
def test_what_is_not_exact_is_refused(
    rows: tuple[NDArray[np.float64], NDArray[np.float64]], settings: dict[str, Any], reason: str
) -> None:
    booster = grown(rows, rounds=3, **settings)
    with pytest.raises(PerennialError, match=reason):
        tree_margin(booster)


def test_a_category_too_large_for_float32_is_refused() -> None:
    codes = np.where(np.arange(200) % 2 == 0, 2**24 + 2, 2**24 + 4).astype(float)
    settings = {"min_data_per_group": 1, "max_cat_to_onehot": 4, "max_bin": 10}
    booster = grown(
        (np.column_stack([codes, codes]), (codes == codes[0]) * 1.0), rounds=1, categorical=[0], **settings
    )
    with pytest.raises(PerennialError, match="number the categories from 0"):
        tree_margin(booster)
