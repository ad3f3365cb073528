"""Distances of two profiles that people know from other tools: beside the PSI, which decides."""

import numpy as np

from monitoring.profiles.frequencies import Frequencies
from monitoring.profiles.moments import Moments
from monitoring.profiles.quantiles import Floats, Quantiles

# As Evidently has it: of a narrower reference it is measured in thousandths.
_LEAST_SPREAD = 0.001


def wasserstein(reference: Quantiles, current: Quantiles, spread: Moments) -> float | None:
    """The first Wasserstein distance of the finite numbers, in standard deviations of the reference.

    `spread` has these. None where either side knows no finite number, or the distance is none.

    >>> calm, storm = np.array([0.0, 2.0]), np.array([1.0, 3.0])
    >>> wasserstein(Quantiles.of(calm), Quantiles.of(storm), Moments.of(calm))
    1.0
    """
    before, now = reference.finite, current.finite
    if not before.known or not now.known:
        return None
    values = np.sort(np.concatenate([before.values, now.values]))
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.abs(_share(before, values[:-1]) - _share(now, values[:-1])) * np.diff(values)
        distance = float(apart.sum() / max(spread.std, _LEAST_SPREAD))
    return distance if np.isfinite(distance) else None


def jensen_shannon(reference: Frequencies, current: Frequencies) -> float | None:
    """The Jensen-Shannon distance of the known values: the root of the divergence, in nats.

    Values too rare to be counted on either side share one place. None where a side knows no value.

    >>> apart = jensen_shannon(Frequencies.of({"UA": 1}), Frequencies.of({"B6": 1}))
    >>> bool(abs(apart - np.log(2) ** 0.5) < 1e-12)
    True
    """
    if not reference.known or not current.known:
        return None
    before, now = reference.counts(), current.counts()
    # What may be as frequent on the other side, and not be counted there, is told apart by no one.
    least = 2 * max(reference.error, current.error)
    values = [value for value in {**before, **now} if max(before.get(value, 0), now.get(value, 0)) > least]
    expected, found = (
        _shares([counts.get(value, 0) for value in values], side.known)
        for counts, side in ((before, reference), (now, current))
    )
    middle = (expected + found) / 2
    return float(np.sqrt(max(0.0, (_divergence(expected, middle) + _divergence(found, middle)) / 2)))


def _share(quantiles: Quantiles, values: Floats) -> Floats:
    """The share of numbers that are no greater than each value."""
    up_to: Floats = np.concatenate([[0.0], np.cumsum(quantiles.rows)])
    shares: Floats = up_to[np.searchsorted(quantiles.values, values, side="right")] / up_to[-1]
    return shares


def _shares(counts: list[int], known: int) -> Floats:
    rows: Floats = np.array([*counts, max(0, known - sum(counts))], np.float64)
    shares: Floats = rows / rows.sum()
    return shares


def _divergence(found: Floats, expected: Floats) -> float:
    some = found > 0
    return float(np.sum(found[some] * np.log(found[some] / expected[some])))
