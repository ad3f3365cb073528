"""A spec's framing is of one piece: label, classes, groups, metric, costs and constraints of one problem."""

from collections.abc import Callable
from typing import Any

import pytest

from core.projects import Project

Document = dict[str, Any]
Edit = Callable[[Document], object]

KINDS = {"multiclass": "string", "regression": "float", "ranking": "integer", "binary": "boolean"}
OUTCOMES: dict[str, Document] = {"multiclass": {"classes": ["a", "b"]}, "ranking": {"group": ["id"]}}


PINBALL = {"objective__metric": "pinball"}
MULTI = "outcome.classes: should be a list of the label's values"


def framed(problem: str, **changes: Any) -> Edit:
    """An edit that makes the trips a project of this kind of problem; dotted keys are put in after."""

    def edit(document: Document) -> None:
        document["problem"] = problem
        document["features"]["late_7d"]["value"] = "paid"
        events = document["datasets"]["trips"]["columns"]
        events[document["outcome"]["label"]] = KINDS[problem]
        document["outcome"] |= OUTCOMES.get(problem, {})
        for keys, value in changes.items():
            *path, last = keys.split("__")
            held = document
            for key in path:
                held = held.setdefault(key, {})
            held[last] = value

    return edit


@pytest.mark.parametrize("problem", KINDS)
def test_every_problem_can_be_framed(make_trips: Callable[..., Project], problem: str) -> None:
    assert make_trips(framed(problem)).spec.problem == problem


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (framed("binary", objective__metric="rmse"), "objective.metric: a binary problem has no 'rmse'"),
        (framed("regression", objective__metric="log_loss"), "there is 'rmse', 'mae'"),
        (
            framed("regression", objective__metric="rsme"),
            "objective.metric: is \"rsme\"; did you mean 'rmse'?",
        ),
        (
            framed("regression", objective__metric="pinball"),
            "objective.quantiles: should say which quantiles are compared by 'pinball', such as",
        ),
        (
            framed("regression", objective__quantiles=[0.1, 0.9]),
            "objective.metric: quantiles are compared by 'pinball', not by 'rmse': say so",
        ),
        (framed("binary", objective__quantiles=[0.5]), "objective.quantiles: are of a regression problem"),
        *(
            (
                framed("regression", **PINBALL, objective__quantiles=wrong),
                "objective.quantiles: should rise from",
            )
            for wrong in ([0.5, 0.1], [0.1, 0.1], [0.0, 0.5], [0.5, 1.0], [-1.0])
        ),
        (
            framed(
                "regression", **PINBALL, objective__quantiles=[0.5], objective__costs={"under": 1, "over": 3}
            ),
            "objective.costs: mean nothing for quantiles: where a unit under and a unit over cost something",
        ),
        (framed("multiclass", outcome__classes=["a"]), MULTI),
        (
            framed("multiclass", outcome__classes=["a", "a"]),
            "outcome.classes: should be a list of the label's",
        ),
        (framed("binary", outcome__classes=["a", "b"]), "outcome.classes: are of a multiclass problem"),
        (framed("ranking", outcome__group=[]), "outcome.group: should name the columns that tell one list"),
        (
            framed("ranking", outcome__group=["ix"]),
            "outcome.group.0: no feature or key 'ix'",
        ),
        (framed("regression", outcome__group=["id"]), "outcome.group: is of a ranking problem"),
        (framed("binary", objective__costs={"missed": 1}), "objective.costs: lacks 'false_alarm'"),
        (
            framed("binary", objective__costs={"mised": 1, "false_alarm": 1, "missed": 1}),
            "objective.costs.mised: a binary problem has no such cost; did you mean 'missed'?",
        ),
        (
            framed("regression", objective__costs={"under": -1, "over": 1}),
            "objective.costs.under: should be a number that is not below 0",
        ),
        (
            framed("multiclass", objective__costs={"a": {"c": 1}}),
            "objective.costs.a.c: no class 'c'; there is 'a', 'b'",
        ),
        (
            framed("multiclass", objective__costs={"a": 3}),
            "objective.costs.a: should name each class that may be said instead",
        ),
        (framed("regression", training__imbalance="weights"), "a regression problem has no classes"),
        (framed("multiclass", training__imbalance="focal"), "the focal loss is of a binary problem"),
        (
            framed("binary", training__monotone={"city": "increasing"}),
            "monotone.city: is a category",
        ),
        (
            framed("binary", training__monotone={"hours": "increasing"}),
            "did you mean 'hour'?",
        ),
        (
            framed("binary", gate__fairness={"attributes": ["citi"]}),
            "gate.fairness.attributes.0: no feature or key 'citi'; did you mean 'city'?",
        ),
        (
            framed("regression", gate__fairness={"max_selection_gap": 0.1}),
            "gate.fairness.max_selection_gap: a regression decides nothing",
        ),
        (
            framed("ranking", gate__fairness={"max_calibration_gap": 0.1}),
            "gate.fairness.max_calibration_gap: means nothing for ndcg",
        ),
        (
            framed("binary", constraints__max_latency_ms=0),
            "max_latency_ms: should be more than 0",
        ),
    ],
)
def test_what_is_not_of_one_piece_is_named(faults: Callable[..., list[str]], edit: Edit, said: str) -> None:
    found = faults(edit)
    assert len(found) == 1, found
    assert said in found[0]


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        ("binary", "probability"),
        ("regression", "value"),
        ("ranking", "score"),
        ("binary", "margin"),
        ("binary", ":x"),
    ],
)
def test_a_feature_is_not_called_as_the_answer_is(
    faults: Callable[..., list[str]], problem: str, name: str
) -> None:
    def edit(document: Document) -> None:
        framed(problem)(document)
        document["features"][name] = document["features"]["hour"]

    (found,) = faults(edit)
    assert f"features.{name}: is a name that the ONNX graph needs" in found


def test_a_feature_is_not_called_as_quantiles_are(
    make_trips: Callable[..., Project], faults: Callable[..., list[str]]
) -> None:
    def edit(document: Document) -> None:
        framed("regression", **PINBALL, objective__quantiles=[0.1, 0.9])(document)
        document["features"]["value"] = document["features"]["hour"]  # which is free now

    assert make_trips(edit).spec.objective.quantiles == (0.1, 0.9)

    def taken(document: Document) -> None:
        edit(document)
        document["features"]["quantiles"] = document["features"]["hour"]

    (found,) = faults(taken)
    assert "features.quantiles: is a name that the ONNX graph needs" in found


def test_a_label_of_the_wrong_kind_is_named(faults: Callable[..., list[str]]) -> None:
    def edit(document: Document) -> None:
        document["problem"] = "regression"

    (found,) = faults(edit)
    assert "is delivered as boolean: it should be a float or an integer" in found
