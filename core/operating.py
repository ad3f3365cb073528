"""What a spec may say of running by itself: schedules, alerts, and what is kept for how long."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from core.scalars import Model, Window, example

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""From the least to the gravest."""


def _cron(value: str) -> str:
    try:
        if (fields := len(value.split())) != 5:
            raise CronSimError(f"it has {fields} field{'s' if fields != 1 else ''}, not five")
        CronSim(value, datetime(2013, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{value!r} is no cron expression, such as '15 6 * * 1-5': {error}") from None
    return value


Cron = Annotated[str, AfterValidator(_cron)]


class Schedules(Model):
    """When the deployments start by themselves, as cron expressions in the time zone of the batches,
    or `null` for never. Each does all that is due by then: the next makes up for a start that was missed.
    """

    model_config = example({"ingest": "*/15 * * * *", "housekeeping": None})

    ingest: Cron | None = "5 * * * *"
    """Deliveries are looked for, taken in, and made features of."""
    score: Cron | None = "20 * * * *"
    """Batches that are over are scored."""
    monitor: Cron | None = "35 * * * *"
    """Scored batches are checked for drift and judged by the outcomes that are in."""
    release: Cron | None = "*/10 * * * *"
    """Who answers beside the champion is looked at, and goes on, holds, or goes back."""
    housekeeping: Cron | None = "30 3 * * *"
    """What is out of use is put away, tables are compacted, alerts that could not be sent are."""


# Those of Prefect 3.8, and `apprise`, which is ours. Below the tasks nothing knows Prefect, and to ask it
# would take a server: that a block is there is seen when something is to be sent.
NOTIFYING = (
    "apprise",
    "custom-webhook",
    "discord-webhook",
    "mattermost-webhook",
    "ms-teams-webhook",
    "opsgenie-webhook",
    "pager-duty-webhook",
    "sendgrid-email",
    "slack-webhook",
    "twilio-sms",
)
"""The types of blocks that alerts can be sent through."""
BLOCK = "^[a-z0-9-]+/[a-z0-9-]+$"
"""How a route names a block."""


class Route(Model):
    """Where alerts of some gravity are sent."""

    model_config = example({"block": "slack-webhook/operations", "severity": "critical"})

    block: Annotated[str, Field(pattern=BLOCK)]
    """A notification block of Prefect, as `<type>/<name>`: `slack-webhook/…`, `ms-teams-webhook/…`,
    `custom-webhook/…`, `apprise/…` (e-mail, for one) or another that notifies."""
    severity: Severity = "warning"
    """The least gravity that is sent."""


class Retention(Model):
    """How long what a project makes is kept; `null` for always. What is still to be read stays longer, and
    what a model version was trained on as long as the version or its archive.
    """

    model_config = example({"raw": "400d", "flow_runs": "14d"})

    raw: Window | None = None
    """Accepted rows, by the end of their batch; they stay while features look back to them."""
    quarantine: Window | None = None
    """Rows that were set aside."""
    features: Window | None = None
    """Feature rows and outcomes; they stay while `training.window` reaches back to them."""
    predictions: Window | None = None
    """Predictions, once they are judged. Profiles and metrics are small, and are kept."""
    flow_runs: Window | None = timedelta(days=30)
    """Runs of Prefect that have ended, with their logs and task runs."""
    versions: int | None = Field(default=20, ge=1)
    """How many of the newest model versions stay as they are; of the older ones those that are retired and
    were never champion are archived. `null` archives none."""
