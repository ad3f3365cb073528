"""The guard of a worker: who asks, whether they may, and whether it is too often."""

import hmac
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import DBAPIError

from serving.access.keys import SECRET, Key, Keys, Scope, hashed, prefix
from serving.access.rates import Rates

RATE = 100.0
"""Requests a second of a key that was given no rate of its own."""
_SCHEME = b"bearer "
_NO_HASH = bytes(32)  # of nothing that anybody knows


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be answered, and the name of its key."""

    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that may not be answered: the HTTP status, why in a sentence, and when to ask again.

    `retry_after` is in seconds, and 0 where asking again is of no use.
    """

    status: Literal[401, 403, 429, 503]
    why: str
    retry_after: float = 0.0

    @property
    def headers(self) -> Mapping[str, str]:
        """What HTTP wants beside such a status (RFC 9110, 10.2.3 and 11.6.1)."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        return {"Retry-After": str(math.ceil(self.retry_after))} if self.retry_after else {}


_NO_KEY = Refused(401, "send an API key, as `Authorization: Bearer perennial_…`")
# One answer for all: whether a number was ever given, or is revoked, is not told.
_WRONG_KEY = Refused(401, "this API key is not, or no longer, one to this service")
_NOT_READ = Refused(503, "the API keys could not be read yet", retry_after=1.0)


class Guard:
    """Admits requests by the live keys as they were read last; it never waits for the database.

    `rates` are those of all workers, and `clock` tells the seconds that they go by.
    """

    def __init__(self, rates: Rates, clock: Callable[[], float]) -> None:
        self._rates, self._clock = rates, clock
        self._live: Mapping[bytes, Key] | None = None

    @property
    def ready(self) -> bool:
        """Whether the keys were read at all: until then nobody is admitted."""
        return self._live is not None

    def refresh(self, keys: Keys) -> bool:
        """Read the live keys anew; False where the database is lost, and then those of before stay.

        To be called every second, by another thread than that of the requests: so a key that is revoked is
        out within two.
        """
        try:
            live = keys.live()
        except DBAPIError:
            return False
        self._live = {prefix(key.number).encode(): key for key in live}
        return True

    def admit(self, authorization: bytes | str | None, scope: Scope, cost: float = 1) -> Admitted | Refused:
        """Whether a request with this `Authorization` header may be answered.

        `cost` is what it takes of the key's rate.
        """
        if self._live is None:
            return _NOT_READ
        presented = _presented(authorization)
        if not presented:
            return _NO_KEY
        key = self._live.get(presented[:-SECRET])
        # A number that was never given takes as long as a wrong secret.
        if not hmac.compare_digest(hashed(presented), key.sha256 if key else _NO_HASH) or not key:
            return _WRONG_KEY
        if scope not in key.scopes:
            return Refused(403, f"the API key {key.name!r} has no scope {scope!r}")
        rate = key.rate or RATE
        if wait := self._rates.take(key.number, rate, cost, self._clock()):
            return Refused(429, f"the API key {key.name!r} asks more than {rate:g} times a second", wait)
        return Admitted(key.name)


def _presented(authorization: bytes | str | None) -> bytes:
    """The key in a header; nothing where there is none."""
    if isinstance(authorization, str):
        authorization = authorization.encode(errors="replace")
    if not authorization or authorization[: len(_SCHEME)].lower() != _SCHEME:
        return b""
    return authorization[len(_SCHEME) :].strip()
