"""The facts of a dataset, arranged as its page tells them."""

from collections.abc import Sequence
from typing import Any

from reports.data import dataset_plots
from reports.data.columns import card
from reports.downloads import Drawn, with_data
from reports.pages import NOTHING, count, share
from reports.shown import clean
from reports.sketches import strip

Facts = dict[str, Any]

_COUNTS = ("batch", "accepted", "quarantined")
_PARTS = ("received", "accepted", "quarantined")
SHOWN_BATCHES = 24
SHOWN_COLUMNS = 24
SHOWN_DELIVERIES = 24
_SEVERITIES = ("critical", "warning", "info")
_NAMED, _TOLD = 5, 3
_LEAST_SHARE = 0.0001
_DARK, _DARKEST = 0.001, 0.01
_UNKNOWN: Facts = {"refused": None, "alerts": [], "engine": None, "released": 0, "held": None, "gap": []}


def arranged(facts: Facts) -> Facts:
    """The values of the template `dataset.html`, from `reports.data.dataset.DatasetFacts` of plain JSON."""
    told: Facts = {"refused": [], "deliveries": [], **clean(facts)}
    batches = [_batch(batch) for batch in told["batches"]]
    newest = batches[::-1]
    columns = _columns(told["distributions"])
    engines = {batch["engine"] for batch in batches if batch["engine"]}
    return told | {
        "lede": _lede(batches),
        "facts": _key_facts(told, batches, columns),
        "attention": _attention(told, batches, columns),
        "plot": _plot(batches, told["max_share"]) if batches and told["event_time"] else None,
        "total": {
            part: sum(batch[part] for batch in batches) for part in ("received", "accepted", "quarantined")
        },
        "counted": bool(batches) and all(batch["held"] for batch in batches),
        "balanced": not any(batch["unbalanced"] for batch in batches),
        "batches": newest[:SHOWN_BATCHES],
        "older": newest[SHOWN_BATCHES:],
        "engines": sorted(engines),
        "failing": [_failing(each, batches) for each in _sorted(told["failing"])],
        "columns": columns[:SHOWN_COLUMNS],
        "more_columns": columns[SHOWN_COLUMNS:],
        "deliveries": told["deliveries"][: -SHOWN_DELIVERIES - 1 : -1],
        "older_deliveries": max(0, len(told["deliveries"]) - SHOWN_DELIVERIES),
    }


def _batch(given: Facts) -> Facts:
    batch = _UNKNOWN | given
    parted = batch["accepted"] + batch["quarantined"]
    held = batch["held"]
    unbalanced = ""
    if parted != batch["received"]:
        unbalanced = f"{count(batch['received'])} received, but {count(parted)} accepted or quarantined"
    elif held and (held["accepted"], held["quarantined"]) != (batch["accepted"], batch["quarantined"]):
        unbalanced = (
            f"the lake holds {count(held['accepted'])} accepted and {count(held['quarantined'])} quarantined"
        )
    state = "stopped" if batch["stopped"] else "accepted"
    if batch["refused"]:
        state = "refused"
    return batch | {
        "unbalanced": unbalanced,
        "state": state,
        "share": _share(batch["quarantined"], batch["received"]),
    }


def _share(part: int, rows: int) -> str:
    """A share that is not told as nothing while it is something."""
    if not part or not rows:
        return "0%" if rows else NOTHING
    return share(part / rows, 2).replace(".00%", "%") if part / rows >= _LEAST_SHARE else "<0.01%"


def _lede(batches: Sequence[Facts]) -> str:
    if not batches:
        return "Nothing has been ingested yet."
    received, accepted, quarantined = (count(sum(batch[part] for batch in batches)) for part in _PARTS)
    return f"{received} rows were received: {accepted} accepted, {quarantined} quarantined."


def _key_facts(facts: Facts, batches: Sequence[Facts], columns: Sequence[Facts]) -> list[dict[str, str]]:
    received = sum(batch["received"] for batch in batches)
    quarantined = sum(batch["quarantined"] for batch in batches)
    stopped = sum(batch["stopped"] is not None for batch in batches)
    newest = batches[-1] if batches else {"batch": "none", "state": ""}
    severities = [each["severity"] for each in facts["failing"]]
    failing = ", ".join(f"{severities.count(name)} {name}" for name in _SEVERITIES if name in severities)
    moved = sum(column["moved"] for column in columns)
    against = facts["distributions"]["reference"] if facts["distributions"] else None
    told = [
        ("Newest batch", newest["batch"], newest["state"]),
        ("Batches", count(len(batches)), f"{stopped or 'none'} stopped"),
        ("Received", count(received), "rows"),
        ("Quarantined", count(quarantined), f"{_share(quarantined, received)} of rows" if received else ""),
        (
            "Failing",
            count(len(severities)),
            failing or ("every expectation holds" if batches else "nothing judged yet"),
        ),
    ]
    if against:
        told.append(("Moved columns", f"{moved} of {len(columns)}", f"against {against}"))
    return [{"name": name, "value": value, "detail": detail} for name, value, detail in told]


def _attention(facts: Facts, batches: Sequence[Facts], columns: Sequence[Facts]) -> list[dict[str, str]]:
    """What a person should look at, the gravest first."""
    told = [("lost", f"Batch {each['batch']}", each["unbalanced"]) for each in batches if each["unbalanced"]]
    told += _newest("refused", batches, "refused")
    told += [("refused", each["name"], each["why"]) for each in facts["refused"][:_NAMED]]
    told += _newest("stopped", batches, "stopped")
    if batches:
        told += [("alert", f"Batch {batches[-1]['batch']}", alert) for alert in batches[-1]["alerts"]]
    missing = [name for batch in batches for name in batch["gap"]]
    if missing:
        several = f"{count(len(missing))} batches were" if len(missing) > 1 else "a batch was"
        told.append(
            ("missing", "Gap", f"Between the first and the last {several} not ingested: {_named(missing)}")
        )
    moved = [column["column"] for column in columns if column["moved"]]
    if moved:
        batch, against = facts["distributions"]["batch"], facts["distributions"]["reference"]
        told.append(("moved", "Distribution", f"{_named(moved)} in batch {batch} against {against}"))
    return [{"state": state, "subject": subject, "text": text} for state, subject, text in told]


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _newest(state: str, batches: Sequence[Facts], fact: str) -> list[tuple[str, str, str]]:
    found = [(state, f"Batch {batch['batch']}", batch[fact]) for batch in reversed(batches) if batch[fact]]
    more = [(state, f"{len(found) - _TOLD} more", "see the table below")] if len(found) > _TOLD else []
    return found[:_TOLD] + more


def _plot(known: Sequence[Facts], max_share: float) -> Drawn:
    """The plot of the batches; those that are missing leave a gap, unless there would be little else."""
    some = sum(len(batch["gap"]) for batch in known) <= len(known)
    batches = [each for batch in known for each in (*(_missing(batch) if some else ()), batch)]
    names, accepted, quarantined = ([batch[part] for batch in batches] for part in _COUNTS)
    stopped, refused = ([batch[state] is not None for batch in batches] for state in ("stopped", "refused"))
    drawn = dataset_plots.batches(names, accepted, quarantined, stopped, refused, max_share)
    columns = {"batch": names, "accepted": accepted, "quarantined": quarantined}
    return with_data(drawn, "batches", {**columns, "stopped": stopped, "refused": refused})


def _missing(batch: Facts) -> list[Facts]:
    nothing: Facts = {"received": 0, "accepted": 0, "quarantined": 0, "stopped": None, "refused": None}
    return [nothing | {"batch": name} for name in batch["gap"]]


def _sorted(failing: Sequence[Facts]) -> list[Facts]:
    """The gravest first, then what most rows fail, then what most batches fail."""

    def weight(each: Facts) -> tuple[int, int, int]:
        return _SEVERITIES.index(each["severity"]), -sum(each["batches"].values()), -len(each["batches"])

    return sorted(failing, key=weight)


def _failing(each: Facts, batches: Sequence[Facts]) -> Facts:
    failed = each["batches"]
    said = f"failed in {len(failed)} of {len(batches)} batches"
    depths = [_depth(failed.get(batch["batch"]), batch["received"]) for batch in batches]
    return each | {
        "rows": sum(failed.values()),
        "newest": list(failed)[-1] if failed else "",
        "in": f"{count(len(failed))} of {count(len(batches))}",
        "strip": strip(depths, said) if len(depths) > 1 else "",
    }


def _depth(rows: int | None, received: int) -> int:
    if rows is None:
        return 0
    part = rows / received if rows and received else 1.0
    return 1 if part < _DARK else 2 if part < _DARKEST else 3


def _columns(distributions: Facts | None) -> list[Facts]:
    """A card a column, those that have moved most first."""
    if distributions is None:
        return []
    cards = [card(column, distributions["threshold"]) for column in distributions["columns"]]
    return sorted(cards, key=lambda each: -(each["psi"] if each["psi"] is not None else -1.0))
