"""Champions beside baselines: who is shown what, what is told of it, and what a benchmark must be."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from benchmarks.baselines import Benchmark, benchmark
from benchmarks.meeting import CHAMPION, Meeting, meeting
from benchmarks.told import by_batch, figures, measures, overall
from core.errors import IntegrityError, SpecError
from models.answers import to_column
from models.problem import problem_of
from models.rows import Rows
from stages.features.featurise import labelled
from stages.workspace import Workspace
from tests.stages.orders import AS_OF, CITIES, OUTCOMES, make_orders

Floats = NDArray[np.float64]
Answer = Callable[[pl.DataFrame], Floats]

SCORED = ("2013-03", "2013-04", "2013-05")
OUTCOME = {"label", "known_at", "late", "mood", "minutes", "grade", "seen"}
HERE = Path("benchmark.py")


def constant(workspace: Workspace) -> Answer:
    """Always the answer that is best over all rows, in the shape of the problem's."""
    problem = problem_of(workspace.spec)
    best = problem.constant(Rows.of(labelled(workspace, AS_OF), workspace.spec.outcome))
    return lambda rows: np.broadcast_to(best, (rows.height, *np.shape(best))).astype(np.float64)


def scored(workspace: Workspace, answer: Answer) -> Workspace:
    """The workspace with predictions of the last three months, as if a champion had given these answers."""
    for batch in SCORED:
        rows = workspace.lake.scan("features", [batch]).collect()
        predictions = rows.select("basket", "id", "event_time").with_columns(
            to_column(answer(rows)), version=pl.lit("orders/1")
        )
        workspace.lake.write("predictions", batch, predictions)
    return workspace


def sure(rows: pl.DataFrame, by_city: bool = False) -> Floats:
    """Probabilities by the rain and the load that lateness hangs on and, if asked for, by the city."""
    drive = 0.5 * (rows["rain"].to_numpy() - 4) + 1.2 * rows["load"].fill_null(0).to_numpy()
    if by_city:
        drive += rows["city"].replace_strict(list(CITIES), [-1.0, -0.3, 0.4, 1.0]).to_numpy()
    return np.asarray(1 / (1 + np.exp(1 - drive)), np.float64)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return scored(make_orders(tmp_path_factory.mktemp("binary")), sure)


@pytest.fixture(scope="module")
def rate() -> Benchmark:
    def base_rate(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
        return np.full(rows.height, known["label"].mean())

    def half(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
        return np.full(rows.height, 0.5)

    return Benchmark(
        HERE, {"base rate": base_rate, "a half": half}, lambda rows, answers: {"top": answers.max()}
    )


@pytest.fixture(scope="module")
def met(workspace: Workspace, rate: Benchmark) -> Meeting:
    return meeting(workspace, rate)


def test_a_baseline_is_shown_no_outcome_of_the_rows_it_answers(workspace: Workspace) -> None:
    shown: list[tuple[pl.DataFrame, pl.DataFrame]] = []

    def spy(known: pl.DataFrame, rows: pl.DataFrame) -> Floats:
        shown.append((known, rows))
        return np.full(rows.height, 0.3)

    meeting(workspace, Benchmark(HERE, {"spy": spy}))
    assert len(shown) == len(SCORED)
    for batch, (known, rows) in zip(SCORED, shown, strict=True):
        assert not OUTCOME & set(rows.columns)
        assert {"basket", "id", "event_time", "decision_time", "city", "rain", "load"} == set(rows.columns)
        assert OUTCOME | set(rows.columns) <= set(known.columns)
        assert not {"prediction", "version"} & set(known.columns)
        assert known["known_at"].max() <= workspace.batch(batch).start <= rows["event_time"].min()
        assert known.height > 1000


def test_gains_are_those_of_the_losses_on_the_same_rows(met: Meeting) -> None:
    labels = met.rows["label"].to_numpy()
    lost = {name: log_loss(labels, answers) for name, answers in met.answers.items()}
    for name in ("base rate", "a half"):
        gain = met.gain(name)
        assert gain.value == pytest.approx(lost[name] - lost[CHAMPION])
        assert 0 < gain.low < gain.value < gain.high
    np.testing.assert_array_equal(met.answers[CHAMPION], sure(met.rows))


def test_each_batch_is_met_with_what_was_known_when_it_began(workspace: Workspace, met: Meeting) -> None:
    every, parts = labelled(workspace, AS_OF), dict(met.by_batch())
    assert list(parts) == list(SCORED)
    assert sum(part.rows.height for part in parts.values()) == met.rows.height
    for batch, part in parts.items():
        known = every.filter(pl.col("known_at") <= workspace.batch(batch).start)
        assert set(part.answers["base rate"]) == {known["label"].mean()}


@pytest.mark.parametrize("kind", OUTCOMES)
def test_every_kind_of_problem_meets_baselines_in_its_own_shape(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    workspace = make_orders(tmp_path_factory.mktemp(kind), kind)
    best = constant(workspace)
    scored(workspace, best)
    same = Benchmark(HERE, {"the same": lambda known, rows: best(rows)})
    found = figures(meeting(workspace, same), same)
    assert found.measures[CHAMPION] == pytest.approx(found.measures["the same"])
    assert (found.gains["the same"].value, found.gains["the same"].low) == (0, 0)
    wrong = Benchmark(HERE, {"wrong": lambda known, rows: best(rows)[:-1]})
    with pytest.raises(SpecError, match=r"benchmark.py: baseline 'wrong' answers in the shape"):
        meeting(workspace, wrong)


def test_what_is_told_has_the_strongest_baseline_and_whether_it_is_surely_beaten(
    met: Meeting, rate: Benchmark
) -> None:
    whole = figures(met, rate)
    batches = {batch: figures(part, rate) for batch, part in met.by_batch()}
    assert whole.strongest == "base rate"
    assert whole.versions == ("orders/1",)
    assert whole.measures[CHAMPION]["top"] == met.answers[CHAMPION].max()
    told = {each.measure: each for each in measures("orders", whole, batches)}
    goals = {name for name, each in told.items() if each.goal}
    assert goals == {"orders: gain on base rate, low end"}
    assert told["orders: gain on base rate, low end"].holds
    assert told["orders 2013-04: gain on base rate"].value == batches["2013-04"].gains["base rate"].value
    assert overall(whole).row_count == 3
    assert by_batch(batches, whole.strongest).row_count == 3


def test_a_champion_that_a_baseline_beats_misses_the_goal(workspace: Workspace) -> None:
    better = Benchmark(HERE, {"the whole rule": lambda known, rows: sure(rows, by_city=True)})
    same = Benchmark(HERE, {"itself": lambda known, rows: sure(rows)})
    for against in (better, same):
        whole = figures(meeting(workspace, against), against)
        low = next(each for each in measures("orders", whole, {}) if each.goal)
        assert not low.holds


def test_nothing_is_compared_before_anything_was_scored(
    tmp_path: Path, workspace: Workspace, rate: Benchmark
) -> None:
    for batch in SCORED:
        nothing = workspace.lake.scan("predictions", [batch]).collect().clear()
        workspace.lake.write("predictions", batch, nothing)
    try:
        with pytest.raises(IntegrityError, match="orders: no prediction has an outcome"):
            meeting(workspace, rate)
    finally:
        scored(workspace, sure)


GOOD = """
import numpy as np
def base_rate(known, rows):
    return np.full(rows.height, 1 / len(rows.columns[99:]))
BASELINES = {"base rate": base_rate}
"""


def test_a_benchmark_that_cannot_be_used_is_told_with_its_line(workspace: Workspace) -> None:
    path = workspace.project.folder / "benchmark.py"
    told = {
        None: f"{path} is missing: it should name the baselines of orders, as BASELINES = {{...}}",
        "import numpy\nBASELINES = {": f"{path}:2: is no valid Python: '{{' was never closed",
        "\n\nimport no_such_module": f"{path}:3: ModuleNotFoundError: No module named 'no_such_module'",
        "BASELINE = {}": f"{path}: should name its baselines",
        "BASELINES = {'rate': 0.5}": f"{path}: should name its baselines",
        GOOD + "measures = 3": f"{path}: measures should be a function",
    }
    for text, sentence in told.items():
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        with pytest.raises(SpecError, match=re.escape(sentence)):
            benchmark(workspace.project)
    path.write_text(GOOD)
    with pytest.raises(
        SpecError, match=re.escape(f"{path}:4: ZeroDivisionError: division by zero (in baseline")
    ):
        meeting(workspace, benchmark(workspace.project))


def test_answers_that_are_no_numbers_are_refused(workspace: Workspace) -> None:
    for answer, why in (
        (np.nan, "1 of .* answers .* no finite numbers"),
        ("no", "should answer with numbers"),
    ):

        def wrong(known: pl.DataFrame, rows: pl.DataFrame, answer: object = answer) -> object:
            return [answer, *[0.5] * (rows.height - 1)]

        with pytest.raises(SpecError, match=why):
            meeting(workspace, Benchmark(HERE, {"wrong": wrong}))
