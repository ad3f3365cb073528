"""Retrieval: the retriever of an instant, and the lists that it draws for a batch."""

import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from core.batches import Batch
from core.ledger import fingerprint
from core.spec import Candidates
from models.retrieval.fit import DECISION, KNOWN, entities, fit, instants, newest
from models.retrieval.pasts import Pasts
from models.retrieval.retriever import HISTORY, NONE, Found, Retriever, load
from stages.workspace import Workspace

INDEX = "retrieval.parquet"


def retriever(workspace: Workspace, rules: Candidates, at: datetime) -> Retriever:
    """The retriever of the events known `at` an instant: read back, or fitted where there is none yet."""
    made_from, subject = made_from_of(workspace, rules, at), at.isoformat()
    if done := workspace.ledger.finished("retriever", subject, made_from):
        return load(workspace.registry.kept(done["sha256"], f"the retriever of {subject}"))
    fitted = fit(facts(workspace, rules, at), rules, at, workspace.spec.training.seed)
    with tempfile.TemporaryDirectory(dir=workspace.settings.home, prefix="fit-") as folder:
        fitted.save(Path(folder) / INDEX)
        files = workspace.registry.keep(Path(folder))
    workspace.ledger.record("retriever", subject, made_from, {"sha256": files[INDEX]}, at)
    return fitted


def made_from_of(workspace: Workspace, rules: Candidates, at: datetime) -> str:
    """What stands for all that the retriever of an instant, and lists decided on by then, are made from."""
    spec = workspace.spec
    events = spec.datasets[spec.events]
    return fingerprint(
        rules.model_dump(mode="json"),
        (events.key, events.event_time, spec.outcome.known_at, spec.training.seed),
        spec.decision.model_dump(mode="json"),
        _over(workspace, at),
    )


def facts(workspace: Workspace, rules: Candidates, at: datetime) -> pl.DataFrame:
    """The events that were known `at` an instant, in the order in which they became known."""
    spec = workspace.spec
    events, lake = f"raw/{spec.events}", workspace.lake
    known = pl.col(spec.outcome.known_at)
    names = dict.fromkeys((*spec.datasets[spec.events].key, *rules.by, rules.item, *rules.about))
    return (
        lake.scan(events, list(_over(workspace, at)))
        .filter(known <= at)
        .select(*names, known.alias(KNOWN), decision(workspace).alias(DECISION))
        .filter(pl.col(KNOWN) > pl.col(DECISION))  # as `features.past` has it
        .sort(KNOWN, *spec.datasets[spec.events].key)
        .collect()
    )


def lists(workspace: Workspace, rules: Candidates, batch: Batch) -> pl.DataFrame:
    """The rows of the batch's lists, as `features.lists.beside` takes them.

    They are drawn by the retriever of the batch's start, each from what was known when it was decided.
    """
    spec = workspace.spec
    group = list(spec.outcome.group)
    events = workspace.lake.scan(f"raw/{spec.events}", [batch.id])
    asks = events.select(*group, decision(workspace).alias(DECISION)).unique().sort(group).collect()
    known, fitted = facts(workspace, rules, batch.end), retriever(workspace, rules, batch.start)
    found = drawn(fitted, rules, known, asks)
    count = found.items.shape[1]
    columns = {name: getattr(found, name).ravel() for name in ("score", "popularity", "affinity")}
    rows = asks[np.repeat(np.arange(asks.height), count)].select(group)
    rows = rows.with_columns(
        pl.Series(":item", found.items.ravel()),
        pl.Series(":rank", np.tile(np.arange(1, count + 1, dtype=np.float32), asks.height)),
        *(pl.Series(f":{name}", values) for name, values in columns.items()),
    ).filter(pl.col(":item") != NONE)
    catalogue = newest(known.filter(pl.col(KNOWN) <= batch.start), rules)
    items = catalogue.with_columns(pl.Series(":item", fitted.codes(catalogue[rules.item])))
    return rows.join(items, on=":item", how="left", maintain_order="left").drop(":item")


def drawn(fitted: Retriever, rules: Candidates, known: pl.DataFrame, asks: pl.DataFrame) -> Found:
    """What the retriever puts first for those who ask, each by the facts `known` at its instant."""
    items = fitted.codes(known[rules.item])
    who, asking = entities([known, asks], rules.by)
    there = items != NONE
    past = Pasts.of(who[there], instants(known, KNOWN)[there], items[there])
    low, high = past.until(asking, instants(asks, DECISION))
    had = [past.items[start:end] for start, end in zip(low, high, strict=True)]
    return fitted.first(past.last(low, high, HISTORY, NONE), had, rules.count)


def chosen(workspace: Workspace, rules: Candidates, since: datetime, as_of: datetime) -> pl.DataFrame:
    """The lists from `since` on with all that was `chosen` and is known, and their decision time."""
    spec = workspace.spec
    batches = [batch.id for batch in workspace.batches(as_of) if batch.end > since]
    relevant = pl.col("label").cast(pl.Float64) > 0
    return (
        workspace.lake.scan("outcomes", batches)
        .filter(pl.col("event_time") >= since, pl.col("known_at") <= as_of, relevant)
        .group_by(*spec.outcome.group, decision(workspace).alias(DECISION))
        .agg(chosen=pl.col(rules.item))
        .sort(spec.outcome.group)
        .collect()
    )


def decision(workspace: Workspace) -> pl.Expr:
    """The instant at which a list is decided on, from the columns of its group."""
    rules = workspace.spec.decision
    return pl.col(rules.before) - rules.lead


def _over(workspace: Workspace, at: datetime) -> dict[str, str]:
    """The content of each ingested batch that was over at an instant: no later one was there to be known."""
    done = workspace.ledger.results(f"ingest/{workspace.spec.events}")
    return {
        batch.id: done[batch.id]["content"]
        for batch in workspace.batches(at)
        if done.get(batch.id, {}).get("content") is not None
    }
