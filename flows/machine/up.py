"""Bringing everything up that production needs on one machine, and taking exactly that down again."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from filelock import FileLock, Timeout

from core.errors import PerennialError
from core.settings import CHECKOUT, Settings
from flows.backend import discard_half_made, is_whole
from flows.machine import state
from flows.machine.parts import planned
from flows.machine.processes import MARK, Identity, cut, listeners, marked, python
from flows.machine.secure import make_keys
from flows.machine.state import Up
from flows.machine.supervisor import log_of

FAREWELL = 90.0  # seconds for the supervisor to end its parts, each of which has a few


def bring_up(settings: Settings) -> tuple[Up, bool]:
    """Start all parts unless they run, and wait until they are ready; whether they have run before.

    Raises PerennialError when a port is taken, when a part does not start (all are ended then), and
    when another command brings the same home up or takes it down.
    """
    with _alone(settings):
        found = state.read(settings)
        if found and found.supervisor.alive:
            return _ready(settings, found.supervisor), True
        _sweep(settings)
        _check_ports(settings)
        make_keys(settings)
        discard_half_made(settings.home / "prefect")
        try:
            supervisor = _launched(settings)
            return _ready(settings, supervisor), False
        except BaseException:  # Ctrl-C as well: all or nothing
            _end(settings)
            raise


def take_down(settings: Settings) -> list[str]:
    """End all parts, and what they have started; what has been ended, by name.

    Raises PerennialError when another command is at it, as `bring_up` does.
    """
    if not settings.up.is_dir():
        return []
    with _alone(settings):
        return _end(settings)


def refuse_while_up(settings: Settings) -> None:
    """Raise PerennialError when parts of this home run."""
    found = state.read(settings)
    if (found and found.alive) or marked(settings.home):
        raise PerennialError(f"what `make up` has started in {settings.home} runs: `make down` first")


def _end(settings: Settings) -> list[str]:
    found = state.read(settings)
    names = [part.name for part in found.parts if part.process.alive] if found else []
    if found and (supervisor := found.supervisor.process()):
        try:
            supervisor.terminate()
            supervisor.wait(FAREWELL)
        except psutil.TimeoutExpired:
            pass  # it is swept with the others
        except psutil.NoSuchProcess:
            pass
        names.append("supervisor")
    left = _sweep(settings)
    return names or (["what a kill had left"] if left else [])


def _sweep(settings: Settings) -> bool:
    """End what a killed supervisor has left, and whatever else bears the mark of this home; was there any?"""
    left = marked(settings.home)
    cut(left)
    state.forget(settings)
    return bool(left)


def _launched(settings: Settings) -> Identity:
    """Start the supervisor, in a session of its own: it outlives this process and its terminal."""
    with log_of(settings, "supervisor").open("ab") as sink:
        process = subprocess.Popen(
            python("flows.machine.supervisor"),
            cwd=CHECKOUT,
            env={**os.environ, MARK: str(settings.home)},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Identity.of(process.pid)


def _ready(settings: Settings, supervisor: Identity) -> Up:
    """Wait until all parts have answered; PerennialError when one does not."""
    while supervisor.alive:
        found = state.read(settings)
        if found and found.ready and found.supervisor == supervisor:
            if found.own_server:
                is_whole(settings.home / "prefect")
            return found
        time.sleep(0.1)
    found = state.read(settings)
    name = found.failure if found and found.failure else "supervisor"
    log = log_of(settings, name)
    last = "\n".join(log.read_text(errors="replace").strip().splitlines()[-5:])
    raise PerennialError(f"{name} did not start; {log} ends with:\n{last}")


def _check_ports(settings: Settings) -> None:
    """Raise PerennialError when something listens already where a part is to."""
    plan = planned(settings, Identity.of(os.getpid()))
    wanted = [("prefect_port", settings.host)] if plan.own_server else []
    if plan.own_cluster:
        wanted += [("dask_port", settings.host), ("dashboard_port", "127.0.0.1")]
    for name, host in wanted:
        port = getattr(settings, name)
        try:
            family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, proto) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            raise PerennialError(
                f"{host}:{port} cannot be listened on{listeners(port)}: {error.strerror}; end what does,"
                f" or choose another with PERENNIAL_{name.upper()} or PERENNIAL_HOST"
            ) from error


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    settings.up.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(settings.up / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PerennialError(
            f"another `make up` or `make down` is at work in {settings.home}: wait for it"
        ) from None
    try:
        yield
    finally:
        lock.release()
