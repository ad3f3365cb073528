"""The page of all data of a project: what came in, what was set aside, which expectations failed."""

from collections.abc import Sequence

from reports.lifecycle.batches import Facts
from reports.lifecycle.drawn import rows_plot
from reports.pages import count, share
from reports.shown import clean

_SEVERITIES = ("critical", "warning", "info")
_PARTS = ("received", "accepted", "quarantined")


def arranged(history: Facts, datasets: Sequence[Facts]) -> Facts:
    """The values of the template `data.html`: of a `reports.lifecycle.page.Summary` and of each dataset."""
    shown = [_dataset(each) for each in clean(list(datasets))]
    failing = [{**fault, "dataset": each["dataset"]} for each in shown for fault in each["failing"]]
    total = {part: sum(each[part] for each in shown) for part in _PARTS}
    return {
        "datasets": shown,
        "total": total,
        "rows": rows_plot(history["batches"]) if history["batches"] else None,
        "failing": sorted(failing, key=lambda each: (_SEVERITIES.index(each["severity"]), -each["rows"])),
        "quarantine": _quarantine(history["batches"]),
        "facts": _key_facts(shown, total, failing),
    }


def _dataset(given: Facts) -> Facts:
    batches = given["batches"]
    newest = batches[-1] if batches else None
    stopped = [batch["batch"] for batch in batches if batch["stopped"] or batch.get("refused")]
    return {
        "dataset": given["dataset"],
        "source": given["source"],
        "newest": newest["batch"] if newest else None,
        "batches": len(batches),
        "stopped": stopped,
        "missing": sum(len(batch.get("gap", ())) for batch in batches),
        **{part: sum(batch[part] for batch in batches) for part in _PARTS},
        "failing": [
            {**each, "rows": sum(each["batches"].values()), "newest": list(each["batches"])[-1]}
            for each in given["failing"]
        ],
    }


def _key_facts(datasets: Sequence[Facts], total: Facts, failing: Sequence[Facts]) -> list[dict[str, str]]:
    severities = [each["severity"] for each in failing]
    named = ", ".join(f"{severities.count(name)} {name}" for name in _SEVERITIES if name in severities)
    stopped = sum(len(each["stopped"]) for each in datasets)
    told = [
        ("Datasets", count(len(datasets)), f"{sum(each['batches'] for each in datasets)} batches"),
        ("Received", count(total["received"]), "rows"),
        ("Accepted", count(total["accepted"]), "rows"),
        (
            "Quarantined",
            count(total["quarantined"]),
            f"{share(total['quarantined'] / max(total['received'], 1), 3)} of rows",
        ),
        ("Stopped", count(stopped), "batches"),
        ("Failing", count(len(failing)), named or "every expectation holds"),
    ]
    return [{"name": name, "value": value, "detail": detail} for name, value, detail in told]


def _quarantine(batches: Sequence[Facts]) -> list[Facts]:
    """Each reason with its rows and the batches where it was given, the most frequent first."""
    reasons: dict[str, dict[str, int]] = {}
    for batch in batches:
        for reason, rows in batch.get("quarantine_reasons", {}).items():
            reasons.setdefault(reason, {})[batch["batch"]] = rows
    told = [
        {
            "reason": reason,
            "rows": sum(found.values()),
            "batches": ", ".join(f"{batch} ({count(rows)})" for batch, rows in found.items()),
        }
        for reason, found in reasons.items()
    ]
    return sorted(told, key=lambda item: -item["rows"])
