"""Featurise: the accepted rows of a batch become feature rows and outcomes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from core.batches import Batch
from core.contents import content_of
from core.errors import IntegrityError
from core.ledger import fingerprint
from features.build import build
from features.lists import with_unchosen
from features.made import look_back, made_of
from features.outcomes import outcomes
from stages.data.retained import FEATURES, gone, is_gone
from stages.features import retrieval
from stages.workspace import WHOLE, Workspace, is_over


@dataclass(frozen=True, slots=True)
class Featurised:
    """How many feature rows and outcomes a batch has.

    `content` stands for both: what is made from them need not be made again while it stays the same.
    `made_of` stands, feature by feature, for all that its values were made from.
    """

    batch: str
    rows: int
    labelled: int
    content: str
    made_of: dict[str, str]
    fingerprint: str


def featurise(workspace: Workspace, batch: Batch, as_of: datetime) -> Featurised:
    """Build the features and the outcomes of a batch, unless they are there, made from the same rows.

    Of the features, only those are built whose declaration or whose rows have changed since; none where
    retention has deleted the features, or rows that they are made from.
    Raises IntegrityError when the batch was not ingested.
    """
    is_over(batch, as_of)
    if (before := workspace.ledger.result("features", batch.id)) and is_settled(workspace, batch):
        return Featurised(**before)
    per_feature = _made_of(workspace, batch)
    made_from = _made_from(workspace, batch, per_feature)
    if done := workspace.ledger.finished("features", batch.id, made_from):
        return Featurised(**done)
    lake, spec = workspace.lake, workspace.spec
    frame = _built(workspace, batch, per_feature)
    raw = lake.scan(f"raw/{spec.events}", [batch.id])
    known = outcomes(spec, raw).collect()
    if spec.candidates:
        known = with_unchosen(spec, known, raw.select(spec.datasets[spec.events].key).collect(), frame)
    workspace.ledger.forget("features", batch.id)
    lake.write("features", batch.id, frame)
    lake.write("outcomes", batch.id, known)
    content = f"{content_of(frame, frame.columns)} {content_of(known, known.columns)}"
    result = Featurised(batch.id, frame.height, known.height, content, per_feature, made_from)
    workspace.ledger.record("features", batch.id, made_from, asdict(result), as_of)
    return result


def is_settled(workspace: Workspace, batch: Batch) -> bool:
    """Whether the features of a batch can no longer be built: they, or rows that they are of, are deleted."""
    if is_gone(workspace, batch, FEATURES):
        return True
    for name in workspace.cut:
        deleted = gone(workspace, f"raw/{name}")
        if deleted and not deleted.keys().isdisjoint(
            _reach(workspace, batch, look_back(workspace.spec, name))
        ):
            return True
    return False


def made_from_of(workspace: Workspace, batch: Batch) -> str:
    """What stands for all that the features and outcomes of a batch are made from."""
    return _made_from(workspace, batch, _made_of(workspace, batch))


def labelled(
    workspace: Workspace,
    as_of: datetime,
    since: datetime | None = None,
    tables: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """The feature rows whose label was known at `as_of`, with `label` and `known_at`, in order of event time.

    Of the batches that are over at `as_of`, the events from `since` on; of the `tables` "features"
    and "outcomes" these versions, the newest by default.
    """
    since, tables = since or datetime.min.replace(tzinfo=UTC), tables or {}
    key = list(workspace.spec.datasets[workspace.spec.events].key)
    batches = [batch.id for batch in workspace.batches(as_of) if batch.end > since]
    known = (
        workspace.lake.scan("outcomes", batches, tables.get("outcomes"))
        .filter(pl.col("known_at") <= as_of)
        .select(*key, "known_at", "label")
    )
    rows = workspace.lake.scan("features", batches, tables.get("features")).filter(
        pl.col("event_time") >= since
    )
    return rows.join(known, on=key, how="inner").sort("event_time", *key).collect()


def _built(workspace: Workspace, batch: Batch, per_feature: Mapping[str, str]) -> pl.DataFrame:
    """The feature rows of a batch; columns that were made from the same are taken as they are."""
    before = workspace.ledger.result("features", batch.id)
    same = before.get("made_of", {}) if before else {}
    kept = [name for name, made in per_feature.items() if same.get(name) == made]
    if not kept:
        return _build(workspace, batch, list(per_feature))
    frame = _build(workspace, batch, [name for name in per_feature if name not in kept])
    old = workspace.lake.scan("features", [batch.id]).collect()
    rows = [name for name in frame.columns if name not in per_feature or name in kept]
    if not frame.select(rows).equals(old.select(rows)):
        return _build(workspace, batch, list(per_feature))
    columns = old.select(name for name in kept if name not in rows)
    ordered = [name for name in per_feature if name not in rows]
    return frame.hstack(columns).select(*rows, *ordered)


def _build(workspace: Workspace, batch: Batch, only: Sequence[str]) -> pl.DataFrame:
    spec, lake = workspace.spec, workspace.lake
    cut = {
        name: lake.scan(f"raw/{name}", _reach(workspace, batch, look_back(spec, name)))
        for name in workspace.cut
        if lake.exists(f"raw/{name}")
    }
    if spec.events not in cut:
        raise _not_ingested(workspace, batch)
    tables = workspace.tables() | cut
    drawn = retrieval.lists(workspace, spec.candidates, batch) if spec.candidates else None
    return build(spec, batch, cut[spec.events], tables, workspace.project.functions, only, drawn)


def _reach(workspace: Workspace, batch: Batch, back: timedelta | None) -> list[str]:
    """The batch and those before it that begin less than `back` before it; all of them for None."""
    every = workspace.spec.batches.calendar().batches()
    past = every[: every.index(batch) + 1]
    return [each.id for each in past if back is None or each == batch or each.end > batch.start - back]


def _made_of(workspace: Workspace, batch: Batch) -> dict[str, str]:
    """By feature, what stands for its declaration and for the content of all that it reads."""
    contents: dict[tuple[str, str], str | None] = {}

    def content(dataset: str, subject: str) -> str | None:
        if (dataset, subject) not in contents:
            contents[dataset, subject] = workspace.content(dataset, subject)
        return contents[dataset, subject]

    if content(workspace.spec.events, batch.id) is None:
        raise _not_ingested(workspace, batch)
    rules, found = workspace.spec.candidates, {}
    lists = retrieval.made_from_of(workspace, rules, batch.end) if rules else ""
    for name in workspace.spec.features:
        made = made_of(workspace.spec, name, workspace.project.functions)
        read = {
            dataset: {
                subject: content(dataset, subject)
                for subject in ([WHOLE] if dataset in workspace.whole else _reach(workspace, batch, back))
            }
            for dataset, back in made.back.items()
        }
        found[name] = fingerprint(
            made.declared, workspace.project.code if made.functions else "", read, lists
        )
    return found


def _made_from(workspace: Workspace, batch: Batch, per_feature: Mapping[str, str]) -> str:
    spec = workspace.spec
    return fingerprint(
        batch.id,
        per_feature,
        list(per_feature),
        spec.datasets[spec.events].key,
        spec.decision.model_dump(mode="json"),
        spec.outcome.model_dump(mode="json"),
        workspace.content(spec.events, batch.id),
    )


def _not_ingested(workspace: Workspace, batch: Batch) -> IntegrityError:
    return IntegrityError(
        f"batch {batch} of {workspace.spec.name} was not ingested: ingest it before its features"
    )
