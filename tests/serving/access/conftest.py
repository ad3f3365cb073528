"""Keys in each database that they may lie in, rates, and a clock that goes on when it is told to."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.access.guard import Guard
from serving.access.keys import Keys
from serving.access.rates import Rates, allocate

AT = datetime(2013, 4, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    """Seconds, as `time.monotonic` would tell them."""

    now: float = 86_400.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def keys(database: str) -> Keys:
    """The keys to the service of a project that has none yet."""
    return Keys(database, "shop")


@pytest.fixture
def rates(tmp_path: Path) -> Iterator[Rates]:
    """Rates of which nothing is used yet."""
    allocate(tmp_path / "rates")
    opened = Rates(tmp_path / "rates")
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def guard(rates: Rates, clock: Clock) -> Guard:
    """A guard that has read no keys yet."""
    return Guard(rates, clock)
