"""What a spec says of families is checked before anything is fitted, and every fault is found at once."""

from collections.abc import Callable
from typing import Any

import pytest

from core.spec import Spec
from models.declared import training_faults


@pytest.fixture(scope="module")
def said(spec: Spec) -> Callable[..., dict[str, str]]:
    """The faults of a spec whose `training` says this, by their dotted keys."""

    def find(problem: str = "binary", **training: Any) -> dict[str, str]:
        document = spec.model_dump(mode="json", by_alias=True)
        document |= {"training": training, "problem": problem}
        found = training_faults(Spec.model_validate(document))
        return {".".join(map(str, keys)): sentence for keys, sentence in found}

    return find


def test_what_every_family_takes_by_default_is_right(said: Callable[..., dict[str, str]]) -> None:
    names = ["average", "constant", "distilled", "lightgbm", "linear", "stacking", "torch"]
    assert said(families=names, tuning={"families": ["linear", "lightgbm", "torch"]}) == {}


def test_all_that_no_family_takes_is_said_at_once(said: Callable[..., dict[str, str]]) -> None:
    found = said(
        families=["linear", "lightgmb"],
        parameters={
            "lightgbm": {"num_leafs": 31, "feature_fraction": 1.5, "rounds": 0},
            "linaer": {"strength": 1},
        },
        tuning={"families": ["linear", "tree"]},
    )
    assert {keys: sentence.split("; the family")[0] for keys, sentence in found.items()} == {
        "training.families.1": "no family 'lightgmb'; did you mean 'lightgbm'?",
        "training.parameters.linaer": "no family 'linaer'; did you mean 'linear'?",
        "training.tuning.families.1": "no family 'tree'; there is 'average', 'constant', 'distilled', "
        "'lightgbm', 'linear', 'stacking', 'torch', 'transformer'",
        "training.parameters.lightgbm.num_leafs": "no such parameter; did you mean 'num_leaves'?",
        "training.parameters.lightgbm.feature_fraction": "should be less than or equal to 1",
        "training.parameters.lightgbm.rounds": "should be greater than or equal to 1",
    }


@pytest.mark.parametrize(
    ("training", "keys", "sentence"),
    [
        (
            {"families": ["average"], "parameters": {"average": {"members": ["tree"]}}},
            "training.parameters.average.members",
            "no family 'tree'",
        ),
        (
            {"families": ["average"], "parameters": {"average": {"members": ["stacking"]}}},
            "training.parameters.average.members",
            "'stacking' is made of other families",
        ),
        (
            {"families": ["distilled"], "parameters": {"distilled": {"teacher": "avrage"}}},
            "training.parameters.distilled",
            "no family 'avrage'; did you mean 'average'?",
        ),
        (
            {"families": ["distilled"], "parameters": {"distilled": {"teacher": "distilled"}}},
            "training.parameters",
            "the families ['distilled'] are made of each other",
        ),
        (
            {"families": ["linear", "torch"], "monotone": {"wind": "increasing"}},
            "training.families.1",
            "the family torch cannot do training.monotone",
        ),
        (
            {"families": ["linear"], "tuning": {"families": ["average"]}},
            "training.tuning.families",
            "average is made of ['lightgbm', 'torch']: tune those instead",
        ),
        (
            {
                "families": ["linear"],
                "tuning": {"families": ["linear"], "space": {"linear": {"strenth": {"low": 1, "high": 2}}}},
            },
            "training.tuning.space.linear.strenth",
            "the family linear has no such parameter; did you mean 'strength'?",
        ),
    ],
)
def test_a_fault_is_of_its_key(
    said: Callable[..., dict[str, str]], training: dict[str, Any], keys: str, sentence: str
) -> None:
    found = said(**training)
    assert list(found) == [keys]
    assert sentence in found[keys]


def test_of_several_classes_nothing_rises(said: Callable[..., dict[str, str]]) -> None:
    found = said("multiclass", families=["linear"], monotone={"wind": "increasing"})
    assert found == {"training.monotone": "of several classes no prediction rises or falls: leave it out"}
