"""What is done about a version that falls short: calibrated anew, trained on, trained anew, rolled back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.watching import Monitoring
from monitoring.drift.drift import Drift
from monitoring.findings import Call, Finding

Action = Literal["nothing", "watch", "recalibrate", "retrain stateful", "retrain stateless", "roll back"]
"""What is done after a batch."""
Act = Literal["recalibrate", "retrain stateful", "retrain stateless", "roll back"]
"""What is done about a champion, by one request at a time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What can be done about the version that is judged.

    Whether it still `serves`, and whether the project lets fits go on from it (`stateful`); why none
    could, and why its calibration cannot be fitted anew: None where it can.
    """

    serves: bool = True
    stateful: bool = False
    no_start: str | None = None
    no_recalibration: str | None = None


def action_of(findings: Sequence[Finding], standing: Standing) -> tuple[Action, list[Finding]]:
    """What the findings, the weightiest first, lead to; and why it is not what might be expected.

    >>> off = Finding("recalibrate", "Calibration error 0.110")
    >>> action_of([off], Standing(no_recalibration="a model by mae has no calibration"))[0]
    'retrain stateless'
    """
    call: Call = findings[0].call
    told = list[Finding]()
    if call == "recalibrate" and standing.no_recalibration:
        told.append(
            Finding("retrain", f"A recalibration is out of the question: {standing.no_recalibration}")
        )
        call = "retrain"
    if call != "retrain":
        return call, told
    if not standing.stateful:
        return "retrain stateless", told
    misleading = (finding.old_misleads for finding in findings if finding.old_misleads)
    if why := standing.no_start or next(misleading, None):
        return "retrain stateless", [*told, Finding("retrain", f"From nothing: {why}")]
    return "retrain stateful", [*told, Finding("retrain", "Fits go on from the champion (training.stateful)")]


def unknown_values(drifts: Sequence[Drift], importance: Mapping[str, float], rules: Monitoring) -> str | None:
    """Whether drifted features that matter have values that the version never saw; None where they have not.

    They matter together from the same share of its importance on as drift does.
    """
    new = [drift for drift in drifts if drift.drifted and drift.new]
    share = sum(importance.get(drift.feature, 0.0) for drift in new)
    if not new or share < rules.drifted_importance:
        return None
    named = ", ".join(f"{drift.feature} ({', '.join(drift.new)})" for drift in new)
    return f"inputs with {share:.1%} of the importance have values that were never learnt: {named}"
