"""The facts of a replay, arranged as its page tells them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from reports.downloads import Drawn, with_data
from reports.headlines import name_of
from reports.pages import NOTHING, count, measure, share
from reports.replay import plots
from reports.replay.plots import NEVER, ORACLE, Look

Facts = dict[str, Any]
ALARMS = ("true", "false", "missed")
_ENDS = ("value", "low", "high")


def arranged(facts: Facts) -> Facts:
    """The values of the template `replay.html`, from a `reports.replay.page.Replay` of plain JSON.

    The policies come in the order of what they are worth, or of what they gain; bounds last.
    """
    facts = facts | {name: name_of(facts[name]) for name in ("loss_name", "headline_name")}
    policies = ranked(facts)
    chosen, present = facts["recommended"]["policy"], facts["present"]
    numbered = [{**each, "number": place} for place, each in enumerate(policies, start=1)]
    told = [{**each, "look": _look(each, chosen, present)} for each in numbered]
    return facts | {
        "policies": told,
        "question": facts.get("question", ""),
        "facts": _key_facts(facts, told),
        "has_value": any(each["net_value"] for each in told),
        "alarms": [_alarms(each) for each in told if each["look"] in (Look.CHOSEN, Look.PRESENT)],
        "plots": {
            "gains": _gains(facts, told),
            "regret": _regret(facts, told),
            "frontier": _frontier(facts, told),
        },
        "chosen": next((each for each in told if each["name"] == chosen), None),
    }


def ranked(facts: Mapping[str, Any]) -> list[Facts]:
    """Policies by what they are worth, or else by what they gain: the most first, the bounds last.

    Of equals the one comes first that trained least, then the present one, as it is recommended.
    """

    def place(policy: Facts) -> tuple[bool, bool, float, float, bool]:
        found = (policy["net_value"] or {}).get("value")
        found = policy["against_never"]["value"] if found is None else found
        trained, other = policy["training_seconds"] or 0.0, policy["name"] != facts["present"]
        return policy["bound"], found is None, -(found or 0.0), trained, other

    return sorted(facts["policies"], key=place)


def _look(policy: Facts, chosen: str, present: str | None) -> Look:
    name = policy["name"]
    if name == chosen:
        return Look.CHOSEN
    if name == present:
        return Look.PRESENT
    if policy["bound"]:
        return Look.ORACLE if ORACLE in name.lower() else Look.NEVER
    return Look.NEVER if name.lower() == NEVER else Look.OTHER


def _key_facts(facts: Facts, policies: Sequence[Facts]) -> list[dict[str, str]]:
    best, margin = facts["recommended"], facts["recommended"]["margin"]
    number = count if facts["costs"]["errors"] else partial(measure, digits=4)
    within = f"against {best['against']}"
    if margin["low"] is not None:
        within += f", {number(margin['low'])} to {number(margin['high'])}"
    real = [each for each in policies if not each["bound"]]
    chosen = next((each for each in policies if each["name"] == best["policy"]), None)
    told = [
        ("Worth more", number(margin["value"]), within),
        (
            "Sure",
            share(best["sure"], 0),
            f"of draws of days; first of all in {share(best['best_of_all'], 0)}",
        ),
        ("Policies", count(len(real)), f"over {len(facts['batches'])} batches, {count(facts['rows'])} rows"),
        (
            "Retrainings",
            count(chosen["retrainings"]) if chosen else NOTHING,
            f"{chosen['promoted']} promoted, {chosen['refused']} refused" if chosen else "",
        ),
        (
            "Training",
            f"{count(chosen['training_seconds'])} s" if chosen else NOTHING,
            "of that policy",
        ),
        ("Wall time", f"{count(facts['wall_seconds'])} s", "of the replay"),
    ]
    return [{"name": name, "value": value, "detail": detail} for name, value, detail in told]


def _alarms(policy: Facts) -> Facts:
    """The batches after which a policy called for a retraining, rightly or not, and where it failed to."""
    found = {kind: [each["batch"] for each in policy["batches"] if each["alarm"] == kind] for kind in ALARMS}
    return {"policy": policy["name"], "look": policy["look"], "batches": found}


def _gains(facts: Facts, policies: Sequence[Facts]) -> Drawn | None:
    """What each policy gains on never retraining, batch by batch."""
    batches = facts["batches"]
    points = [{each["batch"]: each for each in policy["batches"]} for policy in policies]
    lines = [[(of.get(batch) or {}).get("against_never") or {} for batch in batches] for of in points]
    if not any(point.get("value") is not None for line in lines for point in line):
        return None
    columns: dict[str, list[Any]] = {name: [] for name in ("policy", "batch", *_ENDS, "decision", "answer")}
    for policy, line, of in zip(policies, lines, points, strict=True):
        for batch, point in zip(batches, line, strict=True):
            columns["policy"].append(policy["name"])
            columns["batch"].append(batch)
            for end in _ENDS:
                columns[end].append(point.get(end))
            for what in ("decision", "answer"):
                columns[what].append((of.get(batch) or {}).get(what))
    retrained = [[(of.get(batch) or {}).get("answer") == "promoted" for batch in batches] for of in points]
    drawn = plots.gains(facts["loss_name"], batches, policies, lines, retrained)
    return with_data(drawn, "gains", columns)


def _regret(facts: Facts, policies: Sequence[Facts]) -> Drawn | None:
    known = [each for each in policies if each["regret"]["value"] is not None]
    if not known:
        return None
    ranked = sorted(known, key=lambda each: each["regret"]["value"])
    columns = {"policy": [each["name"] for each in ranked], **_ends(each["regret"] for each in ranked)}
    return with_data(plots.regret(facts["loss_name"], ranked), "regret", columns)


def _frontier(facts: Facts, policies: Sequence[Facts]) -> Drawn | None:
    """Quality against what training costs, and the policies that no other beats in both."""
    known = [
        each
        for each in policies
        if each["against_never"]["value"] is not None and each["training_seconds"] is not None
    ]
    if not known:
        return None
    best = frontier(known)
    columns = {
        "number": [each["number"] for each in known],
        "policy": [each["name"] for each in known],
        "training_seconds": [each["training_seconds"] for each in known],
        **_ends(each["against_never"] for each in known),
        "on the frontier": [each["name"] in best for each in known],
    }
    return with_data(plots.frontier(facts["loss_name"], known, best), "frontier", columns)


def frontier(policies: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the policies that no other beats at the same cost or less, the cheapest first.

    >>> told = [("a", 0, 0.0), ("b", 9, 0.2), ("c", 8, 0.3)]
    >>> fact = {"bound": False}
    >>> frontier([fact | {"name": name, "training_seconds": seconds, "against_never": {"value": gain}}
    ...           for name, seconds, gain in told])
    ['a', 'c']
    """
    real = [each for each in policies if not each["bound"]]
    ranked = sorted(real, key=lambda each: (each["training_seconds"], -each["against_never"]["value"]))
    found: list[str] = []
    most = float("-inf")
    for each in ranked:
        if each["against_never"]["value"] > most:
            most = each["against_never"]["value"]
            found.append(each["name"])
    return found


def _ends(intervals: Any) -> dict[str, list[float | None]]:
    found = list(intervals)
    return {end: [each[end] for each in found] for end in _ENDS}
