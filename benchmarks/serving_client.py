"""A lean client, the same for all that are measured: requests made beforehand, over connections that stay."""

import asyncio
import re
import selectors
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import cast

import numpy as np
import uvloop
from numpy.typing import NDArray

from core.errors import PerennialError

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PATIENCE = 30.0  # seconds without any answer after which a load is given up


@dataclass(frozen=True, slots=True)
class Target:
    """A request as its bytes, and the port of this machine that it goes to."""

    port: int
    request: bytes

    @classmethod
    def of(cls, port: int, path: str, body: bytes, kind: str = "application/json", key: str = "") -> "Target":
        """A POST of a body; with an API key where there is one."""
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            *([f"Authorization: Bearer {key}"] if key else []),
        ]
        return cls(port, "\r\n".join([*lines, "", ""]).encode() + body)


@dataclass(frozen=True, slots=True)
class Load:
    """What became of requests: their latencies in seconds, how many failed, and how long all took."""

    latencies: NDArray[np.float64]
    failed: int
    seconds: float

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return (len(self.latencies) - self.failed) / self.seconds


def at_once(target: Target, requests: int, connections: int) -> Load:
    """So many requests, each connection sending the next as soon as the last is answered."""
    return uvloop.run(_at_once(target, requests, connections))


def paced(target: Target, requests: int, rate: float, connections: int) -> Load:
    """So many requests, due at random instants, `rate` of them a second, whatever becomes of the others.

    A latency counts from when the request was due, so that one which waits for a connection counts whole.
    """
    with asyncio.Runner(loop_factory=_fine) as runner:
        return runner.run(_paced(target, requests, rate, connections))


def _fine() -> asyncio.AbstractEventLoop:
    """A loop that waits to the microsecond, where others do to the millisecond: to be on time it need not
    keep a core busy, which the server would lack.
    """
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def _at_once(target: Target, requests: int, connections: int) -> Load:
    tally, left = _Tally(requests), iter(range(requests - connections))

    def again(connection: _Connection) -> None:
        if next(left, None) is not None:
            connection.ask(perf_counter())

    started = perf_counter()
    for connection in await _connected(target, min(connections, requests), tally, again):
        connection.ask(perf_counter())
    return await tally.over(started)


async def _paced(target: Target, requests: int, rate: float, connections: int) -> Load:
    tally = _Tally(requests)
    waiting: list[float] = []

    def again(connection: _Connection) -> None:
        if waiting:
            connection.ask(waiting.pop(0))
        else:
            idle.append(connection)

    every = await _connected(target, connections, tally, again)
    idle = list(every)
    gaps = np.random.default_rng(0).exponential(1 / rate, requests)
    started = perf_counter()
    for due in (started + np.cumsum(gaps)).tolist():
        if (left := due - perf_counter()) > 0:
            await asyncio.sleep(left)
        if idle:
            idle.pop().ask(due)
        else:
            waiting.append(due)
    load = await tally.over(started)
    for connection in every:
        connection.close()
    return load


class _Tally:
    """Counts answers until all are there."""

    def __init__(self, requests: int) -> None:
        self.latencies: list[float] = []
        self.failed, self._requests = 0, requests
        self._done = asyncio.get_running_loop().create_future()

    def count(self, latency: float, *, failed: bool) -> None:
        self.latencies.append(latency)
        self.failed += failed
        if len(self.latencies) == self._requests:
            self._done.set_result(perf_counter())

    async def over(self, started: float) -> Load:
        before = -1
        while not self._done.done():
            if len(self.latencies) == before:
                raise PerennialError(f"no answer within {PATIENCE:g} s, after {before:,} answers")
            before = len(self.latencies)
            await asyncio.wait([self._done], timeout=PATIENCE)
        return Load(np.array(self.latencies), self.failed, self._done.result() - started)


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time; it is made anew where it is lost."""

    def __init__(self, target: Target, tally: _Tally, again: "Callable[[_Connection], None]") -> None:
        self._target, self._tally, self._again = target, tally, again
        self._transport: asyncio.WriteTransport | None = None
        self._due, self._asking, self._is_closed = 0.0, False, False
        self._content, self._whole = bytearray(), 0

    def ask(self, due: float) -> None:
        assert self._transport is not None
        self._due, self._asking = due, True
        self._transport.write(self._target.request)

    def close(self) -> None:
        assert self._transport is not None
        self._is_closed = True
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        self._content += data
        if not self._whole and (end := self._content.find(b"\r\n\r\n")) > 0:
            length = _LENGTH.search(self._content, 0, end + 2)
            self._whole = end + 4 + (int(length[1]) if length else 0)
        if self._whole and len(self._content) >= self._whole:
            failed = self._content[9:12] != b"200"
            self._content, self._whole = bytearray(), 0
            self._answered(failed=failed)
            self._again(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self._asking:
            self._answered(failed=True)
        if self._is_closed:
            return
        again = asyncio.get_running_loop().create_task(_connected(self._target, 1, self._tally, self._again))
        again.add_done_callback(lambda task: task.exception() or self._again(task.result()[0]))

    def _answered(self, *, failed: bool) -> None:
        self._asking = False
        self._tally.count(perf_counter() - self._due, failed=failed)


async def _connected(
    target: Target, connections: int, tally: _Tally, again: Callable[[_Connection], None]
) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(target, tally, again), "127.0.0.1", target.port)
        for _ in range(connections)
    ]
    return [connection for _, connection in made]
