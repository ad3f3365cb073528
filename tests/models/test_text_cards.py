"""What a card, the gate and the watch say of free texts: tricks of spelling, new words, leaks, drift."""

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from numpy.typing import NDArray

from core.spec import Monitoring, Spec
from models.card.disguise import TRICKS
from models.card.examples import examples
from models.card.limits import of_inputs
from models.card.outside import Seen
from models.card.robustness import trials
from models.onnx.probes import FREE, compared_rows, fuzzed
from models.problem import as_answers
from models.problems.binary import Binary
from models.rows import Columns, Rows
from monitoring.drift.drift import feature_drift
from monitoring.profiles.profiling import profile
from tests.models.textual import COLUMNS, frame, rows_of

TEXT = Columns((), (), ("remark",))


@dataclass(frozen=True)
class Reader:
    """A model that goes by one word of a text, spelled so and no other way."""

    columns: Columns = COLUMNS

    def margins(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        there = rows["remark"].fill_null("").str.contains("ghastly", literal=True).to_numpy()
        return np.where(there, 2.0, -1.5)[:, None]

    def contributions(self, rows: pl.DataFrame) -> None:
        return None

    def answers(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        return as_answers("sigmoid", self.margins(rows))


@pytest.fixture(scope="module")
def rows() -> Rows:
    return rows_of("binary", frame(400))


@pytest.fixture(scope="module")
def said(spec: Spec) -> Spec:
    """A project that reads texts."""
    kinds = {"size": "number", "place": "category", "title": "text", "remark": "text"}
    features: dict[str, Any] = {
        name: {"from": "row", "column": name, "kind": kind} for name, kind in kinds.items()
    }
    made = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return Spec.model_validate(made | {"features": features})


def test_tricks_of_spelling_are_tried_and_hurt_what_goes_by_spelling(rows: Rows, said: Spec) -> None:
    seen = Seen.of(rows.frame, COLUMNS)
    found = {(each.change, each.what): each for each in trials(Binary(), Reader().answers, rows, seen, said)}
    for trick in TRICKS:
        hurt = found[trick, "remark"]
        assert hurt.rise.low > 0, trick
        assert hurt.matters
        assert hurt.features == ("remark",)
        assert found[trick, "title"].rise.value == 0  # which the model does not read
        assert found[trick, "all"].rise.value == pytest.approx(hurt.rise.value)
    assert found["missing", "remark"].rise.value > 0
    assert ("unseen", "remark") not in found


def test_no_trick_leaves_a_text_as_it_is() -> None:
    for name, spell in TRICKS.items():
        assert spell("House of stone") != "House of stone", name
        assert spell("") == ""


def test_an_example_names_the_words_that_move_it(rows: Rows, said: Spec) -> None:
    seen = Seen.of(rows.frame, COLUMNS)
    found = examples(Binary(), Reader(), rows, Reader().answers(rows.frame), seen, said)
    highest = next(each for each in found if each.role == "highest")
    assert [(word.feature, word.value) for word in highest.words] == [("remark", "ghastly")]
    assert highest.words[0].added == pytest.approx(3.5)
    lowest = next(each for each in found if each.role == "lowest")
    assert lowest.words == ()
    long = replace(rows, frame=rows.frame.with_columns(remark=pl.lit("ghastly " * 200)))
    shown = examples(Binary(), Reader(), long, Reader().answers(long.frame), seen, said)[0]
    told = {part.feature: part.value for part in shown.parts}
    assert len(str(told["remark"])) < 250


def test_a_text_of_new_words_is_unlike_training(rows: Rows) -> None:
    seen = Seen.of(rows.frame, COLUMNS)
    assert not seen.strange(rows.frame).any()
    asked = rows.frame.head(3).with_columns(
        remark=pl.Series(["wholly other matters here", "river house other", ""])
    )
    strange = dict(zip(COLUMNS.names, seen.strange(asked).T.tolist(), strict=True))
    assert strange["remark"] == [True, False, True]  # mostly new, mostly known, empty though none was
    assert strange["title"] == [False] * 3


def test_a_card_says_how_much_of_a_text_is_read(said: Spec) -> None:
    lines = " ".join(of_inputs(said, {"outside": {"rows": 0}, "trials": []}))
    assert "remark" in lines
    assert "1,000 characters" in lines
    assert "128 words" in lines


def test_rows_made_to_tell_graphs_apart_have_odd_texts(rows: Rows) -> None:
    made = fuzzed(rows.frame, COLUMNS, 2_000, seed=0)
    assert set(FREE) <= set(made["remark"])
    assert made.schema["remark"] == pl.String
    assert not set(FREE) - {*FREE[:11]} & set(made["place"])  # those of categories are as they were
    compared = compared_rows(onnx.ModelProto(), COLUMNS, rows.frame, rows.frame)
    assert compared["remark"].null_count() > 8
    assert compared.columns == list(COLUMNS.names)


def test_words_that_change_are_drift_and_chance_is_not(rows: Rows) -> None:
    made, rules = rows.frame, Monitoring(min_rows=100)
    half = np.random.default_rng(0).permutation(400)
    (calm,) = feature_drift(made[half[:200]], made[half[200:]], TEXT, rules)
    assert not calm.drifted
    assert (calm.new, calm.vanished) == ((), ())
    words = made.with_columns(pl.col("remark").str.replace_all("river|house|seven|green", "brexit"))
    (told,) = feature_drift(made, words, TEXT, rules)
    assert told.drifted
    assert "brexit" in told.new
    assert {"river", "house"} <= set(told.vanished)
    longer = made.with_columns(remark=pl.concat_str("remark", pl.col("remark").reverse(), separator=" "))
    (length,) = feature_drift(made, longer, TEXT, rules)
    assert length.drifted
    assert length.note.startswith("length ")
    gone = made.with_columns(remark=pl.lit(None, pl.String))
    (empty,) = feature_drift(made, gone, TEXT, rules)
    assert empty.drifted
    assert "missing in 100.0% of rows" in empty.note


def test_a_profile_counts_words_not_texts() -> None:
    said = pl.DataFrame({"remark": ["Stop it", "stop, stop", None, "  "]})
    row = profile(said, TEXT)["remark"].row()
    told = json.loads(row["document"])
    assert (row["kind"], row["rows"], row["nulls"]) == ("text", 4, 2)
    assert told["top"][0] == {"value": "stop", "count": 3}
    assert told["distinct"] == 3
    assert (told["min"], told["max"]) == (2, 3)
