"""Messages say what people need, within limits, and nothing that comes from data acts in them."""

import re
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts.alerts import Alert
from monitoring.alerts.messages import LIMIT, message, quoted
from tests.monitoring.conftest import AS_OF

HOSTILE = (
    "<!channel> <@U1> @here @everyone &lt;!everyone&gt; <at>all</at> <https://evil.test|free> "
    "[free](https://evil.test) www.evil.test {{token}} {{{token}}} `x` "
    "<script>alert(1)</script> \u202e\x1b[31m"
)


def alert(number: int = 1, **changed: Any) -> Alert:
    facts = {"kind": "batch stopped", "severity": "critical", "title": "batch 2013-03 stopped"}
    facts |= {"text": "too few rows\n12 of 900", "link": "http://ui/runs/flow-run/1", "closed_at": None}
    seen = {"first_seen": AS_OF, "last_seen": AS_OF, "count": 1, "deliveries": ()}
    return Alert(**{"number": number, "project": "shop", "subject": "", **facts, **seen, **changed})


def test_it_says_what_why_when_and_where_to_look() -> None:
    subject, body = message("Shop", [alert()])
    assert subject == "[critical] Shop: batch 2013-03 stopped"
    assert body.splitlines() == [
        "batch 2013-03 stopped (critical)",
        "- too few rows",
        "- 12 of 900",
        "as of 2013-04-01 00:00 UTC",
        "http://ui/runs/flow-run/1",
    ]


def test_it_says_since_when_and_that_it_is_over() -> None:
    later = AS_OF + timedelta(hours=2)
    _, body = message("Shop", [alert(count=3, last_seen=later, closed_at=later)])
    assert "as of 2013-04-01 02:00 UTC, seen 3 times since 2013-04-01 00:00 UTC" in body
    assert "over since 2013-04-01 02:00 UTC" in body


def test_many_are_one_message_the_gravest_first_and_the_rest_counted() -> None:
    many = [
        alert(number, title=f"alert {number}", severity="info", text="x" * 300) for number in range(1, 41)
    ]
    subject, body = message("Shop", [*many, alert(41, title="the worst")])
    assert subject == "[critical] Shop: 41 alerts"
    assert body.startswith("the worst (critical)")
    told = body.count("- x")
    assert body.endswith(f"And {40 - told} more, which `make status` lists while they go on.")
    assert 0 < told < 40


def test_of_very_many_reasons_the_first_are_told() -> None:
    _, body = message("Shop", [alert(text="\n".join(["y" * 390] * 40))])
    assert len(body) <= LIMIT
    assert body.count("yyy\n") > 4
    assert body.splitlines()[-3:] == ["- …", "as of 2013-04-01 00:00 UTC", "http://ui/runs/flow-run/1"]


def test_no_command_of_any_chat_is_left() -> None:
    subject, body = message(HOSTILE, [alert(title=HOSTILE, text=HOSTILE, link="")])
    for text in (subject, body):
        assert not re.search(r"[<>`\x1b\u202e]|@\w|&\w+;|\{\{|://|\]\(|www\.", text)
    assert "alert(1)" in body


@given(st.lists(st.text(max_size=2_000), max_size=40), st.text(max_size=3_000))
def test_any_text_stays_within_the_limit(reasons: list[str], title: str) -> None:
    told = [alert(number, text="\n".join(reasons), title=title) for number in range(1, 4)]
    subject, body = message(title, told)
    assert len(body) <= LIMIT
    assert len(subject) <= 400
    assert "\n" not in subject
    assert message(title, told[:1])[1].endswith("http://ui/runs/flow-run/1")


def test_plain_words_stay_as_they_are() -> None:
    plain = "1 of 9 inputs drifted: dep_delay 0.84 (Århus & Bergen, 5 %)"
    assert quoted(plain) == plain
