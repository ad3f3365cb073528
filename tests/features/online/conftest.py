"""The stores that online features may lie in: a file, and a real Redis, started for the tests."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from core.settings import CHECKOUT
from features.online.store import Store, open_store

StartPython = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis of its own on a socket, which keeps nothing."""
    server = shutil.which("redis-server")
    if server is None:
        assert "CI" not in os.environ, "CI needs redis-server"
        pytest.skip("there is no redis-server")
    # The name of a socket may have some 100 characters, which pytest's folders can exceed.
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    socket = folder / "socket"
    quiet = ["--save", "", "--appendonly", "no", "--dir", str(folder), "--logfile", str(folder / "log")]
    process = subprocess.Popen([server, "--port", "0", "--unixsocket", str(socket), *quiet])
    try:
        _await(f"unix://{socket}", process)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 30
    while True:
        try:
            redis.Redis.from_url(url).ping()
            return
        except redis.ConnectionError:
            assert process.poll() is None and time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.02)


@pytest.fixture(params=["file", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty store of each kind."""
    if request.param == "file":
        return f"sqlite:///{tmp_path / 'state' / 'online.db'}"
    found: str = request.getfixturevalue("redis_url")
    redis.Redis.from_url(found).flushall()
    return found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    found = open_store(url, "trips")
    yield found
    found.close()


@pytest.fixture
def start_python() -> Iterator[StartPython]:
    """Starts other processes on a text of Python; what is left of them ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> "subprocess.Popen[str]":
        command, pipe = [sys.executable, "-c", code], subprocess.PIPE
        started.append(subprocess.Popen(command, cwd=CHECKOUT, text=True, stdin=pipe, stdout=pipe))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    """An empty store in a file."""
    found = open_store(f"sqlite:///{tmp_path / 'online.db'}", "trips")
    yield found
    found.close()
