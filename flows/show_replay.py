"""What came of a replay, on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from reports.headlines import name_of
from reports.replay.facts import ranked

Facts = Mapping[str, Any]


def replay(console: Console, facts: Facts) -> None:
    """A line a policy, the one that was worth most first; then what to use, and what was found."""
    if question := facts.get("question"):
        console.print(f"What if: {question}", highlight=False, markup=False)
    console.print(_table(facts))
    found = facts["recommended"]
    console.print(f"Use [bold]{found['policy']}[/bold]", highlight=False)
    if found["policy"] != found["against"]:
        console.print(f"  {_margin(facts)}", highlight=False)
    console.print(f"  the most of all policies in {found['best_of_all']:.0%} of the draws", highlight=False)
    for each in facts["break_even"]:
        told = f"at {each['at']:,.2f} for an hour of training {each['policy']!r} would be worth as much"
        console.print(f"  {told}", highlight=False)
    for sentence in facts["findings"]:
        console.print(f"- {sentence}", highlight=False)
    console.print(f"report: {facts['report']}", highlight=False)


def _margin(facts: Facts) -> str:
    """How much more the recommended policy is worth, and how sure that is."""
    found, in_costs = facts["recommended"], bool(facts["costs"]["errors"])
    margin = found["margin"]
    if (margin["low"], margin["high"]) == (0, 0):
        return f"worth as much as {found['against']!r}, and trains less"
    unit = "in the spec's costs" if in_costs else f"of {name_of(facts['loss_name'])}"
    told = f"worth {_interval(margin, 0 if in_costs else 4)} {unit} more than {found['against']!r}"
    return f"{told}; no less in {found['sure']:.0%} of all draws of days"


def _table(facts: Facts) -> Table:
    """A line a policy; a column that says nothing is left out."""
    rows = [_row(each) for each in ranked(facts)]
    told = [column for column in rows[0] if any(row[column] for row in rows)]
    means = "gain and regret by row, ± is of 95% intervals; refused by the gate"
    table = Table(
        title=f"{facts['title']}: {len(facts['batches'])} batches, {facts['rows']:,} rows",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption=f"{means}; alarms: false/missed" if "alarms" in told else means,
        caption_justify="left",
    )
    for column in told:
        table.add_column(column, justify="left" if column == "policy" else "right")
    for row in rows:
        table.add_row(*(row[column] for column in told))
    return table


def _row(policy: Facts) -> Mapping[str, str]:
    """What is told of a policy, by column."""
    is_policy, value = policy["settings"] != {}, policy["net_value"]
    return {
        "policy": policy["name"],
        "gain on never": _give_or_take(policy["against_never"]),
        "regret": f"{policy['regret']['value']:.4f}",
        "refused": f"{policy['refused']} of {policy['retrainings']}" if policy["retrainings"] else "",
        "training": _seconds(policy["training_seconds"]) if is_policy else "",
        "alarms": _alarms(policy) if is_policy else "",
        "net value": f"{value['value']:+,.0f}" if value else "",
    }


def _seconds(value: float) -> str:
    return f"{value:,.{1 if value < 10 else 0}f} s"


def _alarms(policy: Facts) -> str:
    """False and missed alarms; nothing where they are not known."""
    return "" if policy["false_alarms"] is None else f"{policy['false_alarms']}/{policy['missed_alarms']}"


def _give_or_take(found: Facts) -> str:
    """A value and how far its interval reaches to either side."""
    value, low = found["value"], found["low"]
    return f"{value:+.4f}" + ("" if low is None else f" ±{value - low:.4f}")


def _interval(found: Facts, digits: int) -> str:
    value, low, high = (found[name] for name in ("value", "low", "high"))
    if low is None or high is None:
        return f"{value:+,.{digits}f}"
    return f"{value:+,.{digits}f} ({low:+,.{digits}f} to {high:+,.{digits}f})"
