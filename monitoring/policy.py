"""The decision after a batch: what to do, with its reasons in words and numbers.

Realised performance decides where outcomes are known. A loss is compared as a share of what the
best constant would have lost on the same rows (of log loss, the normalised entropy): batches of
unlike rates have losses that say nothing about each other. Inputs that drift say where to look;
they open a retraining only together with drifted predictions, and only while no outcome can show
that all is well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.spec import Monitoring
from monitoring.drift import Drift
from monitoring.drift_findings import of_drift
from monitoring.findings import CALLS, Call, Finding
from monitoring.performance import Realised
from monitoring.performance_findings import not_judged, of_performance

Action = Literal["nothing", "watch", "recalibrate", "retrain stateful", "retrain stateless", "roll back"]
"""What is done after a batch."""


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


def decide(
    drifts: Sequence[Drift],
    importance: Mapping[str, float],
    prediction: Drift | None,
    realised: Realised | None,
    reference: Mapping[str, float],
    rules: Monitoring,
    history: Sequence[Decision] = (),
    drifted_before: Sequence[Sequence[str]] = (),
) -> Decision:
    """Weigh a batch's drift and realised performance against the champion's reference.

    `importance` is each feature's share of the champion's importance (one that it lacks is
    unused); `reference` the champion's measures on rows that it was not fitted on, as its problem
    names them; `history` the decisions since the champion's release, oldest first, and
    `drifted_before` the features that had drifted in the batches of these.

    >>> wind = Drift("wind", "psi", 0.84, 0.2, True)
    >>> decision = decide([wind], {"wind": 0.05, "hour": 0.95}, None, None, {}, Monitoring())
    >>> decision.action, decision.reasons[0]
    ('watch', "1 of 1 inputs drifted, with 5.0% of the model's importance: wind 0.84")
    """
    judged = realised is not None and realised.labelled >= rules.min_rows
    findings = [*of_drift(drifts, importance, prediction, judged, rules, drifted_before)]
    if realised is not None and judged:
        findings = [*of_performance(realised, prediction, reference, rules), *findings]
    else:
        findings = [*findings, not_judged(realised, rules)]
    calls = any(finding.call == "retrain" for finding in findings)
    if calls and (run := 1 + _calls_in_a_row(history)) < rules.persistence:
        findings = [_held(finding) for finding in findings]
        findings.append(
            Finding("watch", f"{run} of the {rules.persistence} batches in a row that a retraining needs")
        )
    findings += _scheduled(history, rules.every)
    findings.sort(key=lambda finding: -CALLS.index(finding.call))
    return Decision(
        action=_action(findings[0].call),
        reasons=tuple(finding.reason for finding in findings),
        numbers={name: value for finding in findings for name, value in finding.numbers.items()},
        calls=calls,
    )


def _action(call: Call) -> Action:
    return "retrain stateless" if call == "retrain" else call


def _scheduled(history: Sequence[Decision], every: int | None) -> Iterator[Finding]:
    """Time for a challenger: so many batches have been judged since the champion, or the last one it met."""
    tried = [place for place, decision in enumerate(history) if decision.action.startswith("retrain")]
    since = len(history) - (tried[-1] if tried else -1)
    if every is not None and since >= every:
        yield Finding("retrain", f"Batches without a challenger: {since} (one is due after {every})")


def _held(finding: Finding) -> Finding:
    return replace(finding, call="watch") if finding.call == "retrain" else finding


def _calls_in_a_row(history: Sequence[Decision]) -> int:
    run = 0
    for decision in reversed(history):
        if not decision.calls:
            break
        run += 1
    return run
