"""The route of predictions: rows in, answers out, and what was answered put on record."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

import polars as pl
from starlette.requests import Request
from starlette.responses import Response

from serving.answers import Answered, answer, log_row, predict, told
from serving.bodies import body_of, frame_of, is_arrow, rows_of
from serving.bulk import answered_in_bulk, is_whole
from serving.explain import explained
from serving.featurise import Known, StoreLost
from serving.fields import Malformed, Row
from serving.limits import Deadline
from serving.loaded import InForce
from serving.log.tables import PREDICTIONS, Prediction
from serving.problems import Problem, answered, unprocessable
from serving.service import Service

_LOG = logging.getLogger(__name__)
FEW = 16  # rows that are answered at once, if nothing else need be asked; more take their turn in a thread


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as it is not its rows."""

    id: str
    at: datetime
    started: float
    deadline: Deadline
    explain: bool
    features: bool
    durable: bool
    is_list: bool = False


async def answer_request(service: Service, request: Request, request_id: str, started: float) -> Response:
    """Answer a request; raises Problem with what it is told where it is not."""
    in_force = service.current.in_force
    if in_force is None:
        raise Problem(503, service.current.failure or "no version serves yet", retry_after=5.0)
    deadline = Deadline(request, started)
    arrow = is_arrow(request)
    body = await body_of(request, service.project.spec.serving.max_body_mb)
    options = {name: _switch(request, name) for name in ("explain", "features", "durable")}
    asked = Asked(request_id, service.clock(), started, deadline, **options)
    try:
        if arrow:
            return await _answer_arrow(service, in_force, asked, body)
        return await _answer_json(service, in_force, asked, body)
    except Malformed as error:
        raise unprocessable(error.faults) from None
    except StoreLost as error:
        _note_failure(service, in_force, asked, "store lost")
        raise Problem(503, f"refused without the online store: {error}", retry_after=1.0) from None


async def _answer_json(service: Service, in_force: InForce, asked: Asked, body: bytes) -> Response:
    sent, is_list = rows_of(body, service.project.spec.serving.max_rows)
    rows = service.fields.rows(sent, asked.at)
    if len(rows) <= FEW and not any(map(service.featuriser.needs_store, rows)):
        asked.deadline.left()
        done = _answered(service, in_force, asked, rows)
        asked.deadline.left()
    else:
        done = await service.pool.run(lambda: _answered(service, in_force, asked, rows), asked.deadline)
    seconds = perf_counter() - asked.started
    is_durable = await _put_on_record(service, in_force, asked, done, seconds)
    answers = [_told(in_force, asked, place, each, is_list) for place, each in enumerate(done)]
    if is_durable is not None:
        answers = [{**each, "durable": is_durable} for each in answers]
    return answered(answers if is_list else answers[0], asked.id)


async def _answer_arrow(service: Service, in_force: InForce, asked: Asked, body: bytes) -> Response:
    most = service.project.spec.serving.max_rows

    def work() -> Response:
        frame = frame_of(body, most)
        return answered_in_bulk(service, in_force, asked.id, asked.at, asked.started, frame)

    return await service.pool.run(work, asked.deadline)


def _answered(service: Service, in_force: InForce, asked: Asked, rows: Sequence[Row]) -> list[Answered]:
    known = service.featuriser.known(rows)
    try:
        return answer(in_force, known, asked.id)
    except Exception:
        _note_failure(service, in_force, asked, "model failed", known)
        raise
