"""What a request is told when it is not answered: a status, a sentence, and what is wrong with each row."""

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import msgspec
from starlette.responses import Response

from serving.request.fields import Fault

JSON = "application/json"
_RANDOM = Random()
"""Of this process, seeded by the system's: an id is to be unlike others, and is no secret."""


class Problem(Exception):
    """A request that is not answered. `retry_after` is in seconds, where asking again may help."""

    def __init__(
        self,
        status: int,
        why: str,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(why)
        self.status, self.why, self.faults = status, why, faults
        self.headers = dict(headers or {})
        if retry_after:
            self.headers["Retry-After"] = str(math.ceil(retry_after))

    def response(self, request_id: str) -> Response:
        """The answer to who asked."""
        told: dict[str, Any] = {"error": self.why, "request_id": request_id}
        if self.faults:
            told["faults"] = self.faults
        return answered(told, request_id, self.status, self.headers)


def new_id() -> str:
    """The id of another request."""
    return f"{_RANDOM.getrandbits(128):032x}"


def unprocessable(faults: Sequence[Fault]) -> Problem:
    """A request whose rows are not of the form that the spec says."""
    return Problem(422, "the request is not of the form that this project's rows have", faults)


def answered(
    told: Any, request_id: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer as JSON, with the id of its request."""
    named = {"X-Request-Id": request_id, **(headers or {})}
    return Response(msgspec.json.encode(told), status, named, JSON)
