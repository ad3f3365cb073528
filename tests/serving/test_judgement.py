"""The last judgement, as a worker finds it on the ledger."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.ledger import Ledger
from serving import judgement
from serving.judgement import LastJudgement

AT = datetime(2013, 6, 1, tzinfo=UTC)


def judged(batch: str, **facts: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "batch": batch,
        "version": "shop/1",
        "as_of": AT.isoformat(),
        "final": True,
        "decision": "watch",
        "reasons": ["1 of 2 inputs drifted"],
        "drifted": ["rain"],
        "drift": {"rain": 0.4, "load": None},
        "prediction_drift": 0.1,
        "blocks": [],  # and what else a judgement holds
    }
    return told | facts


def test_the_newest_batch_counts_and_a_lost_ledger_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement, "EVERY", 0)
    path = tmp_path / "registry.db"
    ledger, last = Ledger(f"sqlite:///{path}", "shop"), LastJudgement(f"sqlite:///{path}", "shop")
    assert not last.look() and last.newest is None and last.drift == {}
    for batch in ("2013-05", "2013-04"):
        ledger.record("monitor", batch, "", judged(batch), AT)
    ledger.record("score", "2013-06", "", {}, AT)
    assert last.look() and last.newest is not None and last.newest.batch == "2013-05"
    assert last.drift == {"rain": 0.4, "load": None}
    assert not last.look()
    ledger.record("monitor", "2013-05", "", judged("2013-05", decision="nothing"), AT)
    assert last.look() and last.newest.decision == "nothing"
    path.write_bytes(b"no database any more" * 1_000)
    assert not last.look() and last.newest.decision == "nothing"


def test_the_ledger_is_not_asked_again_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    last = LastJudgement(url, "shop")
    last.look()
    Ledger(url, "shop").record("monitor", "2013-05", "", judged("2013-05"), AT)
    assert not last.look()
