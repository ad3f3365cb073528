"""How a project stands: as of an instant, from the ledger and the registry alone."""

from collections.abc import Callable
from datetime import UTC, datetime

from core.settings import Settings
from stages.status import standing
from stages.workspace import open_workspace


def test_only_what_was_done_and_is_over_at_the_instant_counts(make_project: Callable[..., Settings]) -> None:
    workspace = open_workspace("flights", make_project(range(1, 4), share=500))
    april, march = datetime(2013, 4, 1, 12, tzinfo=UTC), datetime(2013, 3, 1, 12, tzinfo=UTC)
    nothing = {"ingested": None, "scored": None, "judged": None}
    assert standing(workspace, april) == {"champion": None, "release": {}, "newest": nothing}
    for step, batches in (("ingest/flights", ("2013-01", "2013-03")), ("score", ("2013-01", "2013-02"))):
        for batch in batches:
            workspace.ledger.record(step, batch, "made from", {}, april)
    assert standing(workspace, april)["newest"] == {
        "ingested": "2013-03",
        "scored": "2013-02",
        "judged": None,
    }
    assert standing(workspace, march)["newest"]["ingested"] == "2013-01"
