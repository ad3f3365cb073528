"""Many who keep asking a service while something happens to it."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx

from tests.serving.running import PREDICT, Running, wait


@dataclass(frozen=True, slots=True)
class Told:
    """What a row was told, and between which instants."""

    row: Mapping[str, Any]
    asked: float
    at: float
    status: int
    answer: Mapping[str, Any]


@dataclass(slots=True)
class Asking:
    """All that was told so far, and the requests whose connections broke."""

    told: list[Told] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    ended: bool = False

    def more(self, count: int = 300) -> list[Told]:
        """Wait for so many that are asked from now on; all that were."""
        since, place = monotonic(), len(self.told)
        wait(lambda: sum(each.asked >= since for each in self.told[place:]) >= count)
        return [each for each in self.told[place:] if each.asked >= since]

    def failed(self) -> list[Told]:
        """Those that were not answered."""
        return [each for each in self.told if each.status != 200]


@contextmanager
def asking(service: Running, rows: Sequence[Mapping[str, Any]], connections: int = 16) -> Iterator[Asking]:
    """Keep asking for each of the rows, over so many connections."""
    found = Asking()
    thread = threading.Thread(target=lambda: asyncio.run(_ask(service.url, rows, connections, found)))
    thread.start()
    try:
        yield found
    finally:
        found.ended = True
        thread.join()


async def _ask(url: str, rows: Sequence[Mapping[str, Any]], connections: int, found: Asking) -> None:
    # Who keeps a connection stays with one worker: the others open one for each request.
    closing = httpx.Limits(max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(base_url=url, timeout=30) as keeping,
        httpx.AsyncClient(base_url=url, timeout=30, limits=closing) as opening,
    ):
        clients = (keeping, opening)
        asking = (_one(clients[place % 2], rows, place, found) for place in range(connections))
        await asyncio.gather(*asking)


async def _one(
    client: httpx.AsyncClient, rows: Sequence[Mapping[str, Any]], place: int, found: Asking
) -> None:
    while not found.ended:
        place, row, asked = place + 1, rows[place % len(rows)], monotonic()
        try:
            answer = await client.post(PREDICT, json=row)
        except httpx.TransportError as error:
            found.broken.append(repr(error))
            continue
        found.told.append(Told(row, asked, monotonic(), answer.status_code, answer.json()))
