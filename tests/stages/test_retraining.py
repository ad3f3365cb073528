"""A request is answered by one process at a time, whatever becomes of that process."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import UnfitError
from core.settings import CHECKOUT, Settings
from models.gate.judge import GateReport
from monitoring.retraining.requests import Request
from stages.champion.retraining import ask_by_hand, claimed, fail, requests_of, settle, waiting
from stages.workspace import Workspace, open_workspace

NOW = datetime(2013, 4, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
REPORT = GateReport("flights/3", "flights/1", 10, 5, False, ())


@pytest.fixture
def workspace(make_project: Callable[..., Settings]) -> Workspace:
    def edit(document: dict[str, Any]) -> None:
        document["monitoring"] = {"retraining": {"attempts": 3, "back_off": "1h"}}

    return open_workspace("flights", make_project(range(2, 4), share=5000, edit=edit))


@pytest.fixture
def request_(workspace: Workspace) -> Request:
    return ask_by_hand(workspace, NOW, "retrain stateful")


def there(workspace: Workspace) -> Request:
    (request,) = requests_of(workspace).all()
    return request


def test_an_answer_is_put_on_record(workspace: Workspace, request_: Request) -> None:
    assert waiting(workspace, NOW) == request_
    with claimed(workspace, request_.id, NOW, "run-7") as claim:
        assert claim and claim.state == "running" and claim.action == "retrain stateful"
        assert claim.stands_at == NOW and list(claim.runs) == ["run-7"]
        settle(workspace, claim, REPORT, 12.5)
    found = there(workspace)
    told = found.state, found.outcome, found.version, found.seconds
    assert told == ("done", "refused", "flights/3", 12.5)
    assert waiting(workspace, NOW) is None
    with claimed(workspace, request_.id, NOW) as claim:
        assert claim is None


def test_one_that_fails_is_tried_again_later_each_time_and_then_given_up(
    workspace: Workspace, request_: Request
) -> None:
    at = NOW
    for wait in (HOUR, 2 * HOUR):
        with pytest.raises(OSError), claimed(workspace, request_.id, at) as claim:
            assert claim
            fail(workspace, claim, OSError("disk full"), at, 5)
            raise OSError
        assert there(workspace).next_attempt_at == at + wait
        assert waiting(workspace, at + wait - timedelta(seconds=1)) is None
        with claimed(workspace, request_.id, at) as early:
            assert early is None
        at += wait
    with claimed(workspace, request_.id, at) as claim:
        assert claim
        fail(workspace, claim, OSError("disk full"), at, 5)
    found = there(workspace)
    assert (found.state, found.attempts, found.seconds, found.why) == ("failed", 3, 15, "OSError: disk full")


def test_a_run_that_is_retried_need_not_wait(workspace: Workspace, request_: Request) -> None:
    with claimed(workspace, request_.id, NOW, "run-7") as claim:
        assert claim
        fail(workspace, claim, OSError("disk full"), NOW, 5)
    with claimed(workspace, request_.id, NOW, "run-8") as claim:
        assert claim is None
    with claimed(workspace, request_.id, NOW, "run-7") as claim:
        assert claim


def test_what_nothing_can_be_learnt_from_is_not_tried_again(workspace: Workspace, request_: Request) -> None:
    with claimed(workspace, request_.id, NOW) as claim:
        assert claim
        fail(workspace, claim, UnfitError("one class"), NOW, 5)
    assert there(workspace).state == "failed" and there(workspace).why == "UnfitError: one class"


def test_one_that_is_interrupted_is_left_as_if_it_never_was(workspace: Workspace, request_: Request) -> None:
    with pytest.raises(KeyboardInterrupt), claimed(workspace, request_.id, NOW):
        raise KeyboardInterrupt
    found = there(workspace)
    assert (found.state, found.attempts, found.failures) == ("open", 0, 0)


def test_a_person_joins_what_was_asked_for_and_need_not_wait(workspace: Workspace, request_: Request) -> None:
    with claimed(workspace, request_.id, NOW) as claim:
        assert claim
        fail(workspace, claim, OSError("disk full"), NOW, 5)
    assert ask_by_hand(workspace, NOW, "recalibrate").id == request_.id
    with claimed(workspace, request_.id, NOW, at_once=True) as claim:
        assert claim and claim.action == "retrain stateful"


CLAIM = """
import sys, time
from datetime import datetime
from pathlib import Path
from core.settings import Settings
from stages.champion.retraining import claimed
from stages.workspace import open_workspace
workspace = open_workspace("flights", Settings(home=Path(sys.argv[1]), projects=Path(sys.argv[2])))
with claimed(workspace, int(sys.argv[3]), datetime.fromisoformat(sys.argv[4]), "killed") as claim:
    print(claim and claim.attempts, flush=True)
    sys.stdin.readline()
"""


def process(workspace: Workspace, request: Request) -> subprocess.Popen[str]:
    places = str(workspace.settings.home), str(workspace.settings.projects)
    command = [sys.executable, "-c", CLAIM, *places, str(request.id), NOW.isoformat()]
    return subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_claim_is_one_process_s_and_is_gone_with_it(workspace: Workspace, request_: Request) -> None:
    for attempt in (1, 2, 3):
        first = process(workspace, request_)
        assert first.stdout and first.stdout.readline() == f"{attempt}\n"
        assert waiting(workspace, NOW) is None
        with claimed(workspace, request_.id, NOW) as claim:
            assert claim is None
        first.kill()
        first.wait()
        found = waiting(workspace, NOW)
        assert found and found.state == "running"
        assert found.holds is (attempt <= 2)  # scoring does not wait for what dies again and again
    with claimed(workspace, request_.id, NOW) as claim:
        assert claim is None
    assert there(workspace).state == "failed" and "3 attempts did not end" in there(workspace).why
