"""The statistics of a window: what they mean, by hand; and that the many-window forms say the same."""

import math
import struct
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.spec import Trailing
from features.ranks import distincts, quantiles
from features.statistics import distinct, lag, mean, of_window, quantile, since_last, smoothed, total, usable
from features.sums import Parts

finite = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e3, 1e3),
    st.integers(-9, 9).map(float),
    st.sampled_from([1e16, -1e16, 1.0, 2.0**53, 2.0**-80, 5e-324, 1.7e308, -1.7e308, -0.0]),
)


@st.composite
def windows(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> tuple[list[Any], list[tuple[int, int]]]:
    some = draw(st.lists(values, max_size=30))
    bound = st.integers(0, len(some))
    return some, [(min(pair), max(pair)) for pair in draw(st.lists(st.tuples(bound, bound), max_size=12))]


def bounds(stretches: list[tuple[int, int]]) -> tuple[Any, Any]:
    low, high = [pair[0] for pair in stretches], [pair[1] for pair in stretches]
    return np.array(low, np.int64), np.array(high, np.int64)


def bits(values: list[float]) -> bytes:
    return struct.pack(f"{len(values)}d", *values)


@given(st.lists(finite, max_size=30), st.randoms(use_true_random=False))
def test_a_total_is_the_exact_sum_rounded_once_in_whatever_order(values: list[float], random: Any) -> None:
    exact = sum(map(Fraction, values))
    shuffled = random.sample(values, len(values))
    try:
        assert bits([total(shuffled)]) == bits([float(exact)])
    except OverflowError:
        assert total(shuffled) == (math.inf if exact > 0 else -math.inf)


@settings(max_examples=300)
@given(windows(finite), st.randoms(use_true_random=False))
def test_the_sums_of_many_windows_are_their_totals_to_the_bit(drawn: Any, random: Any) -> None:
    values, stretches = drawn
    order = random.sample(range(len(values)), len(values))
    sums = Parts(np.array(values, float)).sums(np.array(order, np.int64), *bounds(stretches))
    expected = [total([values[place] for place in order[low:high]]) for low, high in stretches]
    assert sums.tobytes() == bits(expected)


def test_sums_keep_a_small_value_between_two_that_dwarf_it() -> None:
    values = np.array([1e300, 0.1, 0.2, -1e300, 1e-300])
    found = Parts(values).sums(np.arange(5), *bounds([(1, 3), (0, 5), (1, 2), (4, 5), (2, 2)]))
    assert found.tolist() == [0.1 + 0.2, math.fsum(values), 0.1, 1e-300, 0.0]


@given(windows(finite), st.floats(0, 1))
def test_the_quantiles_of_many_windows_are_those_of_each(drawn: Any, share: float) -> None:
    values, stretches = drawn
    found = quantiles(np.array(values, float), *bounds(stretches), share)
    for value, (low, high) in zip(found.tolist(), stretches, strict=True):
        right = quantile(values[low:high], share)
        assert value == (
            pytest.approx(math.nan, nan_ok=True) if right is None or math.isnan(right) else right
        )


@given(windows(st.integers(0, 5)))
def test_the_distinct_of_many_windows_are_those_of_each(drawn: Any) -> None:
    codes, stretches = drawn
    found = distincts(np.array(codes, np.int64), *bounds(stretches))
    assert found.tolist() == [distinct(codes[low:high]) for low, high in stretches]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(0, 1))
def test_a_quantile_lies_on_the_line_between_two_values(values: list[float], share: float) -> None:
    assert quantile(values, share) == pytest.approx(np.quantile(values, share), rel=1e-12, abs=1e-9)


def test_of_nothing_there_is_a_number_and_a_sum_but_no_more() -> None:
    assert (total([]), distinct([]), mean([]), quantile([], 0.5), since_last([], 9), lag([], 1)) == (
        0.0,
        0,
        None,
        None,
        None,
        None,
    )
    assert smoothed(0, 0, 0, 0, 5.0) is None


def test_what_is_missing_or_no_finite_number_is_not_usable() -> None:
    assert [usable(value) for value in (None, math.nan, -math.inf, 0.0, False, "", 2**70)] == [
        *[False] * 3,
        *[True] * 4,
    ]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("count", 3), ("mean", 2.0), ("sum", 6), ("quantile", 2.8), ("distinct", 3), ("since_last", 1.5)],
)
def test_a_window_gives_what_is_declared(statistic: str, expected: float) -> None:
    declared = {"from": "trailing", "by": ["x"], "value": "v", "statistic": statistic, "over": "1d"}
    if statistic == "quantile":
        declared["quantile"] = 0.9
    feature = Trailing.model_validate(declared)
    assert of_window(feature, [1, 3, 2], [1, 2, 500_000], 2_000_000) == expected
