"""LightGBM's model text as arrays, for float32 inputs; what has no exact conversion is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import PerennialError

if TYPE_CHECKING:
    import lightgbm as lgb

# The bits of `decision_type`, and the largest magnitude that is read as zero (LightGBM's tree.h, meta.h).
CATEGORICAL, DEFAULT_LEFT, MISSING_ZERO, MISSING_NAN = 1, 2, 4, 8
ZERO = np.float32(1e-35)
LARGEST = float(np.finfo(np.float32).max)
# What a tree that never split does without: one node, with its leaf twice. Not once: onnxruntime 1.31
# merges splits whose leaves are equal, and adds what is left over to the first tree where that is a leaf.
NO_SPLIT = {
    "split_feature": "0",
    "threshold": "0",
    "decision_type": "0",
    "left_child": "-1",
    "right_child": "-2",
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


def trees(booster: "lgb.Booster", iterations: int | None = None) -> list[Tree]:
    """The trees of a booster's first `iterations`, up to its best one unless told otherwise.

    Raises PerennialError for iterations that it does not have, and for what has no exact conversion:
    no trees, linear leaves, `zero_as_missing`, a category or a raw score that is beyond float32.
    """
    grown = booster.current_iteration()
    if not grown:
        raise _refusal("it has no trees: fit at least one iteration")
    if iterations is not None and not 1 <= iterations <= grown:
        raise PerennialError(
            f"a LightGBM model of {grown} iterations has no {iterations}: ask for 1 to {grown}"
        )
    # The text that LightGBM saves, and not dump_model(): ten times as fast, and arrays already.
    head, *sections = booster.model_to_string(num_iteration=iterations).split("\nTree=")
    version = _pairs(head).get("version")
    if version != "v4":
        raise _refusal(f"its text is of version {version!r}, and only 'v4' can be read")
    forest = [_tree(_pairs(section.split("\n\n", 1)[0])) for section in sections]
    largest = sum(np.abs(tree.leaves).max() for tree in forest)
    if not largest <= LARGEST:
        raise _refusal(f"its leaves may sum to {largest}, beyond float32: fit on labels that are smaller")
    return forest


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


def _refusal(reason: str) -> PerennialError:
    return PerennialError(f"this LightGBM model cannot be converted exactly: {reason}")


def _tree(section: dict[str, str]) -> Tree:
    if section["is_linear"] != "0":
        raise _refusal("its leaves are linear models: fit with linear_tree=false")
    if section["num_leaves"] == "1":
        value = section["leaf_value"]
        section = section | NO_SPLIT | {"leaf_value": f"{value} {value}"}
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
    unsaid = codes[codes.astype(np.float32) != codes]
    if len(unsaid):
        raise _refusal(f"category {unsaid[0]} is no exact float32: number the categories from 0")
    return codes
