"""Living through a history: the stages of the lifecycle in their order, here and now."""

from collections.abc import Callable, Mapping
from datetime import datetime

from core.batches import Batch
from core.errors import UnfitError
from models.gate.judge import GateReport
from monitoring.actions import Act
from monitoring.retraining.requests import Request
from stages.attempt import Answer, Wave, Ways, attempt, in_waves
from stages.due import due
from stages.monitor import judge_batch
from stages.promote import promote
from stages.recalibrate import recalibrate
from stages.retraining import ask, claimed, fail, settle, waiting
from stages.roll_back import roll_back
from stages.score import score
from stages.train import Candidate, Unfit, register, train
from stages.tune import tuned
from stages.workspace import Workspace

SPENT = "attempt"
"""The step of a history's ledger that has what each attempt took, by its instant."""

Watch = Callable[[Batch, str], None]
"""Told of each batch that a history has been through, and of what: `score`, `monitor` or `retrain`."""


def live(workspace: Workspace, as_of: datetime, watch: Watch = lambda batch, what: None) -> None:
    """Live through all that is due up to `as_of`, as the lifecycle flow does.

    A history that was stopped goes on from there. What is asked for once there is no batch to come is
    left. What fails for want of anything to learn from is on
    record, and the champion serves on; whatever else fails is raised.
    """
    _answer(workspace, as_of, watch)
    for instant, happens, batch in due(workspace, as_of):
        if happens == "score":
            score(workspace, batch, instant)
        else:
            scored = batch.id in workspace.ledger.results("score")
            ask(workspace, batch, instant, judge_batch(workspace, batch, instant) if scored else None)
        watch(batch, happens)
        _answer(workspace, as_of, watch)


def _answer(workspace: Workspace, as_of: datetime, watch: Watch) -> None:
    """Answer the request that waits, if one does."""
    request = waiting(workspace, as_of)
    ends = [batch.end for batch in workspace.batches(as_of)]
    if request is None or max(ends) <= request.as_of:  # no batch would be answered by what came of it
        return
    with claimed(workspace, request.id, as_of) as claim:
        if claim is not None:
            _attempted(workspace, claim, as_of)
    if request.batch in (each.id for each in workspace.batches(as_of)):
        watch(workspace.batch(request.batch), "retrain")


def _attempted(workspace: Workspace, request: Request, as_of: datetime) -> None:
    """Make an attempt, and put on record how it ended and what its fits took."""
    spent = dict[str, float]()
    try:
        answer = attempted(workspace, request.action, request.stands_at, spent)
    except UnfitError as error:
        fail(workspace, request, error, as_of, sum(spent.values()))
        return
    seconds = sum(spent.values())
    facts = {"seconds": seconds, "action": request.action, "batch": request.batch, **_told(answer)}
    workspace.ledger.record(SPENT, request.stands_at.isoformat(), "", facts, request.stands_at)
    settle(workspace, request, answer, seconds)


def attempted(workspace: Workspace, action: Act, as_of: datetime, spent: dict[str, float]) -> Answer:
    """Do what was decided with the plain stages; `spent` gets the seconds of each family's fit."""

    def kept(found: list[Candidate]) -> list[str]:
        spent.update({each.family: float(each.metrics["seconds"]) for each in found})
        return [version.id for version in register(workspace, found)]

    def trained(stateful: bool) -> list[str]:
        tuning = workspace.spec.training.tuning
        names = tuning.families if tuning else ()
        found = {each: tuned(workspace, each, as_of).parameters for each in names}

        def fit(wave: Wave) -> Mapping[str, Candidate | Unfit]:
            return {
                name: _fit(lambda: train(workspace, name, as_of, members, found, stateful=stateful))  # noqa: B023
                for name, members in wave.items()
            }

        return kept(in_waves(workspace, fit))

    def recalibrated() -> list[str] | None:
        fit = _fit(lambda: recalibrate(workspace, as_of))
        return None if isinstance(fit, Unfit) else kept([fit])

    ways = Ways(
        train=trained,
        recalibrate=recalibrated,
        roll_back=lambda: roll_back(workspace, as_of).id,
        promote=lambda candidates: promote(workspace, candidates, as_of),
    )
    return attempt(workspace, action, as_of, ways)


def _fit(make: Callable[[], Candidate]) -> Candidate | Unfit:
    try:
        return make()
    except UnfitError as error:
        return Unfit(str(error))


def _told(answer: Answer) -> dict[str, str]:
    if isinstance(answer, GateReport):
        return {"outcome": "promoted" if answer.accepted else "refused", "version": answer.challenger}
    return {"outcome": "rolled back", "version": answer.id}
