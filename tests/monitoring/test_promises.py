"""Kept promises: what is the model's own is told from harder rows and from chance, over several batches."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.special import expit, logit

from core.spec import Monitoring
from models.problems.binary import Binary
from models.rows import Rows
from monitoring.performance.blocks import Block, blocks_of, pooled
from monitoring.performance.promises import LEAST, allowance, gap_of, of_promises
from tests.monitoring.test_policy import CALM, drifted, judge, outcome

import polars as pl  # isort: skip

RULES = Monitoring(auc_drop=0.02)
DAYS = 28


def days(seed: int, gap: float = 0.0, spread: float = 0.04, count: int = DAYS) -> list[Block]:
    """Days whose gaps are normal about `gap`, of unequal weights."""
    random = np.random.default_rng(seed)
    pairs, gaps = random.uniform(50, 150, count), random.normal(gap, spread, count)
    day = Block("2013-04-01T00:00", 900, 0.0, 0.4, 0.4, 0.5)
    return [replace(day, pairs=float(one), gap=float(other)) for one, other in zip(pairs, gaps, strict=True)]


def test_promises_that_are_kept_are_doubted_in_a_few_of_a_thousand_batches() -> None:
    """The chance is half of one per cent at most: 20 of 2,000 have a chance of 1 in 1,000."""
    streams = [[days(10 * seed + place) for place in range(8)] for seed in range(250)]
    called = [
        bool([*of_promises(days(seed + 10_000), stream[: place + 1], RULES)])
        for seed, stream in enumerate(streams)
        for place in range(8)
    ]
    assert sum(called) < 20


def test_batches_of_a_day_are_looked_at_eight_together() -> None:
    kept, broken = [[day] for day in days(3, count=30)], [[day] for day in days(4, gap=-0.3, count=LEAST)]
    assert not [*of_promises(days(1), broken[:-1], RULES)]
    (finding,) = of_promises(days(1, count=3), [*kept, *broken], RULES)
    assert "over the newest 8 batches" in finding.reason
    streams = [[[day] for day in days(seed, count=40)] for seed in range(60)]
    called = [
        bool([*of_promises(days(seed + 10_000, count=4), stream[: place + 1], RULES)])
        for seed, stream in enumerate(streams)
        for place in range(40)
    ]
    assert sum(called) < 20  # of 2,400, as above


def test_a_broken_promise_is_told_with_its_size() -> None:
    (finding,) = of_promises(days(1), [days(2, gap=-0.06)], RULES)
    assert finding.call == "retrain" and finding.old_misleads
    assert finding.numbers["auc_gap"] == pytest.approx(gap_of(days(2, gap=-0.06))[0])
    assert finding.reason.startswith("Within days the answers tell labels apart by 0.0")
    assert finding.reason.endswith("(limit 0.020)")


def test_what_one_batch_cannot_show_several_together_do() -> None:
    batches = [days(seed, gap=-0.03, spread=0.07) for seed in (4, 5, 6)]
    usual = days(1, spread=0.07, count=60)
    assert not [*of_promises(usual, batches[:1], RULES)]
    (finding,) = of_promises(usual, batches, RULES)
    assert "over the newest" in finding.reason


def test_a_gap_that_is_sure_but_small_calls_for_nothing() -> None:
    assert not [*of_promises(days(1), [days(2, gap=-0.015, spread=0.005)], RULES)]


def test_a_gap_of_before_is_no_news() -> None:
    usual, now = days(1, gap=-0.05, spread=0.02, count=60), days(2, gap=-0.05, spread=0.02)
    assert allowance(usual) == pytest.approx(-0.05, abs=0.01)
    assert not [*of_promises(usual, [now], RULES)]
    assert [*of_promises(days(1, count=60), [now], RULES)]


def test_what_earlier_batches_have_shown_is_usual_but_a_slow_decline_is_not() -> None:
    usual, now = days(1, spread=0.01, count=60), days(2, gap=-0.023, spread=0.01)
    assert [*of_promises(usual, [now], RULES)]
    before = [days(seed, gap=-0.005, spread=0.01) for seed in range(10, 20)]
    assert not [*of_promises(usual, [*before, now], RULES)]
    declining = [days(20 + step, gap=-0.004 * step, spread=0.01) for step in range(12)]
    (finding,) = of_promises(usual, declining, RULES)
    assert "(0.005 is usual)" in finding.reason


def test_a_holdout_that_says_little_leaves_in_doubt() -> None:
    now = days(2, gap=-0.04, spread=0.03)
    assert [*of_promises(days(1, count=60), [now], RULES)]
    assert not [*of_promises(days(1, spread=0.08, count=LEAST), [now], RULES)]


def test_a_holdout_that_says_little_or_better_allows_nothing() -> None:
    assert allowance(days(1, gap=-0.05)[: LEAST - 1]) == 0
    assert allowance(days(1, gap=0.05)) == 0
    assert allowance(days(3, gap=0.0, spread=0.2)) == pytest.approx(0, abs=0.02)


def test_few_blocks_and_blocks_of_one_class_say_nothing() -> None:
    broken = days(2, gap=-0.1)
    assert not [*of_promises(days(1), [broken[: LEAST - 1]], RULES)]
    one_class = [replace(block, pairs=0.0, gap=float("nan")) for block in broken]
    assert not [*of_promises(days(1), [one_class], RULES)]
    assert [*of_promises(days(1), [[*one_class, *broken]], RULES)]
    assert not [*of_promises([], [], RULES)]


def test_pooled_days_weigh_as_their_pairs() -> None:
    one, other = days(1)[:2]
    (both,) = pooled([one, other], least=1_800)
    assert both.pairs == pytest.approx(one.pairs + other.pairs)
    assert both.gap == pytest.approx(gap_of([one, other])[0])


def test_blocks_have_the_gaps_of_their_own_rows() -> None:
    """Labels that the answers tell apart less than they promise, on days that differ in their rate."""
    random = np.random.default_rng(1)
    day = np.repeat(np.arange(20), 500)
    chances = expit(random.normal(-1.0, 1.2, len(day)))
    truth = expit(0.5 * (logit(chances) + 1) - 1 + random.normal(0, 0.5, 20)[day])
    labels = (random.random(len(day)) < truth).astype(float)
    start = int(datetime(2013, 4, 1, tzinfo=UTC).timestamp() * 1e6)
    times = pl.Series(start + day * 86_400_000_000).cast(pl.Datetime("us", "UTC"))
    blocks = blocks_of(Binary(), Rows(pl.DataFrame({"x": day}), labels, times), chances, "UTC")
    assert len(blocks) == 20 and all(block.gap < 0.05 for block in blocks)
    positives = labels[day == 0].sum()
    assert blocks[0].pairs == pytest.approx(positives * (500 - positives) / 500)
    assert [*of_promises([], [blocks], RULES)]
    again = Block.read({"gap": None, "pairs": 0.0, "begins": "x", "rows": 1, "error": 0, "loss": 0,
                        "expected": 0, "constant": 0})  # fmt: skip
    assert np.isnan(again.gap)


def test_harder_rows_are_watched_where_the_answers_promise_no_more() -> None:
    decision = judge(outcome(auc=0.671, auc_gap=0.001))
    assert decision.action == "watch"
    assert decision.reasons[0].endswith("within days the answers tell labels apart as well as they promise")
    assert judge(outcome(auc=0.671)).action == "retrain stateless"  # where nothing is promised


def test_inputs_that_are_not_what_they_were_are_no_excuse() -> None:
    new = tuple(replace(one, changes=("new values",)) for one in drifted("hour"))
    assert judge(outcome(auc=0.671, auc_gap=0.001), new).action == "retrain stateless"
    hardly_used = tuple(replace(one, changes=("missing",)) for one in drifted("wind"))
    assert judge(outcome(auc=0.671, auc_gap=0.001), hardly_used).action == "watch"
    assert judge(outcome(auc=0.671, auc_gap=0.001), drifted("hour")).action == "watch"


def test_a_loss_that_was_to_be_expected_is_watched_and_one_that_was_not_is_mended() -> None:
    worse = {"relative_loss": 0.95, "auc_gap": 0.0, "calibration_loss": 0.04}
    expected = judge(outcome(**worse, excess_loss=0.001))
    assert expected.action == "watch"
    assert any("lead to expect of these rows" in reason for reason in expected.reasons)
    assert judge(outcome(**worse, excess_loss=0.045)).action == "recalibrate"
    assert judge(outcome(**{**worse, "auc_gap": float("nan")}, excess_loss=0.09), CALM).calls


def test_a_calibration_that_mends_harder_rows_needs_no_new_model() -> None:
    """The loss stays above the reference when it is mended, since the rows are harder."""
    found = outcome(relative_loss=0.97, calibration_loss=0.03, excess_loss=0.035, auc_gap=0.0)
    assert judge(found).action == "recalibrate"
