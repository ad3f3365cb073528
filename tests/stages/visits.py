"""A small project of visits to a catalogue of films, of which the truth is known: who likes which kind."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from core.settings import Settings
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.features.featurise import Featurised, featurise
from stages.workspace import Workspace, open_workspace

SPEC = """
name: visits
title: Visits
objective: {business: know, learning: rank}
problem: ranking
batches: {every: 1mo, timezone: UTC, start: 2013-01-01, end: 2013-05-01}
events: visits
datasets:
  visits:
    source: {kind: files, path: "inbox/*.csv"}
    columns: {user: integer, at: datetime, film: string, kind: string, made: integer, stars: integer,
              seen: datetime, device: string}
    key: [user, at, film]
    prepare: prepare_visits
    event_time: at
    known_at: seen
decision: {before: at, lead: 0h}
outcome: {label: grade, known_at: seen, maturity: 1d, group: [user, at]}
candidates: {item: film, by: [user], about: [kind, made], count: 20}
features:
  popularity: {from: retrieval, value: popularity}
  affinity: {from: retrieval, value: affinity}
  place: {from: retrieval, value: rank}
  kind: {from: row, column: kind, kind: category}
  age: {from: function, function: age, kind: number}
  film_30d: {from: trailing, by: [film], statistic: count, over: 30d}
  film_stars: {from: trailing, by: [film], value: stars, statistic: mean, over: 90d}
  user_kind: {from: trailing, by: [user, kind], statistic: count, over: 90d}
  user_90d: {from: trailing, by: [user], statistic: count, over: 90d}
  share: {from: expression, expression: user_kind / (user_90d + 1)}
training: {families: [linear], first_batches: 2}
gate: {draws: 200, block: 1d}
monitoring: {min_rows: 100}
"""
FUNCTIONS = """
import polars as pl

def prepare_visits(frame, tables):
    return frame.with_columns(grade=pl.when(pl.col("stars") >= 4).then(2).otherwise(1))

def age():
    return pl.col("at").dt.year() - pl.col("made")

def told():
    return pl.col("device").str.len_chars()
"""
SUITE = """
name: visits
version: 1
expectations:
  - {type: expect_column_values_to_not_be_null, severity: warning, kwargs: {column: film}}
"""
KINDS = ("drama", "farce", "horror", "western")
MONTHS = ("2013-01", "2013-02", "2013-03", "2013-04")
AS_OF = datetime(2013, 5, 2, tzinfo=UTC)
KEY = ["user", "at", "film"]


class Cinema:
    """The project in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(
            home=root / "state", projects=root / "projects", suites=root / "expectations"
        )
        self.folder = self.settings.projects / "visits"
        (self.folder / "inbox").mkdir(parents=True)
        (self.settings.suites / "visits").mkdir(parents=True)
        (self.settings.suites / "visits" / "visits.yaml").write_text(SUITE)
        (self.folder / "functions.py").write_text(FUNCTIONS)
        self.spec(lambda document: None)

    def spec(self, edit: Callable[[dict[str, Any]], object]) -> None:
        """Write the spec anew, edited."""
        document = yaml.safe_load(SPEC)
        edit(document)
        document["batches"] |= {edge: str(document["batches"][edge]) for edge in ("start", "end")}
        (self.folder / "project.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    def deliver(self, rows: pl.DataFrame, months: tuple[str, ...] = MONTHS) -> None:
        """Put the rows of some months into the inbox, a file a month."""
        for month in months:
            rows.filter(pl.col("at").str.starts_with(month)).write_csv(self.folder / "inbox" / f"{month}.csv")

    def open(self) -> Workspace:
        """The project, opened anew."""
        return open_workspace("visits", self.settings)

    def live(self, as_of: datetime = AS_OF) -> dict[str, Featurised]:
        """Ingest and featurise what is over; what came of it, by batch."""
        workspace = self.open()
        batches = workspace.batches(as_of)
        for item in pending(workspace, "visits", batches):
            deliver(workspace, "visits", item, as_of)
        for batch in batches:
            ingest(workspace, "visits", batch, as_of)
        return {batch.id: featurise(workspace, batch, as_of) for batch in batches}

    def table(self, name: str, month: str | None = None) -> pl.DataFrame:
        """A table of the lake, or one batch of it, in order of its key."""
        rows = self.open().lake.scan(name, [month] if month else None)
        return rows.collect().sort(KEY)


def visits(seed: int = 3) -> pl.DataFrame:
    """Four months of visits of 40 users, three films each, mostly of the kind that the user likes.

    Some films are watched far more often than others, each month some are new, and nobody watches one
    twice. A user gives the stars when he has watched, half an hour later.
    """
    random = np.random.default_rng(seed)
    kinds = random.integers(0, len(KINDS), 400)
    since, fame = np.sort(random.integers(0, 4, 400)), random.gamma(0.4, 1, 400) + 0.02
    likes, had = random.integers(0, len(KINDS), 40), np.zeros((40, 400), bool)
    rows = []
    for month in range(4):
        for turn in range(7):
            for user in range(40):
                weight = fame * np.where(kinds == likes[user], 1.0, 0.1) * (since <= month) * ~had[user]
                day, hour = 1 + 4 * turn + user % 4, user % 24
                at = datetime(2013, month + 1, day, hour, tzinfo=UTC)
                for film in random.choice(400, 3, replace=False, p=weight / weight.sum()):
                    had[user, film] = True
                    stars = int(random.integers(2, 6))
                    rows.append((user, at, f"f{film:03}", KINDS[kinds[film]], 1990 + film % 20, stars))
    frame = pl.DataFrame(rows, schema=["user", "at", "film", "kind", "made", "stars"], orient="row")
    text = "%Y-%m-%dT%H:%M:%SZ"
    return frame.with_columns(
        at=pl.col("at").dt.strftime(text),
        seen=(pl.col("at") + pl.duration(minutes=30)).dt.strftime(text),
        device=pl.lit("phone"),
    )
