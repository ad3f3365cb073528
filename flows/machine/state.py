"""Who runs for a home: the state file of the supervisor, which any other process may read."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.settings import Settings
from flows.machine.processes import Identity

SERVER, SCHEDULER = "prefect-server", "dask-scheduler"


@dataclass(frozen=True, slots=True)
class PartState:
    """A part as it was last started: which process, where it answers, how often it was started again."""

    name: str
    process: Identity
    address: str
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Up:
    """What runs for a home. `ready` once all parts have answered; `failure` says which did not, and why.

    `own_server` and `own_cluster` say whether the API and the scheduler are parts of this machine, or
    were given. `secured` that they are reached with a password and certificates alone.
    """

    supervisor: Identity
    api: str
    dask: str
    dashboard: str | None
    own_server: bool
    own_cluster: bool
    secured: bool
    ready: bool = False
    failure: str | None = None
    parts: tuple[PartState, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether anything of it still runs, supervised or left over."""
        return self.supervisor.alive or any(part.process.alive for part in self.parts)

    def keeps(self, name: str) -> bool:
        """Whether a part runs, or will in a moment since there is a supervisor."""
        part = self.part(name)
        return self.supervisor.alive or (part is not None and part.process.alive)

    def part(self, name: str) -> PartState | None:
        """A part by name, if it was started."""
        return next((part for part in self.parts if part.name == name), None)

    def with_part(self, part: PartState) -> "Up":
        """The same with this part in place of the one of its name, or as the last."""
        names = [each.name for each in self.parts]
        if part.name in names:
            return replace(self, parts=tuple(part if each.name == part.name else each for each in self.parts))
        return replace(self, parts=(*self.parts, part))


def read(settings: Settings) -> Up | None:
    """What was last written of a home, whether or not it still runs; None when there is nothing."""
    try:
        facts = json.loads(_path(settings).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    parts = tuple(
        PartState(**{**part, "process": Identity(**part["process"])}) for part in facts.pop("parts")
    )
    return Up(**{**facts, "supervisor": Identity(**facts["supervisor"])}, parts=parts)


def write(settings: Settings, up: Up) -> None:
    """Put on record what runs, in one step."""
    keep(_path(settings), json.dumps(asdict(up), indent=2))


def forget(settings: Settings) -> None:
    """Nothing runs any more."""
    _path(settings).unlink(missing_ok=True)


def keep(path: Path, text: str) -> None:
    """Write a file that only this user may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _path(settings: Settings) -> Path:
    return settings.up / "state.json"
