"""One body of tests over every family and problem: it learns, alike each time, and graph and files agree."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from core.errors import SpecError
from models.family import Fitted, Job, Parameter, families, family
from models.learning.truth import best_constant, later_base, truth_of
from models.measures.probabilities import auc
from models.problem import as_answers
from models.rows import Columns, Rows, categories, numbers

pytestmark = pytest.mark.slow

PROBLEMS = ("binary", "multiclass", "regression", "quantiles", "ranking")
QUICK: Mapping[str, Mapping[str, Parameter]] = {
    "lightgbm": {"rounds": 60, "learning_rate": 0.1, "min_data_in_leaf": 40},
    "torch": {"min_steps": 120},
}
MEMBERS: Mapping[str, Mapping[str, Parameter]] = {"stacking": {"members": ["lightgbm", "linear"]}}
# What a family should lose at the most, as a share of what the best constant loses.
SKILL = {"probability": 0.88, "probabilities": 0.9, "value": 0.75, "quantiles": 0.88, "score": 0.7}
# What a parameter of each family is called.
SOME = {
    "linear": "strength",
    "lightgbm": "num_leaves",
    "torch": "dropout",
    "average": "members",
    "stacking": "members",
    "distilled": "teacher",
}
MADE_OF_OTHERS = ("average", "stacking", "distilled")
Curve = list[tuple[int, dict[str, float]]]


@dataclass(frozen=True)
class Case:
    """A fitted family, the job that it did, rows of a later time, and the losses that it reported."""

    name: str
    job: Job
    later: Rows
    model: Fitted
    curve: Curve

    def again(self, **changes: Any) -> Fitted:
        """The same fit once more, but for what is given; what it is made of is fitted anew as well."""
        return family(self.name).fit(replace(self.job, members={}, **changes))

    def loss(self, rows: Rows, model: Fitted | None = None) -> float:
        margins = (model or self.model).margins(rows.frame)
        return float(self.job.problem.losses(rows, as_answers(self.job.problem.link, margins)).mean())

    @cached_property
    def session(self) -> ort.InferenceSession:
        return opened(self.model)


def opened(model: Fitted) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    graph = model.graph().SerializeToString()
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def fitted() -> dict[tuple[str, str], Fitted]:
    """What was fitted so far, by problem and family: ensembles are made of it."""
    return {}


# Pytest groups tests by the parameter of a module's fixture; members come before what is made of them.
TABULAR = [name for name in families() if name != "transformer"]  # which reads texts: see test_texts.py
ORDER = [(kind, name) for kind in PROBLEMS for name in sorted(TABULAR, key=lambda n: family(n).complexity)]
ORDER.sort(key=lambda pair: (PROBLEMS.index(pair[0]), pair[1] == "distilled"))


@pytest.fixture(scope="module", params=ORDER, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def case(
    request: pytest.FixtureRequest, tasks: dict[str, Any], fitted: dict[tuple[str, str], Fitted]
) -> Case:
    kind, name = request.param
    task, curve = tasks[kind], Curve()
    members = {each: model for (problem, each), model in fitted.items() if problem == kind}
    job = Job(
        task.problem,
        task.columns,
        task.train,
        task.validation,
        QUICK.get(name, MEMBERS.get(name, {})),
        seed=1,
        settings={**QUICK, **MEMBERS},
    )
    reporting = replace(job, members=members, report=lambda step, losses: curve.append((step, losses)))
    model = fitted[kind, name] = family(name).fit(reporting)
    return Case(name, job, task.later, model, curve)


def answers(session: ort.InferenceSession, frame: pl.DataFrame, columns: Columns) -> NDArray[np.float64]:
    """The margins that a graph gives."""
    values = numbers(frame, columns)
    feed = {name: values[:, [place]] for place, name in enumerate(columns.numbers)}
    feed |= {series.name: series.to_numpy().astype(object)[:, None] for series in categories(frame, columns)}
    assert [value.name for value in session.get_inputs()] == list(columns.names)
    margins: NDArray[np.float32] = session.run(["margin"], feed)[0]
    return margins.astype(np.float64)


def assert_same(found: NDArray[np.float64], native: NDArray[np.float64]) -> None:
    """Within 2e-5 of the spread of what is said, which for a constant is its size."""
    assert found.shape == native.shape
    spread = max(float(native.std()), 0.01 * float(np.abs(native).max()))
    assert np.isfinite(native).all()
    np.testing.assert_allclose(found / spread, native / spread, rtol=0, atol=2e-5)


def odd(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with nothing known, with strings of every kind never seen, and with numbers far out."""
    few = frame[:2]
    nothing = few.with_columns(pl.lit(None, frame[name].dtype).alias(name) for name in frame.columns[4:9])
    texts = ["never", "Zürich", "", " UA", "ua", "UA\0", "\0", "UA\n", "🛫" * 9, "x" * 100_000, "nan", "-1"]
    unseen = [few.with_columns(airline=pl.lit(text), route=pl.lit(text)) for text in texts]
    values = [1e6, -1e6, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-38, 3.4e38, np.nan]
    far = [few.with_columns(pl.lit(value, pl.Float32).alias("wind")) for value in values]
    both = few.with_columns(wind=pl.lit(np.inf, pl.Float32), distance=pl.lit(-np.inf, pl.Float32))
    return pl.concat([frame, nothing, *unseen, *far, both])


def test_it_learns_what_there_is_to_learn(case: Case) -> None:
    margins = case.model.margins(case.later.frame)
    assert margins.dtype == np.float64
    assert margins.shape == (len(case.later), len(case.job.problem.outputs))
    constant = case.job.problem.constant(case.job.train)
    nothing = case.job.problem.losses(case.later, np.tile(constant, (len(case.later), *[1] * constant.ndim)))
    if case.name == "constant":
        assert case.loss(case.later) == pytest.approx(float(nothing.mean()), rel=1e-3)
    else:
        assert case.loss(case.later) < SKILL[case.job.problem.output] * nothing.mean()


def test_a_class_without_rows_is_unlikely_and_finite(case: Case) -> None:
    if case.job.problem.kind != "multiclass":
        return
    margins = case.model.margins(odd(case.later.frame))
    assert np.isfinite(margins).all()
    assert as_answers("softmax", margins)[:, 3].max() < 0.01


def test_the_same_fit_twice_is_the_same_model(case: Case, tmp_path: Path) -> None:
    torch.manual_seed(99)  # the state of the world must not matter
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    for place, model in (("one", case.model), ("two", case.again())):
        (tmp_path / place).mkdir()
        model.save(tmp_path / place)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert files
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_saved_and_loaded_it_says_the_same(case: Case, tmp_path: Path) -> None:
    case.model.save(tmp_path)
    assert {file.suffix for file in tmp_path.rglob("*.*")} <= {".json", ".npz", ".txt"}
    loaded = family(case.name).load(tmp_path)
    frame = odd(case.later.frame)
    np.testing.assert_array_equal(loaded.margins(frame), case.model.margins(frame))
    assert loaded.importance() == case.model.importance()


def test_the_graph_says_the_same(case: Case) -> None:
    frame = odd(case.later.frame)
    assert_same(answers(case.session, frame, case.job.columns), case.model.margins(frame))


def test_importance_is_a_share_of_each_feature(case: Case) -> None:
    shares = case.model.importance()
    assert tuple(shares) == case.job.columns.names
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) >= 0
    if case.name == "constant":
        assert len(set(shares.values())) == 1
    else:
        assert shares["distance"] < 0.5 * shares["wind"]  # no label depends on distance


def test_contributions_sum_to_the_margin_but_for_a_constant(case: Case) -> None:
    frame = case.later.frame
    found = case.model.contributions(frame)
    if found is None:
        assert case.name in ("torch", "average")  # a network has no exact ones
        return
    assert found.shape == (len(case.later), len(case.job.columns.names), len(case.job.problem.outputs))
    margins = case.model.margins(frame)
    rest = margins - found.sum(axis=1)
    assert np.ptp(rest, axis=0) == pytest.approx(0, abs=1e-9 * np.abs(margins).max())
    # On average a feature adds about nothing.
    assert np.abs(found.mean(axis=0)).max() <= 0.2 * margins.std()


def test_a_row_is_answered_alone_as_among_others(case: Case) -> None:
    together = case.model.margins(case.later.frame)
    alone = [case.model.margins(case.later.frame[row : row + 1])[0] for row in range(5)]
    np.testing.assert_allclose(alone, together[:5], rtol=1e-5, atol=1e-6)


def test_losses_are_reported_and_the_best_round_is_kept(case: Case) -> None:
    steps = [step for step, _ in case.curve]
    assert steps
    assert steps == sorted(set(steps))
    assert all(set(losses) == {"train_loss", "validation_loss"} for _, losses in case.curve)
    best = min(losses["validation_loss"] for _, losses in case.curve)
    of_lists = (
        case.job.problem.kind == "ranking" and case.name == "lightgbm"
    )  # whose nDCG counts ties its own way
    # These are stopped as if they knew how frequent the classes have become.
    knows = case.name in ("lightgbm", "torch")
    kept = loss_at_own_shares(case) if knows else case.loss(case.job.validation)
    assert kept == pytest.approx(best, rel=0.1 if of_lists else 1e-5)


def loss_at_own_shares(case: Case) -> float:
    """The loss on the validation rows, with margins moved by what the best constant has moved."""
    truth, problem, rows = truth_of(case.job), case.job.problem, case.job.validation
    margins = case.model.margins(rows.frame) + later_base(case.job, truth) - best_constant(truth)
    return float(problem.losses(rows, as_answers(problem.link, margins)).mean())


def test_an_unknown_parameter_is_named_with_the_nearest_right_one(case: Case) -> None:
    right = SOME.get(case.name)
    if right is None:
        return
    with pytest.raises(SpecError) as caught:
        case.again(parameters={right + "s": 1})
    assert str(caught.value).startswith(f"training.parameters.{case.name}.{right}s: ")
    assert f"did you mean '{right}'?" in str(caught.value)
    with pytest.raises(SpecError) as caught:
        case.again(parameters={right: {"a": 1}})
    assert str(caught.value).startswith(f"training.parameters.{case.name}.{right}: ")


@pytest.mark.parametrize("kept", ["numbers", "categories"])
def test_features_of_one_kind_are_enough(case: Case, kept: str) -> None:
    if case.job.problem.kind != "binary" or case.name in MADE_OF_OTHERS:
        return
    columns = Columns(**{"numbers": (), "categories": (), kept: getattr(case.job.columns, kept)})
    model = case.again(columns=columns)
    if case.name != "constant":
        assert auc(case.later.labels, model.margins(case.later.frame)[:, 0]) > 0.54
    assert_same(answers(opened(model), case.later.frame, columns), model.margins(case.later.frame))


def test_that_a_number_is_missing_is_information(case: Case) -> None:
    if case.job.problem.kind != "binary" or case.name == "constant":
        return
    calm = case.later.frame.with_columns(wind=pl.lit(10.0, pl.Float32))
    unknown = case.later.frame.with_columns(wind=pl.lit(None, pl.Float32))
    rise = case.model.margins(unknown).mean() - case.model.margins(calm).mean()
    assert 0.25 < rise < 1.5  # it was planted as 1.0; fits shrink towards 0


def test_a_category_seen_in_validation_only_is_unseen(case: Case) -> None:
    if case.job.problem.kind not in ("binary", "multiclass"):
        return
    renamed = case.job.validation.frame.with_columns(airline=pl.lit("new"))
    model = case.again(validation=replace(case.job.validation, frame=renamed))
    new, never = (
        model.margins(case.later.frame.with_columns(airline=pl.lit(name))) for name in ("new", "never")
    )
    np.testing.assert_array_equal(new, never)


def test_an_unknown_family_is_named_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"no family 'lightbgm'.*did you mean 'lightgbm'"):
        family("lightbgm")


def test_the_simpler_a_family_the_less_complex() -> None:
    order = ["constant", "linear", "distilled", "lightgbm", "torch", "transformer", "average", "stacking"]
    assert sorted(families(), key=lambda name: family(name).complexity) == order


@pytest.mark.parametrize("name", families())
def test_a_family_can_be_tuned_within_what_it_takes(name: str, tasks: dict[str, Any]) -> None:
    task = tasks["binary"]
    for parameter, found in family(name).space.items():
        for value in found.choices or (found.low, found.high):
            job = Job(
                task.problem, task.columns, task.train, task.validation, {parameter: value, "nonsense": 1}
            )
            with pytest.raises(SpecError, match=r"\A[\w.]+\.nonsense: [^\n]+\Z"):
                family(name).fit(job)
