"""Alerts of a project, in each database that they may lie in."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitoring.alerts.alerts import Alerts
from monitoring.alerts.news import News

AS_OF = datetime(2013, 4, 1, tzinfo=UTC)
_NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a registry."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry.db'}"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def alerts(registry: str) -> Alerts:
    """The alerts of a project that has none yet."""
    return Alerts(registry, f"shop{next(_NUMBERS)}")


@pytest.fixture
def stopped() -> Callable[..., News]:
    """Makes the news that a batch stopped."""

    def make(subject: str = "batch 2013-03", **changed: Any) -> News:
        facts = {"kind": "batch stopped", "title": f"{subject} stopped", "reasons": ("too few rows",)}
        return News(**{**facts, "subject": subject, "link": "", "as_of": AS_OF, **changed})

    return make
