"""What `make status` prints of the machine, and of how a project stands."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console

from flows.machine.facts import Deployed, PartFacts
from flows.show import headed_table
from stages.status import Standing


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
    """The champion, the release, and the newest batch of each stage."""
    champion, newest = found["champion"], found["newest"]
    since = f" ({champion['family']}), since {_when(champion['since'])}" if champion else ""
    console.print(f"champion   {champion['version'] if champion else 'none'}{since}", highlight=False)
    shares = ", ".join(f"{share:.0%} {version}" for version, share in found["release"].items())
    console.print(f"release    {shares or 'none'}", highlight=False)
    told = ", ".join(f"{stage} {batch or 'none'}" for stage, batch in newest.items())
    console.print(f"newest     {told}", highlight=False)


def _when(at: str | None) -> str:
    """An instant in the time zone of this machine, to the minute."""
    return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}" if at else "-"
