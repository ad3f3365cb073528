"""One body of tests over every family that reads texts: graph and model agree, whatever is beside a row."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime as ort
import polars as pl
import pytest

from core.errors import SpecError
from models.family import Fitted, Job, Parameter, family
from models.problem import Problem, as_answers
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.problems.ranking import Ranking
from models.problems.regression import Regression
from models.rows import Columns, Rows
from models.runtime.session import feed, session
from tests.models.textual import COLUMNS, ODD, frame, odd, rows_of

pytestmark = pytest.mark.slow

PROBLEMS: Mapping[str, Problem] = {
    "binary": Binary(),
    "multiclass": Multiclass("log_loss", ("kind", "plain", "angry")),
    "regression": Regression(),
    "ranking": Ranking(5),
}
FAST: Parameter = 60
QUICK: Mapping[str, Mapping[str, Parameter]] = {
    "linear": {},
    "lightgbm": {"rounds": 40, "min_data_in_leaf": 10, "folds": 2},
    "torch": {"min_steps": FAST, "batch_rows": 64, "learning_rate": 0.01, "text_width": 4, "hidden": [16]},
    "transformer": {
        "min_steps": FAST,
        "batch_rows": 64,
        "learning_rate": 0.01,
        "text_width": 8,
        "hidden": [16],
    },
    "average": {"members": ["linear", "lightgbm"]},
    "stacking": {"members": ["linear", "lightgbm"]},
    "distilled": {"teacher": "linear"},
}
CASES = [("binary", name) for name in QUICK]
CASES += [
    (problem, name) for problem in ("multiclass", "regression") for name in ("linear", "lightgbm", "torch")
]
CASES += [("ranking", "linear"), ("ranking", "lightgbm")]


@dataclass(frozen=True)
class Case:
    """A family fitted to a problem on texts, and rows of a later time."""

    name: str
    job: Job
    model: Fitted
    later: Rows

    @cached_property
    def session(self) -> ort.InferenceSession:
        return session(self.model.graph().SerializeToString(), self.name)

    def graph_says(self, rows: pl.DataFrame) -> np.ndarray:
        (found,) = self.session.run(["margin"], feed(rows, COLUMNS, self.name))
        return np.asarray(found, np.float64)


def job_of(problem: str, name: str, columns: Columns = COLUMNS) -> Job:
    rows = rows_of(problem, frame(640))
    return Job(
        PROBLEMS[problem],
        columns,
        rows.at(slice(0, 480)),
        rows.at(slice(480, 640)),
        QUICK[name],
        1,
        settings=QUICK,
    )


@pytest.fixture(scope="module", params=CASES, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def case(request: pytest.FixtureRequest) -> Case:
    problem, name = request.param
    job = job_of(problem, name)
    return Case(name, job, family(name).fit(job), rows_of(problem, frame(160, seed=8)))


def test_a_family_learns_what_texts_say(case: Case) -> None:
    def loss(model: Fitted) -> float:
        answers = as_answers(case.job.problem.link, model.margins(case.later.frame))
        return float(case.job.problem.losses(case.later, answers).mean())

    constant = family("constant").fit(replace(case.job, parameters={}))
    assert loss(case.model) < 0.8 * loss(constant)
    told = case.model.importance()
    assert told["remark"] == max(told.values())
    assert sum(told.values()) == pytest.approx(1)


def test_the_graph_says_what_the_model_says_of_any_text(case: Case) -> None:
    rows = pl.concat([case.later.frame.select(COLUMNS.names), odd(case.later.frame)])
    native = case.model.margins(rows)
    scale = max(1.0, float(np.abs(native).max()))
    np.testing.assert_allclose(case.graph_says(rows), native, rtol=0, atol=1e-5 * scale)
    assert np.isfinite(native).all()


def test_a_row_alone_says_what_it_says_beside_long_neighbours(case: Case) -> None:
    some = case.later.frame.select(COLUMNS.names).head(12)
    long = some.with_columns(remark=pl.lit("ghastly river " * 400), title=pl.lit("x" * 3000))
    together = case.graph_says(pl.concat([some, long, odd(some)]))[:12]
    alone = np.concatenate([case.graph_says(some[row : row + 1]) for row in range(12)])
    exact = case.name in ("linear", "lightgbm", "average", "stacking", "distilled")
    np.testing.assert_allclose(alone, together, rtol=0, atol=0 if exact else 1e-5)
    empty = some.with_columns(remark=pl.lit(""), title=pl.lit(None, pl.String))
    np.testing.assert_allclose(
        case.graph_says(empty), case.model.margins(empty), atol=1e-4
    )  # no token at all


def test_what_was_written_is_read_back(case: Case, tmp_path: Path) -> None:
    case.model.save(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt")]
    rows = pl.concat([case.later.frame.select(COLUMNS.names), odd(case.later.frame)])
    np.testing.assert_array_equal(family(case.name).load(tmp_path).margins(rows), case.model.margins(rows))


def test_what_features_add_sums_to_the_margin(case: Case) -> None:
    added = case.model.contributions(case.later.frame)
    if added is None:
        assert case.name in ("torch", "transformer")
        return
    assert added.shape == (160, 4, len(case.job.problem.outputs))
    rest = case.model.margins(case.later.frame) - added.sum(axis=1)
    np.testing.assert_allclose(
        rest, np.broadcast_to(rest[:1], rest.shape), atol=1e-6 * np.abs(rest).max() + 1e-6
    )


@pytest.mark.parametrize("name", ["lightgbm", "torch", "transformer"])
def test_a_fit_goes_on_from_another(name: str) -> None:
    job = job_of("binary", name)
    start = family(name).fit(job)
    further = family(name).fit(replace(job, start=start))
    assert np.isfinite(further.margins(job.validation.frame)).all()
    fewer = replace(COLUMNS, texts=("remark",))
    with pytest.raises(SpecError, match="the champion has other features"):
        family(name).fit(replace(job, columns=fewer, start=start))


def test_texts_alone_are_enough() -> None:
    only = Columns((), (), ("remark",))
    for name in ("linear", "lightgbm", "torch"):
        job = job_of("binary", name, only)
        model = family(name).fit(job)
        rows = job.validation.frame
        (said,) = session(model.graph().SerializeToString(), name).run(["margin"], feed(rows, only, name))
        np.testing.assert_allclose(said, model.margins(rows), atol=1e-4)


def test_a_transformer_without_texts_is_refused_and_heads_have_to_divide_its_width() -> None:
    job = job_of("binary", "transformer")
    with pytest.raises(SpecError, match="no feature is of kind text"):
        family("transformer").fit(replace(job, columns=replace(COLUMNS, texts=())))
    with pytest.raises(SpecError, match=r"transformer\.heads: .*should divide text_width 8"):
        family("transformer").fit(replace(job, parameters={"text_width": 8, "heads": 3}))


def test_only_attention_knows_of_order() -> None:
    """Where only the order of two words tells, far from each other, a mean of tokens cannot know."""
    random = np.random.default_rng(5)
    first = random.random(640) < 0.5
    between = ["river house seven green walk paper"[: int(end)] for end in random.integers(5, 34, 640)]
    texts = [f"up {gap} down" if one else f"down {gap} up" for one, gap in zip(first, between, strict=True)]
    made = frame(640).with_columns(remark=pl.Series(texts), title=pl.lit(""))
    rows = replace(rows_of("binary", made), labels=first.astype(float))
    words = {"min_steps": 250, "text_width": 16, "batch_rows": 64, "learning_rate": 0.01, "hidden": [16]}
    job = Job(
        Binary(),
        replace(COLUMNS, texts=("remark",)),
        rows.at(slice(0, 480)),
        rows.at(slice(480, 640)),
        words,
        1,
    )
    margins = family("transformer").fit(job).margins(job.validation.frame)[:, 0]
    assert ((margins > 0) == (job.validation.labels > 0)).mean() > 0.9


def test_odd_texts_are_many() -> None:
    assert len({text for text in ODD if text}) == len(ODD) - 2
