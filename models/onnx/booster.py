"""LightGBM's model text as arrays, for float32 inputs; what has no exact conversion is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from core.errors import PerennialError

# The bits of `decision_type`, and the largest magnitude that is read as zero (LightGBM's tree.h, meta.h).
CATEGORICAL, DEFAULT_LEFT, MISSING_ZERO, MISSING_NAN = 1, 2, 4, 8
ZERO = np.float32(1e-35)
# From here on not every whole number is a float32.
CODES_END = 2**24
# What a tree that never split does without: one node, both of whose branches are its leaf.
NO_SPLIT = {
    "split_feature": "0",
    "threshold": "0",
    "decision_type": "0",
    "left_child": "-1",
    "right_child": "-1",
}


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree: its inner nodes [s], where a child below 0 is the leaf `~child`, and its leaves [l].

    A row goes left where `x <= split`; at a `categorical` node, where x is one of `members`, which
    has a set of codes for each such node in turn. NaN goes left where `missing_left`.
    """

    features: NDArray[np.int64]
    splits: NDArray[np.float32]
    categorical: NDArray[np.bool_]
    missing_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaves: NDArray[np.float64]
    members: tuple[NDArray[np.int64], ...]


def trees(booster: lgb.Booster) -> list[Tree]:
    """The trees of a booster up to its best iteration.

    Raises PerennialError for what has no exact conversion: an objective other than binary or
    cross-entropy, several trees an iteration, linear leaves, `zero_as_missing`, no trees.
    """
    # The text that LightGBM saves, and not dump_model(): ten times as fast, and arrays already.
    head, *sections = booster.model_to_string().split("\nTree=")
    found = [_pairs(section.split("\n\n", 1)[0]) for section in sections]
    _refuse_other_models(_pairs(head), found)
    return [_tree(section) for section in found]


def floor32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above each value: `x <= value` then means the same for every float32 x.

    >>> floor32(np.array([0.1, 1.5, 1e300])).tolist()
    [0.09999999403953552, 1.5, 3.4028234663852886e+38]
    """
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
        below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > values, below, nearest)


def _pairs(section: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in section.splitlines())}


def _refuse_other_models(header: Mapping[str, str], sections: Sequence[Mapping[str, str]]) -> None:
    version, objective = header.get("version"), header.get("objective", "none").split(" ")[0]
    if version != "v4":
        raise _refusal(f"its text is of version {version!r}, and only 'v4' can be read")
    if objective not in ("binary", "cross_entropy"):
        raise _refusal(f"objective {objective!r} has no log-odds: fit with objective 'binary'")
    if header.get("num_tree_per_iteration") != "1":
        raise _refusal("it grows several trees an iteration: fit with objective 'binary'")
    if not sections:
        raise _refusal("it has no trees: fit at least one iteration")
    if any(section["is_linear"] != "0" for section in sections):
        raise _refusal("its leaves are linear models: fit with linear_tree=false")


def _refusal(reason: str) -> PerennialError:
    return PerennialError(f"this LightGBM model cannot be converted exactly: {reason}")


def _tree(section: dict[str, str]) -> Tree:
    if section["num_leaves"] == "1":
        section = section | NO_SPLIT
    decisions, thresholds = _integers(section, "decision_type"), _floats(section, "threshold")
    categorical = decisions & CATEGORICAL > 0
    if np.any(~categorical & (decisions & MISSING_ZERO > 0)):
        raise _refusal("it takes zero for missing: fit with zero_as_missing=false")
    # Where no NaN was seen in training, NaN is read as 0.
    nan_left = np.where(decisions & MISSING_NAN > 0, decisions & DEFAULT_LEFT > 0, thresholds >= 0)
    return Tree(
        features=_integers(section, "split_feature"),
        splits=_splits(thresholds),
        categorical=categorical,
        missing_left=nan_left & ~categorical,
        left=_integers(section, "left_child"),
        right=_integers(section, "right_child"),
        leaves=_floats(section, "leaf_value"),
        members=tuple(_members(section, int(index)) for index in thresholds[categorical]),
    )


def _integers(section: Mapping[str, str], key: str) -> NDArray[np.int64]:
    return np.array(section[key].split(), dtype=np.int64)


def _floats(section: Mapping[str, str], key: str) -> NDArray[np.float64]:
    return np.array(section[key].split(), dtype=np.float64)


def _splits(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The thresholds for float32 x; one within the band that is read as zero moves to the band's edge."""
    splits = floor32(thresholds)
    splits[(thresholds >= 0) & (thresholds < ZERO)] = ZERO
    splits[(thresholds < 0) & (thresholds >= -ZERO)] = np.nextafter(-ZERO, np.float32(-np.inf))
    return splits


def _members(section: Mapping[str, str], index: int) -> NDArray[np.int64]:
    """The codes that go left at the tree's categorical node `index`, from its bit set."""
    start, end = _integers(section, "cat_boundaries")[index : index + 2]
    words = _integers(section, "cat_threshold")[start:end].astype("<u4")
    codes = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
    if codes[-1] >= CODES_END:
        raise _refusal(f"category {codes[-1]} is no exact float32: number the categories from 0")
    return codes
