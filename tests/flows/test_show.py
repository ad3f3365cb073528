"""What a person reads in the end: also why there is no champion."""

from pathlib import Path
from typing import cast

from rich.console import Console

from flows.show import lifecycle
from reports.lifecycle.page import Batch, Summary


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


def test_a_decision_is_told_with_what_came_of_it_in_110_columns() -> None:
    cases: list[tuple[str | None, str | None, str | None, str]] = [
        (None, "shop/2", "shop/2", "first → 2"),
        ("recalibrate", "shop/7", "shop/7", "recalibrate → 7"),
        ("retrain stateful", "shop/8", None, "retrain stateful, refused"),
        ("retrain stateless", None, None, "retrain stateless"),
        ("roll back", None, "shop/3", "roll back → 3"),
        ("watch", None, None, "watch"),
    ]
    batches = [
        batch(f"2024-{month:02}")
        | {"decision": decision, "challenger": challenger, "retrained": serves, "champion": "shop/12",
           "received": 1_234_567, "accepted": 1_234_567, "quarantined": 12_345,
           "measures": {"auc": 0.7123, "log_loss": 0.4321, "relative_loss": 0.9123}, "drift": 0.34}
        for month, (decision, challenger, serves, _) in enumerate(cases, 1)
    ]  # fmt: skip
    facts: Summary = {
        "project": "shop",
        "title": "Orders",
        "wall_seconds": 1.0,
        "batches": cast(list[Batch], batches),
        "versions": [],
    }
    console = Console(width=110)
    with console.capture() as said:
        lifecycle(console, facts, Path("index.html"))
    lines = [line.rstrip() for line in said.get().splitlines()]
    for month, (*_, told) in enumerate(cases, 1):
        (line,) = [line for line in lines if line.startswith(f" 2024-{month:02}")]
        assert line.endswith(told)
    assert max(map(len, lines)) <= 110
