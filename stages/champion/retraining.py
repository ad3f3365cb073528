"""Retraining: what a judgement calls for is asked for, and answered by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import cast, get_args

from filelock import FileLock, Timeout

from core.batches import Batch
from core.errors import UnfitError
from core.ledger import fingerprint
from models.gate.judge import GateReport
from models.registry.versions import Version
from monitoring.actions import Act
from monitoring.retraining.requests import Ask, Request, Requests
from stages.champion.promote import decisions
from stages.champion.roll_back import rolled_back
from stages.models.fits import LEARNT_FROM
from stages.monitoring.monitor import Judged
from stages.workspace import Workspace

ACTS = get_args(Act)
"""The decisions that something is done about."""
BY_HAND = "by hand"
LOOK = 1.0  # seconds: who only looks whether a request waits holds the lock no longer


def requests_of(workspace: Workspace) -> Requests:
    """The project's requests for a retraining."""
    return Requests(workspace.settings.registry, workspace.project.name)


def called_for(workspace: Workspace, batch: Batch, as_of: datetime, judged: Judged | None) -> Ask | None:
    """What is to be asked for once a batch was judged at `as_of`, if anything.

    That is what the judgement decided or, while there is no champion, the first training once there are
    batches enough. What was done stays done: data that came late count from the next on.
    """
    if workspace.champion(as_of) is None:
        enough = len(workspace.batches(batch.end)) >= workspace.spec.training.first_batches
        found = _first(workspace, batch, as_of) if enough else None
    else:
        acts = judged is not None and judged.decision in ACTS
        found = _of(judged, as_of) if judged and acts else None
    if found is None or any(at >= as_of for at in (*decisions(workspace), *rolled_back(workspace))):
        return None
    return found


def ask(
    workspace: Workspace, batch: Batch, as_of: datetime, judged: Judged | None, run: str = ""
) -> Request | None:
    """Ask, in the flow run `run`, for what is called for; the request that answers, None where nothing is.

    The first training obeys no limits: until there is a champion, nothing serves.
    """
    called = called_for(workspace, batch, as_of, judged)
    if called is None:
        return None
    rules = workspace.spec.monitoring.retraining if workspace.champion(as_of) else None
    return requests_of(workspace).ask(replace(called, run=run), rules)


def ask_by_hand(workspace: Workspace, as_of: datetime, action: Act, run: str = "") -> Request:
    """Ask for what a person wants, whatever the limits; it joins the request that is unsettled."""
    return requests_of(workspace).ask(Ask(BY_HAND, as_of, action, ("Asked for by hand",), run=run), None)


def waiting(workspace: Workspace, as_of: datetime) -> Request | None:
    """The request that nobody is answering and that may be answered at `as_of`, if there is one."""
    with _alone(workspace) as alone:
        found = requests_of(workspace).unsettled() if alone else None
    return found if found and _time_has_come(found, as_of) else None


@contextmanager
def claimed(
    workspace: Workspace, number: int, as_of: datetime, run: str = "", *, at_once: bool = False
) -> Iterator[Request | None]:
    """Answer a request as the only one who does, for as long: an attempt, in the flow run `run`.

    None where another process is at it, the request is settled or, unless it is to be `at_once`, its
    time has not come at `as_of`. A flow run that is retried need not wait either.
    What is neither settled nor failed inside is left for another attempt; it counts as one unless it was
    interrupted. A process that is killed loses its claim, and that counts, too.
    """
    requests = requests_of(workspace)
    with _alone(workspace, LOOK) as alone:
        found = requests.request(number)
        may_be = at_once or run in found.runs or _time_has_come(found, as_of)
        request = _begun(workspace, requests, found, run) if alone and may_be else None
        try:
            yield request
        except BaseException as error:
            if request is not None:
                requests.release(request, counts=isinstance(error, Exception))
            raise


def settle(workspace: Workspace, request: Request, answer: GateReport | Version, seconds: float) -> Request:
    """Put on record what came of a request: the gate's answer, or the version that serves again."""
    requests = requests_of(workspace)
    if isinstance(answer, Version):
        requests.settle(request, "rolled back", answer.id, seconds)
    else:
        outcome = "promoted" if answer.accepted else "refused"
        requests.settle(request, outcome, answer.challenger, seconds)
    return requests.request(request.id)


def fail(
    workspace: Workspace, request: Request, error: Exception, as_of: datetime, seconds: float
) -> Request:
    """Put on record why an attempt failed, and from when on it is tried again: each time twice as late.

    The champion serves on. What nothing can be learnt from is not tried again, nor after all attempts.
    """
    requests, rules = requests_of(workspace), workspace.spec.monitoring.retraining
    given_up = isinstance(error, UnfitError) or request.attempts >= rules.attempts
    again_at = None if given_up else as_of + rules.back_off * 2**request.failures
    why = (str(error).splitlines() or [""])[0]
    requests.fail(request, f"{type(error).__name__}: {why}", seconds, again_at)
    return requests.request(request.id)


def _first(workspace: Workspace, batch: Batch, as_of: datetime) -> Ask:
    """The first training; where nothing could be learnt, it is asked for again from other rows or rules."""
    spec, built = workspace.spec, workspace.ledger.results("features")
    basis = fingerprint(
        spec.model_dump(mode="json", include=LEARNT_FROM),
        list(spec.features),
        [built[each.id]["content"] for each in workspace.batches(as_of) if each.id in built],
    )
    return Ask(batch.id, as_of, "retrain stateless", ("There is no champion yet",), basis=basis)


def _of(judged: Judged, as_of: datetime) -> Ask:
    return Ask(judged.batch, as_of, cast(Act, judged.decision), tuple(judged.reasons), judged.numbers)


@contextmanager
def _alone(workspace: Workspace, patience: float = 0) -> Iterator[bool]:
    """Whether this process holds the lock of who answers: it is gone with its process, however that ends."""
    lock = FileLock(workspace.settings.home / f"{workspace.project.name}.retraining.lock")
    with suppress(Timeout):
        lock.acquire(timeout=patience)
    try:
        yield lock.is_locked
    finally:
        lock.release()


def _time_has_come(request: Request, as_of: datetime) -> bool:
    return request.next_attempt_at is None or request.next_attempt_at <= as_of


def _begun(workspace: Workspace, requests: Requests, request: Request, run: str) -> Request | None:
    rules = workspace.spec.monitoring.retraining
    if not request.is_unsettled:
        return None
    if request.attempts >= rules.attempts:  # the last of which was killed
        requests.fail(request, f"Given up: {request.attempts} attempts did not end", 0.0, None)
        return None
    requests.claim(request, _stands_at(workspace, request), run)
    return requests.request(request.id)


def _stands_at(workspace: Workspace, request: Request) -> datetime:
    """The instant of an attempt: that of the request, or just after the end of what was scored since.

    A batch was scored by who was champion before it was over: none is crowned before that in retrospect.
    An attempt that was killed after its answer was on record stands where it stood.
    """
    transitions = workspace.registry.transitions(workspace.project.name)
    if any(change.at == request.stands_at for change in transitions):
        return request.stands_at
    scored = workspace.ledger.results("score")
    ends = [batch.end for batch in workspace.spec.batches.calendar().batches() if batch.id in scored]
    return max([request.as_of, *ends])
