"""What is wrong with the service for longer than a moment is an alert, once, until it is over."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.settings import Settings
from monitoring.alerts.alerts import Alerts
from serving.alarms import TOLD, Alarms
from serving.metrics import meters
from tests.monitoring.released import spec

NOW = datetime(2013, 12, 31, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(home=tmp_path)
    assert alerts(found) == []  # which makes the registry
    return found


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    yield
    for what in TOLD:
        meters().trouble.labels(what).set(0)


def alarms(settings: Settings) -> Alarms:
    return Alarms(settings, spec(), lambda: NOW)


def alerts(settings: Settings) -> list[tuple[str, bool]]:
    return [(each.subject, each.closed_at is None) for each in Alerts(settings.registry, spec().name).all()]


def test_a_trouble_that_lasts_is_told_once_and_over_when_it_ends(settings: Settings) -> None:
    looking = alarms(settings)
    meters().trouble.labels("log").set(1)
    looking.look()
    assert alerts(settings) == []  # it may be over in a moment
    looking.look()
    looking.look()
    assert alerts(settings) == [("log", True)]
    meters().trouble.labels("log").set(0)
    looking.look()
    assert alerts(settings) == [("log", False)]


def test_a_moment_is_not_told(settings: Settings) -> None:
    looking = alarms(settings)
    for wrong in (1, 0, 1, 0):
        meters().trouble.labels("store").set(wrong)
        looking.look()
    assert alerts(settings) == []


def test_an_alert_that_could_not_be_put_on_record_is_told_later(settings: Settings) -> None:
    looking = alarms(settings)
    registry = Path(settings.registry.removeprefix("sqlite:///"))
    aside = registry.rename(registry.with_name("aside"))
    meters().trouble.labels("registry").set(1)
    looking.look()
    looking.look()
    assert not registry.exists()
    aside.rename(registry)
    looking.look()
    assert alerts(settings) == [("registry", True)]
