"""A champion that does surely worse than the version before it gives way to it, and only such a one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.errors import IntegrityError, PerennialError
from models.registry.versions import Version
from stages.champion.promote import promote
from stages.champion.roll_back import roll_back
from stages.models.train import register, train
from stages.monitoring.earlier import compared
from stages.monitoring.monitor import Judged, judge_batch
from stages.reports.lifecycle import summary
from stages.score import score
from stages.workspace import Workspace
from tests.stages.orders import make_orders

pytestmark = pytest.mark.slow

Crowned = Callable[..., Workspace]


@pytest.fixture
def crowned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crowned:
    """Orders whose good model gave way by hand to another, before March began."""
    monkeypatch.setenv("WANDB_MODE", "disabled")

    def make(second: str, **changes: Any) -> Workspace:
        workspace = make_orders(tmp_path, **changes)
        for family, batch in (("linear", "2013-01"), (second, "2013-02")):
            at = after(workspace, batch)
            (version,) = register(workspace, [train(workspace, family, at)])
            crown(workspace, version, at)
        return workspace

    return make


def after(workspace: Workspace, batch: str) -> datetime:
    return workspace.batch(batch).end + timedelta(days=1)


def crown(workspace: Workspace, version: Version, at: datetime) -> None:
    over = workspace.registry.champion("orders")
    workspace.registry.promote(version, over=over, why="by hand", evidence={}, at=at, by="test")


def judged(workspace: Workspace, batch: str) -> Judged:
    """A batch lived through: scored when it is over, judged when its outcomes are in."""
    score(workspace, workspace.batch(batch), workspace.batch(batch).end)
    found = judge_batch(workspace, workspace.batch(batch), after(workspace, batch))
    assert found is not None
    return found


def test_a_worse_champion_gives_way_to_the_version_before_it(crowned: Crowned) -> None:
    workspace = crowned("constant")
    found = judged(workspace, "2013-03")
    assert (found.version, found.decision, found.asks[0]) == ("orders/2", "roll back", "roll back")
    assert found.reasons[0].startswith("orders/1, the version before, is surely better on the ")
    at = after(workspace, "2013-03")
    assert roll_back(workspace, at).id == "orders/1"
    (change,) = [
        each
        for each in workspace.registry.transitions("orders")
        if each.action == "rollback" and each.after == "champion"
    ]
    assert (change.version, change.at, change.by, change.why) == ("orders/1", at, "monitor", found.reasons[0])
    gain = change.evidence["comparison"]
    assert gain["earlier_gain_low"] > workspace.spec.gate.margin
    assert gain["earlier_gain"] == found.numbers["earlier_gain"]
    told = {each["batch"]: each for each in summary(workspace, at)["batches"]}["2013-03"]
    assert (told["decision"], told["retrained"]) == ("roll back", "orders/1")


def test_asked_again_it_answers_from_the_record(crowned: Crowned) -> None:
    workspace = crowned("constant")
    first, at = judged(workspace, "2013-03"), after(workspace, "2013-03")
    roll_back(workspace, at)
    before = workspace.registry.transitions("orders")
    assert judged(workspace, "2013-03") == first
    assert roll_back(workspace, at).id == "orders/1"
    assert workspace.registry.transitions("orders") == before
    # Judged anew, as after a late delivery, it is decided as it was: the rollback itself changes nothing.
    workspace.ledger.forget("monitor", "2013-03")
    assert judged(workspace, "2013-03").decision == "roll back"


def test_who_was_rolled_back_does_not_come_back(crowned: Crowned) -> None:
    workspace = crowned("constant")
    judged(workspace, "2013-03")
    roll_back(workspace, after(workspace, "2013-03"))
    for batch in ("2013-04", "2013-05"):
        later = judged(workspace, batch)
        assert later.version == "orders/1"
        assert later.decision != "roll back"
        with pytest.raises(PerennialError, match="no version before the champion that can be compared"):
            roll_back(workspace, after(workspace, batch))


def test_an_equal_champion_stays(crowned: Crowned) -> None:
    workspace = crowned("linear")
    found = judged(workspace, "2013-03")
    assert found.decision != "roll back"
    assert any("orders/1, the version before, is not surely better" in reason for reason in found.reasons)
    with pytest.raises(
        PerennialError, match="orders is not rolled back: orders/1, the version before, is not"
    ):
        roll_back(workspace, after(workspace, "2013-03"))


def test_a_better_champion_stays(crowned: Crowned) -> None:
    workspace = crowned("constant")
    crown(workspace, workspace.registry.version("orders/1"), after(workspace, "2013-02") + timedelta(hours=1))
    assert judged(workspace, "2013-03").numbers["earlier_gain"] < 0


def test_all_rows_since_the_release_count(crowned: Crowned) -> None:
    """One month alone is too little; two are enough."""
    workspace = crowned("constant", monitoring={"min_rows": 900, "auc_drop": 1, "loss_rise": 1})
    first, second = judged(workspace, "2013-03"), judged(workspace, "2013-04")
    assert first.decision == "nothing"
    assert any("too little to compare with orders/1" in reason for reason in first.reasons)
    assert second.decision == "roll back"
    assert second.numbers["earlier_rows"] > 900


def test_a_version_whose_file_was_changed_is_no_way_back(crowned: Crowned) -> None:
    workspace = crowned("constant")
    earlier = workspace.registry.version("orders/1")
    path = workspace.registry.file(earlier, f"{earlier.metrics['serves']}.onnx")
    path.chmod(0o644)
    path.write_bytes(b"other")
    found = compared(workspace, after(workspace, "2013-03"))
    assert found is not None and found.call == "watch"
    assert "orders/1, the version before, cannot be compared" in found.reason


def test_evidence_against_another_than_the_champion_rolls_nothing_back(crowned: Crowned) -> None:
    workspace = crowned("constant")
    at = after(workspace, "2013-03")
    (newer,) = register(workspace, [train(workspace, "linear", at)])
    crown(workspace, newer, at + timedelta(hours=1))
    with pytest.raises(
        IntegrityError, match="orders/1 was judged against orders/2, but orders/3 is champion"
    ):
        roll_back(workspace, at)
    champion = workspace.registry.champion("orders")
    assert champion is not None and champion.id == "orders/3"


def test_what_a_version_did_that_serves_no_more_leads_to_nothing(crowned: Crowned) -> None:
    workspace = crowned("constant")
    score(workspace, workspace.batch("2013-03"), workspace.batch("2013-03").end)
    at = workspace.batch("2013-03").end + timedelta(hours=1)
    (newer,) = register(workspace, [train(workspace, "linear", at)])
    promote(workspace, [newer.id], at)
    found = judge_batch(workspace, workspace.batch("2013-03"), after(workspace, "2013-03"))
    assert found is not None
    assert (found.version, found.decision, found.calls) == ("orders/2", "watch", False)
    assert "It no longer serves: nothing is done about it" in found.reasons
