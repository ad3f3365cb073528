"""Telling: news of a project go on record, and then along its routes; neither ever fails a run."""

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from prefect.runtime import flow_run
from prefect.settings import get_current_settings

from monitoring.alerts.alerts import Alerts
from monitoring.alerts.messages import message
from monitoring.alerts.news import News
from monitoring.alerts.outbox import Claimed, claim, settle
from monitoring.alerts.routes import routes
from stages.monitoring.alerts import Told, alerts_of, record
from stages.workspace import Workspace, open_workspace
from tasks.notifying import SENDER, send

PATIENCE = 5.0
"""Seconds that a run waits for all its receivers together."""
_LOG = logging.getLogger(__name__)


def tell(workspace: Workspace, told: Callable[[], Told], run: str | None = None) -> None:
    """Put news of a project on record, and send what waits; `run` is the flow run to link to, or this one.

    It raises nothing: what goes wrong is logged.
    """
    name = workspace.project.name
    try:
        link = _link(run)
        news = [replace(each, link=link) if link and isinstance(each, News) else each for each in told()]
        if news:
            record(workspace, news)
    except Exception as error:
        _LOG.warning("%s: an alert could not be put on record (%s)", name, type(error).__name__)
        return
    deliver_pending(name, workspace=workspace)


def deliver_pending(project: str, now: datetime | None = None, workspace: Workspace | None = None) -> None:
    """Send what waits for the routes of a project; it takes `PATIENCE` at most, and raises nothing.

    What cannot be sent stays on record with the reason, to be tried again by whoever alerts next. `now`
    is the clock's: receivers live by it, whatever instant a run stands at.
    """
    try:
        workspace = workspace or open_workspace(project)
        if workspace.spec.alerts:
            _deliver(workspace, now or datetime.now(UTC))
    except Exception as error:
        _LOG.warning("%s: alerts could not be sent (%s)", project, type(error).__name__)


def _link(run: str | None) -> str | None:
    """The page of a flow run, where somebody has said at which URL Prefect's UI lasts."""
    settings = get_current_settings()
    of_run = run or flow_run.id
    # By default it is that of the API, which for a server of one command is gone with it.
    if of_run is None or "ui_url" not in settings.model_fields_set or not settings.ui_url:
        return None
    return f"{settings.ui_url.rstrip('/')}/runs/flow-run/{of_run}"


def _deliver(workspace: Workspace, now: datetime) -> None:
    """Send along all routes at once, and put on record which receiver gave no answer."""
    waiting, title = alerts_of(workspace), workspace.spec.title
    deadline = time.monotonic() + PATIENCE
    senders = []
    for route in routes(workspace.spec.alerts):
        if claimed := claim(waiting, route, now):
            # Prefect finds its settings in the context. A thread that hangs does not hold up the end.
            run = contextvars.copy_context().run
            sender = threading.Thread(
                target=run, args=(_send, waiting, claimed, title, now), name=f"{SENDER}{route}", daemon=True
            )
            sender.start()
            senders.append((sender, claimed))
    for sender, claimed in senders:
        sender.join(max(0.0, deadline - time.monotonic()))
        if sender.is_alive():
            why = f"{claimed.route}: the receiver gave no answer within {PATIENCE:.0f} seconds"
            settle(waiting, claimed, now, why)
            _LOG.warning("%s: an alert was not sent: %s", workspace.project.name, why)


def _send(waiting: Alerts, claimed: Claimed, title: str, now: datetime) -> None:
    try:
        failed = send(claimed.route, *message(title, claimed.alerts))
        settle(waiting, claimed, now, failed)
        if failed:
            _LOG.warning("%s: an alert was not sent: %s", waiting.project, failed)
    except Exception as error:
        _LOG.warning("%s: what was sent is not on record (%s)", claimed.route, type(error).__name__)
