"""Processes: who is who although their numbers are used again, and ending exactly those of one home."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "STARTED_BY_UP_OF"
"""The variable by which whatever `make up` has started is known, and all that this starts in turn:
it holds the home. Their numbers alone would miss what was started just before a kill."""
GRACE = 15.0  # seconds between asking a process to end and making it


@dataclass(frozen=True, slots=True)
class Identity:
    """A process: its number, which another may have later, and when it was started.

    `started` is in seconds since the machine was, where the system tells: those since 1970 move with
    the clock, and a process that runs for months would be taken for another.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """Who has this number now; psutil.NoSuchProcess when nobody has."""
        return cls(pid, psutil.Process(pid).create_time() - _boot())

    @property
    def since(self) -> float:
        """When it was started, in seconds since 1970 as the clock has them now."""
        return self.started + _boot()

    @property
    def alive(self) -> bool:
        """Whether exactly this process still runs."""
        return self.process() is not None

    def process(self) -> psutil.Process | None:
        """The process, if exactly this one still runs."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - _boot() - self.started) < 0.01
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def marked(home: Path) -> list[psutil.Process]:
    """Every process that `make up` of a home has started, or that one of those has."""
    return [each for each in _others() if _home_of(each) == str(home)]


def end(processes: Iterable[psutil.Process]) -> None:
    """Ask processes to end; those that have not after `GRACE` seconds are made to."""
    there = list(processes)
    for each in there:
        _send(each, "terminate")
    _, left = psutil.wait_procs(there, timeout=GRACE)
    cut(left)


def cut(processes: Iterable[psutil.Process]) -> None:
    """End processes at once, none of which sees another go: nobody puts that on record as a crash."""
    there = list(processes)
    for each in there:
        _send(each, "suspend")
    for each in there:
        _send(each, "kill")
    psutil.wait_procs(there, timeout=GRACE)


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that it has started, itself the first."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return [process]


def listeners(port: int) -> str:
    """Who listens on a port, as far as this user may know: ` (<name>, process <pid>)`, or nothing."""
    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
                return f" ({psutil.Process(each.pid).name()}, process {each.pid})"
    except psutil.Error:  # macOS lets only root look
        pass
    return ""


def python(*arguments: str) -> tuple[str, ...]:
    """The command that runs a module with the interpreter of this process."""
    return (sys.executable, "-m", *arguments)


def _boot() -> float:
    """What moves with the clock in the time of a start: on Linux alone the rest is fixed."""
    return float(psutil.boot_time()) if psutil.LINUX else 0.0


def _others() -> Iterator[psutil.Process]:
    ours = {os.getpid(), *(each.pid for each in psutil.Process().parents())}
    return (each for each in psutil.process_iter() if each.pid not in ours)


def _home_of(process: psutil.Process) -> str | None:
    try:
        home: str | None = process.environ().get(MARK)
        return home
    except (psutil.Error, OSError):  # gone meanwhile, or of another user
        return None


def _send(process: psutil.Process, signal: str) -> None:
    with suppress(psutil.Error):  # it looks first whether it is still the same process
        getattr(process, signal)()
