"""Living through a history: the stages of the lifecycle in their order, here and now."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from filelock import FileLock

from core.errors import UnfitError
from models.gate.judge import GateReport
from monitoring.actions import Act
from monitoring.retraining.requests import Request
from stages.champion.attempt import Answer, Wave, Ways, attempt, in_waves
from stages.champion.promote import promote
from stages.champion.retraining import ask, claimed, fail, settle, waiting
from stages.champion.roll_back import roll_back
from stages.due import due
from stages.events import events
from stages.models.recalibrate import recalibrate
from stages.models.train import Candidate, Unfit, register, train
from stages.models.tune import tuned
from stages.monitoring.monitor import judge_batch
from stages.score import score
from stages.workspace import Workspace

SPENT = "attempt"
"""The step of a history's ledger that has what each attempt took, by its instant."""


def live(workspace: Workspace, as_of: datetime) -> None:
    """Live through all that is due up to `as_of`, as the lifecycle flow does.

    A history that was stopped goes on from there; of two processes the second waits for the first. What
    is asked for once nothing is to come is left. What fails for want of anything to learn from is on
    record, and the champion serves on; whatever else fails is raised.
    """
    with FileLock(workspace.settings.home / "living.lock"):
        _lived_through(workspace, as_of)


def _lived_through(workspace: Workspace, as_of: datetime) -> None:
    _answer(workspace, as_of)
    for instant, happens, batch in due(workspace, as_of):
        if happens == "score":
            score(workspace, batch, instant)
        else:
            scored = batch.id in workspace.ledger.results("score")
            ask(workspace, batch, instant, judge_batch(workspace, batch, instant) if scored else None)
        _answer(workspace, as_of)


def _answer(workspace: Workspace, as_of: datetime) -> None:
    """Answer the request that waits, if one does."""
    request = waiting(workspace, as_of)
    if request is None or events(workspace, as_of)[-1][0] <= request.as_of:  # nothing would come of it
        return
    with claimed(workspace, request.id, as_of) as claim:
        if claim is not None:
            _attempted(workspace, claim, as_of)


def _attempted(workspace: Workspace, request: Request, as_of: datetime) -> None:
    """Make an attempt, and put on record how it ended and what its fits took."""
    try:
        answer = attempted(workspace, request.action, request.stands_at)
    except UnfitError as error:
        fail(workspace, request, error, as_of, 0.0)
        return
    seconds = _spent(workspace, request.stands_at)
    facts = {"seconds": seconds, "action": request.action, "batch": request.batch, **_told(answer)}
    workspace.ledger.record(SPENT, request.stands_at.isoformat(), "", facts, request.stands_at)
    settle(workspace, request, answer, seconds)


def _spent(workspace: Workspace, as_of: datetime) -> float:
    """What the fits of an instant took: as the registry has it, for an earlier attempt may have made them."""
    versions = workspace.registry.versions(workspace.project.name)
    return sum((float(each.metrics["seconds"]) for each in versions if each.lineage.as_of == as_of), 0.0)


def attempted(workspace: Workspace, action: Act, as_of: datetime) -> Answer:
    """Do what was decided with the plain stages."""

    def kept(found: list[Candidate]) -> list[str]:
        return [version.id for version in register(workspace, found)]

    def trained(stateful: bool) -> list[str]:
        tuning = workspace.spec.training.tuning
        names = tuning.families if tuning else ()
        found = {each: tuned(workspace, each, as_of).parameters for each in names}

        def fit(wave: Wave) -> Mapping[str, Candidate | Unfit]:
            made = partial(train, workspace, as_of=as_of, tuned=found, stateful=stateful)
            return {name: _fit(partial(made, name, members=members)) for name, members in wave.items()}

        return kept(in_waves(workspace, fit))

    def recalibrated() -> list[str] | None:
        fit = _fit(partial(recalibrate, workspace, as_of))
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
