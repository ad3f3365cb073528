"""The route of outcomes: labels that come later, by the id of a request or by the event's key."""

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from core.spec import Spec
from core.words import nearest
from features.columns import INSTANT
from features.online.values import RequestError, reader
from serving.answering.record import key_on_record
from serving.log.tables import OUTCOMES, Outcome
from serving.request.bodies import SHORT, body_of, rows_of
from serving.request.fields import MOST_FAULTS, Fault, Fields, cut, instant
from serving.request.limits import Deadline
from serving.request.problems import Problem, answered, unprocessable
from serving.service import Service, label_type

FIELDS = ("request_id", "key", "label", "known_at")
_ID = "the `request_id` of an answer"


async def take_outcomes(service: Service, request: Request, request_id: str, started: float) -> Response:
    """Put labels on record, on disk before they are acknowledged; raises Problem where they are not."""
    spec, deadline = service.project.spec, Deadline(request, started)
    body = await body_of(request, spec.serving.max_body_mb)
    reader, now = Reader(spec, service.fields), service.clock()

    def read() -> list[Outcome]:
        return reader.outcomes(rows_of(body, spec.serving.max_rows)[0], now)

    rows = await service.pool.run(read, deadline, at_once=len(body) <= SHORT)
    deadline.left()
    if not await asyncio.wrap_future(service.journal.durable(OUTCOMES, rows)):
        raise Problem(503, "the outcomes cannot be put on record now: send them again", retry_after=5.0)
    return answered({"recorded": len(rows), "request_id": request_id}, request_id, 202)


class Reader:
    """Reads outcomes as they are sent."""

    def __init__(self, spec: Spec, fields: Fields) -> None:
        self._spec, self._fields = spec, fields
        self._label = reader("label", label_type(spec))
        self._instant = reader("known_at", INSTANT)

    def outcomes(self, sent: Sequence[Any], now: datetime) -> list[Outcome]:
        """The outcomes that were sent at an instant; Problem (422) where any of them is none."""
        faults: list[Fault] = []
        found = []
        for place, each in enumerate(sent):
            found.append(self._outcome(place, each, now, faults))
            if len(faults) >= MOST_FAULTS:
                break
        if faults:
            raise unprocessable(faults[:MOST_FAULTS])
        return [each for each in found if each is not None]

    def _outcome(self, place: int, sent: Any, now: datetime, faults: list[Fault]) -> Outcome | None:
        if not isinstance(sent, dict):
            faults.append(Fault(place, "", "should be an object of `request_id` or `key`, and `label`"))
            return None
        found: dict[str, Any] = {}
        before = len(faults)
        for name in dict.fromkeys((*sent, "label")):
            try:
                found[name] = self._read(name, sent.get(name), now)
            except RequestError as error:
                why = str(error).removeprefix(f"request: {name!r} ").removeprefix("request: ")
                faults.append(Fault(place, cut(name), cut(why)))
            if len(faults) >= MOST_FAULTS:
                break
        if len(faults) == before and (found.get("request_id") is None) == (found.get("key") is None):
            faults.append(Fault(place, "", f"should say which row it is of: by {_ID}, or by its `key`"))
        if len(faults) > before:
            return None
        known_at = found.get("known_at") or now
        return Outcome(found.get("request_id"), found.get("key"), found["label"], known_at, now)

    def _read(self, name: str, value: Any, now: datetime) -> Any:
        if name == "label":
            return self._read_label(value)
        if name == "key" and value is not None:
            if not isinstance(value, dict):
                raise RequestError("should be an object of the fields of the events' key")
            return key_on_record(self._spec, self._fields.read_key(value))
        if name == "request_id" and value is not None:
            if not isinstance(value, str) or not 0 < len(value) <= 64:
                raise RequestError(f"should be {_ID}")
            return value.encode().decode()
        if name == "known_at" and value is not None:
            return instant(self._instant(value), now)
        if name not in FIELDS:
            raise RequestError(f"is no field of an outcome{nearest(cut(name), FIELDS)}")
        return None

    def _read_label(self, value: Any) -> Any:
        classes = self._spec.outcome.classes
        if self._spec.problem == "multiclass" and value not in classes:
            raise RequestError(f"should be one of {', '.join(classes)}, not {cut(repr(value), 60)}")
        label = self._label(value)
        if label is None or (isinstance(label, float) and not math.isfinite(label)):
            raise RequestError("should be there, and not null")
        if self._spec.problem == "ranking" and label < 0:
            raise RequestError(f"should be a grade of 0 or more, not {value!r}")
        return label
