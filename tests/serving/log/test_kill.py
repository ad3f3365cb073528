"""The process dies, or its disk is full: what is lost, and what is not."""

import json
import resource
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from serving.log.tables import PREDICTIONS
from tests.serving.log.conftest import Log

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[str]]

_HEAD = """
import itertools, json, sys, time
from datetime import UTC, datetime
from pathlib import Path
import polars as pl
from serving.log import writing
from serving.log.journal import Journal
from serving.log.tables import PREDICTIONS, Prediction, schemas

def row(number):
    at = datetime.now(UTC)
    values = {"distance": number, "carrier": "UA"}
    return Prediction(
        str(number), "7", "champion", 1, at, at, "EWR", None, values, values, 0.5, 1e-3, False, None
    )
"""

_LOOP = f"""{_HEAD}
journal = Journal(Path(sys.argv[1]), schemas(pl.Boolean(), wide=False))
asked = []
for number in itertools.count():
    if number % 500 == 0:
        asked.append((number, journal.durable(PREDICTIONS, [row(number)])))
    else:
        journal.append(PREDICTIONS, [row(number)])
    if number % 10 == 0:
        print("appended", number, time.monotonic(), flush=True)
        time.sleep(0.001)
    while asked and asked[0][1].done():
        number, answer = asked.pop(0)
        if answer.result():
            print("durable", number, flush=True)
"""


@pytest.mark.parametrize("seconds", [1.6, 2.2])
def test_a_kill_costs_no_more_than_the_last_interval_and_nothing_that_was_acknowledged(
    log: Log, start_python: Start, seconds: float
) -> None:
    lines = _killed_after(start_python(_LOOP, log.folder), seconds)
    appended = {int(line[1]): float(line[2]) for line in lines if line[0] == "appended"}
    durable = {int(line[1]) for line in lines if line[0] == "durable"}
    assert log.collect().faults == ()
    found = set(log.numbers())
    assert len(found) == len(log.numbers())
    assert len(durable) > 1 and durable <= found
    last = max(appended.values())
    safe = max(number for number, at in appended.items() if at < last - 1.0)
    assert safe > 1000
    assert found >= set(range(safe + 1))


def _killed_after(process: subprocess.Popen[str], seconds: float) -> list[list[str]]:
    """Kill the process so long after it began to append; the lines that it has written, as words."""
    assert process.stdout
    lines = [process.stdout.readline()]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        lines.append(process.stdout.readline())
    process.kill()
    lines += process.stdout
    return [line.split() for line in lines if line.endswith("\n")]  # the kill may cut one off


_FILL = f"""{_HEAD}
from dataclasses import asdict
writing._BOUND = 400
journal = Journal(Path(sys.argv[1]), schemas(pl.Boolean(), wide=False), interval=0.1)
for number in itertools.count():
    durable = journal.durable(PREDICTIONS, [row(-number - 1)]).result()
    journal.append(PREDICTIONS, [row(10 * number + place) for place in range(10)])
    told = {{"durable": durable, "asked": -number - 1, "appended": 10 * number + 10}}
    told |= asdict(journal.facts())
    print(json.dumps(told), flush=True)
    time.sleep(0.005)
    if Path(sys.argv[1], "stop").exists():
        break
journal.close()
print(json.dumps({{**told, "durable": False, **asdict(journal.facts())}}), flush=True)
"""


def test_a_full_disk_stops_the_log_alone_and_what_it_cost_is_counted(log: Log, start_python: Start) -> None:
    """No file of the process may grow any more, in the middle of its segment; then it may again."""
    process = start_python(_FILL, log.folder)
    told: list[dict[str, Any]] = []
    _read(process, told, lambda last: last["written"] > 200)
    (segment,) = (log.folder / PREDICTIONS).glob("*.open")
    _limit(process, segment.stat().st_size + 100)
    _read(process, told, lambda last: last["dropped"] > 300)
    full = told[-1]
    assert (full["durable"], full["waiting"] <= 2 * 400) == (False, True)
    assert "journal/served/predictions cannot be written to: File too large" in full["failure"]
    _limit(process, resource.RLIM_INFINITY)
    _read(process, told, lambda last: last["failure"] is None and last["durable"])
    (log.folder / "stop").touch()
    for line in process.stdout or ():
        told.append(json.loads(line))

    end, acknowledged = told[-1], {each["asked"] for each in told if each["durable"]}
    refused = {each["asked"] for each in told[:-1] if not each["durable"]}
    assert (end["waiting"], end["failure"]) == (0, None)
    assert log.collect().faults == ()
    found = log.numbers()
    asked, appended = {each for each in found if each < 0}, [each for each in found if each >= 0]
    assert refused and not refused & asked
    assert acknowledged <= asked
    assert len(found) == len(set(found)) == end["written"]
    assert len(appended) == end["appended"] - end["dropped"]
    missing = sorted(set(range(end["appended"])) - set(appended))
    # Of those that waited the oldest are missing, and none that came in last before there was room.
    assert missing == list(range(missing[0], missing[0] + end["dropped"]))
    newest = [each["appended"] for each in told if each["failure"]][-1]
    assert set(range(newest - 100, newest)) <= set(appended)


def _read(
    process: subprocess.Popen[str], told: list[dict[str, Any]], until: Callable[[dict[str, Any]], bool]
) -> None:
    """Gather what it tells until it tells this; the deadline is that of its own appends."""
    assert process.stdout
    for line in process.stdout:
        told.append(json.loads(line))
        if until(told[-1]):
            return
        assert len(told) < 5_000, told[-1]
    raise AssertionError(process.communicate()[1])


def _limit(process: subprocess.Popen[str], size: int) -> None:
    """How many bytes any file of a live process may have."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))
