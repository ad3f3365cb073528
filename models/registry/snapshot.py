"""A registry as it stands when it is first asked, for who asks about many instants."""

from models.registry.registry import Registry
from models.registry.releases import Release
from models.registry.versions import Transition, Version


class Snapshot(Registry):
    """A registry that reads versions, transitions and releases of a project once; it is to be read only."""

    def __init__(self, registry: Registry) -> None:
        self._engine, self._files = registry._engine, registry._files
        self._transitions: dict[str, list[Transition]] = {}
        self._releases: dict[str, list[Release]] = {}
        self._versions: dict[str, Version] = {}

    def transitions(self, project: str) -> list[Transition]:
        """Every change of stage in a project, the oldest first."""
        if project not in self._transitions:
            self._transitions[project] = super().transitions(project)
        return self._transitions[project]

    def releases(self, project: str) -> list[Release]:
        """Every release of a project, the oldest first."""
        if project not in self._releases:
            self._releases[project] = super().releases(project)
        return self._releases[project]

    def version(self, version: Version | str) -> Version:
        """The version of this id; PerennialError when there is none."""
        if str(version) not in self._versions:
            self._versions[str(version)] = super().version(version)
        return self._versions[str(version)]
