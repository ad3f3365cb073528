"""What flows and tasks tell: a line each where something happened."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from core.errors import DeliveryError, PerennialError
from core.settings import Settings
from models.gate.judge import GateReport
from monitoring.alerts.alerts import Alerts
from stages.monitoring import alerts
from stages.monitoring.monitor import Judged
from stages.release.look import Look
from stages.workspace import Workspace, open_workspace
from tasks.alerting import tell

_INSTANT = TypeAdapter(datetime)


def tell_stopped(
    workspace: Workspace, looked_at: Collection[str] | None, stopped: Mapping[str, str], as_of: datetime
) -> None:
    """Tell what stopped in an ingestion that looked at so much, or at everything."""
    tell(workspace, lambda: alerts.stopped(workspace, looked_at, stopped, as_of))


def tell_decided(workspace: Workspace, judged: Judged | None, as_of: datetime) -> None:
    """Tell what was decided after a batch."""
    if judged is not None:
        tell(workspace, lambda: alerts.decided(workspace, judged, as_of))


def tell_gate(workspace: Workspace, report: GateReport, as_of: datetime) -> None:
    """Tell whether the gate let a challenger through."""
    tell(workspace, lambda: alerts.judged_by_gate(workspace, report, as_of))


def tell_rolled_back(workspace: Workspace, champion: str, why: str, as_of: datetime) -> None:
    """Tell that an earlier champion serves again."""
    tell(workspace, lambda: alerts.rolled_back(workspace, champion, why, as_of))


def tell_released(workspace: Workspace, looked: Look, as_of: datetime) -> None:
    """Tell what a look at a release did, if anything."""
    tell(workspace, lambda: alerts.released(workspace, looked, as_of))


def tell_opened(
    project: str, as_of: datetime, reasons: Sequence[str] = (), request: str | None = None
) -> None:
    """Tell that a retraining has begun; without the id of a `request`, the one of its instant."""
    workspace = open_workspace(project)
    tell(workspace, lambda: alerts.opened(workspace, request or as_of.isoformat(), reasons, as_of))


def tell_ended(flow: Any, flow_run: Any, state: Any) -> None:
    """Tell that a flow failed, or that it does so no more; a hook of Prefect, which gives all by name.

    Deliveries that stopped are told one by one: the flow that names them all has done its work.
    """
    project = flow_run.parameters["project"]
    as_of = _INSTANT.validate_python(flow_run.parameters.get("as_of") or flow_run.expected_start_time)
    error = None if state.is_completed() else _error(state)
    if error is None or isinstance(error, DeliveryError):
        # Without opening the project, which takes longer than all else that is done here.
        Alerts(Settings().registry, project).record(alerts.succeeded(flow.name, as_of), {})
    else:
        workspace = open_workspace(project)
        why = str(error) if isinstance(error, PerennialError) else f"{type(error).__name__}: {error}"
        tell(workspace, lambda: alerts.failed(workspace, flow.name, why, as_of), str(flow_run.id))


def _error(state: Any) -> BaseException:
    """What ended a run that failed or crashed."""
    found = state.result(raise_on_failure=False)
    return found if isinstance(found, BaseException) else RuntimeError(state.message)


# As the options of a flow. Prefect logs what goes wrong in a hook, and the run ends as it would.
TOLD: dict[str, Any] = {
    "on_completion": [tell_ended],
    "on_failure": [tell_ended],
    "on_crashed": [tell_ended],
}
