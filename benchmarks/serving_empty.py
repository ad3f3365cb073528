"""The floor of a service: an app as ours is made, whose handler reads the body and says always the same."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

PATH = "/v1/{project}/predict"
ANSWER = b'{"prediction":0.17,"version":"flights/1","request_id":"0123456789abcdef","degraded":false}'


async def nothing(request: Request) -> Response:
    """Read the body, and answer."""
    await request.body()
    return Response(ANSWER, media_type="application/json")


def app() -> FastAPI:
    """The app, whose handler is declared as FastAPI has it."""
    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    made.post(PATH)(nothing)
    return made


def bare_app() -> FastAPI:
    """The same without what FastAPI does for a handler: a route of Starlette, as those of our service are."""
    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    made.add_route(PATH, nothing, methods=["POST"])
    return made
