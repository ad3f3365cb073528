"""A service inside of the test's own process, where its parts can be looked at."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import httpx
import polars as pl
from anyio.from_thread import BlockingPortal, start_blocking_portal

from core.projects import load
from serving.app import app_of
from serving.log.collect import collect
from serving.log.tables import PREDICTIONS
from serving.service import Service, log_folder, log_schemas, open_service
from tests.serving.shop import NOW, Shop


@dataclass(frozen=True, slots=True)
class Inside:
    """A service, and who asks it."""

    service: Service
    portal: BlockingPortal
    client: httpx.AsyncClient

    def post(self, path: str, **request: Any) -> httpx.Response:
        """What it answers."""
        return self.portal.call(partial(self.client.post, path, **request))

    def post_at_once(self, path: str, bodies: Sequence[Any]) -> list[httpx.Response]:
        """What it answers to many that ask in the same moment."""

        async def ask() -> list[httpx.Response]:
            return await asyncio.gather(*(self.client.post(path, json=body) for body in bodies))

        return self.portal.call(ask)

    def get(self, path: str) -> httpx.Response:
        """What it answers."""
        return self.portal.call(partial(self.client.get, path))


@contextmanager
def inside(shop: Shop) -> Iterator[Inside]:
    """The service of the orders as it stands at the end of their history; whoever may reach it may ask."""

    def clock() -> datetime:
        return NOW

    service = open_service(shop.settings, load("orders", shop.settings), clock, None)
    app = app_of(service)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.app.router.lifespan_context(app.app)),
        portal.wrap_async_context_manager(
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside")
        ) as client,
    ):
        yield Inside(service, portal, client)


def logged(shop: Shop) -> pl.DataFrame:
    """What the service of a project has put on record, once it has ended."""
    lake = shop.workspace.lake
    found = collect(log_folder(shop.settings, "orders"), lake, log_schemas(shop.workspace.spec))
    assert found.faults == ()
    return lake.scan(PREDICTIONS).collect()
