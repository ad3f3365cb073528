"""The first page of a site: who is champion, whether all is well, and how each measure has moved."""

from collections.abc import Callable, Sequence

from reports.downloads import with_data
from reports.headlines import headlines_of, name_of
from reports.lifecycle.batches import Facts, ids_of, of, scored_of, short, told_batch
from reports.lifecycle.drawn import events_of
from reports.pages import NOTHING, SITE, count, instant, measure, share
from reports.sketches import spark

DECISIONS = 6
_SYMBOLS = {"good": "✓", "watch": "◐", "act": "■", "unknown": "○"}


def arranged(site: Facts, history: Facts, datasets: Sequence[Facts], replay: Facts | None) -> Facts:
    """The values of the template `overview.html`, from the facts of `reports.site` as plain JSON."""
    headlines = headlines_of(history)
    batches = [told_batch(batch, headlines) for batch in history["batches"]]
    decided = [batch for batch in batches if batch["decision"] or batch["outcome"]]
    return {
        "business": site["business"],
        "facts": _key_facts(site, history, batches),
        "health": _health(site, datasets, batches, replay),
        "sparks": _sparks(history, batches, headlines),
        "decided": decided[: -DECISIONS - 1 : -1],
        "alerts": site["alerts"],
    }


def _key_facts(site: Facts, history: Facts, batches: Sequence[Facts]) -> list[dict[str, str]]:
    reign = next((each for each in site["reigns"] if each["until"] is None), None)
    families = {each["version"]: each["family"] for each in history["versions"]}
    scored = scored_of(batches)
    received, quarantined = sum(of(batches, "received")), sum(of(batches, "quarantined"))
    stopped = of(batches, "status").count("stopped")
    last = next((batch for batch in reversed(scored) if batch["score"] is not None), None)
    interval = (last or {}).get("score_interval") or (None, None)
    within = f", {measure(interval[0])} to {measure(interval[1])}" if None not in interval else ""
    crowned = instant(reign["since"]) if reign else ""
    told = [
        ("Champion", short(reign["version"]) if reign else "none",
         f"{families.get(reign['version'], '')} since {crowned}" if reign else "nothing serves yet"),
        (f"Newest {name_of(headlines_of(history)[0])}", measure(last["score"]) if last else NOTHING,
         f"{last['batch']}{within}" if last else "no batch has its outcomes in"),
        ("Batches", count(len(batches)), f"{len(scored)} scored, {stopped or 'none'} stopped"),
        ("Rows received", count(received), f"{count(quarantined)} quarantined"),
        ("Versions", count(len(history["versions"])), f"{len(site['reigns'])} times a new champion"),
    ]  # fmt: skip
    return [{"name": name, "value": value, "detail": detail} for name, value, detail in told]


def _health(
    site: Facts, datasets: Sequence[Facts], batches: Sequence[Facts], replay: Facts | None
) -> list[dict[str, str]]:
    """What is well and what is not: a line each, with the page that says more."""
    told = [
        ("Data", *_of_data(datasets), "Data"),
        ("Model", *_of_model(batches), "History"),
        ("Retraining", *_of_retraining(batches), "History"),
        ("Alerts", *_of_alerts(site["alerts"]), "Monitoring"),
    ]
    if replay:
        told.append(("Policy", *_of_policy(replay), "Replay"))
    return [
        {"subject": subject, "state": state, "symbol": _SYMBOLS[state], "text": text, "link": SITE[page]}
        for subject, state, text, page in told
    ]


def _of_data(datasets: Sequence[Facts]) -> tuple[str, str]:
    newest = {each["dataset"]: each["batches"][-1] for each in datasets if each["batches"]}
    if not newest:
        return "unknown", "Nothing has been ingested yet."
    stopped = [name for name, batch in newest.items() if batch["stopped"] or batch.get("refused")]
    told = [name for name, batch in newest.items() if batch.get("alerts")]
    if stopped:
        return "act", f"The newest batch of {', '.join(stopped)} was stopped or could not be read."
    if told:
        return "watch", f"The newest batch of {', '.join(told)} raised an alert."
    return "good", f"The newest batch of each of {len(newest)} datasets was accepted."


def _of_model(batches: Sequence[Facts]) -> tuple[str, str]:
    last = next((batch for batch in reversed(batches) if batch["decision"]), None)
    if last is None:
        return "unknown", "Nothing was decided yet."
    state = {"nothing": "good", "watch": "watch"}.get(last["decision"], "act")
    outcome = f": {last['outcome']}" if last["outcome"] else ""
    reason = f". {last['reasons'][0]}" if last["reasons"] else ""
    return (
        "watch" if state == "act" and (last["retrained"] or last["challenger"]) else state,
        f"After {last['batch']}, {last['decision']}{outcome}{reason}.",
    )


def _of_retraining(batches: Sequence[Facts]) -> tuple[str, str]:
    asked = [(batch["batch"], batch["request"]) for batch in batches if batch["request"]]
    if not asked:
        return "unknown", "None was asked for yet."
    batch, last = asked[-1]
    state = {"failed": "act", "open": "watch", "running": "watch"}.get(last["state"], "good")
    why = f": {last['why']}" if last["why"] else ""
    return state, f"Number {last['number']}, asked for after {batch}, is {last['state']}{why}."


def _of_alerts(alerts: Sequence[Facts]) -> tuple[str, str]:
    if not alerts:
        return "good", "None is open."
    critical = any(each["severity"] == "critical" for each in alerts)
    titles = "; ".join(each["title"] for each in alerts[:2]) + ("; …" if len(alerts) > 2 else "")
    return "act" if critical else "watch", f"{len(alerts)} open: {titles}."


def _of_policy(replay: Facts) -> tuple[str, str]:
    best, present = replay["recommended"]["policy"], replay["present"]
    if best == present:
        return "good", f"The replay recommends what the spec has: “{best}”."
    return "watch", f"The replay recommends “{best}”" + (f", not “{present}”." if present else ".")


def _sparks(history: Facts, batches: Sequence[Facts], headlines: tuple[str, str]) -> list[Facts]:
    """A line a measure: its values by batch, the newest and the range in words."""
    scored = scored_of(batches)
    relative = history.get("relative_loss_name", name_of("relative_loss"))
    lines = [
        (name_of(headlines[0]), scored, "score", headlines[0], measure),
        (name_of(headlines[1]), scored, "second", headlines[1], measure),
        (relative, scored, "relative", "relative_loss", measure),
        ("calibration error", scored, "calibration_error", "calibration_error", measure),
        ("importance that drifted", scored, "drift", "", lambda value: share(value, 0)),
        ("prediction drift", scored, "prediction_drift", "", measure),
        ("rows received", batches, "received", "", count),
        ("rows quarantined", batches, "quarantined", "", count),
    ]
    return [
        _spark(name, over, fact, interval, told)
        for name, over, fact, interval, told in lines
        if any(value is not None for value in of(over, fact))
    ]


def _spark(
    name: str, over: Sequence[Facts], fact: str, interval: str, told: Callable[[float | None], str]
) -> Facts:
    values = of(over, fact)
    known = [value for value in values if value is not None]
    pairs = [batch["intervals"].get(interval) or (None, None) for batch in over]
    releases = [event.after for event in events_of(over, 0) if event.released]
    drawn = spark(values, pairs, releases, f"{name} by batch, from {over[0]['batch']} to {over[-1]['batch']}")
    columns = {"batch": ids_of(over), name: values}
    if any(None not in pair for pair in pairs):
        columns |= {"low": [low for low, _ in pairs], "high": [high for _, high in pairs]}
    return {
        "name": name,
        "last": told(known[-1]),
        "range": f"{told(min(known))} to {told(max(known))}",
        "plot": with_data(drawn, name.replace(" ", "-"), columns),
    }
