"""What `make status` tells a person of decisions, retrainings and alerts, in 110 columns."""

from typing import Any

from rich.console import Console

from flows import show_status
from stages.status import Asked, Open, Standing

REASONS = ["AUC 0.710 is 0.046 below the reference " + "0.757 (limit 0.020) " * 6, "Prediction drift 0.66"]


def said(show: Any, *facts: Any) -> list[str]:
    console = Console(width=110)
    with console.capture() as captured:
        show(console, *facts)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    assert max(map(len, lines)) <= 110
    return lines


def standing(retraining: Asked | None) -> Standing:
    return {
        "champion": {"version": "shop/2", "family": "linear", "since": "2024-01-01T00:00:00+00:00"},
        "release": {"shop/2": 0.9, "shop/3": 0.1},
        "candidate": {
            "version": "shop/3",
            "role": "canary",
            "share": 0.1,
            "since": "2013-08-04T04:00:00+00:00",
            "why": "shop/3: no alarm in 1,200 requests at 1 %",
        },
        "shadows": ["shop/1"],
        "newest": {"ingested": "2024-02", "scored": "2024-02", "judged": "2024-02"},
        "decided": {"batch": "2024-02", "decision": "recalibrate", "final": False, "reasons": REASONS},
        "retraining": retraining,
        "alerts": [],
    }


def asked(**facts: Any) -> Asked:
    told: Asked = {
        "number": 3,
        "action": "recalibrate",
        "batch": "2024-02",
        "state": "open",
        "reasons": REASONS,
        "attempts": 2,
        "next_attempt": "2024-03-01T12:00:00+00:00",
        "outcome": "",
        "version": "",
        "why": "OSError: [Errno 28] no space is left",
        "runs": [],
    }
    return told | facts  # type: ignore[return-value]


def test_who_answers_beside_the_champion_is_told_with_the_reason() -> None:
    lines = said(show_status.standing, standing(None))
    place = lines.index("release    90% shop/2, 10% shop/3, shop/1 as a shadow")
    why = "canary since 2013-08-04 04:00, shop/3: no alarm in 1,200 requests at 1 %"
    assert lines[place + 1] == f"           {why}"


def test_a_decision_is_told_with_its_weightiest_reason_and_whether_it_is_provisional() -> None:
    lines = said(show_status.standing, standing(None))
    place = lines.index("decision   recalibrate, after 2024-02, provisional")
    assert lines[place + 1].startswith(" " * 11 + "AUC 0.710") and lines[place + 2].startswith(" " * 11)
    assert "(and 1 more)" in lines[place + 2]
    assert lines[-1] == "retraining none was asked for"


def test_a_retraining_is_told_as_it_stands() -> None:
    lines = said(show_status.standing, standing(asked()))
    (line,) = [line for line in lines if line.startswith("retraining")]
    assert line.startswith(
        "retraining 3, recalibrate after 2024-02: open, 2 attempts, the next from 2024-03-01"
    )
    assert " " * 11 + "OSError: [Errno 28] no space is left" in lines
    done = said(
        show_status.standing, standing(asked(state="done", outcome="refused", version="shop/4", why=""))
    )
    assert done[-1] == "retraining 3, recalibrate after 2024-02: done, shop/4 refused"


def test_alerts_are_told_with_why_they_were_not_sent_and_as_they_are_written() -> None:
    alert: Open = {
        "kind": "batch stopped",
        "subject": "batch [red]2024-03[/]",
        "severity": "critical",
        "title": "batch [red]2024-03[/] stopped",
        "reasons": [],
        "link": "file:///page",
        "since": "2024-03-01T12:00:00+00:00",
        "seen": 4,
        "unsent": {"apprise/night": "apprise/night: the receiver answered 503"},
    }
    text = "\n".join(said(show_status.alerts, [alert]))
    assert "batch [red]2024-03[/] stopped" in text and "critical" in text
    assert "not sent: apprise/night: the receiver answered 503" in text
    assert said(show_status.alerts, []) == ["alerts     none is open"]
