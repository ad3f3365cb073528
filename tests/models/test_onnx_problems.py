"""Every family, on every problem, becomes a graph that is the native model, whatever the rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.learning import Constraints
from core.spec import Spec
from models.family import Fitted, Job, Parameter, family
from models.fit import Fit, calibration_of
from models.onnx.export import best, export
from models.runtime.model import Model
from models.split import Split

pytestmark = pytest.mark.slow

MEMBERS: dict[str, dict[str, Parameter]] = {
    "constant": {},
    "linear": {},
    "lightgbm": {"rounds": 20, "min_data_in_leaf": 20},
    "torch": {"batch_rows": 64, "epochs": 1, "min_steps": 20, "min_rows": 1},
}


def fitted(name: str, task: Any) -> Fit:
    """A fit of a family, or the average of all of them."""
    members: dict[str, Fitted] = {}
    for each, parameters in MEMBERS.items() if name == "average" else [(name, MEMBERS[name])]:
        job = Job(task.problem, task.columns, task.train, task.validation, parameters, seed=1)
        members[each] = family(each).fit(job)
    model = members.get(name)
    if model is None:
        chosen: dict[str, Parameter] = {"members": list(members)}
        job = Job(task.problem, task.columns, task.train, task.validation, chosen, seed=1, members=members)
        model = family(name).fit(job)
    offset = (0.0,) * len(task.problem.outputs)
    margins = model.margins(task.validation.frame)
    calibration = calibration_of(task.problem, margins, task.validation, offset)
    return Fit(name, 1, task.problem, model, calibration, task.columns, {}, {}, 0.0)


@pytest.mark.parametrize("name", ["constant", "linear", "lightgbm", "average"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "quantiles", "ranking"])
def test_the_graph_is_the_model(
    kind: str, name: str, tasks: dict[str, Any], spec: Spec, tmp_path: Path
) -> None:
    task = tasks[kind]
    fit = fitted(name, task)
    variants = export(fit, Split(task.train, task.validation, task.later), spec, tmp_path)
    exact = variants[0]
    assert exact.kept, exact
    assert exact.parity.max_difference <= 1e-5
    for variant in variants:
        assert variant.kept or "refused" in variant.note
        assert variant.parity.unsteady == 0 or variant.name == "dynamic"
        assert variant.parity.faults == 0
    serves = best(variants, Constraints())
    model = Model.open(serves.path, serves.sha256)
    rows = task.later.frame.select(model.columns.names)
    for few in (rows.slice(place, size) for place in range(20) for size in (1, 1 + place)):
        np.testing.assert_array_equal(model.answer(few.to_dicts()), model.predict(few))
    answers = model.predict(task.later.frame)
    assert (model.output, answers.shape) == (task.problem.output, fit.answers(task.later.frame).shape)
    assert model.classes == (task.problem.outputs if kind == "multiclass" else ())
    assert np.isfinite(answers).all()
