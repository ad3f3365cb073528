"""The ledger remembers what was finished, from what: over processes, and over their deaths."""

import contextlib
import math
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PerennialError
from core.ledger import Ledger, fingerprint

Start = Callable[..., subprocess.Popen[str]]
NOON = datetime(2013, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'home' / 'registry.db'}"


@pytest.fixture
def ledger(url: str) -> Ledger:
    return Ledger(url, "trips")


# -- steps


def test_a_step_is_finished_only_from_the_same_inputs(ledger: Ledger) -> None:
    assert ledger.finished("features", "2013-01", "f1") is None
    ledger.record("features", "2013-01", "f1", {"rows": 3}, NOON)
    assert ledger.finished("features", "2013-01", "f1") == {"rows": 3}
    assert ledger.finished("features", "2013-01", "f2") is None
    assert ledger.finished("features", "2013-02", "f1") is None
    assert ledger.finished("score", "2013-01", "f1") is None


def test_a_step_is_on_record_once_as_it_was_last_finished(ledger: Ledger) -> None:
    ledger.record("features", "2013-01", "f1", {"rows": 3}, NOON)
    ledger.record("features", "2013-01", "f2", {"rows": 4}, NOON)
    assert ledger.finished("features", "2013-01", "f1") is None
    assert ledger.results("features") == {"2013-01": {"rows": 4}}


def test_results_are_in_the_order_of_their_subjects(ledger: Ledger) -> None:
    for subject in ("2013-02", "whole", "2013-01"):
        ledger.record("ingest/trips", subject, "f", {"of": subject}, NOON)
    assert list(ledger.results("ingest/trips")) == ["2013-01", "2013-02", "whole"]
    assert ledger.results("ingest/cities") == {}
    assert ledger.last("ingest/trips") == {"of": "whole"} and ledger.last("ingest/cities") is None


def test_a_forgotten_step_runs_again(ledger: Ledger) -> None:
    ledger.record("features", "2013-01", "f1", {}, NOON)
    ledger.record("features", "2013-02", "f1", {}, NOON)
    ledger.forget("features", "2013-01")
    ledger.forget("features", "never recorded")
    assert ledger.finished("features", "2013-01", "f1") is None
    assert ledger.finished("features", "2013-02", "f1") == {}


def test_projects_share_a_database_and_not_their_steps(ledger: Ledger, url: str) -> None:
    ledger.record("features", "2013-01", "f1", {"rows": 3}, NOON)
    assert Ledger(url, "tours").finished("features", "2013-01", "f1") is None
    assert Ledger(url, "trips").finished("features", "2013-01", "f1") == {"rows": 3}


def test_a_database_of_another_kind_is_an_error() -> None:
    with pytest.raises(PerennialError, match="must begin with sqlite or postgresql, not with 'mysql'"):
        Ledger("mysql://host/base", "trips")


# -- values


@dataclass(frozen=True)
class Judged:
    auc: float
    at: datetime


def test_results_are_kept_as_json_can_hold_them(ledger: Ledger) -> None:
    result = {
        "auc": math.nan,
        "worst": -math.inf,
        "loss": np.float32(0.5),
        "rows": np.int64(3),
        "at": NOON,
        "day": NOON.date(),
        "took": timedelta(minutes=1),
        "judged": Judged(math.nan, NOON),
        "interval": (0.1, 0.2),
        "names": {"b", "a"},
        "text": "é\n'",
    }
    ledger.record("monitor", "2013-01", "f", result, NOON)
    assert ledger.finished("monitor", "2013-01", "f") == {
        "auc": None,
        "worst": None,
        "loss": 0.5,
        "rows": 3,
        "at": "2013-03-10T12:00:00+00:00",
        "day": "2013-03-10",
        "took": 60.0,
        "judged": {"auc": None, "at": "2013-03-10T12:00:00+00:00"},
        "interval": [0.1, 0.2],
        "names": ["a", "b"],
        "text": "é\n'",
    }


def test_what_json_cannot_hold_is_an_error_and_leaves_the_record(ledger: Ledger) -> None:
    ledger.record("monitor", "2013-01", "f", {"rows": 1}, NOON)
    with pytest.raises(TypeError, match="cannot be kept as JSON"):
        ledger.record("monitor", "2013-01", "g", {"rows": object()}, NOON)
    assert ledger.finished("monitor", "2013-01", "f") == {"rows": 1}


# -- fingerprints


PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.dates(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PARTS, max_size=5))
def test_the_order_of_keys_does_not_change_a_fingerprint(parts: dict[str, object]) -> None:
    assert fingerprint("step", parts) == fingerprint("step", dict(reversed(parts.items())))


@given(PARTS, PARTS)
def test_what_is_written_differently_has_another_fingerprint(one: object, other: object) -> None:
    assert fingerprint(one, other) != fingerprint([one, other])
    assert fingerprint(one, "") != fingerprint("", one) or one == ""
    if type(one) is type(other) and one != other:
        assert fingerprint(one) != fingerprint(other)


def test_a_fingerprint_is_the_same_in_every_process(start_python: Start) -> None:
    parts = '"f", {"b": {"x", "y", "z"}, "a": [1, 2.5, None]}, d.date(2013, 1, 1), d.timedelta(hours=1)'
    code = f"import datetime as d\nfrom core.ledger import fingerprint\nprint(fingerprint({parts}))"
    # Each has its own seed for hashing, and so its own order of a set.
    outputs = [process.communicate() for process in [start_python(code) for _ in range(2)]]
    here = fingerprint("f", {"b": {"x", "y", "z"}, "a": [1, 2.5, None]}, date(2013, 1, 1), timedelta(hours=1))
    assert outputs == [(f"{here}\n", "")] * 2


def test_a_part_without_a_fixed_form_is_an_error() -> None:
    with pytest.raises(TypeError):
        fingerprint(object())


# -- other processes

_RECORD = """
import sys
from datetime import UTC, datetime
from core.ledger import Ledger
print("ready", flush=True)
sys.stdin.readline()
ledger, who = Ledger(sys.argv[1], "trips"), sys.argv[2]
for number in range(15):
    for subject in ("all", f"{who}-{number}"):
        ledger.record("features", subject, "f", {"who": who, "again": who}, datetime.now(UTC))
        assert ledger.finished("features", subject, "f")
    ledger.forget("features", f"{who}-{number - 1}")
"""


def test_processes_that_open_and_record_at_once_all_succeed(url: str, start_python: Start) -> None:
    writers = [start_python(_RECORD, url, who) for who in "abcd"]
    for writer in writers:
        assert writer.stdout and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        assert writer.communicate()[1] == "" and writer.returncode == 0
    results = Ledger(url, "trips").results("features")
    assert sorted(results) == ["a-14", "all", "b-14", "c-14", "d-14"]
    assert all(result["who"] == result["again"] for result in results.values())


_COUNT = """
import sys
from datetime import UTC, datetime
from core.ledger import Ledger
ledger = Ledger(sys.argv[1], "trips")
for number in range(10_000):
    ledger.record("features", str(number), "f", {"number": number}, datetime.now(UTC))
    print(number, flush=True)
"""


def test_what_was_recorded_survives_a_kill(url: str, start_python: Start) -> None:
    for attempt in range(2):
        writer = start_python(_COUNT, url)
        assert writer.stdout and writer.stdout.readline() == "0\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            writer.wait(timeout=0.01 * attempt)
        writer.kill()
        said = ["0", *writer.communicate()[0].split()]
        results = Ledger(url, "trips").results("features")
        assert all(results[number] == {"number": int(number)} for number in said)
