"""The supervisor: a process that starts the parts in their order, starts again what dies, and ends all."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from core.settings import CHECKOUT, Settings
from flows.backend import free_port
from flows.machine.parts import Part, parts, planned
from flows.machine.processes import MARK, Identity, cut, end, family
from flows.machine.state import PartState, forget, write

PATIENCE = 180.0  # seconds for a part to answer: tens, for a new database on a busy machine
BACK_OFF = (1.0, 60.0)  # seconds before a part is started again: at first, and at most
STEADY = 300.0  # seconds after which a part that dies is one that had worked
TURN = 0.5  # seconds between two looks
LOG_SIZE = 5_000_000  # bytes of a log before what is in it is put aside


@dataclass(slots=True)
class _Running:
    part: Part
    process: subprocess.Popen[bytes]
    begun: float
    wait: float = 0.0
    due: float | None = None


class Supervisor:
    """Starts the parts of a home, keeps them, and ends them in reverse when it is told to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._running: dict[str, _Running] = {}
        self._up = planned(settings, Identity.of(os.getpid()))
        self._parts = parts(settings, self._up, free_port())

    def run(self) -> int:
        """Stay until SIGTERM; 1 when a part did not start in the first place, with its name on record."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        # A shell that starts this in the background has it ignored, and all that it starts would.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        write(self._settings, self._up)
        failed = next((part for part in self._parts if not self._start(part) and not self._asked), None)
        if failed:
            self._up = replace(self._up, failure=failed.name)
        elif not self._asked:
            self._up = replace(self._up, ready=True)
            self._record()
            self._keep()
        self._end_all()
        if failed:
            self._record()
        else:
            forget(self._settings)
        return 1 if failed else 0

    @property
    def _asked(self) -> bool:
        return self._stop.is_set()

    def _start(self, part: Part, restarts: int = 0) -> bool:
        """Start a part and wait until it answers; False when it does not, or all is to end."""
        if self._asked:
            return False
        known = self._running.get(part.name)
        try:
            process = self._launched(part)
        except OSError as error:  # such as too many processes
            self._say(f"{part.name} cannot be started: {error}")
            if known:
                known.due = None
            return False
        running = _Running(part, process, time.monotonic(), known.wait if known else 0.0)
        self._running[part.name] = running
        state = PartState(part.name, Identity.of(running.process.pid), part.address, restarts)
        self._up = self._up.with_part(state)
        self._record()
        while running.process.poll() is None and time.monotonic() < running.begun + PATIENCE:
            if part.healthy():
                return True
            if self._stop.wait(0.2):
                return False
        return False

    def _launched(self, part: Part) -> subprocess.Popen[bytes]:
        # Appended to, so that it can be cut short, and goes on when this process is no more.
        with log_of(self._settings, part.name).open("ab") as sink:
            return subprocess.Popen(
                part.command,
                cwd=CHECKOUT,
                env={**os.environ, **part.environment, MARK: str(self._settings.home)},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def _keep(self) -> None:
        while not self._stop.wait(TURN):
            for part in self._parts:
                running = self._running[part.name]
                if running.process.poll() is not None and not self._asked:
                    self._revive(part, running)
            for log in self._settings.up.glob("*.log"):
                shorten(log)

    def _revive(self, part: Part, dead: _Running) -> None:
        """Start a dead part again when it is due, and those that need it; until then it is others' turn."""
        now = time.monotonic()
        if dead.due is None:
            first, most = BACK_OFF
            dead.wait = first if now - dead.begun > STEADY or not dead.wait else min(2 * dead.wait, most)
            dead.due = now + dead.wait
            self._say(f"{part.name} has ended; started again in {dead.wait:g} s")
        if now < dead.due or not self._restart(part):
            return
        for each in self._parts:
            if each.needs == part.name and not self._is_busy(each):
                self._end(each)
                self._restart(each)

    def _restart(self, part: Part) -> bool:
        before = self._up.part(part.name)
        started = self._start(part, 1 + (before.restarts if before else 0))
        if not started and not self._asked:
            self._say(f"{part.name} does not answer")
            self._end(part)
        return started

    def _is_busy(self, part: Part) -> bool:
        """Whether it carries runs: it finds the server by itself after a while, and they go on."""
        process = self._running[part.name].process
        identity = self._up.part(part.name)
        there = identity.process.process() if identity and process.poll() is None else None
        return part.carries and there is not None and len(family(there)) > 1

    def _end(self, part: Part) -> None:
        identity = self._up.part(part.name)
        process = identity.process.process() if identity else None
        if process:
            # Runs of flows are to be found as they were by the next start, not as crashed.
            (cut if part.carries else end)(family(process) if part.carries else [process])
            self._running[part.name].process.wait()

    def _end_all(self) -> None:
        for part in reversed(self._parts):
            if part.name in self._running:
                self._end(part)

    def _record(self) -> None:
        try:
            write(self._settings, self._up)
        except OSError as error:  # a full disk is no reason to leave the parts alone
            self._say(f"the state cannot be written: {error}")

    def _say(self, text: str) -> None:
        with suppress(OSError):
            print(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}", flush=True)


def log_of(settings: Settings, part: str) -> Path:
    """Where a part writes what it has to say."""
    return settings.up / f"{part}.log"


def shorten(log: Path) -> None:
    """Put a log that has grown too long aside, in place of what was put aside before, and begin anew."""
    if log.stat().st_size <= LOG_SIZE:
        return
    with suppress(OSError):  # on a full disk the older part is lost
        log.with_name(f"{log.name}.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)


if __name__ == "__main__":
    sys.exit(Supervisor(Settings()).run())
