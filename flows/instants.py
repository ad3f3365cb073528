"""What a flow run is told by Prefect: when it stands, who it is, and how it is called."""

from datetime import UTC, datetime

from prefect import runtime
from prefect.settings import get_current_settings


def standing(as_of: datetime | None) -> datetime:
    """The instant to stand at: `as_of` (UTC, where it names no zone) or else the run's scheduled start."""
    instant = as_of or runtime.flow_run.scheduled_start_time or datetime.now(UTC)
    instant = datetime.fromisoformat(instant.isoformat())  # Prefect's own kind of instant is one of its own
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def run_id() -> str:
    """The id of this flow run; empty outside of one."""
    return str(runtime.flow_run.id or "")


def is_outermost() -> bool:
    """Whether no other flow has called this one: only such a run tells others what it did."""
    return runtime.flow_run.parent_flow_run_id is None


def run_name() -> str:
    """How a run is called: by its flow, its project and, where it was given one, its batch."""
    parameters = runtime.flow_run.parameters
    parts = (runtime.flow_run.flow_name, parameters.get("project"), parameters.get("batch"))
    return " ".join(str(part) for part in parts if part)


def link(run: str) -> str:
    """A flow run as a link of Markdown, to its page in the Prefect UI where there is one."""
    page = get_current_settings().ui_url
    return f"[{run}]({page.rstrip('/')}/runs/flow-run/{run})" if page and run else f"`{run or 'none'}`"
