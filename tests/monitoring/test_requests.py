"""Requests for a retraining: one at a time, within the limits, asked once, and on record for good."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.settings import CHECKOUT
from core.watching import Retraining
from monitoring.retraining.records import requests
from monitoring.retraining.requests import Ask, Request, Requests

MARCH = datetime(2013, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = Retraining(cooldown=DAY, runs_a_week=2, hours_a_week=3)


@pytest.fixture
def there(database: str) -> Requests:
    return Requests(database, "flights")


def ask(at: datetime = MARCH, batch: str = "2013-02") -> Ask:
    return Ask(batch, at, "retrain stateless", ("AUC fell",), {"auc": 0.61, "share": None}, "run-1")


def settled(there: Requests, at: datetime, seconds: float = 60) -> Request:
    """A request that was asked for, and answered."""
    request = there.ask(ask(at, f"{at:%m-%d}"), RULES)
    there.claim(request, at, "run-2")
    there.settle(request, "refused", "flights/3", seconds)
    return there.request(request.id)


def test_a_request_is_on_record_as_it_was_asked(there: Requests) -> None:
    made = there.ask(ask(), RULES)
    assert there.all() == [made] and there.unsettled() == made
    assert (made.project, made.action, made.batch, made.as_of) == (
        "flights",
        "retrain stateless",
        "2013-02",
        MARCH,
    )
    assert made.state == "open" and list(made.asks) == [ask()]


def test_the_same_asked_again_is_the_same_request_even_when_it_is_settled(there: Requests) -> None:
    first = there.ask(ask(), RULES)
    assert there.ask(replace(ask(), run="run-9"), RULES) == first
    there.claim(first, MARCH, "")
    there.settle(first, "promoted", "flights/4", 5)
    again = there.ask(ask(), RULES)
    assert (again.id, again.state, again.version) == (first.id, "done", "flights/4")
    assert there.unsettled() is None


def test_another_joins_the_unsettled_one_with_its_evidence(there: Requests) -> None:
    first = there.ask(ask(), RULES)
    other = Ask("2013-03", MARCH + 31 * DAY, "recalibrate", ("Calibration is off",), {"error": 0.2})
    assert there.ask(other, RULES).id == first.id
    assert list(there.request(first.id).asks) == [ask(), other]
    assert [each.state for each in there.all()] == ["open"]


def test_a_cooldown_skips_what_comes_too_soon_and_says_so(there: Requests) -> None:
    settled(there, MARCH)
    soon = there.ask(ask(MARCH + DAY / 2, "b"), RULES)
    assert soon.state == "skipped" and soon.why.startswith("Cooldown") and "2013-03-02 00:00" in soon.why
    assert there.ask(ask(MARCH + DAY / 2, "b"), RULES) == soon
    assert there.ask(ask(MARCH + DAY, "c"), RULES).state == "open"


def test_a_budget_of_runs_counts_seven_days_and_no_skipped_ones(there: Requests) -> None:
    settled(there, MARCH)
    settled(there, MARCH + 2 * DAY)
    over = there.ask(ask(MARCH + 6 * DAY, "b"), RULES)
    assert over.state == "skipped" and "2 retrainings were opened within seven days, of 2" in over.why
    assert there.ask(ask(MARCH + 7 * DAY, "c"), RULES).state == "open"


def test_a_budget_of_hours_counts_what_was_spent(there: Requests) -> None:
    settled(there, MARCH, seconds=3 * 3600)
    over = there.ask(ask(MARCH + 2 * DAY, "b"), RULES)
    assert over.state == "skipped" and "3.0 hours" in over.why
    assert there.ask(ask(MARCH + 8 * DAY, "c"), RULES).state == "open"


def test_a_history_that_is_lived_again_is_not_limited_by_what_came_later(there: Requests) -> None:
    settled(there, MARCH + 30 * DAY)
    assert there.ask(ask(MARCH, "b"), RULES).state == "open"


def test_projects_do_not_know_each_other(there: Requests, database: str) -> None:
    there.ask(ask(), RULES)
    other = Requests(database, "shop")
    assert other.all() == [] and other.ask(ask(), RULES).state == "open"


def test_the_database_itself_refuses_a_second_unsettled_one(there: Requests, database: str) -> None:
    there.ask(ask(), RULES)
    row = {"project": "flights", "action": "recalibrate", "batch": "x", "as_of": MARCH, "stands_at": MARCH}
    with pytest.raises(sa.exc.IntegrityError), sa.create_engine(database).begin() as connection:
        connection.execute(sa.insert(requests).values(row | {"state": "running"}))


ASK = """
import sys
from datetime import UTC, datetime
from monitoring.retraining.requests import Ask, Requests
there = Requests(sys.argv[1], "flights")
print("ready", flush=True)
sys.stdin.readline()
for n in range(20):
    there.ask(Ask(f"{sys.argv[2]}-{n}", datetime(2013, 3, 1, tzinfo=UTC), "recalibrate"), None)
"""


@pytest.mark.slow
def test_many_processes_that_ask_at_once_open_one(there: Requests, database: str) -> None:
    command = [sys.executable, "-c", ASK, database]
    processes = [
        subprocess.Popen(
            [*command, str(n)], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in range(4)
    ]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    (request,) = there.all()
    assert len(request.asks) == 80
