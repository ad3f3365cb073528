"""Alerts reach real receivers through real blocks of Prefect; one that fails loses no run and no alert."""

import io
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.settings import CHECKOUT
from monitoring.alerts.alerts import Alert, Delivery
from stages.monitoring.alerts import alerts_of, failed, record, succeeded
from stages.workspace import Workspace
from tests.monitoring.test_messages import HOSTILE
from tests.tasks.conftest import SECRET, SLACK, TEAMS
from tests.tasks.receivers import Receiver

pytestmark = pytest.mark.slow

AS_OF = datetime(2013, 4, 1, tzinfo=UTC)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SOON = timedelta(minutes=6)
Routed = Callable[..., Workspace]
MakeBlock = Callable[..., str]


def told(workspace: Workspace, subject: str = "retrain", why: str = "out of memory") -> None:
    from tasks.alerting import tell

    tell(workspace, lambda: failed(workspace, subject, why, AS_OF))


def deliver(now: datetime | None = None) -> None:
    from tasks.alerting import deliver_pending

    deliver_pending("flights", now)


def recorded(workspace: Workspace) -> list[Alert]:
    return alerts_of(workspace).all()


def only(workspace: Workspace) -> Delivery:
    (alert,) = recorded(workspace)
    (delivery,) = alert.deliveries
    return delivery


# -- each kind of block


def test_slack_gets_it_as_text_in_which_nothing_acts(
    receiver: Receiver, make_block: MakeBlock, routed: Routed
) -> None:
    workspace = routed({make_block("slack-webhook", url=SLACK): "warning"})
    told(workspace, why=f"category {HOSTILE} is new")
    ((path, payload),) = receiver.got
    assert path == SLACK.removeprefix("https://hooks.slack.com")
    (attachment,) = payload["attachments"]
    assert attachment["title"] == f"[critical] {workspace.spec.title}: retrain failed"
    assert "category" in attachment["text"] and "alert(1)" in attachment["text"]
    assert not any(sign in attachment["text"] for sign in ("<", "&lt;!", "@channel", "https://evil"))
    assert only(workspace).sent_at is not None


def test_teams_gets_it(receiver: Receiver, make_block: MakeBlock, routed: Routed) -> None:
    workspace = routed({make_block("ms-teams-webhook", url=TEAMS): "warning"})
    told(workspace, why=f"category {HOSTILE} is new")
    ((path, payload),) = receiver.got
    assert SECRET in path
    card = payload["attachments"][0]["content"]
    texts = [each["text"] for each in card["body"] if each["type"] == "TextBlock"]
    assert texts[0] == f"[critical] {workspace.spec.title}: retrain failed"
    assert "- category" in texts[1]
    assert not card["msteams"].get("entities")
    assert only(workspace).sent_at is not None


def test_a_webhook_of_ones_own_gets_it_and_no_text_takes_its_secrets(
    receiver: Receiver, webhook: str, routed: Routed
) -> None:
    workspace = routed({webhook: "warning"})
    told(workspace, why="category {{token}} is new")
    ((_, payload),) = receiver.got
    assert payload["token"] == SECRET
    assert SECRET not in payload["body"] + payload["subject"]
    assert "retrain failed (critical)" in payload["body"]


@pytest.mark.parametrize("form", ["html", "text"])
def test_a_mailbox_gets_it_through_plain_smtp(
    mails: tuple[str, list[Any]], make_block: MakeBlock, routed: Routed, form: str
) -> None:
    address, got = mails
    url = f"mailto://{address}/?from=shop@here.test&to=ann@here.test&format={form}"
    workspace = routed({make_block("apprise", url=url): "warning"})
    told(workspace, why="a < b\nc & d")
    (mail,) = got
    assert mail["subject"] == f"[critical] {workspace.spec.title}: retrain failed"
    assert "ann@here.test" in mail["to"]
    plain = mail.get_body(("plain",)).get_content()
    assert plain.splitlines()[0].strip() == "retrain failed (critical)"
    assert "- c & d" in plain
    assert only(workspace).sent_at is not None


# -- routes, and what is sent once


def test_every_route_whose_severity_is_reached_gets_it_once(
    receiver: Receiver, webhook: str, make_block: MakeBlock, routed: Routed
) -> None:
    slack = make_block("slack-webhook", url=SLACK)
    workspace = routed({webhook: "warning", slack: "critical"})
    told(workspace, "housekeeping")
    assert [path for path, _ in receiver.got] == [f"/{SECRET}"]
    told(workspace, "retrain")
    assert len(receiver.got) == 3
    told(workspace, "retrain")
    told(workspace, "housekeeping")
    deliver()
    assert len(receiver.got) == 3


def test_what_waits_is_one_message(receiver: Receiver, webhook: str, routed: Routed) -> None:
    workspace = routed({webhook: "warning"})
    for flow in ("score", "monitor", "retrain"):
        record(workspace, failed(workspace, flow, "no disk", AS_OF))
    deliver()
    (payload,) = receiver.bodies
    assert payload["subject"] == f"[critical] {workspace.spec.title}: 3 alerts"
    assert all(f"{flow} failed" in payload["body"] for flow in ("score", "monitor", "retrain"))


def test_without_a_route_it_is_on_record_and_nothing_is_sent(receiver: Receiver, routed: Routed) -> None:
    workspace = routed({})
    told(workspace)
    (alert,) = recorded(workspace)
    assert (alert.title, alert.deliveries, receiver.got) == ("retrain failed", (), [])


def test_two_processes_that_send_at_once_send_once(receiver: Receiver, webhook: str, routed: Routed) -> None:
    workspace = routed({webhook: "warning"})
    record(workspace, failed(workspace, "retrain", "no disk", AS_OF))
    deliver_at_once(2)
    assert len(receiver.got) == 1
    assert only(workspace).attempts == 1


def deliver_at_once(count: int) -> None:
    """Send what waits from several processes, which begin together."""
    script = """
from tasks.alerting import deliver_pending
print("ready", flush=True)
input()
deliver_pending("flights")
"""
    processes = [started(script) for _ in range(count)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.wait(60) for process in processes] == [0] * count


def started(script: str) -> "subprocess.Popen[str]":
    """A process of its own, which lives where this one does."""
    pipe = subprocess.PIPE
    here = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, text=True, env=here)


# -- receivers that fail


def test_one_that_is_down_is_sent_it_once_when_it_is_up(
    receiver: Receiver, webhook: str, routed: Routed
) -> None:
    workspace = routed({webhook: "warning"})
    receiver.status = 500
    told(workspace)
    receiver.status = 200
    assert only(workspace).failed == f"{webhook}: the receiver answered 500"
    deliver(datetime.now(UTC) + timedelta(minutes=1))
    assert len(receiver.got) == 1
    deliver(datetime.now(UTC) + SOON)
    deliver(datetime.now(UTC) + 2 * SOON)
    assert len(receiver.got) == 2
    assert only(workspace).failed is None


def test_one_that_hangs_holds_a_run_up_for_seconds_and_counts_when_it_answers(
    receiver: Receiver, webhook: str, routed: Routed
) -> None:
    workspace = routed({webhook: "warning"})
    receiver.gate.clear()
    began = time.monotonic()
    told(workspace)
    assert time.monotonic() - began < 8
    assert only(workspace).failed == f"{webhook}: the receiver gave no answer within 5 seconds"
    receiver.gate.set()
    deadline = time.monotonic() + 10
    while only(workspace).sent_at is None and time.monotonic() < deadline:
        time.sleep(0.02)
    deliver(datetime.now(UTC) + SOON)
    assert len(receiver.got) == 1


def broken_blocks(make_block: MakeBlock) -> dict[str, str]:
    """Blocks that nothing can be sent through, and what is said of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{free.getsockname()[1]}"
    custom = {"name": "ours", "json_data": {"text": "{{body}}"}}
    return {
        "slack-webhook/not-there": "Prefect has no such block: make it in Prefect's UI",
        "no-such-type/ours": "Prefect has no such block",
        make_block("slack-webhook", url=f"no url {SECRET}"): "the block holds no URL",
        make_block("custom-webhook", url=f"no url {SECRET}", **custom): "the receiver could not be reached",
        make_block("custom-webhook", url=f"http://{nowhere}/{SECRET}", **custom): "could not be reached",
        make_block("apprise", url=f"json://{nowhere}/{SECRET}"): "could not be reached, or refused",
        make_block("apprise", url=f"mailto://{nowhere}/?from=a@b.test&to=c@d.test&pass={SECRET}"): (
            "could not be reached, or refused"
        ),
    }


def test_whatever_is_wrong_is_on_record_in_a_sentence_and_no_secret_is_told(
    receiver: Receiver, make_block: MakeBlock, routed: Routed
) -> None:
    broken = broken_blocks(make_block)
    refusing = make_block("slack-webhook", url=SLACK)
    receiver.status = 403
    workspace = routed(dict.fromkeys([*broken, refusing], "warning"))
    with logged() as log:
        told(workspace)
    (alert,) = recorded(workspace)
    said = {each.route: str(each.failed) for each in alert.deliveries}
    assert said[refusing] == f"{refusing}: the receiver answered 403"
    for block, why in broken.items():
        assert why in said[block], said[block]
    assert "an alert was not sent" in log.getvalue()
    assert SECRET not in log.getvalue() + repr(alert)


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """All that gets to the root of the loggers, where each log ends (pytest also hears what does not)."""
    log, root = io.StringIO(), logging.getLogger()
    handler, before = logging.StreamHandler(log), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield log
    finally:
        root.setLevel(before)
        root.removeHandler(handler)


def test_a_run_that_is_killed_before_it_sends_leaves_it_to_the_next(
    receiver: Receiver, webhook: str, routed: Routed
) -> None:
    workspace = routed({webhook: "warning"})
    script = """
import os, signal
from datetime import UTC, datetime
from stages.workspace import open_workspace
from stages.monitoring.alerts import failed
from tasks import alerting
alerting.deliver_pending = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
workspace, as_of = open_workspace("flights"), datetime(2013, 4, 1, tzinfo=UTC)
alerting.tell(workspace, lambda: failed(workspace, "retrain", "no disk", as_of))
"""
    process = started(script)
    assert (process.wait(60), receiver.got) == (-signal.SIGKILL, [])
    assert len(recorded(workspace)) == 1
    told(workspace)
    assert len(receiver.got) == 1


def test_a_database_that_is_gone_fails_no_run(
    routed: Routed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = routed({})
    broken = workspace.settings.home / "registry.db"
    for path in broken.parent.glob("registry.db*"):
        path.unlink()
    broken.mkdir()
    told(workspace)
    deliver()
    assert "an alert could not be put on record" in caplog.text


def test_what_ended_is_no_longer_open(routed: Routed) -> None:
    workspace = routed({})
    told(workspace)
    record(workspace, succeeded("retrain", AS_OF + timedelta(days=1)))
    (alert,) = recorded(workspace)
    assert alert.closed_at == AS_OF + timedelta(days=1)
