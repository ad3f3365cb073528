"""Front: predictions are taken before the app's layers, whose time a single row would feel."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Take = Callable[[Request], Awaitable[Response]]


class Front:
    """An app of which one route is taken here, before the layers of FastAPI."""

    def __init__(self, app: FastAPI, path: str, take: Take) -> None:
        self.app, self._path, self._take = app, path, take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is posted to the route; hand on all else."""
        is_own = scope["type"] == "http" and scope["path"] == self._path and scope["method"] == "POST"
        if not is_own:
            await self.app(scope, receive, send)
            return
        response = await self._take(Request(scope, receive))
        await response(scope, receive, send)
