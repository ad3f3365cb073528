"""What an alert looks like where people read it: plain text, in which nothing that comes from data acts."""

import re
import unicodedata
from collections.abc import Sequence

from core.operating import SEVERITIES
from monitoring.alerts.alerts import Alert

LIMIT = 2_800
"""Characters of a message: Slack takes 3,000 in a block."""
_REASON = 400
_TITLE = 150
_GAP = "\u200b"  # takes no room, and keeps what it stands in from being read as a command
# Mentions, tags and entities; templates, which a webhook would fill with its secrets; links, code.
_BROKEN = (
    (re.compile("<"), "\u2039"),
    (re.compile(">"), "\u203a"),
    (re.compile(r"&(?=#?\w+;)"), "\uff06"),
    (re.compile("`"), "'"),
    (re.compile("@"), f"@{_GAP}"),
    (re.compile(r"\{(?=\{)"), f"{{{_GAP}"),
    (re.compile("://"), f":{_GAP}//"),
    (re.compile(r"\b(www)\.", re.IGNORECASE), rf"\1{_GAP}."),
    (re.compile(r"\]\("), f"]{_GAP}("),
)


def message(title: str, alerts: Sequence[Alert]) -> tuple[str, str]:
    """The subject and the body that tell of some alerts of the project of this title, the gravest first.

    What does not fit into `LIMIT` characters is counted in the last line.
    """
    ordered = sorted(alerts, key=lambda alert: (-SEVERITIES.index(alert.severity), alert.number))
    worst, name = ordered[0], quoted(title, _TITLE)
    what = quoted(worst.title, _TITLE) if len(ordered) == 1 else f"{len(ordered)} alerts"
    parts, left = list[str](), LIMIT - 60
    for place, alert in enumerate(ordered):
        part = _told(alert, left)
        if place and len(part) > left:
            parts.append(f"And {len(ordered) - place} more, which `make status` lists while they go on.")
            break
        parts.append(part)
        left -= len(part) + 2
    return f"[{worst.severity}] {name}: {what}", "\n\n".join(parts)


def _told(alert: Alert, room: int) -> str:
    """An alert in lines: what, why, since when, and where to look."""
    seen = f"as of {alert.last_seen:%Y-%m-%d %H:%M} UTC"
    if alert.count > 1:
        seen += f", seen {alert.count} times since {alert.first_seen:%Y-%m-%d %H:%M} UTC"
    if alert.closed_at is not None and alert.closed_at != alert.first_seen:
        seen += f", over since {alert.closed_at:%Y-%m-%d %H:%M} UTC"
    first, last = f"{quoted(alert.title, _TITLE)} ({alert.severity})", [seen, alert.link]
    room -= len(first) + len("\n".join(last)) + 2
    reasons = list[str]()
    for reason in alert.text.splitlines():
        line = f"- {quoted(reason, _REASON)}"
        if (room := room - len(line) - 1) < 0:
            reasons.append("- …")
            break
        reasons.append(line)
    return "\n".join([first, *reasons, *filter(None, last)])


def quoted(text: str, limit: int = _REASON) -> str:
    """Text as it can be read by people, and by no chat, template or mail program as anything but text.

    >>> quoted("{{token}} @channel [free](http://there)").replace("\\u200b", "|")
    '{|{token}} @|channel [free]|(http:|//there)'
    """
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    if len(plain) > limit:
        plain = f"{plain[: limit - 1]}…"
    for found, replaced in _BROKEN:
        plain = found.sub(replaced, plain)
    return plain
