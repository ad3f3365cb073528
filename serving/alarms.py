"""Alarms: what is wrong with the service for longer than a moment becomes an alert, until it is over."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from core.database import require_there
from core.errors import PerennialError
from core.settings import Settings
from core.spec import Spec
from monitoring.alerts.alerts import Alerts
from monitoring.alerts.news import News, Over
from monitoring.alerts.routes import routes
from serving.metrics import TROUBLE, registry

_LOG = logging.getLogger(__name__)
TOLD: Mapping[str, str] = {
    "log": "Predictions go on, and are not put on record: the disk takes no more, or another error lasts",
    "registry": "The release at work goes on: the registry cannot be read, nor another release be found",
    "release": "The release at work goes on: the newest is refused, for a file of it is missing or changed",
    "store": "The online store cannot be read: rows that need it are degraded, or refused",
}
"""What each trouble of `serving.service.troubles` means, in words; the service's log has the details."""


class Alarms:
    """Looks at the troubles of all workers, and puts on record which of them last, and which are over."""

    def __init__(self, settings: Settings, spec: Spec, clock: Callable[[], datetime]) -> None:
        self._settings, self._spec, self._clock = settings, spec, clock
        self._before: frozenset[str] = frozenset()
        self._told: frozenset[str] = frozenset()

    def look(self) -> None:
        """Look once: a trouble that was there the last time, too, is told. Nothing is raised."""
        now = frozenset(_troubles())
        lasting = now & (self._before | self._told)
        self._before = now
        if lasting == self._told:
            return
        try:
            self._tell(lasting)
            self._told = lasting
        except (PerennialError, SQLAlchemyError, OSError) as error:  # it is told again at the next look
            _LOG.error("an alert could not be put on record: %s", type(error).__name__)

    def _tell(self, lasting: frozenset[str]) -> None:
        require_there(self._settings.registry)  # an empty one is not to take the place of one that is lost
        at, name = self._clock(), self._spec.name
        link = f"http://{self._settings.serve_host}:{self._settings.serve_port}/readyz"
        news = [
            News("service", what, f"the service of {name}: {what}", (TOLD[what],), link, at)
            for what in sorted(lasting - self._told)
        ]
        over = [Over("service", what, at) for what in sorted(self._told - lasting)]
        Alerts(self._settings.registry, name).record([*news, *over], routes(self._spec.alerts))


def _troubles() -> list[str]:
    """What is wrong in any worker."""
    return [
        sample.labels["what"]
        for metric in registry().collect()
        for sample in metric.samples
        if sample.name == TROUBLE and sample.value
    ]
