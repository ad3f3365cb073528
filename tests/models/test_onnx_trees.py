"""Trees in ONNX say what LightGBM says, to the last bit, where conversions go wrong; or they are refused."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import lightgbm as lgb
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import PerennialError
from models.onnx.booster import ZERO
from models.onnx.trees import tree_margin

Matrix = NDArray[np.float32]
Values = NDArray[np.float64]

CATEGORY, GAPPY, ZEROS, WIDTH = 1, 2, 3, 5
BASE = {"verbosity": -1, "num_threads": 1, "num_leaves": 12, "min_data_in_leaf": 5}
UP = np.float32(np.inf)
STRANGE = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 2e-35, -2e-35, 1e-40, -0.5, 0.5, 3.7, -1, -3.7]
STRANGE += [np.nextafter(-ZERO, -UP), np.nextafter(ZERO, UP), 3e9, -3e9, 2**31, 2**24, 1e30, 3.4e38]


def classes(effect: Values) -> Values:
    return np.digitize(effect, [-1, 1]).astype(float)


OUTCOMES: Mapping[str, Callable[[Values], Values]] = {
    "binary": lambda effect: (effect > 0) * 1.0,
    "cross_entropy": lambda effect: 1 / (1 + np.exp(-effect)),
    "cross_entropy_lambda": lambda effect: 1 / (1 + np.exp(-effect)),
    "regression": lambda effect: 1e6 + effect,
    "regression_l1": lambda effect: effect,
    "huber": lambda effect: effect,
    "fair": lambda effect: effect,
    "quantile": lambda effect: effect,
    "poisson": np.exp,
    "gamma": np.exp,
    "tweedie": np.exp,
    "mape": np.exp,
    "lambdarank": classes,
    "rank_xendcg": classes,
    "multiclass": classes,
    "multiclassova": classes,
}
# What each objective needs beside its name.
ALSO: Mapping[str, Mapping[str, Any]] = {"multiclass": {"num_class": 3}, "multiclassova": {"num_class": 3}}
BOOSTINGS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "dart": {"boosting": "dart", "drop_rate": 0.5, "skip_drop": 0},
    "forest": {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    "goss": {"data_sample_strategy": "goss", "learning_rate": 0.5},
}


@pytest.fixture(scope="module")
def rows() -> Values:
    """600 rows in float64, so that thresholds are no float32s: with codes, NaN and zeros."""
    random, count = np.random.default_rng(3), 600
    x = random.normal(size=(count, WIDTH))
    x[:, CATEGORY] = np.minimum(random.geometric(0.08, count) - 1, 90)
    x[random.random(count) < 0.1, GAPPY] = np.nan
    x[random.random(count) < 0.4, ZEROS] = 0.0
    return x


def outcome(x: Values) -> Values:
    noise = np.random.default_rng(5).normal(size=len(x)) / 2
    return np.asarray(
        x[:, 0] + 2 * (x[:, CATEGORY] % 7 == 3) + np.nan_to_num(x[:, GAPPY]) * x[:, ZEROS] + noise - 0.3
    )


def grown(x: NDArray[Any], objective: Any = "binary", rounds: int = 8, **options: Any) -> lgb.Booster:
    labels = options.pop("labels", None)
    labels = OUTCOMES[objective](outcome(x)) if labels is None else labels
    categorical, start = options.pop("categorical", [CATEGORY]), options.pop("init_model", None)
    group = [20] * (len(x) // 20) if "rank" in str(objective) else None
    data = lgb.Dataset(x, labels, categorical_feature=categorical, group=group)
    parameters = BASE | dict(ALSO.get(objective, {})) | options | {"objective": objective}
    return lgb.train(parameters, data, rounds, init_model=start)


def asked(tree: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Every split and every category, as LightGBM itself dumps it: the converter reads another text."""
    if "split_feature" in tree:
        for value in str(tree["threshold"]).split("||"):
            yield tree["split_feature"], float(value)
        yield from asked(tree["left_child"])
        yield from asked(tree["right_child"])


def awkward(x: Values, booster: lgb.Booster) -> Matrix:
    """The rows in float32; rows on each split and one float32 to either side; rows of strange values."""
    width = x.shape[1]
    values = [(feature, np.float32(value)) for feature in range(width) for value in STRANGE]
    found = {pair for info in booster.dump_model()["tree_info"] for pair in asked(info["tree_structure"])}
    for feature, value in sorted(found):
        with np.errstate(over="ignore"):
            nearest = np.float32(value)
        around = [nearest, np.nextafter(nearest, UP), np.nextafter(nearest, -UP), nearest + np.float32(0.5)]
        values += [(feature, near) for near in around]
    plain = x.astype(np.float32)
    changed = plain[np.arange(len(values)) % len(plain)]
    changed[np.arange(len(values)), [feature for feature, _ in values]] = [value for _, value in values]
    return np.concatenate([plain, changed, np.full((1, width), np.nan, np.float32)])


def answer(model: onnx.ModelProto, x: Matrix) -> Matrix:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    together = session.run(["margin"], {"x": x})[0]
    alone = [session.run(["margin"], {"x": x[row : row + 1]})[0] for row in range(0, len(x), 97)]
    np.testing.assert_array_equal(np.concatenate(alone), together[::97])
    return np.asarray(together)


def assert_same(booster: lgb.Booster, x: Values, iterations: int | None = None) -> Matrix:
    """The graph's margin is LightGBM's raw score, rounded to float32 once, on the awkward rows too."""
    given_rows = awkward(x, booster)
    native = booster.predict(given_rows, raw_score=True, num_iteration=iterations)
    found = answer(tree_margin(booster, iterations), given_rows)
    expected = np.asarray(native).reshape(len(given_rows), -1).astype(np.float32)
    np.testing.assert_array_equal(found, expected)
    return found


@pytest.mark.parametrize("boosting", BOOSTINGS)
@pytest.mark.parametrize("objective", OUTCOMES)
def test_the_graph_gives_the_raw_score(rows: Values, objective: str, boosting: str) -> None:
    found = assert_same(grown(rows, objective, **BOOSTINGS[boosting]), rows)
    assert all(len(np.unique(margins)) > 10 for margins in found.T)


@pytest.mark.parametrize(
    ("objective", "options"),
    [
        ("binary", {"categorical": []}),
        ("binary", {"max_cat_to_onehot": 100}),
        ("binary", {"max_cat_to_onehot": 1, "min_data_per_group": 1, "cat_smooth": 1}),
        ("multiclass", {"max_cat_to_onehot": 1, "min_data_per_group": 1, "max_cat_threshold": 80}),
        ("binary", {"use_missing": False}),
        ("binary", {"sigmoid": 2.5}),
        ("multiclassova", {"sigmoid": 2.5, "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
        ("regression", {"reg_sqrt": True}),
        ("regression", {"boost_from_average": False}),
        ("multiclass", {"num_leaves": 2, "learning_rate": 1.0}),
        ("regression", {"num_leaves": 200, "min_data_in_leaf": 1, "rounds": 40}),
    ],
)
def test_whatever_it_was_told(rows: Values, objective: str, options: dict[str, Any]) -> None:
    assert_same(grown(rows, objective, **options), rows)


@pytest.mark.parametrize("outputs", [1, 3])
def test_an_objective_of_ones_own(rows: Values, outputs: int) -> None:
    def squares(scores: Values, data: lgb.Dataset) -> tuple[Values, Values]:
        wanted = np.column_stack([data.get_label() * (place + 1) for place in range(outputs)])
        return np.squeeze(scores - wanted.reshape(scores.shape)), np.ones_like(scores)

    booster = grown(rows, squares, labels=outcome(rows), num_class=outputs)
    assert assert_same(booster, rows).shape[1] == outputs


@pytest.mark.parametrize("objective", ["regression", "multiclass"])
def test_a_model_that_goes_on_from_another(rows: Values, objective: str) -> None:
    first = grown(rows[:300], objective, rounds=4, categorical=[])  # the codes were numbers to it
    second = grown(rows[300:], objective, rounds=3, init_model=first)
    assert second.current_iteration() == 7
    assert_same(second, rows)
    assert_same(second.refit(rows[:200], OUTCOMES[objective](outcome(rows[:200])), decay_rate=0.3), rows)
    assert_same(lgb.Booster(model_str=second.model_to_string()), rows)


def test_only_the_trees_up_to_the_best_iteration_count(rows: Values) -> None:
    booster = grown(rows, "multiclass", **BOOSTINGS["dart"])
    whole = assert_same(booster, rows)
    booster.best_iteration = 3
    assert not np.array_equal(assert_same(booster, rows), whole)


@pytest.mark.parametrize("objective", ["binary", "multiclass"])
def test_as_many_iterations_as_are_asked_for(rows: Values, objective: str) -> None:
    booster = grown(rows, objective)
    booster.best_iteration = 3
    for iterations in (1, 5, 8):
        assert_same(booster, rows, iterations)
    for iterations in (-1, 0, 9):
        with pytest.raises(PerennialError, match=f"of 8 iterations has no {iterations}: ask for 1 to 8"):
            tree_margin(booster, iterations)


def test_classes_without_rows_stay_constant(rows: Values) -> None:
    labels = 1 + 2.0 * (outcome(rows) > 0)
    found = assert_same(grown(rows, "multiclass", labels=labels, num_class=5), rows)
    assert [len(np.unique(margins)) == 1 for margins in found.T] == [True, False, True, False, True]


def test_a_forest_of_single_leaves_says_the_base_rate() -> None:
    x, labels = np.zeros((8, 2)), np.array([1, 0, 0, 0, 0, 0, 0, 0.0])
    found = assert_same(grown(x, labels=labels, rounds=2, categorical=[]), x)
    np.testing.assert_allclose(found, np.log(1 / 7), rtol=1e-6)


def test_equal_leaves_of_categories_are_not_added_to_a_constant_class() -> None:
    """onnxruntime 1.31 makes one split of two, and once gave what was left to the first of all leaves."""
    codes = 1 + np.arange(400)[:, None] % 4.0
    labels = 1.0 + np.isin(codes[:, 0], (2, 3))
    options = {"max_cat_to_onehot": 9, "min_data_per_group": 1, "categorical": [0], "learning_rate": 1.0}
    booster = grown(codes, "multiclass", labels=labels, num_class=3, rounds=3, **options)
    assert booster.dump_model()["tree_info"][0]["num_leaves"] == 1
    assert_same(booster, codes)


def edited(fields: Mapping[str, str]) -> lgb.Booster:
    """A tree of two features as LightGBM reads it from a text that says so."""
    x = np.random.default_rng(1).integers(0, 9, (200, 2)).astype(float)
    options = {"num_leaves": 2, "categorical": [0], "max_cat_to_onehot": 9, "min_data_per_group": 1}
    text = grown(x, "regression", labels=(x[:, 0] == 1) * 1.0, rounds=1, **options).model_to_string()
    assert "num_cat=1" in text
    for key, value in fields.items():
        text, count = re.subn(rf"(?m)^{key}=.*$", f"{key}={value}", text)
        assert count == 1, key
    return lgb.Booster(model_str=text)


def test_splits_that_differ_in_where_nan_goes_alone() -> None:
    """onnxruntime 1.31 takes them for one where categories of the same feature lead to them."""
    booster = edited(
        {
            "num_leaves": "5",
            "num_cat": "2",
            "split_feature": "0 1 0 1",
            "split_gain": "1 1 1 1",
            "threshold": "0 0.5 1 0.5",
            "decision_type": "1 10 1 8",
            "left_child": "1 -1 3 -3",
            "right_child": "2 -2 -5 -4",
            "leaf_value": "1 3 1 3 7",
            "leaf_weight": "1 1 1 1 1",
            "leaf_count": "1 1 1 1 1",
            "internal_value": "0 0 0 0",
            "internal_weight": "1 1 1 1",
            "internal_count": "1 1 1 1",
            "cat_boundaries": "0 1 2",
            "cat_threshold": "2 4",
        }
    )
    x = np.array([[code, value] for code in range(4) for value in (0.0, 0.5, 1.0, np.nan)])
    found = assert_same(booster, x)
    assert found[[7, 11, 15], 0].tolist() == [1, 3, 7]


@pytest.mark.parametrize("threshold", ["0", "1e-36", "-1e-36", "1.0000000180025095e-35", "1e300", "inf"])
def test_splits_at_the_ends_of_what_lightgbm_tells_apart(threshold: str) -> None:
    booster = edited({"split_feature": "1", "threshold": threshold, "decision_type": "2"})
    given_rows = np.array([[0, value] for value in (*STRANGE, 1, -1, ZERO, -ZERO, 1e-36, -1e-36)])
    assert_same(booster, given_rows)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    objective=st.sampled_from(sorted(OUTCOMES)),
    boosting=st.sampled_from(sorted(BOOSTINGS)),
    categories=st.sampled_from([2, 5, 31, 33, 64, 66, 400]),
    options=st.fixed_dictionaries(
        {
            "num_leaves": st.sampled_from([2, 7, 40]),
            "min_data_in_leaf": st.sampled_from([1, 10]),
            "max_cat_to_onehot": st.sampled_from([1, 4, 500]),
            "cat_smooth": st.sampled_from([0, 10]),
            "max_bin": st.sampled_from([4, 255]),
            "use_missing": st.booleans(),
            "boost_from_average": st.booleans(),
            "rounds": st.integers(1, 6),
        }
    ),
)
def test_any_small_booster(
    seed: int, objective: str, boosting: str, categories: int, options: dict[str, Any]
) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(200, WIDTH)) * 10.0 ** random.choice([-36, 0, 30], WIDTH)
    x[:, [CATEGORY, ZEROS]] = random.integers(0, categories, (200, 2)) + random.choice([0, 0.4], (200, 2))
    x[random.random(x.shape) < 0.15] = np.nan
    effect = np.nan_to_num(x[:, CATEGORY] % 3 - x[:, ZEROS] % 2) + random.normal(size=200)
    options |= {"categorical": [CATEGORY, ZEROS], "labels": OUTCOMES[objective](effect)}
    assert_same(grown(x, objective, min_data_per_group=1, **BOOSTINGS[boosting], **options), x)


RESPONSES: Mapping[str, Callable[[Values], Values]] = {
    **dict.fromkeys(("regression_l1", "huber", "quantile", "lambdarank"), np.positive),
    **dict.fromkeys(("poisson", "gamma", "tweedie"), np.exp),
    "binary": lambda margin: np.column_stack([1 / (1 + np.exp(margin)), 1 / (1 + np.exp(-margin))]),
    "multiclass": lambda margin: np.exp(margin) / np.exp(margin).sum(axis=1, keepdims=True),
}


@pytest.mark.parametrize("boosting", ["plain", "dart"])
@pytest.mark.parametrize("objective", RESPONSES)
def test_it_agrees_with_onnxmltools_where_that_is_right(rows: Values, objective: str, boosting: str) -> None:
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    x = rows.astype(np.float32)
    booster = grown(x, objective, **BOOSTINGS[boosting])
    other = convert_lightgbm(booster, initial_types=[("x", FloatTensorType([None, WIDTH]))], zipmap=False)
    session = ort.InferenceSession(other.SerializeToString(), providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"x": x})[-1]
    ours = RESPONSES[objective](answer(tree_margin(booster), x).astype(np.float64))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"zero_as_missing": True}, "zero_as_missing=false"),
        ({"linear_tree": True, "categorical": []}, "linear_tree=false"),
    ],
)
def test_what_is_not_exact_is_refused(rows: Values, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(PerennialError, match=reason):
        tree_margin(grown(rows, "regression", rounds=3, **options))


@pytest.mark.parametrize("leaf", ["1e39", "inf", "nan"])
def test_a_raw_score_beyond_float32_is_refused(leaf: str) -> None:
    booster = edited({"leaf_value": f"0 {leaf}"})
    told = re.escape(f"its leaves may sum to {float(leaf)}, beyond float32")
    with pytest.raises(PerennialError, match=told):
        tree_margin(booster)


def test_a_booster_without_trees_is_refused(rows: Values) -> None:
    booster = lgb.Booster(BASE | {"objective": "binary"}, lgb.Dataset(rows, outcome(rows) > 0))
    with pytest.raises(PerennialError, match="no trees: fit at least one iteration"):
        tree_margin(booster)


@pytest.mark.parametrize(("code", "exact"), [(2**24 + 2, True), (2**24 + 1, False)])
def test_a_category_that_no_float32_can_say_is_refused(code: int, exact: bool) -> None:
    codes = np.where(np.arange(200) % 2 == 0, code, 2**24 + 4).astype(float)[:, None]
    options = {"min_data_per_group": 1, "max_cat_to_onehot": 4, "max_bin": 10, "categorical": [0]}
    booster = grown(codes, labels=(codes[:, 0] == code) * 1.0, rounds=1, **options)
    if exact:
        assert len(np.unique(assert_same(booster, codes))) == 2
        return
    with pytest.raises(PerennialError, match=f"category {code} is no exact float32: number the categories"):
        tree_margin(booster)
