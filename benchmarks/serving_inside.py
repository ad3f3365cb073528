"""How long a request takes inside a worker: no socket, no client. A process of its own, as a worker is.

It reads a row and a key as JSON, and writes the median seconds of each round, by what was measured.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from starlette.types import ASGIApp, Message, Scope

from core.projects import load
from core.settings import Settings
from models.runtime.model import Model

TURNS, ROUNDS = 1_000, 5
PATH = "/v1/{}/predict"


def main() -> int:
    """Measure, and write."""
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="perennial-bench-", dir="/dev/shm") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # as in production, and before it is imported
        found = asyncio.run(_measured(asked, Path(folder)))
    print(json.dumps(found))
    return 0


async def _measured(asked: Mapping[str, Any], shared: Path) -> dict[str, list[float]]:
    from benchmarks.serving_empty import app, bare_app
    from serving.access.rates import allocate
    from serving.app import app_of
    from serving.run import Clock
    from serving.service import RATES, open_service

    settings, name = Settings().apply(), asked["project"]
    allocate(shared / RATES)
    ours = app_of(open_service(settings, load(name, settings), Clock(), shared))
    empty, bare = app(), bare_app()
    model = Model(Path(asked["graph"]).read_bytes(), asked["graph"])
    feed = {name: np.array(values, _dtype(values)) for name, values in asked["feed"].items()}
    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "session": lambda: _run(model, feed),
        "empty": lambda: _ask(empty, asked),
        "empty, bare": lambda: _ask(bare, asked),
        "ours": lambda: _ask(ours, asked),
    }
    async with ours.app.router.lifespan_context(ours.app):
        await _by_turns(ways, TURNS)
        rounds = [await _by_turns(ways, TURNS) for _ in range(ROUNDS)]
    return {way: [each[way] for each in rounds] for way in ways}


async def _by_turns(ways: Mapping[str, Callable[[], Awaitable[None]]], turns: int) -> dict[str, float]:
    """The median seconds of each way, at each turn in another order: who comes after the same is warmer."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    order, drawn = list(ways), random.Random(0)
    for _ in range(turns):
        drawn.shuffle(order)
        for name in order:
            started = perf_counter()
            await ways[name]()
            spent[name].append(perf_counter() - started)
        await asyncio.sleep(0)
    return {name: float(np.median(each)) for name, each in spent.items()}


async def _run(model: Model, feed: Mapping[str, Any]) -> None:
    model.run(feed)


async def _ask(app: ASGIApp, asked: Mapping[str, Any]) -> None:
    """A POST of the row, as uvicorn would hand it over; RuntimeError where it is not answered."""
    body, path = asked["body"].encode(), PATH.format(asked["project"])
    headers = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "authorization": f"Bearer {asked['key']}",
    }
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "state": {},
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"answered with {message['status']}")

    await app(scope, receive, send)


def _dtype(values: list[list[Any]]) -> Any:
    return object if isinstance(values[0][0], str) else np.float32


if __name__ == "__main__":
    sys.exit(main())
