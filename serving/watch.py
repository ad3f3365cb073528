"""Watch: a thread of a worker that looks again and again whether anything has changed."""

import logging
import os
import signal
import threading

from sqlalchemy.exc import SQLAlchemyError

from core.database import require_there
from core.errors import PerennialError
from models.registry.releases import Release
from serving.access.keys import Keys
from serving.log.journal import Facts
from serving.service import Service, troubles

_LOG = logging.getLogger(__name__)
LOOK = 1.0  # seconds between two looks at the registry, the keys and the log


class Watch:
    """Looks again and again, in a thread of its own: for another release, other keys, a lost store."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ended = threading.Event()
        self._told: Release | None = None
        self._keys: Keys | None = None
        self._logged = Facts(0, 0, 0, 0, None)
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Look once, and then go on looking."""
        self.look()
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def look(self) -> None:
        """Look at all of it once; nothing is raised."""
        self._service.current.look()
        self._service.featuriser.look()
        self._look_at_keys()
        if self._service.judged.look():
            self._service.meters.drifted(self._service.judged.drift)
        self._tell()

    def _run(self) -> None:
        parent = os.getppid()
        while not self._ended.wait(LOOK):
            if os.getppid() != parent:  # who keeps the workers was killed: a new one could not listen
                signal.raise_signal(signal.SIGTERM)
                return
            try:
                self.look()
            except Exception:
                _LOG.exception("the service could not look whether anything has changed")

    def _look_at_keys(self) -> None:
        service = self._service
        if service.guard is None:
            return
        try:
            require_there(service.settings.registry)
            self._keys = self._keys or Keys(service.settings.registry, service.name)
            service.guard.refresh(self._keys)
        except (PerennialError, SQLAlchemyError, OSError):
            return  # the present keys hold

    def _tell(self) -> None:
        """Tell the metrics how things stand."""
        service, told = self._service, self._service.meters
        in_force = service.current.in_force
        if in_force is not None and in_force.release != self._told:
            told.released(in_force.release, self._told)
            self._told = in_force.release
        facts, before = service.journal.facts(), self._logged
        for state in ("written", "dropped", "unfit"):
            told.log.labels(state).inc(getattr(facts, state) - getattr(before, state))
        told.waiting.set(facts.waiting)
        self._logged = facts
        for what, is_so in troubles(service).items():
            told.trouble.labels(what).set(1 if is_so else 0)
