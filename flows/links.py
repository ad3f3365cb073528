"""Links between a drift check and the retraining that it opened, both ways, as Prefect's UI shows them."""

from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger

from flows.instants import link
from monitoring.retraining.requests import Request
from tasks.ingestion import slug


def tie(request: Request, run: str) -> None:
    """Show on the retraining run who asked for it, and on the runs that asked that it answers.

    Each gets the tag `request-<number>`, and an artifact with a link.
    """
    asked = [ask.run for ask in request.asks if ask.run and ask.run != run]
    told = f"Retraining {request.id} of {request.project}: {request.action}"
    for ask in dict.fromkeys(asked):
        _show(request, ask, f"## {told}\n\nanswered by the run {link(run)}")
    reasons = "\n".join(f"- {ask.batch}: {reason}" for ask in request.asks for reason in ask.reasons)
    by = ", ".join(map(link, dict.fromkeys(asked))) or "hand, or a run outside of Prefect"
    _show(request, run, f"## {told}\n\nopened by {by}\n\n{reasons}\n")


def tell(request: Request, run: str) -> None:
    """Show on a drift check that it asked for a retraining, before anybody answers."""
    state = f"{request.state}, since batch {request.batch}, as of {request.as_of:%Y-%m-%d %H:%M} UTC"
    why = f"\n\n{request.why}" if request.why else ""
    text = f"## Retraining {request.id} of {request.project}: {request.action}\n\n{state}{why}"
    _show(request, run, text)


def _show(request: Request, run: str, text: str) -> None:
    with get_client(sync_client=True) as client:
        try:
            known = client.read_flow_run(UUID(run))
            key = f"{slug(request.project)}-retraining-{request.id}"
            artifact = ArtifactCreate(key=key, type="markdown", data=text, flow_run_id=known.id)
            client.create_artifact(artifact)
            client.update_flow_run(known.id, tags=sorted({*known.tags, f"request-{request.id}"}))
        except (ObjectNotFound, ValueError):  # it is of another server, or was pruned
            return
        except httpx.HTTPError as error:  # a link is not worth a retraining
            get_run_logger().warning("%s is not shown on the run %s: %s", request.id, run, error)
