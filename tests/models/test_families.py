"""One body of tests over every family: it learns, alike each time, and its graph and files agree with it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from core.errors import SpecError
from models.calibrate import sigmoid
from models.evaluate import auc, log_loss, normalised_entropy
from models.family import Fitted, Job, Parameter, families, family
from models.problems.binary import Binary
from models.rows import Columns, Rows, categories, numbers

pytestmark = pytest.mark.slow

Curve = list[tuple[int, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Case:
    """A fitted family, what it was fitted on, and the losses that it reported."""

    name: str
    train: Rows
    validation: Rows
    later: Rows
    columns: Columns
    model: Fitted
    curve: Curve

    def again(self, validation: Rows, columns: Columns) -> Fitted:
        """The same fit once more, but for what is given."""
        return family(self.name).fit(Job(Binary(), columns, self.train, validation, seed=1))


@pytest.fixture(scope="module", params=families())
def case(request: pytest.FixtureRequest, rows_frame: pl.DataFrame, columns: Columns) -> Case:
    name: str = request.param
    cuts = ((0, 1_800), (1_800, 2_400), (2_400, 3_000))
    train, validation, later = (Rows.of(rows_frame[start:end]) for start, end in cuts)
    curve: Curve = []
    model = family(name).fit(
        Job(
            Binary(),
            columns,
            train,
            validation,
            seed=1,
            report=lambda step, losses: curve.append((step, losses)),
        )
    )
    return Case(name, train, validation, later, columns, model, curve)


def answers(model: Fitted, frame: pl.DataFrame, columns: Columns) -> NDArray[np.float64]:
    """The margins that a model's graph gives."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        model.graph().SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    values = numbers(frame, columns)
    feed = {name: values[:, [place]] for place, name in enumerate(columns.numbers)}
    feed |= {series.name: series.to_numpy().astype(object)[:, None] for series in categories(frame, columns)}
    assert [value.name for value in session.get_inputs()] == list(columns.names)
    margins: NDArray[np.float32] = session.run(["margin"], feed)[0]
    assert margins.shape == (frame.height, 1)
    return margins.astype(np.float64)


def skill(model: Fitted, rows: Rows, frame: pl.DataFrame) -> float:
    """The AUC of a model on these rows, with the features of the frame."""
    return auc(rows.labels, model.margins(frame)[:, 0])


def odd(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with nothing known, with a category never seen, and with numbers far out, after the others."""
    nothing = frame[:3].with_columns(
        pl.lit(None, frame[name].dtype).alias(name) for name in frame.columns[5:]
    )
    unseen = frame[:3].with_columns(airline=pl.lit("never"), route=pl.lit("Zürich"))
    far = frame[:3].with_columns(wind=pl.lit(1e6, pl.Float32), distance=pl.lit(-1e6, pl.Float32))
    return pl.concat([frame, nothing, unseen, far])


def test_it_learns_what_there_is_to_learn(case: Case) -> None:
    margins = case.model.margins(case.later.frame)[:, 0]
    assert margins.dtype == np.float64
    assert auc(case.later.labels, margins) > 0.7
    assert normalised_entropy(case.later.labels, sigmoid(margins)) < 0.95


def test_each_kind_of_feature_is_used(case: Case) -> None:
    for name in ("wind", "late_rate", "airline", "route"):
        shuffled = case.later.frame.with_columns(pl.col(name).shuffle(seed=1))
        assert skill(case.model, case.later, shuffled) < skill(case.model, case.later, case.later.frame)


def test_that_a_number_is_missing_is_information(case: Case) -> None:
    calm = case.later.frame.with_columns(wind=pl.lit(10.0, pl.Float32))
    unknown = case.later.frame.with_columns(wind=pl.lit(None, pl.Float32))
    rise = case.model.margins(unknown).mean() - case.model.margins(calm).mean()
    assert 0.25 < rise < 1.5  # it was planted as 1.0; fits shrink towards 0


def test_the_same_fit_twice_is_the_same_model(case: Case, tmp_path: Path) -> None:
    torch.manual_seed(99)  # the state of the world must not matter
    again = case.again(case.validation, case.columns)
    for place, model in (("one", case.model), ("two", again)):
        (tmp_path / place).mkdir()
        model.save(tmp_path / place)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_a_fit_leaves_the_world_as_it_was(case: Case) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    state = torch.get_rng_state()
    try:
        case.again(case.validation, case.columns)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 3
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before)


def test_saved_and_loaded_it_says_the_same(case: Case, tmp_path: Path) -> None:
    case.model.save(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} <= {".json", ".npz", ".txt"}
    loaded = family(case.name).load(tmp_path)
    frame = odd(case.later.frame)
    np.testing.assert_array_equal(loaded.margins(frame), case.model.margins(frame))
    assert loaded.importance() == case.model.importance()


def test_the_graph_says_the_same(case: Case) -> None:
    frame = odd(case.later.frame)
    native = case.model.margins(frame)
    np.testing.assert_allclose(answers(case.model, frame, case.columns), native, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kept", ["numbers", "categories"])
def test_features_of_one_kind_are_enough(case: Case, kept: str) -> None:
    columns = Columns(**{"numbers": (), "categories": (), kept: getattr(case.columns, kept)})
    model = case.again(case.validation, columns)
    assert skill(model, case.later, case.later.frame) > 0.6
    np.testing.assert_allclose(
        answers(model, case.later.frame, columns), model.margins(case.later.frame), rtol=2e-5, atol=2e-5
    )


def test_importance_is_a_share_of_each_feature(case: Case) -> None:
    shares = case.model.importance()
    assert tuple(shares) == case.columns.names
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) >= 0
    assert shares["distance"] == min(shares.values())  # the only one that the labels do not depend on
    assert shares["wind"] == max(shares.values())  # the one that they depend on most


def test_losses_are_reported_and_the_best_weights_kept(case: Case) -> None:
    steps = [step for step, _ in case.curve]
    assert steps == sorted(set(steps))
    assert all(set(losses) == {"train_loss", "validation_loss"} for _, losses in case.curve)
    final = log_loss(case.validation.labels, sigmoid(case.model.margins(case.validation.frame)[:, 0]))
    assert final == pytest.approx(min(losses["validation_loss"] for _, losses in case.curve), abs=1e-6)


def test_a_row_is_answered_alone_as_among_others(case: Case) -> None:
    together = case.model.margins(case.later.frame)
    alone = [case.model.margins(case.later.frame[row : row + 1])[0] for row in range(5)]
    np.testing.assert_allclose(alone, together[:5], rtol=1e-5, atol=1e-6)


def test_a_category_seen_in_validation_only_is_unseen(case: Case) -> None:
    renamed = case.validation.frame.with_columns(airline=pl.lit("new"))
    model = case.again(replace(case.validation, frame=renamed), case.columns)
    new, never = (
        model.margins(case.later.frame.with_columns(airline=pl.lit(name))) for name in ("new", "never")
    )
    np.testing.assert_array_equal(new, never)


def refused(case: Case, parameters: dict[str, Parameter]) -> str:
    """What is said of wrong parameters."""
    with pytest.raises(SpecError) as caught:
        family(case.name).fit(Job(Binary(), case.columns, case.train, case.validation, parameters))
    return str(caught.value)


def test_an_unknown_parameter_is_named_with_the_nearest_right_one(case: Case) -> None:
    right = {"linear": "strength", "lightgbm": "num_leaves", "torch": "dropout"}[case.name]
    message = refused(case, {right + "s": 1})
    assert message.startswith(f"training.parameters.{case.name}.{right}s: ")
    assert f"did you mean '{right}'?" in message


def test_a_parameter_of_the_wrong_type_is_named(case: Case) -> None:
    right = {"linear": "strength", "lightgbm": "num_leaves", "torch": "dropout"}[case.name]
    message = refused(case, {right: "many"})
    assert message.startswith(f"training.parameters.{case.name}.{right}: ")
    assert "number" in message or "integer" in message


def test_an_unknown_family_is_named_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"no family 'lightbgm'.*did you mean 'lightgbm'"):
        family("lightbgm")


def test_the_simplest_family_is_the_linear_one() -> None:
    assert sorted(families(), key=lambda name: family(name).complexity) == ["linear", "lightgbm", "torch"]
