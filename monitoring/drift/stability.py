"""The population stability index (PSI) of two histograms, and how far it goes by chance alone.

It is used for numbers, categories and probabilities alike, so that one threshold and one picture hold
for all. It is the symmetric Kullback-Leibler divergence (Jeffreys, 1946). Numbers are cut at quantiles
of the reference: bins of equal width put a skewed feature into one bin and see nothing, and Wasserstein
needs a scale that one outlier moves and sees no missing values. Every histogram has a bin for those.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# A smaller share counts as this one. It bounds what an empty bin adds, and, unlike a floor of one
# row, gives the same shift the same size in a batch of any length.
FLOOR = 0.001
CUTS = 9

# Of a hundred batches without a drift about one may have any feature beyond its threshold.
FALSE_ALARMS = 0.01
DRAWS = 1_000
# Of fewer days it cannot be told how far days differ.
FEW = 8
# A feature's spread is that which it keeps to in so many draws.
_USUAL = 0.95

Counts = NDArray[np.int64]


def psi(reference: Counts, current: Counts) -> float:
    """Population stability index of two histograms over the same bins: sum((p - q) ln(p / q)).

    `reference` and `current` are counts [bins], not all zero; shares below FLOOR count as FLOOR.

    >>> round(psi(np.array([50, 50]), np.array([80, 20])), 4)  # 0.3 ln 1.6 - 0.3 ln 0.4
    0.4159
    """
    return float(_psi(reference, current))


def thresholds(blocks: Mapping[str, Sequence[Counts]], drawn: int, floor: float) -> dict[str, float]:
    """How far each feature of a batch of `drawn` days may lie from the reference: `floor`, or more.

    `blocks` has the reference's own rows by day and bin [days, bins], of a feature one histogram or
    several, of which the one that moved most counts. Whole days are drawn from them, `drawn` at a
    time: rows of a day hang together, and single rows would vary far less. What the furthest feature
    of a draw reaches, in units of its own spread, is exceeded in FALSE_ALARMS of the draws (the
    single-step maximum of Westfall and Young, 1993): so rare is any alarm of a batch like the
    reference, however many features there are and however they hang together.

    With fewer than FEW days, or of none at all, it is the floor alone.
    """
    days = next((len(histograms[0]) for histograms in blocks.values() if histograms), 0)
    if days < FEW or drawn < 1:
        return dict.fromkeys(blocks, floor)
    draws = np.random.default_rng(0).multinomial(drawn, np.full(days, 1 / days), DRAWS)
    moved = {
        name: np.max([_psi(counts.sum(0), draws @ counts) for counts in histograms], axis=0)
        for name, histograms in blocks.items()
    }
    spreads = {name: float(np.quantile(each, _USUAL)) for name, each in moved.items()}
    scaled = [each / spreads[name] for name, each in moved.items() if spreads[name] > 0]
    if not scaled:
        return dict.fromkeys(blocks, floor)
    furthest = float(np.quantile(np.max(scaled, axis=0), 1 - FALSE_ALARMS))
    return {name: max(floor, furthest * spread) for name, spread in spreads.items()}


def _psi(reference: Counts, current: Counts) -> NDArray[np.float64]:
    """Of one histogram [bins], or of many [..., bins]; of one without rows as if it were the reference."""
    expected = np.maximum(reference / max(reference.sum(), 1), FLOOR)
    rows = current.sum(axis=-1, keepdims=True)
    found = np.where(rows > 0, np.maximum(current / np.maximum(rows, 1), FLOOR), expected)
    return np.asarray(np.sum((found - expected) * np.log(found / expected), axis=-1))
