"""The route of predictions: rows in, answers out, and what was answered put on record."""

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from models.runtime.model import FEW
from serving.answering.answers import Answered, Answers, VersionFailed, answer, told
from serving.answering.bulk import answer_stream
from serving.answering.explain import explained
from serving.answering.featurise import StoreLost
from serving.answering.loaded import InForce
from serving.answering.record import append, put_on_record, shadow_rows
from serving.log.tables import Prediction
from serving.request.bodies import SHORT, body_of, is_arrow, rows_of
from serving.request.fields import Malformed, Row
from serving.request.limits import Deadline
from serving.request.problems import Problem, answered, unprocessable
from serving.service import Service

SWITCHES = ("explain", "features", "durable")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, but for its rows: when it came, by which it is to be answered, and what else it wants."""

    id: str
    at: datetime
    started: float
    deadline: Deadline
    explain: bool
    features: bool
    durable: bool


async def predict(service: Service, request: Request, request_id: str, started: float) -> Response:
    """Answer a request; raises Problem with what it is told where it is not."""
    in_force = service.current.in_force
    if in_force is None:
        raise Problem(503, service.current.failure or "no version serves yet", retry_after=5.0)
    deadline, switches = Deadline(request, started), _switches(request)
    in_bulk = is_arrow(request)
    body = await body_of(request, service.project.spec.serving.max_body_mb)
    asked = Asked(request_id, service.clock(), started, deadline, **switches)
    try:
        if in_bulk:
            response, shadow = await service.pool.run(
                lambda: answer_stream(service, in_force, body, request_id, asked.at, started), deadline
            )
            if in_force.release.shadows:
                service.pool.spare(shadow)
            return response
        return await _answer(service, in_force, asked, body)
    except Malformed as error:
        raise unprocessable(error.faults) from None
    except StoreLost as error:
        raise Problem(503, f"not answered without the online store: {error}", retry_after=1.0) from None
    except VersionFailed as error:
        rows = put_on_record(service, in_force, error.failed, asked.at, perf_counter() - started)
        await append(service, rows, durable=False)
        raise Problem(500, str(error)) from None


async def _answer(service: Service, in_force: InForce, asked: Asked, body: bytes) -> Response:
    rules, pool = service.project.spec.serving, service.pool

    def read() -> tuple[list[Row], bool]:
        if service.whole and (row := service.whole.read(body, asked.at)):
            return [row], False
        sent, is_list = rows_of(body, rules.max_rows)
        return service.fields.rows(sent, asked.at), is_list

    rows, is_list = await pool.run(read, asked.deadline, at_once=len(body) <= SHORT)
    few = len(rows) <= FEW and not asked.explain and not any(map(service.featuriser.needs_store, rows))
    ids = [f"{asked.id}-{place}" for place in range(len(rows))] if is_list else [asked.id]

    if few:
        asked.deadline.left()
        found = await service.together.answer(in_force, service.featuriser.known(rows, ids))
        answers, logged = _told_and_logged(service, in_force, asked, found)
    else:

        def work() -> tuple[Answers, list[dict[str, Any]], list[Prediction]]:
            found = answer(in_force, service.featuriser.known(rows, ids))
            return found, *_told_and_logged(service, in_force, asked, found)

        found, answers, logged = await pool.run(work, asked.deadline)
    is_durable = await append(service, logged, asked.durable)
    if in_force.release.shadows:
        known = [each.known for each in found[0]]
        pool.spare(lambda: shadow_rows(service, in_force, known, asked.at))
    if is_durable is not None:
        answers = [each | {"durable": is_durable} for each in answers]
    return answered(answers if is_list else answers[0], asked.id)


def _told_and_logged(
    service: Service, in_force: InForce, asked: Asked, found: Answers
) -> tuple[list[dict[str, Any]], list[Prediction]]:
    """The answers for who asked, and what the log is to have of them."""
    done, failed = found
    answers = [_told(in_force, asked, each) for each in done]
    asked.deadline.left()
    logged = put_on_record(service, in_force, [*done, *failed], asked.at, perf_counter() - asked.started)
    return answers, logged


def _told(in_force: InForce, asked: Asked, done: Answered) -> dict[str, Any]:
    """The answer to one row, for who asked."""
    loaded, known = in_force.of(done.part), done.known
    found: dict[str, Any] = {
        "prediction": told(loaded, done.said) if done.said is not None else None,
        "version": done.part.version,
        "request_id": known.id,
        "degraded": known.degraded,
    }
    if asked.explain:
        found["explanation"] = explained(loaded, known)
    if asked.features:
        found["features"] = known.features
    return found


def _switches(request: Request) -> dict[str, bool]:
    """What else is asked for."""
    if not request.scope["query_string"]:
        return dict.fromkeys(SWITCHES, False)
    return {name: switched_on(request, name) for name in SWITCHES}


def switched_on(request: Request, name: str) -> bool:
    """Whether a request has a switch on; Problem (422) where it is neither on nor off."""
    said = request.query_params.get(name, "false").lower()
    if said not in ("true", "false"):
        raise Problem(422, f"{name} should be true or false, not {said[:40]!r}")
    return said == "true"
