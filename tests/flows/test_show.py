"""What a person reads in the end: also why there is no champion."""

from pathlib import Path

from rich.console import Console

from flows.show import lifecycle
from reports.lifecycle import Batch, Summary


def batch(name: str, *reasons: str) -> Batch:
    return {
        "batch": name,
        "received": 100,
        "accepted": 100,
        "quarantined": 0,
        "champion": None,
        "auc": None,
        "log_loss": None,
        "drift": None,
        "decision": None,
        "reasons": reasons,
    }


def test_a_life_without_a_champion_ends_with_the_newest_reason() -> None:
    why = "shop/2 refused: evidence: 90 rows in 3 blocks of time, at least 7"
    facts: Summary = {
        "project": "shop",
        "title": "Orders",
        "wall_seconds": 1.0,
        "batches": [batch("2024-01", "shop/1 refused: earlier"), batch("2024-02", why), batch("2024-03")],
        "versions": [],
        "report": "index.html",
    }
    console = Console(width=110)
    with console.capture() as said:
        lifecycle(console, facts, Path("index.html"))
    assert f"champion   none, of 0 versions\n           {why}\n" in said.get()
    assert "earlier" not in said.get()
