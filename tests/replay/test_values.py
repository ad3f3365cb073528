"""What a policy was worth: what it saved on its rows, less what its retrainings cost."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from core.replaying import ReplayCosts
from models.measures.paired import Interval
from replay.alarms import Alarms
from replay.compared import Compared
from replay.days import Days
from replay.policies import NEVER, ORACLE, PRESENT
from replay.result import _why
from replay.values import Worth, worth
from tests.replay.accounts import lived, outcome

HOUR = 3_600.0


def of(costs: ReplayCosts, *, in_costs: bool = True) -> Worth:
    """Never loses 100, `keen` 40 with two hours and two false alarms, `lazy` 70 with half an hour."""
    never = lived([outcome(5.0, 5.0, cost=[50, 20]), outcome(5.0, cost=[30], first=2)])
    keen = lived([outcome(2.0, 2.0, cost=[20, 10]), outcome(2.0, cost=[10], first=2)], seconds=[HOUR, HOUR])
    lazy = lived([outcome(4.0, 5.0, cost=[40, 10]), outcome(4.0, cost=[20], first=2)], seconds=[HOUR / 2])
    best = lived([outcome(1.0, 1.0, cost=[9, 9]), outcome(1.0, cost=[9], first=2)])
    histories = {NEVER: never, "keen": keen, "lazy": lazy, ORACLE: best}
    said = {"keen": Alarms(("false", "true", "false"), ()), "lazy": Alarms((None, "missed"), ())}
    return worth(histories, Days.of(never.outcomes, 1), said, costs, in_costs=in_costs)


def test_a_net_value_is_what_was_saved_less_training_and_false_alarms() -> None:
    value = of(ReplayCosts(training_hour=12, false_alarm=3))
    assert value.of("keen").value == 100 - 40 - 2 * 12 - 2 * 3
    assert value.of("lazy").value == 100 - 70 - 0.5 * 12
    assert value.of(NEVER) == Interval(0, 0, 0)
    assert value.beyond("keen", "lazy").value == 30 - 24
    assert value.best([NEVER, "keen", "lazy"]) == "keen"
    assert of(ReplayCosts(training_hour=18, false_alarm=3)).best([NEVER, "keen", "lazy"]) == "lazy"
    assert of(ReplayCosts(training_hour=90)).best([NEVER, "keen", "lazy"]) == NEVER


def test_an_interval_is_wider_by_nothing_that_was_paid() -> None:
    free, dear = of(ReplayCosts()).of("keen"), of(ReplayCosts(training_hour=12)).of("keen")
    assert dear.value - dear.low == pytest.approx(free.value - free.low)
    assert free.low < free.value < free.high


def test_without_costs_of_errors_it_is_the_loss_saved_by_unit_and_training_is_free() -> None:
    value = of(ReplayCosts(training_hour=12, false_alarm=3), in_costs=False)
    assert value.of("keen").value == pytest.approx((15 - 6) / 30)
    assert value.of("lazy").value == pytest.approx((15 - 13) / 30)


def test_of_equals_the_one_that_trained_least_is_best() -> None:
    worths = {"a": np.array([1.0, 1.0]), "b": np.array([1.0, 1.0]), "c": np.array([0.5, 2.0])}
    value = Worth(Days.of([], 1), worths, {"a": 2.0, "b": 1.0, "c": 0.0}, ReplayCosts())
    assert value.best(["a", "b", "c"]) == "b"


def test_of_those_that_trained_as_much_the_specs_own_is_best() -> None:
    worths = {"a": np.array([1.0, 1.0]), PRESENT: np.array([1.0, 1.0])}
    value = Worth(Days.of([], 1), worths, {"a": 2.0, PRESENT: 2.0}, ReplayCosts())
    assert value.best(["a", PRESENT]) == value.best([PRESENT, "a"]) == PRESENT


def test_what_is_worth_as_much_is_recommended_for_its_training_alone() -> None:
    days = Days.of([outcome(5.0, 5.0), outcome(5.0, first=2)], 1)
    same = {name: days.totals(np.zeros(3)) for name in ("a", PRESENT)}
    value = Worth(days, same, {"a": 1.0, PRESENT: 2.0}, ReplayCosts())
    found = cast(Compared, SimpleNamespace(worth=value, specs=same, in_costs=True))
    assert _why(found, "a", PRESENT) == [f"It was worth as much as {PRESENT}, and trains less"]


def test_how_sure_the_best_is_is_its_share_of_the_draws() -> None:
    worths = {"a": np.array([9.0, 1, 2, 3, 4]), "b": np.array([0.0, 2, 2, 1, 0])}
    value = Worth(Days.of([], 1), worths, {"a": 0.0, "b": 0.0}, ReplayCosts())
    assert value.sure("a", ["a", "b"]) == 3 / 4  # of the draws, not of what there was; a tie counts
    assert value.sure("b", ["a", "b"]) == 2 / 4


def test_break_even_is_where_another_policy_is_worth_as_much() -> None:
    """Keen is worth 60 less two hours, lazy 30 less half an hour: as much at 20, and never at 30."""
    names = [NEVER, "keen", "lazy"]
    value = of(ReplayCosts(training_hour=12))
    assert value.break_even("keen", names) == {"lazy": pytest.approx(20)}
    at = of(ReplayCosts(training_hour=20))
    assert at.of("keen").value == pytest.approx(at.of("lazy").value)
    dear = of(ReplayCosts(training_hour=25))
    assert dear.best(names) == "lazy"
    assert dear.break_even("lazy", names) == {NEVER: pytest.approx(60), "keen": pytest.approx(20)}
    assert of(ReplayCosts(training_hour=90)).break_even(NEVER, names) == {"lazy": pytest.approx(60)}
