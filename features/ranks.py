"""Quantiles and numbers of different values of many windows at once.

Both ask of a stretch `order[low:high]` how its values lie: which is the k-th smallest, how many
are below a bound. A wavelet matrix (Claude and Navarro, "The wavelet matrix", SPIRE 2012) answers
for all windows together, bit by bit of the values' ranks: in memory that does not grow with the
windows' lengths, in time that grows with the logarithm of how many values there are.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from features.sums import Floats, Whole


def quantiles(values: Floats, low: Whole, high: Whole, share: float) -> Floats:
    """`features.statistics.quantile` of each `values[low:high]`; NaN of an empty one.

    >>> values, low, high = np.array([4.0, 1.0, 2.0]), np.array([0, 1, 1]), np.array([3, 2, 1])
    >>> quantiles(values, low, high, 0.75).tolist()
    [3.0, 1.0, nan]
    """
    count = high - low
    found = np.full(len(low), np.nan)
    some = count > 0
    if not some.any():
        return found
    ordered, ranks = np.unique(values, return_inverse=True)
    low, high, count = low[some], high[some], count[some]
    place = share * (count - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, count - 1)
    both = np.concatenate([below, above])
    ranked = _smallest(ranks.astype(np.int64), np.tile(low, 2), np.tile(high, 2), both)
    least, next_to_it = ordered[ranked[: len(low)]], ordered[ranked[len(low) :]]
    with np.errstate(over="ignore", invalid="ignore"):
        found[some] = least + (next_to_it - least) * (place - below)
    return found


def distincts(codes: Whole, low: Whole, high: Whole) -> Whole:
    """How many different codes there are in each `codes[low:high]`.

    >>> distincts(np.array([7, 8, 7, 7]), np.array([0, 1, 2, 3]), np.array([4, 3, 4, 3])).tolist()
    [2, 2, 1, 0]
    """
    order = np.argsort(codes, kind="stable")
    # One more than where each code was before, 0 where it is new: those new to the window count.
    before = np.zeros(len(codes), np.int64)
    again = codes[order[1:]] == codes[order[:-1]]
    before[order[1:][again]] = order[:-1][again] + 1
    return _below(before, low, high, low + 1)


def _levels(ranks: Whole) -> Iterator[tuple[int, NDArray[np.int32], int]]:
    """By bit, from the highest: how many zeros there are before each place, and in all."""
    for bit in range(int(ranks.max(initial=0)).bit_length() - 1, -1, -1):
        zero = (ranks >> bit) & 1 == 0
        zeros = np.zeros(len(ranks) + 1, np.int32)
        np.cumsum(zero, out=zeros[1:])
        yield bit, zeros, int(zeros[-1])
        ranks = np.concatenate([ranks[zero], ranks[~zero]])


def _smallest(ranks: Whole, low: Whole, high: Whole, k: Whole) -> Whole:
    """The `k`-th smallest of each `ranks[low:high]`, from 0."""
    found = np.zeros_like(k)
    for bit, zeros, split in _levels(ranks):
        before, until = zeros[low], zeros[high]
        left = k < until - before
        found |= np.where(left, 0, 1 << bit)
        k = np.where(left, k, k - (until - before))
        low = np.where(left, before, split + low - before)
        high = np.where(left, until, split + high - until)
    return found


def _below(ranks: Whole, low: Whole, high: Whole, bound: Whole) -> Whole:
    """How many of each `ranks[low:high]` are less than `bound`."""
    beyond, every = bound > ranks.max(initial=0), high - low
    found = np.zeros_like(low)
    for bit, zeros, split in _levels(ranks):
        before, until = zeros[low], zeros[high]
        right = (bound >> bit) & 1 == 1
        found += np.where(right, until - before, 0)
        low = np.where(right, split + low - before, before)
        high = np.where(right, split + high - until, until)
    return np.where(beyond, every, found)
