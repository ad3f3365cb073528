"""Concept drift: quiet days keep quiet, changed ones speak on the day they changed, and of what changed."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from river.drift import PageHinkley

from core.spec import Monitoring
from models.problems.binary import Binary
from models.problems.ranking import Ranking
from models.problems.regression import Regression
from models.rows import Rows
from monitoring.performance.blocks import Block, blocks_of, pooled
from monitoring.performance.concept import SLACK, Change, alarms_of, changes, highest_of
from monitoring.performance.concept_findings import of_concept
from monitoring.performance.realised import Realised
from tests.monitoring.test_policy import REFERENCE, outcome

RULES = Monitoring()
DAYS = tuple(f"2013-{1 + day // 28:02}-{1 + day % 28:02}T00:05" for day in range(300))


def days(
    count: int, seed: int, error: float = 0.0, excess: float = 0.0, begin: int = 0, rows: int = 900
) -> list[Block]:
    """Days of a calm model, whose mean errors and losses may be moved: what is late for all costs all."""
    random = np.random.default_rng(seed)
    shared = random.normal(0, 0.08, count)
    return [
        Block(
            DAYS[begin + day],
            rows,
            error + shared[day],
            loss + excess - 0.9 * (error + shared[day]),
            0.45,
            0.52,
        )
        for day, loss in enumerate(random.normal(0.45, 0.03, count))
    ]


def test_streams_drawn_as_the_reference_was_speak_in_a_few_of_a_hundred_cases() -> None:
    spoke = sum(bool(changes(days(30, seed), days(120, 1000 + seed, begin=30))) for seed in range(20))
    assert spoke <= 1


@pytest.mark.parametrize(("error", "excess", "signal"), [(0.2, 0.0, "error"), (0.0, 0.06, "excess loss")])
def test_what_changed_is_said_with_the_day_and_how_far(error: float, excess: float, signal: str) -> None:
    stream = days(40, 2, begin=30) + days(40, 3, error, excess, begin=70)
    found = changes(days(30, 1), stream)
    assert [each.signal for each in found] == [signal]
    [change] = found
    assert DAYS[70] <= change.spoke <= DAYS[95]
    moved = error if signal == "error" else excess / 0.52
    assert change.shift == pytest.approx(moved, rel=0.3)
    assert change == changes(days(30, 1), stream)[0]  # the same again


def test_a_loss_that_falls_is_no_alarm() -> None:
    assert not changes(days(30, 1), days(90, 3, excess=-0.1, begin=30))


@pytest.mark.parametrize("mode", ["both", "up"])
def test_the_threshold_is_of_the_statistic_that_the_detector_compares(mode: str) -> None:
    series = np.random.default_rng(4).normal(0, 1, 90).cumsum() / 6
    highest = highest_of(series[None], 20, mode)[0]
    assert alarms_of(series[:20], series[20:], highest * 1.0001, mode) == []
    assert len(alarms_of(series[:20], series[20:], highest * 0.9999, mode)) >= 1
    detector = PageHinkley(min_instances=21, delta=SLACK, threshold=highest * 1.0001, alpha=1.0, mode=mode)
    for value in series:
        detector.update(value)
        assert not detector.drift_detected


def test_too_few_days_say_nothing() -> None:
    moved = days(90, 3, error=0.3, begin=30)
    assert changes(days(30, 1), moved)
    assert changes(days(3, 1), moved[:5]) == changes([], moved) == changes(days(30, 1), []) == ()


def test_where_the_holdout_has_few_days_the_first_of_service_are_usual_too() -> None:
    stream = days(20, 2, begin=1) + days(20, 3, excess=0.1, begin=21)
    [change] = changes(days(1, 1), stream)
    assert change.spoke >= DAYS[21]
    assert stream[change.place].begins == change.spoke
    assert change.shift == pytest.approx(0.1 / 0.52, rel=0.3)
    quiet = [bool(changes(days(3, seed), days(120, 1000 + seed, begin=3))) for seed in range(20)]
    assert sum(quiet) <= 1


def test_days_of_few_rows_are_pooled() -> None:
    """Six rows of a night stray far, and are no day."""
    stream = [*days(30, 2, begin=30), *days(3, 9, error=3.0, begin=60, rows=6), *days(30, 3, begin=63)]
    assert not changes(days(30, 1), stream)
    blocks = pooled(days(4, 1, rows=10) + days(1, 2, begin=4, rows=5), least=20)
    assert [(block.rows, block.begins) for block in blocks] == [(20, DAYS[1]), (25, DAYS[4])]
    assert sum(block.rows * block.error for block in blocks) == pytest.approx(
        sum(10 * block.error for block in days(4, 1)) + 5 * days(1, 2)[0].error
    )


def test_constant_days_and_what_is_undefined_say_nothing() -> None:
    still = [Block(day, 900, 0.0, 0.4, 0.4, 0.5) for day in DAYS[:60]]
    assert changes(still[:30], still[30:]) == ()
    undefined = [replace(block, error=float("nan"), loss=float("nan")) for block in days(60, 1)]
    assert changes(undefined[:30], undefined[30:]) == ()


def batch(**changed: float) -> Realised:
    return replace(outcome(**changed), blocks=tuple(days(30, 3, begin=56)))


def test_a_change_that_costs_little_is_watched_and_one_that_costs_asks_for_what_mends_it() -> None:
    def call(change: Change, **changed: float) -> str:
        [finding] = of_concept([change], batch(**changed), REFERENCE, RULES)
        assert DAYS[60][:10] in finding.reason
        return finding.call

    worse = Change("excess loss", DAYS[60], 0, 0.08, 2.1)
    assert call(worse) == "retrain"
    assert call(replace(worse, shift=0.01)) == "watch"
    off = {"relative_loss": 0.95, "calibration_loss": 0.05}
    assert call(worse, **off) == "recalibrate"
    biased = Change("error", DAYS[60], 0, -0.09, -1.4)
    assert call(biased, **off) == "recalibrate"
    assert call(biased) == "watch"  # a refit would win nothing
    assert call(replace(biased, shift=-0.03), **off) == "watch"


def test_a_change_is_asked_about_once_and_never_before_all_outcomes_are_in() -> None:
    old = Change("excess loss", DAYS[20], 0, 0.08, 2.1)
    [finding] = of_concept([old], batch(), REFERENCE, RULES)
    assert finding.call == "nothing" and "last spoke before this batch" in finding.reason
    new = replace(old, spoke=DAYS[60])
    assert not list(of_concept([new], replace(batch(), final=False), REFERENCE, RULES))
    assert [each.call for each in of_concept([old, new], batch(), REFERENCE, RULES)] == ["retrain"]
    hour = replace(batch(), blocks=(replace(days(1, 3)[0], begins="2013-03-05T07:00"),))
    for begins, call in (("2013-03-05T06:01", "nothing"), ("2013-03-05T07:00", "retrain")):
        assert [each.call for each in of_concept([replace(old, spoke=begins)], hour, REFERENCE, RULES)] == [
            call
        ]


def test_blocks_are_local_days_whose_means_add_up() -> None:
    times = pl.datetime_range(
        pl.datetime(2013, 3, 9, 12), pl.datetime(2013, 3, 11, 12), "1h", time_zone="UTC", eager=True
    )
    random = np.random.default_rng(1)
    answers, labels = random.beta(2, 5, len(times)), (random.random(len(times)) < 0.3).astype(float)
    rows = Rows(pl.DataFrame({"x": range(len(times))}), labels, times)
    found = blocks_of(Binary(), rows, answers, "America/New_York")
    # 9 March from 7:00, 10 March with the hour that spring leaves out, 11 March to 8:00
    assert [(block.begins, block.rows) for block in found] == [
        ("2013-03-09T07:00", 17), ("2013-03-10T00:00", 23), ("2013-03-11T00:00", 9),
    ]  # fmt: skip
    total = sum(block.rows * block.error for block in found)
    assert total == pytest.approx((labels - answers).sum())
    entropy = -(answers * np.log(answers) + (1 - answers) * np.log(1 - answers))
    assert sum(block.rows * block.expected for block in found) == pytest.approx(entropy.sum())
    plain = blocks_of(Regression(), rows, answers, "UTC")
    assert np.isnan(plain[0].expected)
    assert sum(block.rows * block.loss for block in plain) == pytest.approx(((labels - answers) ** 2).sum())


def test_lists_are_the_rows_of_a_ranking() -> None:
    times = pl.datetime_range(
        pl.datetime(2013, 3, 9), pl.datetime(2013, 3, 10, 23), "1h", time_zone="UTC", eager=True
    )
    rows = Rows(
        pl.DataFrame({"x": range(48)}), np.tile([0.0, 1, 0, 0], 12), times, np.repeat(np.arange(12), 4)
    )
    found = blocks_of(Ranking(), rows, np.tile([3.0, 4, 1, 2], 12), "UTC")
    assert [(block.rows, block.loss) for block in found] == [(6, 0.0), (6, 0.0)]
    assert np.isnan(found[0].error)
