"""Candidates: rows that nobody chose, drawn as of each list's instant, and told apart by nothing."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import IntegrityError, SpecError
from core.lake import Lake, TableVersion
from features.online.publish import publish
from features.online.request import Online
from features.online.store import open_store
from models.runtime.session import session
from stages.features.featurise import labelled
from stages.models.train import register, train
from stages.stale import stale_features
from tests.stages.visits import AS_OF, KEY, MONTHS, Cinema, visits

LIST = ["user", "at"]
TABLES = ("features", "outcomes")


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return visits()


@pytest.fixture(scope="module")
def cinema(tmp_path_factory: pytest.TempPathFactory, rows: pl.DataFrame) -> Cinema:
    """Four months of visits, featurised."""
    found = Cinema(tmp_path_factory.mktemp("cinema"))
    found.deliver(rows)
    found.live()
    return found


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes the project in a new folder."""
    return lambda: Cinema(tmp_path_factory.mktemp("cinema"))


def test_a_list_holds_what_could_be_known_and_was_not_had(cinema: Cinema) -> None:
    events = cinema.table("raw/visits")
    for month in MONTHS[1:]:
        batch, lists = cinema.open().batch(month), cinema.table("features", month)
        known = events.filter(pl.col("seen") <= batch.start)
        assert lists.select(LIST).unique().height == events.filter(batch=month).select(LIST).unique().height
        assert set(lists["film"]) <= set(known["film"])
        sizes = lists.group_by(LIST).agg(pl.len(), pl.col("place").sort())
        assert set(sizes["len"]) == {20}
        assert set(map(tuple, sizes["place"].to_list())) == {tuple(range(1, 21))}
        had = lists.join(events.select("user", "film", "seen"), on=["user", "film"])
        assert had.filter(pl.col("seen") <= pl.col("at")).is_empty()
    assert cinema.table("features", MONTHS[0]).is_empty()  # there was no catalogue yet


def test_the_rows_of_a_list_are_decided_at_one_instant(cinema: Cinema) -> None:
    lists = cinema.table("features")
    assert (lists["event_time"] == lists["at"]).all()
    assert (lists["decision_time"] == lists["at"]).all()


@pytest.mark.parametrize("what", ["another film", "other facts"])
def test_what_was_chosen_changes_nothing_in_the_rows_of_its_own_list(
    cinema: Cinema, rows: pl.DataFrame, fresh: Any, what: str
) -> None:
    # What was chosen on the last day is another: its films, or all that is said of them.
    last = pl.col("at") >= "2013-04-28"
    other = rows.with_columns(
        film=pl.when(last & (what == "another film")).then(pl.lit("x") + pl.col("film")).otherwise("film"),
        kind=pl.when(last).then(pl.lit("unheard of")).otherwise("kind"),
        made=pl.when(last).then(1900).otherwise("made"),
        device=pl.when(last).then(pl.lit("a much longer name")).otherwise("device"),
        stars=pl.when(last).then(1).otherwise("stars"),
    )
    planted = fresh()
    planted.deliver(other)
    planted.live()
    first = pl.col("at") <= datetime(2013, 4, 28, 3, tzinfo=AS_OF.tzinfo)  # later ones know of these
    ours, theirs = (each.table("features", "2013-04").filter(first) for each in (cinema, planted))
    assert ours.filter(pl.col("at").dt.day() == 28).select(LIST).unique().height == 2
    assert ours.equals(theirs)
    assert not cinema.table("outcomes", "2013-04").equals(planted.table("outcomes", "2013-04"))


def test_what_comes_later_moves_no_list(cinema: Cinema, rows: pl.DataFrame, fresh: Any) -> None:
    early = fresh()
    early.deliver(rows, MONTHS[:3])
    early.live(datetime(2013, 4, 1, tzinfo=AS_OF.tzinfo))
    for month in MONTHS[:3]:
        for table in TABLES:
            assert early.table(table, month).equals(cinema.table(table, month)), (table, month)


def test_nobody_chose_is_the_lowest_grade_and_known_with_the_list(cinema: Cinema) -> None:
    events, outcomes = cinema.table("raw/visits", "2013-03"), cinema.table("outcomes", "2013-03")
    lists = cinema.table("features", "2013-03")
    chosen = outcomes.join(events, on=KEY, how="semi")
    others = outcomes.join(events, on=KEY, how="anti")
    assert chosen.height == events.height
    assert set(others["label"]) == {0}
    assert others.height == lists.join(events, on=KEY, how="anti").height
    assert (others["known_at"] == others["at"] + timedelta(minutes=30)).all()
    # What was watched and not retrieved has an outcome, and is no row to learn from.
    missed = chosen.join(lists, on=KEY, how="anti")
    assert 0 < missed.height < chosen.height
    learnt = labelled(cinema.open(), AS_OF)
    assert learnt.join(missed, on=KEY, how="semi").is_empty()
    assert learnt.height == cinema.table("features").height


def test_received_is_still_accepted_and_quarantined(cinema: Cinema, rows: pl.DataFrame) -> None:
    assert cinema.table("raw/visits").height == rows.height


def test_the_same_again_and_a_killed_run_make_the_same(
    cinema: Cinema, rows: pl.DataFrame, fresh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {table: cinema.open().lake.version(table) for table in TABLES}
    cinema.live()
    assert {table: cinema.open().lake.version(table) for table in TABLES} == versions
    killed, write = fresh(), Lake.write
    killed.deliver(rows)

    def dies(lake: Lake, table: str, batch: str, frame: pl.DataFrame) -> TableVersion:
        if (table, batch) == ("outcomes", "2013-03"):
            raise KeyboardInterrupt
        return write(lake, table, batch, frame)

    monkeypatch.setattr(Lake, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        killed.live()
    monkeypatch.undo()
    killed.live()
    for table in TABLES:
        assert killed.table(table).equals(cinema.table(table)), table


def test_a_replaced_delivery_draws_all_later_lists_again(rows: pl.DataFrame, fresh: Any) -> None:
    # No feature but the retriever's reaches back to February from April.
    def alone(document: dict[str, Any]) -> None:
        features = document["features"]
        document["features"] = {name: features[name] for name in ("popularity", "affinity", "place", "kind")}

    other = rows.filter((pl.col("user") % 5 != 0) | (pl.col("at") >= "2013-03"))
    mended, again = fresh(), fresh()
    for each in (mended, again):
        each.spec(alone)
    mended.deliver(rows)
    mended.live()
    before = mended.table("features", "2013-04")
    mended.deliver(other, ("2013-02",))
    mended.live()
    again.deliver(pl.concat([rows.filter(pl.col("at") < "2013-02"), other.filter(pl.col("at") >= "2013-02")]))
    again.live()
    for table in TABLES:
        assert mended.table(table).equals(again.table(table)), table
    assert not mended.table("features", "2013-04").equals(before)
    workspace = mended.open()
    assert list(stale_features(workspace, workspace.batches(AS_OF))) == []


def test_a_function_that_reads_what_only_the_chosen_have_is_refused(rows: pl.DataFrame, fresh: Any) -> None:
    leaky = fresh()
    leaky.deliver(rows)
    leaky.spec(
        lambda document: document["features"].update(
            told={"from": "function", "function": "told", "kind": "number"}
        )
    )
    with pytest.raises(SpecError, match="told: reads 'device', which no candidate has"):
        leaky.live()


@pytest.mark.slow
def test_a_version_has_its_retriever_as_files_that_are_verified(cinema: Cinema) -> None:
    workspace = cinema.open()
    (version,) = register(workspace, [train(workspace, "linear", AS_OF)])
    told = version.metrics["retrieval"]
    assert told["recall"] > 1.2 * told["popularity"] > 0
    assert told["lists"] > 50
    assert 0 < told["unseen"] < 0.5
    path = workspace.registry.file(version, "retrieval.onnx")
    graph = session(path.read_bytes(), "retrieval.onnx")
    items, scores = graph.run(None, {"history": np.array([["f001", "nobody made it"], ["", ""]], object)})
    assert items.shape == scores.shape == (2, 20)
    assert "f001" not in items[0]
    index = pl.read_parquet(workspace.registry.file(version, "retrieval.parquet"))
    known = cinema.table("raw/visits")
    assert index["item"].to_list() == sorted(set(known["film"]))
    # Who is new is shown what is popular.
    assert set(items[1]) == set(index.top_k(20, by="popularity")["item"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(IntegrityError, match=r"retrieval\.onnx: .* was changed"):
        workspace.registry.file(version, "retrieval.onnx")


def test_requests_are_answered_as_lists_were_built(cinema: Cinema, tmp_path: Path) -> None:
    workspace, month = cinema.open(), "2013-04"
    spec, store = workspace.spec, open_store(f"sqlite:///{tmp_path / 'online.db'}", "visits")
    for batch in workspace.batches(AS_OF):
        publish(spec, store, "visits", batch, workspace.lake.scan("raw/visits", [batch.id]))
    online = Online(spec, workspace.project.functions, store)
    catalogue = workspace.lake.scan("raw/visits").select("film", "made").unique().collect()
    lists = cinema.table("features", month).join(catalogue, on="film", maintain_order="left")
    some = lists.sample(40, seed=1)
    for row in some.iter_rows(named=True):
        asked = {name: row[name] for name in (*KEY, "kind", "made", "popularity", "affinity", "place")}
        found = online.features(asked, row["decision_time"])
        assert found == {name: row[name] for name in spec.features}
