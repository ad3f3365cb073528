"""The story of a project as a W&B report: its definition in plain JSON, without a server or an account."""

from collections.abc import Iterator, Sequence
from typing import Literal, TypedDict

from models.card.card import MEASURES
from reports.headlines import name_of
from reports.wandb.markdown import bullets, number, percent, table, text
from reports.wandb.story import Model, Policy, Replay, Story, Watched

# A report is for people to read, and W&B keeps it in one field.
MODELS, BATCHES, POLICIES, COLUMNS, SENTENCES = 40, 60, 24, 6, 12
RUN = "run:"
"""Where a link leads to a run, by its id: the address is known once there is a server."""


class Heading(TypedDict):
    """A heading."""

    kind: Literal["heading"]
    text: str


class Markdown(TypedDict):
    """Text and tables; a link to `run:<id>` leads to that run."""

    kind: Literal["markdown"]
    text: str


class Runs(TypedDict):
    """The runs of the project side by side: curves over their steps, and bars of these summary values."""

    kind: Literal["runs"]
    title: str
    curves: list[str]
    bars: list[str]


Block = Heading | Markdown | Runs


class Definition(TypedDict):
    """A report: its W&B project, a title that its address can hold, and its blocks in order."""

    project: str
    title: str
    description: str
    blocks: list[Block]


def definition(story: Story) -> Definition:
    """The report that tells a story; as long as it takes, but never longer than can be read."""
    return {
        "project": story.project,
        "title": f"Lifecycle of {story.project}",
        "description": f"{text(story.title)}: models, drift and replay, as of {story.as_of}",
        "blocks": [*_lead(story), *_models(story), *_drift(story), *_performance(story), *_replay(story)],
    }


def _lead(story: Story) -> Iterator[Block]:
    champion = next((model for model in story.models if model.stage == "champion"), None)
    told = "There is no champion"
    if champion:
        told = f"{text(champion.version)} ({text(champion.family)}) is the champion"
    yield _said(
        f"**{text(story.title)}.** {told}, of {len(story.models)} versions;"
        f" {len(story.watched)} batches were scored. Numbers in brackets are intervals."
    )


def _models(story: Story) -> Iterator[Block]:
    yield _head("Models")
    if not story.models:
        yield _said("No model is registered yet.")
        return
    names = [name_of(headline) for headline in story.headlines]
    newest = list(reversed(story.models))
    kept = [each for place, each in enumerate(newest) if place < MODELS or each.stage == "champion"]
    rows = [_model(model, story.headlines) for model in kept]
    left_out = _left_out(len(newest) - len(kept), "versions")
    yield _said("Measures are of each version's own holdout, the newest version first." + left_out)
    yield _said(table(["version", "family", "stage", "made", *names, "the gate", "run"], rows))
    yield {
        "kind": "runs",
        "title": "All fits",
        "curves": ["train_loss", "validation_loss"],
        "bars": [f"holdout.{headline}" for headline in story.headlines],
    }


def _model(model: Model, headlines: Sequence[str]) -> list[str]:
    stage = f"**{model.stage}**" if model.stage == "champion" else model.stage
    measures = [number(model.measures.get(headline)) for headline in headlines]
    run = f"[{model.run}]({RUN}{model.run})" if model.run else number(None)
    return [text(model.version), text(model.family), stage, model.made, *measures, text(model.gate), run]


def _drift(story: Story) -> Iterator[Block]:
    yield _head("Drift")
    shown = _newest(story.watched)
    if not shown:
        yield _said("No batch was scored yet.")
        return
    limit = (
        "Drift is not watched."
        if story.drift_threshold is None
        else "Of the inputs that drifted, the share of the champion's importance;"
        f" more than {percent(story.drift_threshold)} of it is drift."
    )
    yield _said(limit + _left_out(len(story.watched) - len(shown), "batches"))
    columns = ["batch", "version", "inputs drifted", "predictions moved", "decision", "came of it", "why"]
    yield _said(table(columns, [_drifted(batch) for batch in shown]))


def _drifted(batch: Watched) -> list[str]:
    found = [percent(batch.drift), number(batch.prediction_drift), text(batch.decision), text(batch.outcome)]
    return [text(batch.batch), text(batch.version), *found, text("; ".join(batch.reasons[:2]))]


def _performance(story: Story) -> Iterator[Block]:
    shown = _newest(story.watched)
    if not shown:
        return
    yield _head("Realised performance")
    first, second = (name_of(headline) for headline in story.headlines)
    yield _said("What the outcomes said, with 95 % intervals, beside the linear baseline on the same rows.")
    columns = ["batch", "version", first, f"{first} of the baseline", second, "outcomes"]
    yield _said(table(columns, [_realised(batch, story.headlines) for batch in shown]))


def _realised(batch: Watched, headlines: Sequence[str]) -> list[str]:
    first, second = (number(batch.measures.get(headline)) for headline in headlines)
    baseline = number(batch.baseline.get(headlines[0]))
    state = "all in" if batch.final else "some are due"
    return [text(batch.batch), text(batch.version), first, baseline, second, state]


def _replay(story: Story) -> Iterator[Block]:
    yield _head("Replay")
    replay = story.replay
    if replay is None or not replay.policies:
        yield _said("The history was not replayed under other policies yet.")
        return
    advice = f"Recommended: **{text(replay.recommended)}**." if replay.recommended else "None is recommended."
    present = f" The spec's own is **{text(replay.present)}**." if replay.present else ""
    yield _said(advice + present)
    if sentences := [*replay.why, *replay.findings][:SENTENCES]:
        yield _said(bullets(sentences))
    kept = replay.policies[:POLICIES]
    left_out = _left_out(len(replay.policies) - len(kept), "policies")
    yield _said("Each policy over the same history; a bound is none that one could have." + left_out)
    loss = text(MEASURES[replay.loss_name][0] if replay.loss_name in MEASURES else replay.loss_name)
    columns = ["policy", loss, "gain on never", "regret", "net value", "retrained", "promoted"]
    yield _said(table([*columns, "false alarms", "missed", "seconds"], [_policy(each) for each in kept]))
    yield from _by_batch(replay, loss)


def _policy(policy: Policy) -> list[str]:
    found = (
        policy.loss,
        policy.against_never,
        policy.regret,
        policy.net_value,
        policy.retrainings,
        policy.promoted,
        policy.false_alarms,
        policy.missed_alarms,
        policy.training_seconds,
    )
    return [text(policy.name) + (" (bound)" if policy.bound else ""), *(number(each) for each in found)]


def _by_batch(replay: Replay, loss: str) -> Iterator[Block]:
    """The losses by batch, of the bounds and of the policies that are spoken of first."""
    spoken = (replay.recommended, replay.present)
    ranked = sorted(replay.policies, key=lambda each: (each.name not in spoken, not each.bound))[:COLUMNS]
    batches = replay.batches[-BATCHES:]
    rows = [[text(batch), *(number(each.losses.get(batch)) for each in ranked)] for batch in batches]
    yield _said(f"The {loss} by batch." + _left_out(len(replay.batches) - len(batches), "batches"))
    yield _said(table(["batch", *(text(each.name) for each in ranked)], rows))


def _newest(watched: Sequence[Watched]) -> Sequence[Watched]:
    return watched[-BATCHES:]


def _head(title: str) -> Heading:
    return {"kind": "heading", "text": title}


def _said(what: str) -> Markdown:
    return {"kind": "markdown", "text": what}


def _left_out(count: int, what: str) -> str:
    return f" {count} older or further {what} are left out." if count else ""
