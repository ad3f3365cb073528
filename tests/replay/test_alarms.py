"""An alarm is true where the freshest fit would surely have lost less on the next batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replay.alarms import Alarms, alarms
from replay.lived import Attempt, Lived
from replay.outcomes import Outcome
from tests.replay.accounts import AS_OF, batch, lived, measured, outcome, version

DAYS = 30


def told(root: Path, decisions: list[str], gains: list[float], limit: float = 0.01) -> Alarms:
    """What is said where the freshest fit after batch p loses `gains[p]` less, by row, on the next."""
    served = [noisy(place) for place in range(len(decisions))]
    fresh: dict[tuple[str, str], Outcome] = {}
    for place, gain in enumerate(gains):
        after = [loss - 10 * gain for loss in served[place + 1].loss]
        fresh[f"f{place}", batch(place + 1).id] = outcome(*after, first=served[place + 1].days[0])
    serving = {("v1", batch(place).id): each for place, each in enumerate(served)}
    workspace = measured(root, {**serving, **fresh}, limit)
    history = lived(served, decisions)
    return alarms((workspace, history), (workspace, reference(history, len(gains))), AS_OF)


def noisy(place: int) -> Outcome:
    losses = np.random.default_rng(place).normal(5, 1, DAYS)
    return outcome(*losses, first=place * DAYS)


def reference(history: Lived, attempts: int) -> Lived:
    """A history of the same batches, with a challenger after each of the first."""
    steps = []
    for place, step in enumerate(history.steps):
        made = Attempt(version(place, name="f"), "refused", "retrain stateless", 1.0)
        changed: dict[str, Any] = {"attempt": made if place < attempts else None}
        steps.append(type(step)(step.batch, step.version, step.outcome, step.decision, {}, **changed))
    return Lived("reference", tuple(steps))


def test_an_alarm_is_true_false_or_missed(tmp_path: Path) -> None:
    acts = ["retrain stateless", "recalibrate", "watch", "nothing", "roll back", "watch"]
    found = told(tmp_path, acts, [0.05, 0.0, 0.05, 0.0, 0.05])
    assert found.by_batch == ("true", "false", "missed", None, "true", None)
    assert found.needs == (True, False, True, False, True, None)
    assert [found.count(kind) for kind in ("true", "false", "missed")] == [2, 1, 1]
    assert found.to_mend == 1.0


def test_a_gain_that_the_gate_would_not_see_is_no_need(tmp_path: Path) -> None:
    calls = ["retrain stateless"] * 3
    assert told(tmp_path / "a", calls, [0.009, 0.011]).by_batch == ("false", "true", None)
    assert told(tmp_path / "b", calls, [0.009, 0.011], limit=0.02).by_batch == ("false", "false", None)


def test_a_gain_that_may_be_chance_is_no_need(tmp_path: Path) -> None:
    served, fresh = noisy(1), noisy(7)
    gain = (sum(served.loss) - sum(fresh.loss)) / (10 * DAYS)
    lucky = outcome(*fresh.loss, first=served.days[0])
    workspace = measured(
        tmp_path, {("v1", "b1"): served, ("f0", "b1"): lucky, ("v1", "b0"): noisy(0)}, abs(gain) / 2 + 1e-9
    )
    history = lived([noisy(0), served], ["retrain stateless", "nothing"])
    found = alarms((workspace, history), (workspace, reference(history, 1)), AS_OF)
    assert found.needs[0] is False


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ((), None),
        ((False, None, False), None),
        ((True, True, True), 3.0),
        ((True, False, True, True, False), 1.5),
        ((True, None, True, None), 1.0),
        ((False, True, True, True, False, True, None), 2.0),
    ],
)
def test_how_long_a_need_lasted_is_the_mean_of_its_runs(
    needs: tuple[bool | None, ...], expected: float | None
) -> None:
    assert Alarms((), needs).to_mend == expected
