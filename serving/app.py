"""The app of a worker: how its routes are taken, by whom, and what is told when something is wrong."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import perf_counter

from fastapi import FastAPI
from polars.exceptions import PanicException
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serving.access.guard import Refused
from serving.access.keys import Scope
from serving.front import Front
from serving.metrics import part
from serving.request.headers import header
from serving.request.problems import Problem, new_id
from serving.routes import PREDICT, ROUTES, Route
from serving.service import Service
from serving.settled import settle
from serving.watch import Watch

_LOG = logging.getLogger(__name__)
Take = Callable[[Request], Awaitable[Response]]


def app_of(service: Service) -> Front:
    """The app that answers for a service, which it closes in the end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch = Watch(service)
        await asyncio.to_thread(watch.start)
        settle()
        beating = asyncio.create_task(service.pulse.beat())
        yield
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        await asyncio.to_thread(watch.end)
        await asyncio.to_thread(service.close)

    title = service.project.spec.title
    app = FastAPI(title=title, lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    for route in ROUTES:
        app.add_route(route.path, taken(service, route), methods=[route.method])
    app.add_exception_handler(HTTPException, not_there)
    return Front(app, PREDICT.path.format(project=service.name), taken(service, PREDICT))


def taken(service: Service, route: Route) -> Take:
    """What takes requests for a route: not while the worker is behind, of who may, with a word on failure."""
    seconds = service.meters.seconds.labels(route.path)

    async def take(request: Request) -> Response:
        started, request_id = perf_counter(), new_id()
        try:
            _require(service, request, route.scope)
            response = await route.answer(service, request, request_id, started)
        except Problem as problem:
            response = problem.response(request_id)
        except (Exception, PanicException) as error:
            # Not the words of the error: they may hold what was sent.
            where = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("request %s failed, %s:\n%s", request_id, type(error).__name__, where)
            response = Problem(500, "the service failed; its log says where").response(request_id)
        seconds.observe(perf_counter() - started)
        part(service.meters.requests, route.path, response.status_code).inc()
        return response

    return take


def _require(service: Service, request: Request, scope: Scope | None) -> None:
    if scope is None:
        return
    service.pulse.require()
    if service.guard is not None:
        found = service.guard.admit(header(request, b"authorization"), scope)
        if isinstance(found, Refused):
            raise Problem(found.status, found.why, headers=found.headers)
    project = request.path_params.get("project", service.name)
    if project != service.name:
        raise Problem(404, f"this service is of {service.name!r}: POST /v1/{service.name}/predict")


async def not_there(request: Request, error: Exception) -> Response:
    """What is told of a path or a method that there is not."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    why = "use another method" if status == 405 else "there is no such path: see /openapi.json"
    headers = error.headers if isinstance(error, HTTPException) else None
    return Problem(status, why, headers=headers).response(new_id())
