"""The definition of the W&B report: every fact of the story is in it, whatever the facts are."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from core.errors import PerennialError
from reports.wandb.report import BATCHES, MODELS, definition
from reports.wandb.story import Measured, Replay, Story
from tests.reports.wandb_story import REPLAY, STORY, model, policy, watched


def told(story: Story) -> str:
    """All text of a report, which is strict JSON."""
    found = json.loads(json.dumps(definition(story), allow_nan=False))
    return "\n".join(block["text"] for block in found["blocks"] if "text" in block)


def tables(story: Story) -> list[list[list[str]]]:
    """The cells of each table, its columns first, split as a reader of markdown does."""
    texts = [block["text"] for block in definition(story)["blocks"] if block["kind"] == "markdown"]
    found = [text.splitlines() for text in texts if text.startswith("|")]
    return [[re.split(r"(?<!\\)\|", line)[1:-1] for line in lines] for lines in found]


def section(story: Story, title: str) -> str:
    return told(story).split(f"\n{title}\n")[1]


def test_every_number_of_the_story_is_told() -> None:
    text = told(STORY)
    for number in ("0.7012 (0.6801 to 0.7223)", "0.5131", "0.6875 (0.6613 to 0.7137)", "0.6543", "24.7%"):
        assert number in text
    for number in ("0.3579", "0.5211", "0.4987", "0.0123 (0.0045 to 0.0201)", "−1,250"):  # noqa: RUF001
        assert number in text
    for words in ("**champion**", "retrain stateless", "flights/3 serves", "accepted; better: gain +0.02"):
        assert words in text
    for words in (
        "Recommended: **every 2, stateless**",
        "It gains 0.0224.",
        "2013-05 to 2013-09",
        "some are due",
    ):
        assert words in text
    assert "[gq2fhspu](run:gq2fhspu)" in text


def test_the_newest_version_comes_first_and_the_runs_are_shown_by_the_headlines() -> None:
    assert [row[0].strip() for row in tables(STORY)[0][2:]] == ["flights/2", "flights/1"]
    [runs] = [block for block in definition(STORY)["blocks"] if block["kind"] == "runs"]
    assert runs["bars"] == ["holdout.auc", "holdout.log_loss"]


def test_a_project_that_has_nothing_yet_has_a_report() -> None:
    text = told(replace(STORY, models=(), watched=(), replay=None))
    assert "There is no champion, of 0 versions" in text
    assert "No model is registered yet." in text
    assert "No batch was scored yet." in text
    assert "The history was not replayed" in text
    assert "There is no champion, of 1 versions" in told(replace(STORY, models=(model(1, "challenger"),)))


def test_what_was_not_measured_is_a_dash() -> None:
    nothing: dict[str, Any] = {"measures": {}, "baseline": {}, "drift": None, "prediction_drift": None}
    empty = watched("2013-06", decision="", outcome="", reasons=[], **nothing)
    bare = model(3, "retired", measures={"auc": Measured(None, None, None)})
    story = replace(STORY, models=(bare,), watched=(empty,), drift_threshold=None)
    models, drift, realised, *_ = tables(story)
    assert [cell.strip() for cell in models[2][4:]] == ["–", "–", "", "–"]  # noqa: RUF001
    assert [cell.strip() for cell in drift[2][2:]] == ["–", "–", "", "", ""]  # noqa: RUF001
    assert [cell.strip() for cell in realised[2][2:5]] == ["–", "–", "–"]  # noqa: RUF001
    assert "Drift is not watched." in told(story)


NASTY = "a|b <script>alert(1)</script> [x](http://evil) `c` *d* _e_ $f$ \\|\n## g\x00"


def test_no_name_makes_markdown_or_html_of_itself() -> None:
    story = replace(
        STORY,
        title=NASTY,
        models=(model(1, "champion", version=NASTY, family=NASTY, gate=NASTY),),
        watched=(watched("2013-04", version=NASTY, decision=NASTY, outcome=NASTY, reasons=[NASTY]),),
        replay=Replay.read(
            REPLAY | {"policies": [policy(NASTY, 0.5)], "findings": [NASTY], "present": NASTY}, "summary.json"
        ),
    )
    text = told(story)
    assert "<" not in text
    assert "\x00" not in text
    assert not re.search(r"(?<!\\)\[x", text)
    assert not re.search(r"(?<!\\)[`$]", text)
    assert "\n## g" not in text
    for table in tables(story):
        assert {len(row) for row in table} == {len(table[0])}


def test_a_long_history_makes_no_longer_report() -> None:
    versions = [model(number, "champion" if number == 1 else "retired") for number in range(1, 1_001)]
    batches = [watched(f"batch {number}", reasons=["why " * 1_000]) for number in range(1_000)]
    names = [f"batch {number}" for number in range(1_000)]
    points = [{"batch": name, "loss": 0.5} for name in names]
    policies = [policy(f"policy {number}", 0.5, batches=points) for number in range(100)]
    replay = Replay.read(
        REPLAY | {"batches": names, "policies": policies, "findings": ["so"] * 500}, "s.json"
    )
    story = replace(STORY, models=versions, watched=batches, replay=replay)
    assert len(told(story)) < 100_000
    models, drift, realised, *_ = tables(story)
    shown = [row[0].strip() for row in models[2:]]
    assert (shown[0], shown[-1], len(shown)) == ("flights/1000", "flights/1", MODELS + 1)
    assert "959 older or further versions are left out" in told(story)
    assert [row[0].strip() for row in drift[2:]] == names[-BATCHES:]
    assert [row[0].strip() for row in realised[2:]] == names[-BATCHES:]


@pytest.mark.parametrize(
    "kept", [{}, {"policies": [], "batches": None}, {"batches": [], "policies": [{}]}, []]
)
def test_what_is_no_summary_of_a_replay_is_named(kept: Any) -> None:
    with pytest.raises(PerennialError, match=r"replay/summary\.json: no summary of a replay"):
        Replay.read(kept, "replay/summary.json")


def test_a_replay_may_recommend_nothing() -> None:
    kept = REPLAY | {"recommended": None, "present": None, "findings": None}
    assert "None is recommended." in section(replace(STORY, replay=Replay.read(kept, "s.json")), "Replay")


def test_the_loss_by_batch_is_of_the_policies_that_are_spoken_of_first() -> None:
    columns, _, first, second = tables(STORY)[-1]
    assert [cell.strip() for cell in columns] == ["batch", "every 2, stateless", "on drift", "never"]
    assert [cell.strip() for cell in first] == ["2013-04", "0.4987", "–", "0.5211"]  # noqa: RUF001
    assert [cell.strip() for cell in second] == ["2013-05", "–", "–", "–"]  # noqa: RUF001
