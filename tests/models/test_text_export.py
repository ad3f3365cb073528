"""Files of fits on texts: like the model on texts that nobody would write, and steady beside any other."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from core.spec import Spec
from models.calibration.choose import uncalibrated
from models.family import Job, Parameter, family
from models.fit import Fit
from models.onnx.export import Variant, export
from models.problem import Problem
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.runtime.model import Model
from models.split import Split
from tests.models.textual import COLUMNS, frame, odd, rows_of

pytestmark = pytest.mark.slow

QUICK: dict[str, Parameter] = {"min_steps": 20, "batch_rows": 64, "text_width": 4, "heads": 2, "hidden": [8]}
CASES: dict[str, tuple[Problem, dict[str, Parameter]]] = {
    "linear": (Multiclass("log_loss", ("kind", "plain", "angry")), {}),
    "transformer": (Binary(), QUICK),
}


@dataclass(frozen=True)
class Exported:
    """A fit, its files by name, and the rows that it was held against."""

    fit: Fit
    files: dict[str, Variant]
    parts: Split


@pytest.fixture(scope="module", params=CASES)
def exported(
    request: pytest.FixtureRequest, spec: Spec, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    name, (problem, parameters) = request.param, CASES[request.param]
    rows = rows_of(problem.kind, frame(500))
    parts = Split(rows.at(slice(0, 300)), rows.at(slice(300, 400)), rows.at(slice(400, 500)))
    model = family(name).fit(Job(problem, COLUMNS, parts.train, parts.validation, parameters, 1))
    calibration = uncalibrated(problem.link, (0.0,) * len(problem.outputs))
    fit = Fit(name, 1, problem, model, calibration, COLUMNS, {}, {}, 0.0)
    fit.measures["holdout"] = problem.measures(parts.holdout, fit.answers(parts.holdout.frame))
    kinds = {"size": "number", "place": "category", "title": "text", "remark": "text"}
    features = {each: {"from": "row", "column": each, "kind": kind} for each, kind in kinds.items()}
    made = spec.model_dump(mode="json", by_alias=True, exclude_none=True) | {"features": features}
    found = export(fit, parts, Spec.model_validate(made), tmp_path_factory.mktemp(name))
    return Exported(fit, {each.name: each for each in found}, parts)


def test_the_float32_file_is_the_model_on_odd_texts_too(exported: Exported) -> None:
    exact = exported.files["float32"]
    assert exact.kept, exact.note
    assert exact.parity.unsteady == 0
    assert exact.on_cpu["Tokenizer"] >= 3
    model = Model.open(exact.path, exact.sha256)
    assert model.columns == COLUMNS
    strange = odd(exported.parts.train.frame)
    np.testing.assert_allclose(model.predict(strange), exported.fit.answers(strange), atol=1e-5)


def test_no_answer_of_an_8_bit_file_hangs_on_its_neighbours(exported: Exported) -> None:
    small = exported.files["int8"]
    assert small.parity.unsteady == 0
    assert small.parity.faults == 0
    assert small.bytes < 0.5 * exported.files["float32"].bytes


def test_many_rows_say_what_each_alone_says(exported: Exported) -> None:
    exact = exported.files["float32"]
    model = Model.open(exact.path, exact.sha256)
    many = pl.concat([exported.parts.train.frame.select(COLUMNS.names)] * 4)  # as they are scored in bulk
    found = model.predict(many)
    assert len(found) == 1_200
    alone = np.concatenate([model.predict(many[row : row + 1]) for row in range(0, 300, 30)])
    np.testing.assert_allclose(alone, found[0:300:30], atol=1e-6)
    np.testing.assert_array_equal(found[:300], found[300:600])
