"""The facts of the lifecycle's page, from what is on record."""

from datetime import datetime
from pathlib import Path

import pytest

from stages.champion.promote import promote
from stages.champion.retraining import ask, claimed, settle
from stages.reports.lifecycle import summary
from stages.workspace import Workspace
from tests.stages.orders import AS_OF, fits, make_orders

pytestmark = pytest.mark.slow


def answered(workspace: Workspace, asked_of: str, *, scored: str | None = None) -> datetime:
    """Ask for the first training once a batch is judged, and answer; the instant at which that stands.

    The answer comes after another batch was scored.
    """
    batch = workspace.batch(asked_of)
    at = batch.end + workspace.spec.outcome.maturity
    request = ask(workspace, batch, at, None)
    assert request
    if scored:
        workspace.ledger.record("score", scored, "by another", {"rows": 0, "version": "orders/9"}, AS_OF)
    with claimed(workspace, request.id, AS_OF) as claim:
        assert claim
        report = promote(workspace, fits(workspace, claim.stands_at), claim.stands_at)
        settle(workspace, claim, report, 1.0)
    return claim.stands_at


@pytest.mark.parametrize(("scored", "maturity"), [(None, "1d"), ("2013-03", "1d"), ("2013-03", "0d")])
def test_a_retraining_is_shown_at_the_batch_that_asked_for_it(
    tmp_path: Path, scored: str | None, maturity: str
) -> None:
    """Also where it was answered late, and where that was just when another batch was judged."""
    workspace = make_orders(tmp_path, outcome={"maturity": maturity})
    at = answered(workspace, "2013-02", scored=scored)
    assert at == (workspace.batch(scored).end if scored else workspace.batch("2013-02").end.replace(day=2))
    shown = {facts["batch"]: facts["challenger"] for facts in summary(workspace, AS_OF)["batches"]}
    assert shown == {f"2013-0{month}": "orders/1" if month == 2 else None for month in range(1, 6)}
