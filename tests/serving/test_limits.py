"""What a worker takes on it does in time, and refuses what it cannot."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from starlette.requests import Request

from serving.request.limits import BEAT, LATE, Deadline, Pool, Pulse
from serving.request.problems import Problem


def deadline(milliseconds: str | None = None) -> Deadline:
    headers = [] if milliseconds is None else [(b"x-timeout-ms", milliseconds.encode())]
    return Deadline(Request({"type": "http", "headers": headers}), time.perf_counter())


def test_a_pool_takes_on_so_much_and_no_more_and_is_free_again() -> None:
    pool, go = Pool(threads=2, waiting=3), threading.Event()

    def work() -> bool:
        return go.wait(10)

    async def ask() -> None:
        taken = [asyncio.create_task(pool.run(work, deadline())) for _ in range(5)]
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(Problem, match="at its limit") as refused:
                await pool.run(work, deadline())
            assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
        assert pool.spare(lambda: None) is False
        assert await pool.run(lambda: "now", deadline(), at_once=True) == "now"
        go.set()
        assert await asyncio.gather(*taken) == [True] * 5
        while pool.busy:
            await asyncio.sleep(0.01)
        assert await pool.run(lambda: "then", deadline()) == "then"
        done = threading.Event()
        assert pool.spare(done.set) is True
        while not done.is_set():
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(ask(), 10))
    pool.close()


def test_who_has_waited_in_vain_is_told_in_time_and_keeps_no_place() -> None:
    pool, go = Pool(threads=1, waiting=1), threading.Event()

    async def ask() -> None:
        first = asyncio.create_task(pool.run(lambda: go.wait(10), deadline()))
        await asyncio.sleep(0)
        started = time.monotonic()
        with pytest.raises(Problem, match="not answered within the 50 ms of X-Timeout-Ms") as late:
            await pool.run(lambda: None, deadline("50"))
        assert late.value.status == 504 and time.monotonic() - started < 1
        go.set()
        assert await first
        while pool.busy:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(ask(), 10))
    pool.close()


def test_what_the_work_raises_is_raised() -> None:
    pool = Pool()

    def work() -> None:
        raise Problem(422, "no")

    with pytest.raises(Problem, match="no"):
        asyncio.run(pool.run(work, deadline()))
    pool.close()


@pytest.mark.parametrize("text", ["soon", "0", "-5", "nan", "inf", "1e99", ""])
def test_a_deadline_is_a_number_of_milliseconds(text: str) -> None:
    with pytest.raises(Problem, match="milliseconds above 0") as found:
        deadline(text)
    assert found.value.status == 422


def test_a_deadline_passes() -> None:
    assert deadline().left() is None
    left = deadline("60000").left()
    assert left is not None and 59 < left <= 60
    with pytest.raises(Problem, match=r"not answered within the 0\.001 ms"):
        deadline("0.001").left()


def test_a_loop_that_stays_behind_takes_nothing_on_until_it_has_caught_up() -> None:
    async def feel() -> None:
        pulse = Pulse()
        beating = asyncio.create_task(pulse.beat())
        await asyncio.sleep(3 * BEAT)
        for late in (False, True):
            time.sleep(LATE + 3 * BEAT)  # as more work than it can do holds the loop up
            for _ in range(5):
                await asyncio.sleep(0)
            assert (pulse.late > LATE) is late
        with pytest.raises(Problem, match="at its limit") as found:
            pulse.require()
        assert found.value.status == 503
        await until(lambda: pulse.late < LATE)
        pulse.require()
        beating.cancel()

    asyncio.run(asyncio.wait_for(feel(), 10))


async def until(so: Callable[[], bool]) -> None:
    while not so():
        await asyncio.sleep(0.001)
