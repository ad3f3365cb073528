"""What `make status` prints of the machine, and of how a project stands."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from flows.machine.facts import Deployed, PartFacts
from flows.show import headed_table
from stages.status import Asked, Decided, Open, Standing

_LEFT = 11


def parts(console: Console, found: Sequence[PartFacts]) -> None:
    """A line a part, or that nothing runs."""
    if not found:
        console.print("machine    not running; `make up` starts it", highlight=False)
        return
    told = headed_table("this machine", "part", "state", "process", "since", "restarts", "address")
    for each in found:
        state = "up" if each["up"] else "[bold red]down[/]"
        since, restarts = _when(each["since"]), str(each["restarts"] or "")
        told.add_row(each["part"], state, str(each["pid"]), since, restarts, each["address"])
    console.print(told)


def deployments(console: Console, found: Sequence[Deployed] | None) -> None:
    """A line a deployment that has a schedule or has run."""
    if found is None:
        console.print("schedules  not running", highlight=False)
        return
    told = headed_table("deployments", "deployment", "schedule", "next run", "last run", "its state")
    for each in found:
        if each["schedules"] or each["last"]:
            told.add_row(*_row(each))
    console.print(told if told.row_count else "schedules  none, and nothing has run")


def _row(found: Deployed) -> tuple[str, ...]:
    last = found["last"]
    state = last["state"] if last else "-"
    told = f"[bold red]{state}[/]" if state in ("Failed", "Crashed", "TimedOut") else state
    at = _when(last["at"] if last else None)
    return found["deployment"], ", ".join(found["schedules"]) or "-", _when(found["next"]), at, told


def standing(console: Console, found: Standing) -> None:
    """The champion, the release, the newest batch of each stage, the last decision and the retraining."""
    champion, newest = found["champion"], found["newest"]
    since = f" ({champion['family']}), since {_when(champion['since'])}" if champion else ""
    console.print(f"champion   {champion['version'] if champion else 'none'}{since}", highlight=False)
    shares = [f"{100 * share:.4g}% {version}" for version, share in found["release"].items()]
    shadows = [f"{version} as a shadow" for version in found["shadows"]]
    console.print(f"release    {', '.join([*shares, *shadows]) or 'none'}", highlight=False)
    if (candidate := found["candidate"]) is not None:
        told = f"{candidate['role']} since {_when(candidate['since'])}, {candidate['why']}"
        console.print(f"           {told}", highlight=False, markup=False)
    told = ", ".join(f"{stage} {batch or 'none'}" for stage, batch in newest.items())
    console.print(f"newest     {told}", highlight=False)
    for head, *below in (_decided(found["decided"]), _asked(found["retraining"])):
        console.print(head, highlight=False, markup=False)
        for each in below:
            console.print(Padding(Text(each), (0, 0, 0, _LEFT)))


def alerts(console: Console, found: Sequence[Open]) -> None:
    """A line an open alert, and why it could not be sent."""
    if not found:
        console.print("alerts     none is open", highlight=False)
        return
    told = headed_table("open alerts", "severity", "since", "seen")
    told.add_column("what", overflow="fold")
    for each in found:
        what = Text(each["title"], style=Style(link=each["link"] or None))
        for why in each["unsent"].values():
            what.append(f"\nnot sent: {why}", Style(color="red"))
        grave = Text(each["severity"], style="bold red" if each["severity"] == "critical" else "")
        told.add_row(grave, _when(each["since"]), str(each["seen"]), what)
    console.print(told)


def _decided(found: Decided | None) -> list[str]:
    if found is None:
        return ["decision   none yet"]
    state = "" if found["final"] else ", provisional"
    return [f"decision   {found['decision']}, after {found['batch']}{state}", *_because(found["reasons"])]


def _asked(found: Asked | None) -> list[str]:
    """The retraining in a line; of one that is not settled with the reasons that it has."""
    if found is None:
        return ["retraining none was asked for"]
    told = f"retraining {found['number']}, {found['action']} after {found['batch']}: {found['state']}"
    if found["outcome"]:
        return [f"{told}, {found['version']} {found['outcome']}"]
    if found["attempts"]:
        told += f", {found['attempts']} attempt{'s' if found['attempts'] > 1 else ''}"
    if found["next_attempt"]:
        told += f", the next from {_when(found['next_attempt'])} on"
    unsettled = found["state"] in ("open", "running")
    why = [found["why"]] if found["why"] else []
    return [told, *why, *(_because(found["reasons"]) if unsettled else [])]


def _because(reasons: Sequence[str]) -> list[str]:
    """The weightiest reason, and how many more there are."""
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return [f"{reasons[0]}{more}"] if reasons else []


def _when(at: str | None) -> str:
    """An instant in the time zone of this machine, to the minute."""
    return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}" if at else "-"
