"""What the outcomes of a batch say of the champion, held against its reference."""

import math
from collections.abc import Iterator, Mapping

from core.spec import Monitoring
from monitoring.drift import Drift
from monitoring.findings import Finding
from monitoring.performance import Realised


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


def not_judged(realised: Realised | None, rules: Monitoring) -> Finding:
    """How many outcomes are known, when they are too few to judge by."""
    if realised is None or not realised.labelled:
        return Finding("nothing", "No outcomes are known yet: performance is not judged")
    reason = (
        f"Outcomes are known for {realised.labelled} of {realised.scored} predictions: "
        f"{rules.min_rows} are needed to judge performance"
    )
    return Finding("nothing", reason, {"labelled_share": realised.labelled_share})
