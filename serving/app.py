"""The app of a worker: the routes, who may take them, and what is told when something is wrong."""

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import Any

from fastapi import FastAPI
from polars.exceptions import PanicException
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serving.access.guard import Refused
from serving.access.keys import Scope
from serving.front import Front
from serving.metrics import TYPE, exposition, part
from serving.openapi import document
from serving.outcomes import take_outcomes
from serving.pages.documentation import documentation_page
from serving.pages.live import live_page
from serving.pages.traffic import traffic
from serving.predict import predict, switched_on
from serving.request.headers import header
from serving.request.problems import Problem, answered, new_id
from serving.service import Service, troubles
from serving.settled import settle
from serving.watch import Watch

_LOG = logging.getLogger(__name__)
Answer = Callable[[Service, Request, str, float], Awaitable[Response]]


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
    app = FastAPI(
        title=title,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    routes = Routes(service)
    taken: tuple[tuple[str, str, Answer, Scope | None], ...] = (
        ("/v1/{project}/predict", "POST", predict, "predict"),
        ("/v1/{project}/outcomes", "POST", take_outcomes, "outcomes"),
        ("/v1/{project}/model", "GET", model_card, "predict"),
        ("/v1/{project}/traffic", "GET", traffic_so_far, "admin"),
        ("/metrics", "GET", metrics, "admin"),
        ("/", "GET", page, None),
        ("/docs", "GET", docs, None),
        ("/openapi.json", "GET", openapi, None),
        ("/healthz", "GET", healthz, None),
        ("/readyz", "GET", readyz, None),
    )
    for path, method, answer, scope in taken:
        app.add_route(path, routes.taken(path, answer, scope), methods=[method])
    app.add_exception_handler(HTTPException, not_there)
    own = f"/v1/{service.name}/predict"
    return Front(app, own, routes.taken("/v1/{project}/predict", predict, "predict"))


class Routes:
    """How each route is taken: not while the worker is behind, by who may, and with a word when it fails."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def taken(
        self, path: str, answer: Answer, scope: Scope | None
    ) -> Callable[[Request], Awaitable[Response]]:
        """What answers a request for a route; without a `scope` everybody may take it."""
        service, seconds = self._service, self._service.meters.seconds.labels(path)

        async def take(request: Request) -> Response:
            started, request_id = perf_counter(), new_id()
            try:
                self._require(request, scope)
                response = await answer(service, request, request_id, started)
            except Problem as problem:
                response = problem.response(request_id)
            except (Exception, PanicException) as error:
                # Not the words of the error: they may hold what was sent.
                where = "".join(traceback.format_tb(error.__traceback__))
                _LOG.error("request %s failed, %s:\n%s", request_id, type(error).__name__, where)
                response = Problem(500, "the service failed; its log says where").response(request_id)
            seconds.observe(perf_counter() - started)
            part(service.meters.requests, path, response.status_code).inc()
            return response

        return take

    def _require(self, request: Request, scope: Scope | None) -> None:
        service = self._service
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


async def healthz(service: Service, request: Request, request_id: str, started: float) -> Response:
    """Whether the worker lives."""
    return answered({"state": "alive"}, request_id)


async def readyz(service: Service, request: Request, request_id: str, started: float) -> Response:
    """Whether it answers, by which release, and what is wrong for all that."""
    in_force = service.current.in_force
    wrong = {what: why for what, why in troubles(service).items() if why}
    keys = service.guard is None or service.guard.ready
    told: dict[str, Any] = {"release": str(in_force.release) if in_force else None, "troubles": wrong}
    return answered({"ready": bool(in_force and keys), **told}, request_id, 200 if in_force and keys else 503)


async def metrics(service: Service, request: Request, request_id: str, started: float) -> Response:
    """The metrics of all workers, as Prometheus reads them."""
    return Response(await asyncio.to_thread(exposition), media_type=TYPE)


async def traffic_so_far(service: Service, request: Request, request_id: str, started: float) -> Response:
    """What the page shows: the release, what all workers have counted, and the last judgement."""
    with_past = switched_on(request, "past")
    return answered(await asyncio.to_thread(traffic, service, with_past=with_past), request_id)


async def page(service: Service, request: Request, request_id: str, started: float) -> Response:
    """The page of the service, which asks for what it shows itself."""
    return await asyncio.to_thread(live_page, service, request_id)


async def docs(service: Service, request: Request, request_id: str, started: float) -> Response:
    """What the OpenAPI document says, for people."""
    return await asyncio.to_thread(documentation_page, service, str(request.base_url), request_id)


async def model_card(service: Service, request: Request, request_id: str, started: float) -> Response:
    """The card of the champion, or of the `version` that is named; Problem (404) where there is none."""
    in_force = service.current.in_force
    champion = in_force.release.champion if in_force else ""
    version = request.query_params.get("version", champion)
    number = version.rpartition("/")[2]
    path = service.settings.reports / service.name / "models" / f"{number}.json"
    is_one = number.isdecimal() and len(number) < 20 and version == f"{service.name}/{number}"
    if not is_one or not path.is_file():
        raise Problem(404, f"there is no card of {version[:60]!r}: name a version, such as {champion!r}")
    return answered(json.loads(path.read_text(encoding="utf-8")), request_id)


async def openapi(service: Service, request: Request, request_id: str, started: float) -> Response:
    """The OpenAPI document of this project's service."""
    return answered(document(service), request_id)


async def not_there(request: Request, error: Exception) -> Response:
    """What is told of a path or a method that there is not."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    why = "use another method" if status == 405 else "there is no such path: see /openapi.json"
    headers = error.headers if isinstance(error, HTTPException) else None
    return Problem(status, why, headers=headers).response(new_id())
