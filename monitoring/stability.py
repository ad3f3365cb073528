"""The population stability index (PSI) of two histograms, and the bins of these.

It is used for numbers, categories and probabilities alike, so that one threshold and one picture hold
for all. It is the symmetric Kullback-Leibler divergence (Jeffreys, 1946). Numbers are cut at quantiles
of the reference: bins of equal width put a skewed feature into one bin and see nothing, and Wasserstein
needs a scale that one outlier moves and sees no missing values. Every histogram has a bin for those.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

# A smaller share counts as this one. It bounds what an empty bin adds, and, unlike a floor of one
# row, gives the same shift the same size in a batch of any length.
FLOOR = 0.001
CUTS = 9


def psi(reference: NDArray[np.int64], current: NDArray[np.int64]) -> float:
    """Population stability index of two histograms over the same bins: sum((p - q) ln(p / q)).

    `reference` and `current` are counts [bins], not all zero; shares below FLOOR count as FLOOR.

    >>> round(psi(np.array([50, 50]), np.array([80, 20])), 4)  # 0.3 ln 1.6 - 0.3 ln 0.4
    0.4159
    """
    expected = np.maximum(reference / reference.sum(), FLOOR)
    found = np.maximum(current / current.sum(), FLOOR)
    return float(np.sum((found - expected) * np.log(found / expected)))


def cuts_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deciles of the known values; each is a bin of its own too.

    So a value that many rows share (zero rain, a constant) is seen leaving in either direction.
    """
    if values.size == 0:
        return values
    deciles = np.unique(np.quantile(values, np.arange(1, CUTS + 1) / (CUTS + 1), method="lower"))
    return np.unique(np.concatenate([deciles, np.nextafter(deciles, -np.inf)]))


def histogram(values: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many values lie between two cuts each [cuts + 2]; the last bin is that of NaN."""
    # NaN sorts after every number: with a last cut at infinity it falls into a bin of its own.
    return np.bincount(np.searchsorted(np.append(cuts, np.inf), values), minlength=cuts.size + 2)


def counts_of(values: pl.Series) -> dict[str, int]:
    """Rows by known value, the most frequent first, ties in order of the value."""
    counts = values.drop_nulls().alias("value").value_counts(name="rows")
    return dict(counts.sort(["rows", "value"], descending=[True, False]).iter_rows())


def pooled(counts: Mapping[str, int], kept: Sequence[str], missing: int) -> NDArray[np.int64]:
    """Rows of each kept value, of all other values, and without one: rare values share a bin."""
    own = [counts.get(value, 0) for value in kept]
    return np.array([*own, sum(counts.values()) - sum(own), missing])
