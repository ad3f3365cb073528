"""The decision after a batch: what to do, with its reasons in words and numbers.

Realised performance decides where outcomes are known. A loss is compared as a share of what the
best constant would have lost on the same rows (of log loss, the normalised entropy): batches of
unlike rates have losses that say nothing about each other. Nor do batches of which one is harder to
tell apart: probabilities are held against what they promise of the rows at hand. Inputs that drift
say where to look; they open a retraining only together with drifted predictions, and only while no
outcome can show that all is well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from core.spec import Monitoring
from monitoring.actions import Action, Standing, action_of, unknown_values
from monitoring.drift.drift import Drift
from monitoring.drift.findings import of_drift
from monitoring.findings import CALLS, CHALLENGE, Call, Finding
from monitoring.performance.findings import not_judged, of_performance
from monitoring.performance.realised import Realised

__all__ = ["Action", "Decision", "Standing", "decide"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, why (the weightiest reason first), and the numbers behind the words.

    `calls` says whether this batch by itself calls for a recalibration or a retraining: where the rules
    ask for persistence, the action is only `watch` until enough batches in a row have called. `asks` is
    what each reason asks for.
    """

    action: Action
    reasons: tuple[str, ...]
    numbers: dict[str, float]
    calls: bool
    asks: tuple[Call, ...] = ()


def decide(
    drifts: Sequence[Drift],
    importance: Mapping[str, float],
    prediction: Drift | None,
    realised: Realised | None,
    reference: Mapping[str, float],
    rules: Monitoring,
    history: Sequence[Decision] = (),
    standing: Standing | None = None,
    further: Sequence[Finding] = (),
    drifted_before: Sequence[Sequence[str]] = (),
) -> Decision:
    """Weigh a batch's drift and realised performance against the champion's reference.

    `importance` is each feature's share of the champion's importance (one that it lacks is
    unused); `reference` the champion's measures on rows that it was not fitted on, as its problem
    names them; `history` the decisions since the champion's release, oldest first; `standing` what can
    be done about it; `further` what else was found; `drifted_before` the features that had drifted in
    the batches of `history`.

    >>> wind = Drift("wind", "psi", 0.84, 0.2, True)
    >>> decision = decide([wind], {"wind": 0.05, "hour": 0.95}, None, None, {}, Monitoring())
    >>> decision.action, decision.reasons[0]
    ('watch', "1 of 1 inputs drifted, with 5.0% of the model's importance: wind 0.84")
    """
    standing = standing or Standing()
    judged = realised is not None and realised.labelled >= rules.min_rows
    findings = [*of_drift(drifts, importance, prediction, judged, rules, drifted_before)]
    if realised is not None and judged:
        strange = sum(importance.get(each.feature, 0.0) for each in drifts if each.drifted and each.changes)
        findings = [*of_performance(realised, reference, rules, strange), *findings]
    else:
        findings = [*findings, not_judged(realised, rules)]
    findings = [_allowed(each, rules) for each in (*findings, *further)]
    if not standing.serves:
        findings = [*map(_held, findings), Finding("watch", "It no longer serves: nothing is done about it")]
    calls = any(finding.call in CHALLENGE for finding in findings)
    if calls and (run := 1 + _calls_in_a_row(history)) < rules.persistence:
        findings = [_held(finding) if finding.call in CHALLENGE else finding for finding in findings]
        findings.append(
            Finding("watch", f"{run} of the {rules.persistence} batches in a row that a retraining needs")
        )
    if standing.serves:
        findings += _scheduled(history, rules.every)
    findings.sort(key=lambda finding: -CALLS.index(finding.call))
    if why := unknown_values(drifts, importance, rules):
        standing = replace(standing, no_start=standing.no_start or why)
    action, told = action_of(findings, standing)
    return _decided(action, _placed(findings, told), calls=calls)


def _decided(action: Action, findings: Sequence[Finding], *, calls: bool) -> Decision:
    return Decision(
        action=action,
        reasons=tuple(finding.reason for finding in findings),
        numbers={name: value for finding in findings for name, value in finding.numbers.items()},
        calls=calls,
        asks=tuple(finding.call for finding in findings),
    )


def _placed(findings: Sequence[Finding], told: Sequence[Finding]) -> list[Finding]:
    """The findings, with what was told of the weightiest behind those."""
    place = sum(finding.call == findings[0].call for finding in findings)
    return [*findings[:place], *told, *findings[place:]]


def _scheduled(history: Sequence[Decision], every: int | None) -> Iterator[Finding]:
    """Time for a challenger: so many batches have been judged since the champion, or the last one it met."""
    tried = [place for place, decision in enumerate(history) if decision.action.startswith("retrain")]
    since = len(history) - (tried[-1] if tried else -1)
    if every is not None and since >= every:
        told = f"Batches without a challenger: {since} (one is due after {every})"
        yield Finding("retrain", told, source="schedule")


def _allowed(finding: Finding, rules: Monitoring) -> Finding:
    """The finding, held where the spec lets nothing of its kind open a retraining."""
    openers = {"drift": {"drift", "blind_drift"}, "estimates": {"estimates"}}
    return finding if openers.get(finding.source, {"performance"}) & {*rules.opened_by} else _held(finding)


def _held(finding: Finding) -> Finding:
    """The same with nothing done about it yet."""
    return finding if finding.call == "nothing" else replace(finding, call="watch")


def _calls_in_a_row(history: Sequence[Decision]) -> int:
    run = 0
    for decision in reversed(history):
        if not decision.calls:
            break
        run += 1
    return run
