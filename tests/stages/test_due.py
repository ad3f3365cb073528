"""What is due, and in what order: batches in their turn, nothing beyond what is awaited."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from core.errors import UnfitError
from core.settings import Settings
from models.gate.judge import GateReport
from models.registry.versions import Lineage, Version
from monitoring.actions import Action
from monitoring.retraining.records import asks, requests
from stages import score
from stages.champion.retraining import ask, claimed, fail, requests_of, settle, waiting
from stages.due import due, unripe
from stages.events import Event
from stages.monitoring import monitor
from stages.monitoring.monitor import Judged
from stages.score import Scored
from stages.workspace import Workspace, open_workspace

END = datetime(2013, 9, 1, tzinfo=UTC)
MATURITY = timedelta(days=2)


@pytest.fixture
def workspace(make_project: Callable[..., Settings]) -> Workspace:
    """February to August, of which nothing was ingested yet; two batches make a first training."""

    def edit(document: dict[str, Any]) -> None:
        document["training"] = {"first_batches": 2}
        document["monitoring"] = {"retraining": {"attempts": 3, "back_off": "1h"}}

    workspace = open_workspace("flights", make_project(range(2, 8), share=5000, edit=edit))
    for batch in workspace.spec.batches.calendar().batches():
        build(workspace, batch.id)
    return workspace


def build(workspace: Workspace, batch: str, content: str = "rows") -> None:
    workspace.ledger.record("features", batch, content, {"content": f"{content} of {batch}"}, END)


def crown(workspace: Workspace, folder: Path, at: datetime, content: str = "a") -> Version:
    (folder / "float32.onnx").write_text(content)
    known = Lineage({}, (), at, "", "", {}, 1, at)
    made = workspace.registry.register("flights", "linear", folder, {}, known)
    there = workspace.registry.champion("flights")
    gate = GateReport(made.id, str(there) if there else None, 1, 1, True, ())
    workspace.registry.promote(made, over=there, why="", evidence={"gate": gate}, at=at, by="tests")
    return made


def do(workspace: Workspace, event: Event, decision: str = "nothing") -> None:
    """What the flows do, but for the models: a record of the batch's score or judgement."""
    instant, happens, batch = event
    if happens == "score":
        release = workspace.serving(batch.end)
        assert release
        made_from = score.made_from_of(workspace, batch, release)
        scored = Scored(batch.id, release.champion, 100, made_from)
        workspace.ledger.record("score", batch.id, made_from, asdict(scored), instant)
        return
    judged = None
    if there := workspace.ledger.result("score", batch.id):
        made_from = monitor.made_from_of(workspace, batch, instant)
        judged = Judged(
            batch=batch.id,
            version=there["version"],
            scored=100,
            labelled=100,
            measures={},
            intervals={},
            calibration=[],
            baseline={},
            drift={},
            drifted=[],
            prediction_drift=0.0,
            decision=cast(Action, decision),
            reasons=["why"],
            calls=False,
            numbers={},
            fingerprint=made_from,
            asks=["watch"],
            as_of=instant.isoformat(),
            final=True,
            blocks=[],
            estimates={},
        )
        workspace.ledger.record("monitor", batch.id, made_from, asdict(judged), instant)
    ask(workspace, batch, instant, judged)


def told(event: Event) -> tuple[str, str]:
    return event[1], event[2].id


def live(workspace: Workspace, as_of: datetime = END, decisions: dict[str, str] | None = None) -> list[Any]:
    """Do all that is due, but answer no request."""
    seen = []
    for event in due(workspace, as_of):
        seen.append(told(event))
        do(workspace, event, (decisions or {}).get(event[2].id, "nothing"))
    return seen


def test_without_a_champion_the_first_training_is_asked_for_once_there_are_batches_enough(
    workspace: Workspace,
) -> None:
    assert live(workspace) == [("monitor", "2013-03")]
    (request,) = requests_of(workspace).all()
    assert (request.batch, request.state, request.action) == ("2013-03", "open", "retrain stateless")
    assert request.as_of == workspace.batch("2013-03").end + MATURITY
    assert live(workspace) == []


def test_batches_are_scored_and_judged_in_their_turn(workspace: Workspace, tmp_path: Path) -> None:
    crown(workspace, tmp_path, workspace.batch("2013-03").end + MATURITY)
    # February and March were over before there was a champion: nobody scores or judges them.
    wanted = [
        (happens, f"2013-0{month}") for month in (4, 5, 6, 7) for happens in ("score", "monitor")
    ]  # fmt: skip
    assert live(workspace) == wanted
    assert live(workspace) == []


def test_nothing_is_due_before_its_time(workspace: Workspace, tmp_path: Path) -> None:
    april = workspace.batch("2013-04")
    crown(workspace, tmp_path, workspace.batch("2013-03").end + MATURITY)
    assert live(workspace, april.end - timedelta(seconds=1)) == []
    assert live(workspace, april.end) == [("score", "2013-04")]
    assert [each.id for each in unripe(workspace, april.end)] == ["2013-04"]
    assert live(workspace, april.end + MATURITY) == [("monitor", "2013-04")]
    assert unripe(workspace, april.end + MATURITY) == []


def test_a_retraining_that_is_awaited_holds_up_what_comes_after(workspace: Workspace, tmp_path: Path) -> None:
    crown(workspace, tmp_path, workspace.batch("2013-03").end + MATURITY)
    decisions = {"2013-04": "retrain stateless"}
    assert live(workspace, END, decisions) == [("score", "2013-04"), ("monitor", "2013-04")]
    assert live(workspace, END, decisions) == []
    request = waiting(workspace, END)
    assert request
    with claimed(workspace, request.id, END) as claim:
        assert claim and live(workspace) == []
        new = crown(workspace, tmp_path, claim.stands_at, "b")
        settle(workspace, claim, GateReport(new.id, None, 1, 1, True, ()), 1)
    assert live(workspace)[:2] == [("score", "2013-05"), ("monitor", "2013-05")]
    assert workspace.ledger.results("score")["2013-05"]["version"] == new.id


def test_a_retraining_that_failed_holds_up_nothing_and_stands_after_what_was_scored_since(
    workspace: Workspace, tmp_path: Path
) -> None:
    first = crown(workspace, tmp_path, workspace.batch("2013-03").end + MATURITY)
    until = workspace.batch("2013-06").end
    live(workspace, until, {"2013-04": "retrain stateless"})
    request = waiting(workspace, until)
    assert request
    with claimed(workspace, request.id, until) as claim:
        assert claim
        fail(workspace, claim, OSError("disk full"), until, 10)
    assert waiting(workspace, until + timedelta(minutes=59)) is None
    assert live(workspace, until) == [
        ("score", "2013-05"), ("monitor", "2013-05"), ("score", "2013-06")
    ]  # fmt: skip
    with claimed(workspace, request.id, until + timedelta(hours=1)) as claim:
        assert claim and claim.attempts == 2 and claim.why == "OSError: disk full"
        assert claim.as_of == request.as_of and claim.stands_at == workspace.batch("2013-06").end
        crown(workspace, tmp_path, claim.stands_at, "b")
    assert {each["version"] for each in workspace.ledger.results("score").values()} == {first.id}
    assert live(workspace, until) == []  # nothing that was scored has another champion in retrospect


def test_what_changed_is_due_again_and_what_was_decided_stays(workspace: Workspace, tmp_path: Path) -> None:
    crown(workspace, tmp_path, workspace.batch("2013-03").end + MATURITY)
    live(workspace)
    build(workspace, "2013-06", "other rows")
    # What is judged after June counts its judgement as history.
    assert live(workspace) == [("score", "2013-06"), ("monitor", "2013-06"), ("monitor", "2013-07")]
    crown(workspace, tmp_path, END, "b")
    build(workspace, "2013-07", "other rows")
    live(workspace, END, {"2013-07": "retrain stateless"})
    assert requests_of(workspace).all() == []  # the gate has decided since


def test_a_batch_without_features_holds_up_nothing(workspace: Workspace, tmp_path: Path) -> None:
    crown(workspace, tmp_path, workspace.batch("2013-03").end + MATURITY)
    workspace.ledger.forget("features", "2013-05")
    assert ("score", "2013-06") in live(workspace)
    build(workspace, "2013-05")
    assert live(workspace)[:2] == [("score", "2013-05"), ("monitor", "2013-05")]


def test_a_batch_that_had_no_rows_to_score_is_not_judged(workspace: Workspace, tmp_path: Path) -> None:
    crown(workspace, tmp_path, workspace.batch("2013-03").end + MATURITY)
    for event in due(workspace, workspace.batch("2013-05").end):
        do(workspace, event)
        scored = workspace.ledger.result("score", event[2].id)
        assert scored and event[1] == "score"
        workspace.ledger.record("score", event[2].id, scored["fingerprint"], scored | {"rows": 0}, event[0])
    assert sorted(workspace.ledger.results("score")) == ["2013-04", "2013-05"]


def test_a_judgement_that_was_made_but_not_asked_for_is_taken_up(
    workspace: Workspace, tmp_path: Path
) -> None:
    """As after a crash between the two: the judgement is on record, its request is not."""
    crown(workspace, tmp_path, workspace.batch("2013-03").end + MATURITY)
    april = workspace.batch("2013-04")
    matured = april.end + MATURITY
    do(workspace, (april.end, "score", april))
    do(workspace, (matured, "monitor", april), "retrain stateless")
    with sa.create_engine(workspace.settings.registry).begin() as connection:
        connection.execute(asks.delete())
        connection.execute(requests.delete())
    assert [told(event) for event in due(workspace, END)][:1] == [("monitor", "2013-04")]


def test_who_is_crowned_when_a_batch_is_over_does_not_score_it_again(
    workspace: Workspace, tmp_path: Path
) -> None:
    """As where a batch's outcomes are in when the next one ends: days, with a maturity of one."""
    first = crown(workspace, tmp_path, workspace.batch("2013-03").end)
    until = workspace.batch("2013-04").end
    assert live(workspace, until) == [("score", "2013-04")]
    crown(workspace, tmp_path, until, "b")
    assert live(workspace, until) == []
    assert workspace.ledger.results("score")["2013-04"]["version"] == first.id


def test_where_nothing_could_be_learnt_the_first_training_is_asked_for_anew_from_other_rows(
    workspace: Workspace,
) -> None:
    until = workspace.batch("2013-03").end + MATURITY
    live(workspace, until)
    request = waiting(workspace, until)
    assert request
    with claimed(workspace, request.id, until) as claim:
        assert claim
        fail(workspace, claim, UnfitError("one class"), until, 1)
    assert live(workspace, until) == [] and waiting(workspace, until) is None
    build(workspace, "2013-02", "other rows")
    assert live(workspace, until) == [("monitor", "2013-03")]
    assert [each.state for each in requests_of(workspace).all()] == ["failed", "open"]
