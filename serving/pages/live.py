"""The page of the service: who answers, how much is asked and how quickly it is answered, now."""

import json

from starlette.responses import Response

from serving.openapi import REFUSALS
from serving.pages.page import page
from serving.service import Service


def live_page(service: Service, request_id: str) -> Response:
    """The page without any figure: it asks for those itself, with an API key where one is needed."""
    spec = service.project.spec
    return page(
        "live.html",
        request_id,
        project=service.name,
        title=spec.title,
        business=spec.objective.business,
        output=spec.objective.output or spec.outcome.label,
        is_guarded=service.guard is not None,
        refusals=json.dumps(REFUSALS),
    )
