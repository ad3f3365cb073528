"""The decision after a batch: nothing, watch, or retrain, with its reasons in words and numbers.

Realised performance decides where outcomes are known. A loss is compared as a share of what the
best constant would have lost on the same rows (of log loss, the normalised entropy): batches of
unlike rates have losses that say nothing about each other. Inputs that drift say where to look;
they open a retraining only together with drifted predictions, and only while no outcome can show
that all is well.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from core.spec import Monitoring
from monitoring.drift import Drift
from monitoring.performance import Realised

Action = Literal["nothing", "watch", "retrain"]
_ORDER: tuple[Action, ...] = ("retrain", "watch", "nothing")
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, why (the weightiest reason first), and the numbers behind the words.

    `calls` says whether this batch by itself calls for a retraining: where the rules ask for
    persistence, the action is only `watch` until enough batches in a row have called.
    """

    action: Action
    reasons: tuple[str, ...]
    numbers: dict[str, float]
    calls: bool


@dataclass(frozen=True, slots=True)
class _Finding:
    action: Action
    reason: str
    numbers: dict[str, float] = field(default_factory=dict)


def decide(
    drifts: Sequence[Drift],
    importance: Mapping[str, float],
    prediction: Drift | None,
    realised: Realised | None,
    reference: Mapping[str, float],
    rules: Monitoring,
    history: Sequence[Decision] = (),
) -> Decision:
    """Weigh a batch's drift and realised performance against the champion's reference.

    `importance` is each feature's share of the champion's importance (one that it lacks is
    unused); `reference` the champion's measures on rows that it was not fitted on, as its problem
    names them; `history` the decisions since the champion's release, oldest first.

    >>> wind = Drift("wind", "psi", 0.84, 0.2, True)
    >>> decision = decide([wind], {"wind": 0.05, "hour": 0.95}, None, None, {}, Monitoring())
    >>> decision.action, decision.reasons[0]
    ('watch', "1 of 1 inputs drifted, with 5.0% of the model's importance: wind 0.84")
    """
    judged = realised is not None and realised.labelled >= rules.min_rows
    findings = [*_drift(drifts, importance, prediction, judged, rules)]
    if realised is not None and judged:
        findings = [*_performance(realised, prediction, reference, rules), *findings]
    else:
        findings = [*findings, _not_judged(realised, rules)]
    calls = any(finding.action == "retrain" for finding in findings)
    if calls and (run := 1 + _calls_in_a_row(history)) < rules.persistence:
        findings = [_held(finding) for finding in findings]
        findings.append(
            _Finding("watch", f"{run} of the {rules.persistence} batches in a row that a retraining needs")
        )
    findings += _scheduled(history, rules.every)
    findings.sort(key=lambda finding: _ORDER.index(finding.action))
    return Decision(
        action=findings[0].action,
        reasons=tuple(finding.reason for finding in findings),
        numbers={name: value for finding in findings for name, value in finding.numbers.items()},
        calls=calls,
    )


def _performance(
    realised: Realised, prediction: Drift | None, reference: Mapping[str, float], rules: Monitoring
) -> Iterator[_Finding]:
    limits = {"auc": ("AUC", rules.auc_drop), "relative_loss": ("Relative loss", rules.loss_rise)}
    for name, (what, limit) in limits.items():
        if name in realised.measures:
            yield _compared(what, name, realised, reference.get(name, math.nan), limit)
    if "coverage" in realised.measures:
        yield _covered(realised, rules.coverage_gap)
    if "calibration_error" in realised.measures:
        yield _calibration(realised.measures["calibration_error"], prediction, rules.calibration_error)


def _compared(what: str, name: str, realised: Realised, reference: float, limit: float) -> _Finding:
    """A measure beyond its limit retrains, unless its interval reaches the reference (then: watch)."""
    value, (low, high) = realised.measures[name], realised.intervals[name]
    if math.isnan(value) or math.isnan(reference):
        return _Finding("watch", f"{what} {value:.3f} cannot be compared with the reference {reference:.3f}")
    worse = reference - value if name == "auc" else value - reference
    numbers = {name: value, f"{name}_reference": reference}
    reason = f"{what} {value:.3f} is {abs(value - reference):.3f} "
    reason += f"{'above' if value > reference else 'below'} the reference {reference:.3f}"
    if worse > 0:
        reason += f" (limit {limit:.3f})"
    if worse <= limit:
        return _Finding("nothing", reason, numbers)
    if low <= reference <= high:
        reason += f", but its 95% interval by day, {low:.3f} to {high:.3f}, reaches the reference"
        return _Finding("watch", reason, numbers)
    return _Finding("retrain", reason, numbers)


def _covered(realised: Realised, limit: float) -> _Finding:
    """A coverage beyond its limit retrains, unless its interval reaches the nominal one (then: watch)."""
    value, nominal = realised.measures["coverage"], realised.measures["nominal"]
    low, high = realised.intervals["coverage"]
    numbers = {"coverage": value, "nominal": nominal}
    reason = f"Coverage {value:.3f} where {nominal:.3f} was claimed (limit {limit:.3f} to either side)"
    if abs(value - nominal) <= limit:
        return _Finding("nothing", reason, numbers)
    if not (high < nominal or low > nominal):
        reason += f", but its 95% interval by day, {low:.3f} to {high:.3f}, reaches that"
        return _Finding("watch", reason, numbers)
    return _Finding("retrain", reason, numbers)


def _calibration(error: float, prediction: Drift | None, limit: float) -> _Finding:
    numbers = {"calibration_error": error}
    if error <= limit:
        return _Finding("nothing", f"Calibration error {error:.3f} (limit {limit:.3f})", numbers)
    if prediction is not None and prediction.drifted:
        reason = f"Calibration error {error:.3f} (limit {limit:.3f}) while the predictions drifted"
        return _Finding("retrain", reason, numbers)
    return _Finding("watch", f"Calibration error {error:.3f} is above its limit {limit:.3f}", numbers)


def _drift(
    drifts: Sequence[Drift],
    importance: Mapping[str, float],
    prediction: Drift | None,
    judged: bool,
    rules: Monitoring,
) -> Iterator[_Finding]:
    if rules.drift is None:
        yield _Finding("nothing", "Drift is not watched (monitoring.drift is null): performance decides")
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
    yield _Finding("retrain" if blind else "watch" if drifted else "nothing", reason, numbers)
    if prediction is not None and prediction.value is not None:
        reason = f"Prediction drift {prediction.value:.2f} (limit {prediction.threshold:.2f})"
        yield _Finding("watch" if moved else "nothing", reason, {"prediction_drift": prediction.value})
    changed = [f"{drift.feature} ({drift.note})" for drift in drifts if drift.new or drift.vanished]
    if changed:
        yield _Finding("nothing", f"Categories came or went: {_list(changed)}")


def _not_judged(realised: Realised | None, rules: Monitoring) -> _Finding:
    if realised is None or not realised.labelled:
        return _Finding("nothing", "No outcomes are known yet: performance is not judged")
    reason = (
        f"Outcomes are known for {realised.labelled} of {realised.scored} predictions: "
        f"{rules.min_rows} are needed to judge performance"
    )
    return _Finding("nothing", reason, {"labelled_share": realised.labelled_share})


def _list(items: Sequence[str]) -> str:
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more


def _scheduled(history: Sequence[Decision], every: int | None) -> Iterator[_Finding]:
    """Time for a challenger: so many batches have been judged since the champion, or the last one it met."""
    tried = [place for place, decision in enumerate(history) if decision.action == "retrain"]
    since = len(history) - (tried[-1] if tried else -1)
    if every is not None and since >= every:
        yield _Finding("retrain", f"Batches without a challenger: {since} (one is due after {every})")


def _held(finding: _Finding) -> _Finding:
    return replace(finding, action="watch") if finding.action == "retrain" else finding


def _calls_in_a_row(history: Sequence[Decision]) -> int:
    run = 0
    for decision in reversed(history):
        if not decision.calls:
            break
        run += 1
    return run
