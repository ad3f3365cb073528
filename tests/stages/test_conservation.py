"""Whatever is delivered, and whatever happens meanwhile: received = accepted + quarantined, row by row."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.contents import content
from core.errors import DeliveryError
from stages.data.release_quarantine import release_quarantine
from stages.workspace import Workspace

pytestmark = pytest.mark.slow

MakeTrips = Callable[..., pl.DataFrame]
AS_OF = datetime(2013, 3, 10, tzinfo=UTC)
DIRT = {
    "id": ["", "x", "1e400", "-0", "99999999999999999999"],
    "at": ["", "yesterday", "2013-02-30T00:00:00Z", "2012-01-01T00:00:00Z", "2099-01-01T00:00:00Z"],
    "city": ["", "Paris", "\N{PILE OF POO}", 'a"b', "a\nb"],
    "paid": ["", "-1", "inf", "NaN", "1e300"],
    "late": ["", "perhaps"],
}


@dataclass(frozen=True)
class Step:
    """One thing that happens: a file is delivered, or copied, or a suite changes, or rows are released."""

    what: str
    file: int = 0
    start: int = 0
    count: int = 0
    day: int = 1
    dirt: tuple[tuple[int, str, int], ...] = ()
    dies: int = 9  # before which write to the lake the process is killed; 9 is never


files = st.integers(0, 2)
dirt = st.tuples(st.integers(0, 9), st.sampled_from(sorted(DIRT)), st.integers(0, 4))
deaths = st.sampled_from([9, 9, 9, 0, 1, 2, 3, 5])
steps = st.one_of(
    st.builds(
        Step,
        what=st.just("deliver"),
        file=files,
        start=st.integers(0, 12),
        count=st.integers(0, 9),
        day=st.integers(1, 3),
        dirt=st.lists(dirt, max_size=4).map(tuple),
        dies=deaths,
    ),
    st.builds(Step, what=st.just("copy"), file=files, dies=deaths),
    st.builds(Step, what=st.just("suite"), start=st.integers(0, 2), dies=deaths),
    st.builds(Step, what=st.just("release"), day=st.integers(1, 3), dies=deaths),
)


class Killed(BaseException):
    pass


class DyingLake:
    """A lake whose process dies before one of its writes."""

    def __init__(self, lake: Any, writes: int) -> None:
        self._lake, self._left = lake, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def write(self, *arguments: object) -> Any:
        if self._left == 0:
            raise Killed
        self._left -= 1
        return self._lake.write(*arguments)


def happen(depot: Any, step: Step, make_trips: MakeTrips) -> None:
    workspace: Workspace = depot.open()
    if step.dies < 9:
        workspace = replace(workspace, lake=DyingLake(workspace.lake, step.dies))  # type: ignore[arg-type]
    inbox = depot.folder / "inbox"
    if step.what == "deliver":
        depot.deliver(f"{step.file}.csv", dirtied(make_trips(step.start, step.count, step.day), step.dirt))
    elif step.what == "copy" and (inbox / f"{step.file}.csv").exists():
        (inbox / f"copy of {step.file}.csv").write_bytes((inbox / f"{step.file}.csv").read_bytes())
    elif step.what == "suite":
        depot.suite("trips", {"max_value: 100": f"max_value: {[100, 5, 1000][step.start]}"})
    try:
        if step.what == "release" and workspace.lake.exists("raw/trips"):
            batch = workspace.batches(AS_OF)[step.day - 1]
            if workspace.content("trips", batch.id) is not None:
                release_quarantine(workspace, "trips", batch, AS_OF)
        else:
            depot.take_in(workspace)
    except (Killed, DeliveryError):
        pass


def dirtied(rows: pl.DataFrame, dirt: tuple[tuple[int, str, int], ...]) -> pl.DataFrame:
    for row, column, which in dirt:
        if row < rows.height:
            values = rows[column].to_list()
            values[row] = DIRT[column][which % len(DIRT[column])]
            rows = rows.with_columns(pl.Series(column, values, pl.String))
    return rows


def check(workspace: Workspace) -> None:
    """On record or not, no batch of the lake holds a row twice; on record, it holds each received one."""
    for batch in workspace.batches(AS_OF):
        facts = workspace.ledger.result("ingest/trips", batch.id)
        if facts is None:
            continue
        raw, aside = (
            workspace.lake.scan(f"{table}/trips", [batch.id]).select("row", "row_hash").collect()
            for table in ("raw", "quarantine")
        )
        both = pl.concat([raw, aside])
        assert both["row"].is_unique().all()
        assert facts["received"] == both.height == facts["accepted"] + facts["quarantined"]
        assert (facts["accepted"], facts["quarantined"]) == (raw.height, aside.height)


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(story=st.lists(steps, min_size=1, max_size=5))
def test_no_row_is_lost_or_doubled(
    make_depot: Callable[[Path], Any], make_trips: MakeTrips, story: list[Step]
) -> None:
    with TemporaryDirectory() as folder:
        depot = make_depot(Path(folder))
        depot.deliver("0.csv", make_trips(0, 3))
        for step in story:
            happen(depot, step, make_trips)
            check(depot.open())
        depot.take_in()
        workspace = depot.open()
        check(workspace)
        for batch, received in workspace.manifest.contents("trips", _ids(workspace)).items():
            held = [content(workspace.lake.scan(f"{each}/trips", [batch])) for each in ("raw", "quarantine")]
            assert received == held[0] + held[1]
        _as_if_nothing_had_happened(workspace, make_depot(Path(folder) / "calm"), depot)


def _as_if_nothing_had_happened(workspace: Workspace, calm: Any, depot: Any) -> None:
    """The tables are those of a calm ingest of what lies there now."""
    for path in (depot.folder / "inbox").iterdir():
        (calm.folder / "inbox" / path.name).write_bytes(path.read_bytes())
    for path in (depot.settings.suites / "trips").iterdir():
        (calm.settings.suites / "trips" / path.name).write_bytes(path.read_bytes())
    calm.take_in()
    for table in ("raw/trips", "quarantine/trips"):
        # Which of two names a content was delivered under first is the one thing that may differ.
        one, two = (
            each.lake.scan(table).drop("as_of", "delivery", strict=False).collect().sort("batch", "row")
            for each in (workspace, calm.open())
        )
        assert one.select(two.columns).equals(two)


def _ids(workspace: Workspace) -> list[str]:
    return [batch.id for batch in workspace.batches(AS_OF)]
