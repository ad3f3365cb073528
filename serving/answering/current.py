"""The release in force, as a worker knows it: looked for again and again, loaded beside the one at work."""

import json
import logging
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from core.database import require_there
from core.errors import PerennialError
from core.plain import plain
from core.settings import Settings
from core.spec import Spec
from core.whole import whole
from models.registry.files import Files
from models.registry.registry import Registry
from models.registry.releases import Part, Release
from serving.answering.loaded import InForce, Servable, load

_LOG = logging.getLogger(__name__)


class Current:
    """What a worker serves. A release that cannot be loaded is refused, and the one at work goes on.

    Where the registry is lost, so does what was at work; also in a worker that is started meanwhile, for
    the release is kept in a file of the home. `failure` says what is wrong, `refused` which release.
    """

    def __init__(self, settings: Settings, spec: Spec) -> None:
        self._settings, self._spec = settings, spec
        self._files = Files(settings.files)
        self._kept = settings.home / "serving" / spec.name / "release.json"
        self._registry: Registry | None = None
        self.in_force: InForce | None = None
        self.refused: int | None = None
        self.failure: str | None = None
        self.is_registry_lost = False

    def look(self) -> None:
        """Look for another release than the one at work, and put it in its place; nothing is raised."""
        try:
            release, versions = self._newest()
            self.is_registry_lost = False
        except (PerennialError, SQLAlchemyError, OSError) as error:
            self.is_registry_lost = True
            self._say(f"the registry cannot be read: {_first_line(error)}")
            if self.in_force is not None or not self._kept.exists():
                return
            try:
                release, versions = _read(self._kept)
            except (OSError, ValueError, TypeError, KeyError) as error:
                self._say(f"{self.failure}; nor can {self._kept}: {type(error).__name__}")
                return
        if release is None:
            self._say(f"{self._spec.name} has no champion yet: train one, and the gate will let it through")
            return
        self._take(release, versions)

    def _newest(self) -> tuple[Release | None, dict[str, Servable]]:
        require_there(self._settings.registry)
        registry = self._registry or Registry(self._settings.registry, self._settings.files)
        self._registry = registry
        release = next(iter(registry.releases(self._spec.name)[::-1]), None)
        if release is None and (self.in_force or self._kept.exists()):
            raise PerennialError(f"it has no release of {self._spec.name} any more")
        if release is None or _is_same(release, self.in_force):
            return release, {}
        return release, {each: Servable.of(registry.version(each)) for each in release.versions}

    def _take(self, release: Release, versions: dict[str, Servable]) -> None:
        if _is_same(release, self.in_force):
            self.refused = None
            if not self.is_registry_lost:
                self.failure = None
            return
        try:
            self.in_force = load(self._files, self._spec, release, versions, self.in_force)
        except (PerennialError, OSError) as error:
            self.refused = release.number
            at_work = f"{self.in_force.release} goes on" if self.in_force else "nothing serves"
            self._say(f"the release {release} is refused: {_first_line(error)}; {at_work}")
            return
        self.refused = None
        if not self.is_registry_lost:
            self.failure = None
            self._keep(release, versions)
        _LOG.info("%s serves %s", self._spec.name, release)

    def _keep(self, release: Release, versions: dict[str, Servable]) -> None:
        facts = {"release": plain(release), "versions": [asdict(each) for each in versions.values()]}
        try:
            with whole(self._kept) as draft:
                draft.write_text(json.dumps(facts))
        except (PerennialError, OSError) as error:
            _LOG.warning("the release is not kept for a time without the registry: %s", error)

    def _say(self, failure: str) -> None:
        if failure != self.failure:
            _LOG.error("%s", failure)
        self.failure = failure


def _is_same(release: Release, in_force: InForce | None) -> bool:
    return in_force is not None and in_force.release == release


def _read(kept: Path) -> tuple[Release, dict[str, Servable]]:
    facts: dict[str, Any] = json.loads(kept.read_text())
    told = facts["release"]
    parts, at = tuple(Part(**part) for part in told["parts"]), datetime.fromisoformat(told["at"])
    versions = [Servable(**{**each, "columns": tuple(each["columns"])}) for each in facts["versions"]]
    return Release(**{**told, "parts": parts, "at": at}), {each.id: each for each in versions}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
