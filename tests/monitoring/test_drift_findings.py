"""What drift asks for: only what lasts, on features that the model uses, and only unseen outcomes let it."""

from dataclasses import replace

import pytest

from core.spec import Monitoring
from core.watching import Lasting
from monitoring.drift.drift import Drift
from monitoring.drift.findings import of_drift
from monitoring.findings import Finding

IMPORTANCE = {"wind": 0.1, "late_rate": 0.6, "hour": 0.3}
MOVED = Drift("prediction", "psi", 0.63, 0.2, True)
RULES = Monitoring(drift_persistence=Lasting(batches=2, of=3))


def findings(
    *drifted: str, before: tuple[tuple[str, ...], ...] = (), rules: Monitoring = RULES
) -> list[Finding]:
    calm = Drift("", "psi", 0.01, 0.2, False)
    drifts = [
        replace(calm, feature=name, value=0.84 if name in drifted else 0.01, drifted=name in drifted)
        for name in IMPORTANCE
    ]
    return list(of_drift(drifts, IMPORTANCE, MOVED, False, rules, before))


@pytest.mark.parametrize(
    ("before", "call"),
    [
        ((), "watch"),
        ((("late_rate",),), "retrain"),
        ((("late_rate",), ()), "retrain"),
        ((("late_rate",), (), ()), "watch"),
        ((("hour",), ("hour",)), "watch"),
    ],
)
def test_a_feature_has_to_drift_in_two_of_the_last_three_batches(
    before: tuple[tuple[str, ...], ...], call: str
) -> None:
    first = findings("late_rate", before=before)[0]
    assert first.call == call
    assert ("not yet in 2 of the last 3 batches" in first.reason) is (call == "watch")


def test_one_batch_is_enough_where_the_spec_says_so() -> None:
    once = Monitoring(drift_persistence=Lasting(batches=1, of=1))
    assert findings("late_rate", rules=once)[0].call == "retrain"


def test_what_lasts_on_features_that_the_model_hardly_uses_is_watched() -> None:
    found = findings("wind", before=(("wind",), ("wind",)))
    assert found[0].call == "watch"
    assert found[0].numbers["lasting_importance"] == pytest.approx(0.1)


def test_each_feature_has_to_last_by_itself() -> None:
    """Features that take turns are weather: together they never drifted twice."""
    assert findings("late_rate", "hour", before=(("wind",),))[0].call == "watch"
    assert findings("late_rate", "hour", before=(("hour",),))[0].numbers["lasting_importance"] == 0.3


def test_what_changed_by_name_is_told() -> None:
    gone = Drift("hour", "psi", 6.9, 0.2, True, "the batch has no such column", changes=("absent",))
    told = [finding.reason for finding in of_drift([gone], IMPORTANCE, None, False, RULES)]
    assert told[-1] == "Columns are not what they were: hour (the batch has no such column)"


def test_more_batches_than_are_looked_at_are_refused() -> None:
    with pytest.raises(ValueError, match="4 of the last 3 can never be"):
        Lasting(batches=4, of=3)
