"""A variant is kept where it gains, costs little with confidence, and is steady; the best of those serves."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import UnfitError
from core.learning import Constraints
from models.measures.paired import Interval
from models.onnx.latency import Latency
from models.onnx.parity import Parity
from models.onnx.variants import Variant, best, weighed

MARGIN = 0.001


def variant(name: str, size: int, speed: float, rise: float = 0.0, sure: float = 0.0) -> Variant:
    """One that is so large, answers so many rows a second, and loses `rise`, give or take `sure`."""
    same = Parity(10, (1,), 0.0, 0.0, 0.0, 0, 0.0, 0, holds=True, reasons=())
    rises = {"validation": Interval(rise, rise - sure, rise + sure), "holdout": Interval(9.0, 9.0, 9.0)}
    return Variant(name, Path(name), "", size, same, Latency(10.0, 20.0, speed), {}, rises, {}, True, "")


EXACT = variant("float32", 1000, 100.0)


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        (variant("int8", 400, 100), ""),  # smaller
        (variant("int8", 900, 140), ""),  # faster
        (variant("int8", 400, 140, rise=0.0004, sure=0.0005), ""),  # a loss that is surely small
        (variant("int8", 900, 110), "neither 1.3 times as fast nor 2 times smaller"),
        (variant("int8", 400, 40), "neither"),  # smaller, but far slower
        (variant("int8", 400, 140, rise=0.002), "its loss may rise by more than 0.001"),
        (variant("int8", 400, 140, rise=0.0006, sure=0.0005), "its loss may rise"),  # or may be large
        (variant("int8", 400, 140, rise=-0.1, sure=float("inf")), "its loss may rise"),  # of one day
        (variant("int8", 400, 140, rise=float("nan")), "its loss may rise"),
    ],
)
def test_a_variant_is_kept_where_it_gains_and_surely_costs_little(other: Variant, fault: str) -> None:
    found = weighed(other, EXACT, MARGIN)
    assert found.kept == (not fault)
    assert fault in found.note
    assert ("refused" in found.note) == bool(fault)
    assert "times smaller" in found.note
    assert best([EXACT, found], Constraints()) == (EXACT if fault else found)


def test_a_variant_that_has_no_parity_is_refused_by_its_reasons() -> None:
    other = variant("dynamic", 400, 140)
    unsteady = replace(other.parity, unsteady=0.99, holds=False, reasons=("99.0% hang on others",))
    found = weighed(replace(other, parity=unsteady, kept=False), EXACT, MARGIN)
    assert not found.kept
    assert "refused: 99.0% hang on others" in found.note


def test_a_variant_falls_with_the_one_it_was_made_of() -> None:
    wrong = replace(EXACT, kept=False)
    found = weighed(variant("int8", 400, 140), wrong, MARGIN)
    assert not found.kept
    with pytest.raises(UnfitError, match=r"no graph of this fit may be served.*int8"):
        best([wrong, found], Constraints())


def test_what_is_beyond_the_constraints_serves_only_alone() -> None:
    large = replace(variant("float32", 60_000_000, 100.0))
    small = variant("int8", 40_000_000, 100.0, rise=0.0009)
    rules = Constraints(max_size_mb=50, loss_per_ms=1e-9)  # by loss alone, float32 would serve
    assert best([large, small], Constraints(max_size_mb=70, loss_per_ms=1e-9)) == large
    assert best([large, small], rules) == small
    assert best([large], rules) == large


def test_loss_is_weighed_against_latency_where_the_spec_says_so() -> None:
    slow = replace(EXACT, latency=Latency(2000.0, 3000.0, 100.0))
    quick = replace(variant("pruned", 1500, 100.0, rise=0.0005), latency=Latency(1000.0, 2000.0, 100.0))
    assert best([slow, quick], Constraints()) == slow  # the smaller one
    assert best([slow, quick], Constraints(loss_per_ms=0.001)) == quick
    assert best([slow, quick], Constraints(loss_per_ms=0.0001)) == slow
