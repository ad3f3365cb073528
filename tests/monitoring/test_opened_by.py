"""What may open a retraining: `opened_by` holds all else, and by default changes nothing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from core.spec import Monitoring
from monitoring.drift.drift import Drift
from monitoring.findings import Finding
from monitoring.performance.estimate_findings import Checked, of_estimates
from monitoring.performance.realised import Realised
from monitoring.policy import Decision, decide
from tests.monitoring.test_policy import CALM, IMPORTANCE, MOVED, REFERENCE, STEADY, drifted, judge, outcome

ALL = ("performance", "blind_drift", "drift", "estimates")
GONE = ("late_rate",)
ROLL_BACK = Finding("roll back", "shop/1, the version before, is surely better")


def rules(*openers: str, **changed: Any) -> Monitoring:
    return Monitoring.model_validate({"opened_by": openers, **changed})


def estimated(found: Realised, by: Monitoring, auc: float = 0.62) -> tuple[Finding, ...]:
    """What is said of an AUC that is estimated, give or take a hundredth."""
    told = {"auc": Checked(auc, auc - 0.01, auc + 0.01, None, None, None)}
    return tuple(of_estimates(told, found, REFERENCE, by))


WORLDS: Mapping[str, tuple[Realised | None, tuple[Drift, ...], Drift, tuple[Finding, ...]]] = {
    "a fallen AUC": (outcome(auc=0.6), CALM, STEADY, ()),
    "a risen loss": (outcome(relative_loss=0.99), CALM, STEADY, ()),
    "bad calibration": (outcome(calibration_error=0.09, calibration_loss=0.03), CALM, STEADY, ()),
    "an earlier version is better": (outcome(), CALM, STEADY, (ROLL_BACK,)),
    "drift of all that matters, unseen": (None, drifted(*GONE), MOVED, ()),
    "drift of all that matters, and all is well": (outcome(), drifted(*GONE), STEADY, ()),
}
BY_DEFAULT = {
    "a fallen AUC": "retrain stateless",
    "a risen loss": "retrain stateless",
    "bad calibration": "recalibrate",
    "an earlier version is better": "roll back",
    "drift of all that matters, unseen": "retrain stateless",
    "drift of all that matters, and all is well": "watch",
}


def decided(world: str, by: Monitoring) -> Decision:
    realised, drifts, prediction, further = WORLDS[world]
    return judge(realised, drifts, prediction, by, also=further)


@pytest.mark.parametrize("world", WORLDS)
def test_what_is_opened_by_nothing_never_opens(world: str) -> None:
    found = decided(world, rules())
    assert (found.action, found.calls) == ("watch", False)
    assert set(found.asks) <= {"watch", "nothing"}
    assert found.reasons == decided(world, Monitoring()).reasons or "drift" in world  # all is said as ever


def test_nothing_opens_on_estimates_unless_the_spec_lets_it() -> None:
    for by in (rules(), Monitoring(), rules("performance", "blind_drift", "drift")):
        early = replace(outcome(labelled=0), final=False)
        found = judge(early, rules=by, also=estimated(early, by))
        assert (found.action, found.calls) == ("watch", False)
        assert any(reason.endswith("; an estimate alone opens nothing") for reason in found.reasons)


@pytest.mark.parametrize("world", WORLDS)
def test_by_default_it_is_as_it_was(world: str) -> None:
    assert decided(world, Monitoring()).action == BY_DEFAULT[world]
    assert decided(world, rules("performance", "blind_drift")) == decided(world, Monitoring())


def test_lasting_drift_opens_alone_though_outcomes_say_that_all_is_well() -> None:
    by = rules("drift")
    found = judge(outcome(), drifted(*GONE), STEADY, by)
    assert (found.action, found.calls) == ("retrain stateless", True)
    assert found.reasons[0] == (
        "1 of 4 inputs drifted, with 40.0% of the model's importance: late_rate 0.84 (limit 30.0%)"
    )
    assert judge(outcome(), drifted("wind"), STEADY, by).action == "watch"  # 6% of the importance
    assert judge(outcome(), CALM, MOVED, by).action == "watch"  # the predictions alone are no drift of inputs


def test_drift_that_has_not_lasted_opens_nothing_even_alone() -> None:
    moved = drifted(*GONE)
    new = decide(moved, IMPORTANCE, STEADY, outcome(), REFERENCE, rules("drift"))
    assert (new.action, new.calls) == ("watch", False)
    assert new.reasons[0].endswith("; not yet in 2 of the last 3 batches")
    before = [["late_rate"], [], []]
    assert (
        decide(moved, IMPORTANCE, STEADY, outcome(), REFERENCE, rules("drift"), drifted_before=before).action
        == "watch"
    )


@pytest.mark.parametrize("final", [True, False])
def test_estimates_open_before_the_outcomes_are_in_and_after(final: bool) -> None:
    by, found = rules("estimates"), replace(outcome(labelled=28_000 if final else 0), final=final)
    decision = judge(found, rules=by, also=estimated(found, by))
    assert (decision.action, decision.calls) == ("retrain stateless", True)
    assert decision.reasons[0] == (
        "Without labels AUC is estimated at 0.620 (0.610 to 0.630), surely worse than the reference"
    )
    for near in (0.70, 0.75):  # within its limit, or better
        assert judge(found, rules=by, also=estimated(found, by, near)).action in ("watch", "nothing")


@pytest.mark.parametrize("openers", [("drift",), ("estimates",), ("blind_drift",), ("drift", "estimates")])
@pytest.mark.parametrize(
    "world", ["a fallen AUC", "a risen loss", "bad calibration", "an earlier version is better"]
)
def test_performance_off_holds_whatever_performance_asks_for(openers: tuple[str, ...], world: str) -> None:
    found = decided(world, rules(*openers))
    assert (found.action, found.calls) == ("watch", False)
    assert found.reasons[0] == decided(world, Monitoring()).reasons[0]  # it is said all the same


def test_performance_alone_holds_drift_that_no_outcome_judges() -> None:
    assert decided("drift of all that matters, unseen", rules("performance")).action == "watch"
    assert decided("a fallen AUC", rules("performance")).action == "retrain stateless"


@pytest.mark.parametrize("openers", [(), *[(each,) for each in ALL]])
def test_a_schedule_is_held_by_nothing(openers: tuple[str, ...]) -> None:
    found = judge(outcome(), rules=rules(*openers, every=1), history=(judge(outcome()),))
    assert found.action == "retrain stateless"
    assert found.reasons[0].startswith("Batches without a challenger: 2")


def test_what_is_held_counts_for_no_persistence() -> None:
    """A call that was held is none: else a performance trigger would lend its run to drift."""
    by = rules("drift", persistence=2)
    held = judge(outcome(auc=0.6), rules=by)
    assert held.calls is False
    moved = judge(outcome(auc=0.6), drifted(*GONE), STEADY, by, history=(held,))
    assert (moved.action, moved.calls) == ("watch", True)
    assert judge(outcome(), drifted(*GONE), STEADY, by, history=(moved,)).action == "retrain stateless"
