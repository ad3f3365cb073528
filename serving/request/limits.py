"""Limits of a worker: what it takes on is done soon, and what cannot be is refused at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter
from typing import TypeVar

from starlette.requests import Request

from serving.request.headers import header
from serving.request.problems import Problem

T = TypeVar("T")

BEAT = 0.05  # seconds between two looks at how late the event loop is
LATE = 0.25  # seconds behind which it takes on nothing more
THREADS = 4
WAITING = 32  # requests that wait for a thread, before others are refused
TIMEOUT = "X-Timeout-Ms"
_NAME = TIMEOUT.lower().encode()


class Pulse:
    """How far the event loop is behind: the time that what has just come would wait for its turn.

    A queue in front of one loop cannot be counted, for it lies in the sockets, but it can be felt: at two
    beats in a row. Once is a stall, as when a release is loaded, and what came meanwhile is soon done.
    """

    def __init__(self) -> None:
        self.late = 0.0

    async def beat(self) -> None:
        """Feel the loop's pulse, for ever."""
        loop, before = asyncio.get_running_loop(), 0.0
        while True:
            due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            late = loop.time() - due
            self.late, before = min(late, before), late

    def require(self) -> None:
        """Raise Problem (503) where the loop is too far behind to take on more."""
        if self.late > LATE:
            raise _busy(self.late)


class Pool:
    """Threads for what takes longer than a moment; as many requests wait for one as it says, not more."""

    def __init__(self, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="answers")
        self._most, self.busy = threads + waiting, 0

    async def run(self, work: Callable[[], T], deadline: "Deadline", *, at_once: bool = False) -> T:
        """What the work returns, which is done `at_once` where it takes but a moment.

        Raises Problem: 503 where too many wait, 504 after the deadline.
        """
        if at_once:
            deadline.left()
            return work()
        if self.busy >= self._most:
            raise _busy(1.0)
        self.busy += 1
        future = self._threads.submit(work)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: self._done(loop))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), deadline.left())
        except TimeoutError:
            raise deadline.missed() from None

    def spare(self, work: Callable[[], None]) -> bool:
        """Do work that nobody waits for, if a thread has the time; whether it will be done."""
        if self.busy >= self._most // 2:
            return False
        self.busy += 1
        future = self._threads.submit(work)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: self._done(loop))
        return True

    def close(self) -> None:
        """End the threads once what they are at is done."""
        self._threads.shutdown(cancel_futures=True)

    def _done(self, loop: asyncio.AbstractEventLoop) -> None:
        def count() -> None:
            self.busy -= 1

        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(count)


class Deadline:
    """The time that a client gives a request, from when it came; without any there is no end."""

    def __init__(self, request: Request, started: float) -> None:
        """Raises Problem (422) where the header is no number of milliseconds."""
        text = header(request, _NAME)
        try:
            self._seconds = None if text is None else float(text) / 1_000
        except ValueError:
            self._seconds = -1.0
        if self._seconds is not None and not 0 < self._seconds < 86_400:
            raise Problem(422, f"the header {TIMEOUT} should be milliseconds above 0, not {str(text)[:40]!r}")
        self._started = started

    def left(self) -> float | None:
        """Seconds until it passes; Problem (504) where it has."""
        if self._seconds is None:
            return None
        left = self._started + self._seconds - perf_counter()
        if left <= 0:
            raise self.missed()
        return left

    def missed(self) -> Problem:
        """What is told once it has passed."""
        return Problem(504, f"not answered within the {1_000 * (self._seconds or 0):g} ms of {TIMEOUT}")


def _busy(seconds: float) -> Problem:
    return Problem(503, "the service is at its limit: ask again later", retry_after=max(1.0, seconds))
