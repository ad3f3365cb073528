"""Decisions: each ground for a retraining alone, and what must not open one."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl

from core.spec import Monitoring
from models.rows import Columns
from monitoring.drift.drift import Drift, feature_drift, prediction_drift
from monitoring.findings import CALLS, Finding
from monitoring.performance.realised import Realised
from monitoring.policy import Decision, Standing, decide

RULES = Monitoring()
IMPORTANCE = {"hour": 0.5, "late_rate": 0.4, "wind": 0.06, "rain": 0.04}
REFERENCE = {"auc": 0.712, "relative_loss": 0.9}
CALM = tuple(Drift(name, "psi", 0.01, 0.2, False) for name in IMPORTANCE)
STEADY = Drift("prediction", "psi", 0.02, 0.2, False)
MOVED = Drift("prediction", "psi", 0.63, 0.2, True)


def drifted(*names: str) -> tuple[Drift, ...]:
    return tuple(replace(one, value=0.84, drifted=True) if one.feature in names else one for one in CALM)


def outcome(labelled: int = 28_000, width: float = 0.01, **changed: float) -> Realised:
    """A batch as good as the reference, but for what is changed."""
    found = {**REFERENCE, "calibration_error": 0.02, **changed}
    if "calibration_loss" in found:
        found["refinement_loss"] = found["relative_loss"] - found["calibration_loss"]
    intervals = {name: (value - width, value + width) for name, value in found.items()}
    return Realised(datetime(2013, 5, 10, tzinfo=UTC), 28_000, labelled, found, intervals)


def judge(
    realised: Realised | None,
    drifts: tuple[Drift, ...] = CALM,
    prediction: Drift | None = STEADY,
    rules: Monitoring = RULES,
    history: tuple[Decision, ...] = (),
    standing: Standing | None = None,
    also: tuple[Finding, ...] = (),
) -> Decision:
    before = [[drift.feature for drift in drifts if drift.drifted]]
    return decide(drifts, IMPORTANCE, prediction, realised, REFERENCE, rules, history, standing, also, before)


def test_a_batch_as_good_as_the_reference_needs_nothing() -> None:
    decision = judge(outcome())
    assert (decision.action, decision.calls) == ("nothing", False)
    assert decision.numbers["drifted_importance"] == 0


def test_a_fallen_auc_retrains_and_says_by_how_much() -> None:
    decision = judge(outcome(auc=0.671))
    assert decision.action == "retrain stateless"
    assert decision.reasons[0] == "AUC 0.671 is 0.041 below the reference 0.712 (limit 0.020)"
    assert decision.numbers["auc"] == 0.671
    assert decision.numbers["auc_reference"] == 0.712


def test_a_fall_within_the_limit_or_within_the_noise_does_not_retrain() -> None:
    assert judge(outcome(auc=0.693)).action == "nothing"
    noisy = judge(outcome(auc=0.671, width=0.05))
    assert noisy.action == "watch"
    assert "but its 95% interval by day, 0.621 to 0.721, reaches the reference" in noisy.reasons[0]


def test_a_risen_loss_retrains_in_a_problem_without_an_auc() -> None:
    """A loss relative to the constant's on the same rows: what a month's rate does to it is no decay."""
    for better in (0.9, 0.915, 0.5):
        assert judge(outcome(relative_loss=better)).action == "nothing"
    worse = outcome(relative_loss=0.93)
    plain = replace(worse, measures={"relative_loss": 0.93})
    for decision in (judge(worse), judge(plain)):
        assert decision.action == "retrain stateless"
        assert decision.reasons[0] == "Relative loss 0.930 is 0.030 above the reference 0.900 (limit 0.020)"


def test_bad_calibration_recalibrates_where_a_refit_surely_wins_back() -> None:
    off = outcome(calibration_error=0.09, calibration_loss=0.03)
    found = judge(off)
    assert found.action == "recalibrate"
    assert "a refit of intercept and slope wins back 0.030 of the relative loss" in found.reasons[0]
    chance = replace(off, intervals=off.intervals | {"calibration_loss": (-0.01, 0.07)})
    for unsure in (chance, outcome(calibration_error=0.09)):
        assert judge(unsure).action == "watch"
    assert judge(outcome(calibration_error=0.04, calibration_loss=0.03)).action == "nothing"
    assert judge(outcome(), prediction=MOVED).action == "watch"


def test_a_risen_loss_recalibrates_where_that_brings_it_back_and_retrains_where_not() -> None:
    mends = judge(outcome(relative_loss=0.95, calibration_loss=0.045))
    assert mends.action == "recalibrate"
    assert mends.reasons[0] == (
        "Relative loss 0.950 is 0.050 above the reference 0.900 (limit 0.020): 0.045 of it is "
        "calibration, 0.005 is what the answers tell"
    )
    assert judge(outcome(relative_loss=0.95, calibration_loss=0.02)).action == "retrain stateless"
    assert judge(outcome(relative_loss=0.95, calibration_loss=-0.001)).action == "retrain stateless"
    fallen = judge(outcome(auc=0.66, relative_loss=0.95, calibration_loss=0.045))
    assert fallen.action == "retrain stateless"  # and the recalibration is said beside it
    unsure = outcome(relative_loss=0.95, calibration_loss=0.045, width=0.06)
    assert judge(unsure).action == "watch"


def test_what_early_outcomes_say_is_provisional_and_asks_for_no_more_than_a_watch() -> None:
    early = replace(outcome(labelled=9_000, auc=0.6, relative_loss=0.99, calibration_error=0.2), final=False)
    decision = judge(early)
    assert (decision.action, decision.calls) == ("watch", False)
    assert decision.reasons[0].startswith("AUC 0.600 is 0.112 below")
    said = "Provisional: the outcomes of 9000 of 28000 predictions are known, and not all are due; those"
    assert any(reason.startswith(said) for reason in decision.reasons)
    assert judge(replace(early, final=True)).action == "retrain stateless"


def test_one_day_alone_is_watched_since_nothing_says_how_days_differ() -> None:
    day = outcome(auc=0.6)
    alone = judge(replace(day, intervals=dict.fromkeys(day.intervals, (np.nan, np.nan))))
    assert alone.action == "watch"
    assert "but of one day alone nobody can tell how much is chance" in alone.reasons[0]
    assert "nan" not in " ".join(alone.reasons)


def test_seasonal_inputs_that_the_model_hardly_uses_are_watched() -> None:
    for realised in (outcome(), None):
        decision = judge(realised, drifted("wind", "rain"), MOVED)
        assert decision.action == "watch"
    assert "2 of 4 inputs drifted, with 10.0% of the model's importance: wind 0.84, rain 0.84" in (
        decision.reasons
    )


def test_important_inputs_retrain_only_while_no_outcome_shows_that_all_is_well() -> None:
    moved = drifted("late_rate")
    assert judge(None, moved, MOVED).action == "retrain stateless"
    assert judge(outcome(labelled=499), moved, MOVED).action == "retrain stateless"
    assert judge(None, moved, STEADY).action == "watch"
    assert judge(outcome(), moved, MOVED).action == "watch"


def test_few_outcomes_decide_nothing() -> None:
    decision = judge(outcome(labelled=499, auc=0.5))
    assert decision.action == "nothing"
    assert decision.reasons[-1] == (
        "Outcomes are known for 499 of 28000 predictions: 500 are needed to judge performance"
    )
    assert "No outcomes are known yet: performance is not judged" in judge(None).reasons


def test_one_class_is_watched_not_judged() -> None:
    decision = judge(outcome(auc=float("nan"), relative_loss=float("nan")))
    assert decision.action == "watch"
    assert "auc" not in decision.numbers


def test_the_weightiest_reason_comes_first() -> None:
    decision = judge(outcome(auc=0.6, relative_loss=0.97), drifted("wind"), MOVED)
    assert [reason.split()[0] for reason in decision.reasons] == [
        "AUC", "Relative", "1", "Prediction", "Calibration",
    ]  # fmt: skip


def test_persistence_waits_for_batches_in_a_row() -> None:
    rules = Monitoring(persistence=3)
    history: tuple[Decision, ...] = ()
    actions = []
    for auc in (0.6, 0.6, 0.712, 0.6, 0.6, 0.6):
        history += (judge(outcome(auc=auc), rules=rules, history=history),)
        actions.append(history[-1].action)
    assert actions == ["watch", "watch", "nothing", "watch", "watch", "retrain stateless"]
    assert history[0].calls
    assert "1 of the 3 batches in a row that a retraining needs" in history[0].reasons


def test_new_categories_are_said() -> None:
    carrier = Drift("carrier", "psi", 0.03, 0.2, False, "new: JB", ("JB",))
    assert judge(outcome(), (*CALM, carrier)).reasons[-1] == "Categories came or went: carrier (new: JB)"


def test_no_drift_at_all_may_be_given() -> None:
    assert decide((), {}, None, None, {}, RULES).action == "nothing"


def test_where_drift_is_not_watched_performance_alone_decides() -> None:
    rules = Monitoring(drift=None, min_rows=10)
    before = pl.DataFrame({"wind": [0.0] * 100})
    drifts = feature_drift(before, before + 100, Columns(("wind",), ()), rules)
    shift = prediction_drift(np.zeros(100), np.ones(100), rules)
    assert drifts == () and not shift.drifted
    decision = decide(drifts, {"wind": 1.0}, shift, None, {}, rules)
    assert decision.action == "nothing" and "not watched" in " ".join(decision.reasons)


def test_intervals_that_do_not_hold_what_they_claim_recalibrate() -> None:
    held = judge(outcome(coverage=0.77, nominal=0.8))
    assert held.action == "nothing"
    for coverage in (0.7, 0.9):  # too narrow, or of no use
        found = judge(outcome(coverage=coverage, nominal=0.8))
        assert found.action == "recalibrate"
        assert found.reasons[0] == (
            f"Coverage {coverage:.3f} where 0.800 was claimed (limit 0.050 to either side)"
        )
        assert (found.numbers["coverage"], found.numbers["nominal"]) == (coverage, 0.8)
    noisy = judge(outcome(coverage=0.7, nominal=0.8, width=0.2))
    assert noisy.action == "watch"
    assert "its 95% interval by day, 0.500 to 0.900, reaches that" in noisy.reasons[0]
    assert judge(outcome(coverage=0.7, nominal=0.8), rules=Monitoring(coverage_gap=0.12)).action == "nothing"


def test_a_challenger_is_due_after_so_many_batches_without_one() -> None:
    every = Monitoring(every=3)
    calm, tried = judge(outcome()), judge(outcome(auc=0.6))
    for history, due in (
        ((), False),
        ((calm,), False),
        ((calm, calm), True),
        ((calm, calm, tried), False),  # it was refused: the champion is the same
        ((calm, calm, tried, calm, calm), True),
    ):
        decision = judge(outcome(), rules=every, history=history)
        assert (decision.action == "retrain stateless") == due, history
        assert not decision.calls
    assert decision.reasons[0] == "Batches without a challenger: 3 (one is due after 3)"
    assert judge(outcome(), rules=Monitoring(every=1)).action == "retrain stateless"
    assert judge(outcome(), history=(calm,) * 50).action == "nothing"


MISCALIBRATED = Finding("recalibrate", "Only the calibration is off", {"calibration_error": 0.11})
BEATEN = Finding("roll back", "shop/1 is surely better", {"earlier_gain": 0.02})
GOES_ON = Standing(stateful=True)


def test_the_weightiest_of_all_that_is_asked_for_is_done() -> None:
    for also, fallen, action in (
        ((MISCALIBRATED,), False, "recalibrate"),
        ((MISCALIBRATED,), True, "retrain stateless"),
        ((MISCALIBRATED, BEATEN), True, "roll back"),
    ):
        decision = judge(outcome(auc=0.6) if fallen else outcome(), also=also)
        assert decision.action == action
        assert len(decision.asks) == len(decision.reasons)
        weights = [CALLS.index(call) for call in decision.asks]
        assert weights == sorted(weights, reverse=True)
        assert decision.numbers.keys() >= {name for finding in also for name in finding.numbers}
    assert decision.reasons[0] == "shop/1 is surely better"


def test_the_same_is_decided_of_the_same() -> None:
    facts = outcome(auc=0.6), drifted("wind"), MOVED
    assert judge(*facts, standing=GOES_ON, also=(BEATEN,)) == judge(*facts, standing=GOES_ON, also=(BEATEN,))


def test_fits_go_on_from_the_champion_where_the_project_lets_them() -> None:
    fallen = outcome(auc=0.6)
    assert judge(fallen, standing=GOES_ON).action == "retrain stateful"
    assert judge(fallen, standing=Standing(stateful=False)).action == "retrain stateless"
    why = "shop/4, which went on from shop/2, was refused"
    decision = judge(fallen, standing=Standing(stateful=True, no_start=why))
    assert decision.action == "retrain stateless"
    assert decision.reasons[1] == f"From nothing: {why}"  # right behind what asked for a retraining
    assert judge(outcome(), rules=Monitoring(every=1), standing=GOES_ON).action == "retrain stateful"


def test_what_says_that_the_old_misleads_has_fits_start_from_nothing() -> None:
    abrupt = Finding("retrain", "The errors rose", old_misleads="the concept changed within a day")
    decision = judge(outcome(), standing=GOES_ON, also=(abrupt,))
    assert decision.action == "retrain stateless"
    assert "From nothing: the concept changed within a day" in decision.reasons


def test_values_that_were_never_learnt_have_fits_start_from_nothing_where_they_matter() -> None:
    fallen = outcome(auc=0.6)
    for share, moved, action in (
        (0.4, True, "retrain stateless"),
        (0.4, False, "retrain stateful"),  # a handful of rows
        (0.06, True, "retrain stateful"),  # of an input that is hardly used
    ):
        name = next(name for name, each in IMPORTANCE.items() if each == share)
        new = tuple(replace(one, drifted=moved, new=("JB",)) if one.feature == name else one for one in CALM)
        decision = judge(fallen, new, standing=GOES_ON)
        assert decision.action == action
        told = f"40.0% of the importance have values that were never learnt: {name} (JB)"
        assert any(told in reason for reason in decision.reasons) == (action == "retrain stateless")


def test_where_the_calibration_cannot_be_fitted_anew_the_model_is() -> None:
    why = "a model by mae has no calibration"
    decision = judge(outcome(), standing=Standing(no_recalibration=why), also=(MISCALIBRATED,))
    assert decision.action == "retrain stateless"
    told = f"A recalibration is out of the question: {why}"
    assert decision.reasons[:2] == (MISCALIBRATED.reason, told)
    both = Standing(stateful=True, no_recalibration=why)
    assert judge(outcome(), standing=both, also=(MISCALIBRATED,)).action == "retrain stateful"


def test_a_recalibration_waits_for_batches_in_a_row_and_a_rollback_does_not() -> None:
    rules = Monitoring(persistence=2)
    first = judge(outcome(), rules=rules, also=(MISCALIBRATED,))
    assert (first.action, first.calls) == ("watch", True)
    assert judge(outcome(), rules=rules, history=(first,), also=(MISCALIBRATED,)).action == "recalibrate"
    assert judge(outcome(), rules=rules, also=(BEATEN,)).action == "roll back"


def test_of_a_version_that_serves_no_more_nothing_is_done() -> None:
    gone = Standing(serves=False)
    for also in ((MISCALIBRATED,), (BEATEN,), ()):
        decision = judge(outcome(auc=0.6), standing=gone, also=also, rules=Monitoring(every=1))
        assert (decision.action, decision.calls) == ("watch", False)
