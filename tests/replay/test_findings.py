"""What is said of two ways of retraining: by how much, how surely, and in which batches."""

import numpy as np
import pytest

from replay.days import Days
from replay.findings import _runs, contrasts, sentences
from replay.policies import NEVER, REFERENCE
from tests.replay.accounts import outcome

LENGTH = 20
NAMES = ["2013-03", "2013-04", "2013-05", "2013-06"]
STATEFUL = "every batch, stateful, expanding"


def said(*gains: float, better: str = REFERENCE, than: str = NEVER) -> list[str]:
    """The sentences where one loses less by so much a row, batch by batch, give or take a little."""
    noise = np.random.default_rng(1).normal(0, 0.01, (len(gains), LENGTH))
    theirs = [outcome(*[7.0] * LENGTH, first=LENGTH * place) for place in range(len(gains))]
    ours = [
        outcome(*(7.0 - 10 * (gain + noise[place])), first=LENGTH * place) for place, gain in enumerate(gains)
    ]
    days = Days.of(theirs, 1)
    found = contrasts(days, {better: days.sums(ours), than: days.sums(theirs)}, len(gains))
    return list(sentences(found, NAMES, "log_loss"))


def test_a_gain_is_told_with_its_batches() -> None:
    (told,) = said(0.0, 0.5, 0.5, -0.2)
    assert told.startswith("Retraining after every batch against never retraining gains 0.1993 of log_loss")
    assert told.endswith("; it surely gains in 2013-04 to 2013-05, and surely loses in 2013-06.")
    assert "surely)" in told and "not surely" not in told


def test_a_loss_that_is_sure_is_told_as_one() -> None:
    (told,) = said(-0.3, -0.3)
    assert "never retraining loses 0.3" in told and ", surely)" in told
    assert told.endswith("; it surely gains in no batch, and surely loses in 2013-03 to 2013-04.")


def test_what_may_be_chance_is_told_as_such() -> None:
    (told,) = said(0.0, 0.0)
    assert "not surely)" in told
    assert told.endswith("; it surely gains in no batch, and surely loses in none.")


def test_the_same_answers_are_told_as_no_gain_and_no_loss() -> None:
    one = [outcome(*[7.0] * LENGTH, first=0)]
    days = Days.of(one, 1)
    (told,) = sentences(contrasts(days, {REFERENCE: days.sums(one), NEVER: days.sums(one)}, 1), NAMES, "loss")
    assert told.endswith("against never retraining makes no difference here: the answers are the same.")


def test_one_day_proves_nothing() -> None:
    one, other = [outcome(7.0)], [outcome(6.0)]
    days = Days.of(one, 1)
    (told,) = sentences(
        contrasts(days, {REFERENCE: days.sums(other), NEVER: days.sums(one)}, 1), NAMES, "loss"
    )
    assert "(how surely is not known: all is of one day); it surely gains in no batch" in told


def test_only_what_was_lived_through_is_compared() -> None:
    (told,) = said(0.1, better=STATEFUL, than=REFERENCE)
    assert told.startswith("Going on from the champion against fits from nothing gains 0.1")
    assert said(0.1, better="on drift, stateless, expanding") == []


@pytest.mark.parametrize(
    ("holds", "expected"),
    [
        ([False] * 4, ""),
        ([True] * 4, "2013-03 to 2013-06"),
        ([True, False, True, False], "2013-03 and 2013-05"),
        ([False, True, True, False], "2013-04 to 2013-05"),
    ],
)
def test_runs_of_batches(holds: list[bool], expected: str) -> None:
    assert _runs(holds, NAMES) == expected
