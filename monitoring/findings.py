"""What is found of a batch, each with what it asks for, its reason in words, and its numbers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from core.spec import Monitoring
from monitoring.drift import Drift
from monitoring.performance import Realised

Action = Literal["nothing", "watch", "retrain"]
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look at a batch found."""

    action: Action
    reason: str
    numbers: dict[str, float] = field(default_factory=dict)


def of_performance(
    realised: Realised, prediction: Drift | None, reference: Mapping[str, float], rules: Monitoring
) -> Iterator[Finding]:
    """What the outcomes say, held against the champion's `reference` measures."""
    limits = {"auc": ("AUC", rules.auc_drop), "relative_loss": ("Relative loss", rules.loss_rise)}
    for name, (what, limit) in limits.items():
        if name in realised.measures:
            yield _compared(what, name, realised, reference.get(name, math.nan), limit)
    if "coverage" in realised.measures:
        yield _covered(realised, rules.coverage_gap)
    if "calibration_error" in realised.measures:
        yield _calibration(realised.measures["calibration_error"], prediction, rules.calibration_error)


def _compared(what: str, name: str, realised: Realised, reference: float, limit: float) -> Finding:
    """A measure beyond its limit retrains, unless its interval reaches the reference (then: watch)."""
    value, (low, high) = realised.measures[name], realised.intervals[name]
    if math.isnan(value) or math.isnan(reference):
        return Finding("watch", f"{what} {value:.3f} cannot be compared with the reference {reference:.3f}")
    worse = reference - value if name == "auc" else value - reference
    numbers = {name: value, f"{name}_reference": reference}
    reason = f"{what} {value:.3f} is {abs(value - reference):.3f} "
    reason += f"{'above' if value > reference else 'below'} the reference {reference:.3f}"
    if worse > 0:
        reason += f" (limit {limit:.3f})"
    if worse <= limit:
        return Finding("nothing", reason, numbers)
    if low <= reference <= high:
        reason += f", but its 95% interval by day, {low:.3f} to {high:.3f}, reaches the reference"
        return Finding("watch", reason, numbers)
    return Finding("retrain", reason, numbers)


def _covered(realised: Realised, limit: float) -> Finding:
    """A coverage beyond its limit retrains, unless its interval reaches the nominal one (then: watch)."""
    value, nominal = realised.measures["coverage"], realised.measures["nominal"]
    low, high = realised.intervals["coverage"]
    numbers = {"coverage": value, "nominal": nominal}
    reason = f"Coverage {value:.3f} where {nominal:.3f} was claimed (limit {limit:.3f} to either side)"
    if abs(value - nominal) <= limit:
        return Finding("nothing", reason, numbers)
    if not (high < nominal or low > nominal):
        reason += f", but its 95% interval by day, {low:.3f} to {high:.3f}, reaches that"
        return Finding("watch", reason, numbers)
    return Finding("retrain", reason, numbers)


def _calibration(error: float, prediction: Drift | None, limit: float) -> Finding:
    numbers = {"calibration_error": error}
    if error <= limit:
        return Finding("nothing", f"Calibration error {error:.3f} (limit {limit:.3f})", numbers)
    if prediction is not None and prediction.drifted:
        reason = f"Calibration error {error:.3f} (limit {limit:.3f}) while the predictions drifted"
        return Finding("retrain", reason, numbers)
    return Finding("watch", f"Calibration error {error:.3f} is above its limit {limit:.3f}", numbers)


def of_drift(
    drifts: Sequence[Drift],
    importance: Mapping[str, float],
    prediction: Drift | None,
    judged: bool,
    rules: Monitoring,
) -> Iterator[Finding]:
    """What inputs and predictions say, where nothing but they may: where no outcomes have `judged`."""
    if rules.drift is None:
        yield Finding("nothing", "Drift is not watched (monitoring.drift is null): performance decides")
        return
    drifted = sorted(
        (drift for drift in drifts if drift.drifted), key=lambda drift: -importance.get(drift.feature, 0.0)
    )
    share = sum(importance.get(drift.feature, 0.0) for drift in drifted)
    moved = prediction is not None and prediction.drifted
    numbers = {"drifted_features": float(len(drifted)), "drifted_importance": share}
    blind = share >= rules.drifted_importance and moved and not judged
    reason = f"{len(drifted)} of {len(drifts)} inputs drifted"
    if drifted:
        reason += f", with {share:.1%} of the model's importance: "
        reason += _list([f"{drift.feature} {drift.value:.2f}" for drift in drifted])
    if blind:
        reason += f" (limit {rules.drifted_importance:.1%}), the predictions too, and no outcomes tell more"
    yield Finding("retrain" if blind else "watch" if drifted else "nothing", reason, numbers)
    if prediction is not None and prediction.value is not None:
        reason = f"Prediction drift {prediction.value:.2f} (limit {prediction.threshold:.2f})"
        yield Finding("watch" if moved else "nothing", reason, {"prediction_drift": prediction.value})
    changed = [f"{drift.feature} ({drift.note})" for drift in drifts if drift.new or drift.vanished]
    if changed:
        yield Finding("nothing", f"Categories came or went: {_list(changed)}")


def not_judged(realised: Realised | None, rules: Monitoring) -> Finding:
    """How many outcomes are known, when they are too few to judge by."""
    if realised is None or not realised.labelled:
        return Finding("nothing", "No outcomes are known yet: performance is not judged")
    reason = (
        f"Outcomes are known for {realised.labelled} of {realised.scored} predictions: "
        f"{rules.min_rows} are needed to judge performance"
    )
    return Finding("nothing", reason, {"labelled_share": realised.labelled_share})


def _list(items: Sequence[str]) -> str:
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more
