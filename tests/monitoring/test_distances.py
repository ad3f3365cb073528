"""The distances beside the index are those that people know, of the same rows."""

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from monitoring.drift.distances import jensen_shannon, wasserstein
from monitoring.profiles.frequencies import Frequencies
from monitoring.profiles.moments import Moments
from monitoring.profiles.profiling import frequencies
from monitoring.profiles.quantiles import Quantiles


@pytest.mark.parametrize(("rows", "allowed"), [(500, 1e-12), (50_000, 0.002)])
def test_wasserstein_is_that_of_the_rows(rows: int, allowed: float) -> None:
    random = np.random.default_rng(0)
    before, now = random.lognormal(0, 1, rows), random.lognormal(0.2, 1.1, rows // 2)
    expected = wasserstein_distance(before, now) / before.std()
    found = wasserstein(Quantiles.of(before), Quantiles.of(now), Moments.of(before))
    assert found == pytest.approx(expected, abs=allowed)


@pytest.mark.parametrize("levels", [5, 3_000])
def test_jensen_shannon_is_that_of_the_rows(levels: int) -> None:
    random = np.random.default_rng(1)
    before, now = (pl.Series(random.zipf(skew, 60_000) % levels).cast(pl.String) for skew in (1.4, 1.5))
    counts = [dict(each.value_counts().iter_rows()) for each in (before, now)]
    values = sorted(set(counts[0]) | set(counts[1]))
    expected = jensenshannon(*([each.get(value, 0) for value in values] for each in counts))
    found = jensen_shannon(frequencies(before), frequencies(now))
    assert found == pytest.approx(expected, abs=1e-9)


def test_values_too_rare_to_be_counted_are_no_distance() -> None:
    """Of 40,000 keys no two samples hold the same: that is chance, and what is counted of them is worse."""
    random = np.random.default_rng(2)
    before, now = (pl.Series(random.integers(0, 40_000, 60_000)).cast(pl.String) for _ in range(2))
    assert frequencies(before).error > 0
    found = jensen_shannon(frequencies(before), frequencies(now))
    assert found is not None and found < 0.02


def test_nothing_and_what_is_infinite_have_no_distance() -> None:
    nothing, endless = Quantiles.of(np.empty(0)), Quantiles.of(np.array([np.inf, -np.inf]))
    some, huge = Quantiles.of(np.array([1.0])), Quantiles.of(np.array([1.7e308]))
    for other in (nothing, endless):
        assert wasserstein(some, other, Moments()) is None
        assert wasserstein(other, some, Moments()) is None
    assert wasserstein(Quantiles.of(np.array([-1.7e308])), huge, Moments()) is None
    assert jensen_shannon(Frequencies.of({}), Frequencies.of({"UA": 1})) is None


def test_a_constant_that_stays_has_no_distance_to_go() -> None:
    still = np.full(100, 3.0)
    assert wasserstein(Quantiles.of(still), Quantiles.of(still), Moments.of(still)) == 0
