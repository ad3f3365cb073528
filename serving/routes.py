"""The routes of the service: the path of each, what answers it, and the scope of a key that may take it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from serving.access.keys import Scope
from serving.metrics import TYPE, exposition
from serving.openapi import document
from serving.outcomes import take_outcomes
from serving.pages.documentation import documentation_page
from serving.pages.live import live_page
from serving.pages.traffic import traffic
from serving.predict import predict, switched_on
from serving.request.problems import Problem, answered
from serving.service import Service, troubles

Answer = Callable[[Service, Request, str, float], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path and a method; without a `scope` everybody may take it."""

    path: str
    method: str
    answer: Answer
    scope: Scope | None


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


PREDICT = Route("/v1/{project}/predict", "POST", predict, "predict")
ROUTES = (
    PREDICT,
    Route("/v1/{project}/outcomes", "POST", take_outcomes, "outcomes"),
    Route("/v1/{project}/model", "GET", model_card, "predict"),
    Route("/v1/{project}/traffic", "GET", traffic_so_far, "admin"),
    Route("/metrics", "GET", metrics, "admin"),
    Route("/", "GET", page, None),
    Route("/docs", "GET", docs, None),
    Route("/openapi.json", "GET", openapi, None),
    Route("/healthz", "GET", healthz, None),
    Route("/readyz", "GET", readyz, None),
)
