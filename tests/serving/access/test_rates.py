"""The rate of a key: never more than its burst and what the time brings, over all who share the file."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import CHECKOUT
from serving.access.rates import KEYS, Rates, allocate

START = 2.0**20
WORKER = """
import sys
from pathlib import Path
from serving.access.rates import Rates
rates = Rates(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(rates.take(7, 10_000, 1, 100.0) == 0 for _ in range(8_000)))
"""


@contextmanager
def unused() -> Iterator[Rates]:
    with tempfile.TemporaryDirectory() as folder:
        allocate(Path(folder) / "rates")
        rates = Rates(Path(folder) / "rates")
        yield rates
        rates.close()


def admitted(rates: Rates, rate: float, asked: Iterable[tuple[float, float]]) -> list[bool]:
    """Which of some requests are admitted, each so many seconds after the one before it, at its cost."""
    now, answers = START, []
    for gap, cost in asked:
        now += gap
        answers.append(rates.take(1, rate, cost, now) == 0)
    return answers


def bucket(rate: float, asked: Iterable[tuple[float, float]]) -> list[bool]:
    """The same of a plain bucket, which each request empties by its cost and the time fills, exactly."""
    burst = Fraction(max(1.0, rate))
    level, answers = burst, []
    for gap, cost in asked:
        level = min(burst, level + Fraction(rate) * Fraction(gap))
        answers.append(level >= min(burst, Fraction(cost)))
        level -= Fraction(cost) if answers[-1] else 0
    return answers


# Of powers of two, so that the sums of floats are exact and the two agree at the very limit too.
_EXACT = st.lists(st.tuples(st.integers(0, 64).map(lambda n: n / 32), st.integers(1, 12)), max_size=60)


@given(st.sampled_from([0.5, 1.0, 2.0, 8.0]), _EXACT)
def test_a_rate_is_that_of_a_plain_bucket(rate: float, asked: list[tuple[float, float]]) -> None:
    with unused() as rates:
        assert admitted(rates, rate, asked) == bucket(rate, asked)


_ANY = st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 5)), max_size=40)


@given(st.floats(0.05, 50), _ANY)
def test_no_span_of_time_admits_more_than_a_burst_and_what_it_brings(
    rate: float, asked: list[tuple[float, float]]
) -> None:
    with unused() as rates:
        answers = admitted(rates, rate, asked)
    most = max(1.0, rate, *(cost for _, cost in asked)) if asked else 0.0
    for first in range(len(asked)):
        seconds = spent = 0.0
        for (gap, cost), answer in zip(asked[first:], answers[first:], strict=True):
            seconds += gap
            spent += cost * answer
            # The gap before the first of them lies outside of the span.
            assert spent <= most + rate * (seconds - asked[first][0]) + 1e-5 * rate + 1e-9


@pytest.mark.parametrize("rate", [0.1, 1.0, 3.0, 7.0, 99.0, 1e4])
def test_a_burst_is_a_second_of_requests_or_one(rate: float, rates: Rates) -> None:
    asked = int(max(1, rate)) + 3
    assert sum(admitted(rates, rate, [(0.0, 1)] * asked)) == asked - 3


@given(st.floats(0.05, 1e4), st.floats(1, 100), st.floats(1, 1e6))
def test_who_waits_as_long_as_is_said_is_admitted_and_not_before(
    rate: float, cost: float, now: float
) -> None:
    with unused() as rates:
        while not (wait := rates.take(1, rate, cost, now)):
            pass
        assert rates.take(1, rate, cost, now + wait * 0.99 - 1e-5) > 0
        assert rates.take(1, rate, cost, now + wait) == 0


def test_what_costs_more_than_a_burst_is_admitted_from_rest_and_paid_off(rates: Rates) -> None:
    assert rates.take(1, 2.0, 20, START) == 0
    assert rates.take(1, 2.0, 1, START) == pytest.approx(9.5)


def test_keys_do_not_spend_each_others_rate(rates: Rates) -> None:
    for number in (1, 2, 3, KEYS - 1):
        assert rates.take(number, 1.0, 1, START) == 0
        assert rates.take(number, 1.0, 1, START) > 0


def test_processes_share_one_rate(tmp_path: Path) -> None:
    allocate(tmp_path / "rates")
    command = [sys.executable, "-c", WORKER, str(tmp_path / "rates")]
    workers = [
        subprocess.Popen(command, cwd=CHECKOUT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout and worker.stdin and worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    counts = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(counts) == 10_000


class Yielding(float):
    """A cost that lets other threads run in the midst of what is reckoned with it."""

    def __truediv__(self, other: float) -> float:
        time.sleep(0.001)
        return float(self) / other


def test_threads_share_one_rate(rates: Rates) -> None:
    with ThreadPoolExecutor(4) as pool:
        waits = list(pool.map(lambda _: rates.take(7, 8.0, Yielding(1), START), range(16)))
    assert waits.count(0) == 8


def test_a_service_starts_with_nothing_spent_and_all_its_file_there(tmp_path: Path) -> None:
    path, kept = tmp_path / "rates", tmp_path / "kept"
    kept.write_text("another's")
    path.symlink_to(kept)  # as anybody may put into a folder that is open to all
    allocate(path)
    assert kept.read_text() == "another's"
    first = Rates(path)
    assert first.take(1, 1.0, 1, START) == 0
    allocate(path)
    second = Rates(path)
    assert second.take(1, 1.0, 1, 5.0) == 0
    first.close()
    second.close()
    found = path.stat()
    assert found.st_mode & 0o777 == 0o600 and found.st_size == KEYS * 8
    assert found.st_blocks * 512 >= found.st_size
