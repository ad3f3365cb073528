"""What a spec says of its problem, and whether that is of one piece: label, metric, costs, constraints."""

from collections.abc import Iterator, Mapping

from core.documents import Fault
from core.learning import METRICS, ProblemKind
from core.scalars import Kind
from core.spec import Spec
from core.words import nearest

# What a label may be delivered as.
LABELS: Mapping[ProblemKind, tuple[Kind, ...]] = {
    "binary": ("boolean",),
    "multiclass": ("string", "integer", "boolean"),
    "regression": ("float", "integer"),
    "ranking": ("integer", "float", "boolean"),
}
COSTS: Mapping[ProblemKind, tuple[str, ...]] = {
    "binary": ("missed", "false_alarm"),
    "regression": ("under", "over"),
    "ranking": (),
}


# What a graph calls its answer, and so no feature.
ANSWERS: Mapping[ProblemKind, str] = {
    "binary": "probability",
    "multiclass": "probabilities",
    "regression": "value",
    "ranking": "score",
}
QUANTILES = "quantiles"


def framing_faults(spec: Spec) -> Iterator[Fault]:
    """Where the framing names what its problem has not: the keys, and a sentence on what would be right."""
    metrics = METRICS[spec.problem]
    if spec.metric not in metrics:
        known = nearest(spec.metric, metrics)
        yield ("objective", "metric"), f"a {spec.problem} problem has no {spec.metric!r}{known}"
    if spec.objective.recall is not None and spec.problem != "binary":
        yield ("objective", "recall"), f"is of a binary problem, and this is a {spec.problem} one"
    yield from _quantiles(spec)
    yield from _outcome(spec)
    yield from _imbalance(spec)
    yield from _costs(spec)
    yield from _fairness(spec)
    yield from _named(spec)
    yield from _tuned(spec)
    answer = QUANTILES if spec.objective.quantiles else ANSWERS[spec.problem]
    for name in spec.features:
        if name in ("margin", answer) or name.startswith(":"):
            yield ("features", name), "is a name that the ONNX graph needs: call the feature otherwise"


def _quantiles(spec: Spec) -> Iterator[Fault]:
    """What does not fit between the quantiles, the problem, the metric and the costs."""
    keys, levels, costs = ("objective", "quantiles"), spec.objective.quantiles, spec.objective.costs
    if levels and spec.problem != "regression":
        yield keys, f"are of a regression problem, and this is a {spec.problem} one"
    elif levels and spec.metric != "pinball":
        yield ("objective", "metric"), f"quantiles are compared by 'pinball', not by {spec.metric!r}: say so"
    elif not levels and spec.metric == "pinball":
        yield keys, "should say which quantiles are compared by 'pinball', such as [0.1, 0.5, 0.9]"
    if not all(0 < level < 1 for level in levels) or list(levels) != sorted(set(levels)):
        yield keys, f"should rise from one to the next, each between 0 and 1: {list(levels)} do not"
    if levels and costs:
        yield (
            ("objective", "costs"),
            "mean nothing for quantiles: where a unit under and a unit over cost something, ask for the "
            "quantile under / (under + over)",
        )


def _imbalance(spec: Spec) -> Iterator[Fault]:
    if spec.training.imbalance != "none" and spec.problem not in ("binary", "multiclass"):
        yield ("training", "imbalance"), f"a {spec.problem} problem has no classes: say none"
    if spec.training.imbalance == "focal" and spec.problem != "binary":
        yield ("training", "imbalance"), "the focal loss is of a binary problem: say weights or sampling"


def _outcome(spec: Spec) -> Iterator[Fault]:
    classes, group = spec.outcome.classes, spec.outcome.group
    if spec.problem == "multiclass" and (len(classes) < 2 or len(set(classes)) < len(classes)):
        yield ("outcome", "classes"), "should be a list of the label's values: two or more, each once"
    if spec.problem != "multiclass" and classes:
        yield ("outcome", "classes"), f"are of a multiclass problem, and this is a {spec.problem} one"
    if spec.problem == "ranking" and not group:
        yield ("outcome", "group"), "should name the columns that tell one list of events from another"
    if spec.problem != "ranking" and group:
        yield ("outcome", "group"), f"is of a ranking problem, and this is a {spec.problem} one"


def _fairness(spec: Spec) -> Iterator[Fault]:
    rules, decides = spec.gate.fairness, spec.problem != "regression"
    for name in ("max_selection_gap", "max_true_positive_gap", "max_false_positive_gap"):
        if getattr(rules, name) is not None and not decides:
            yield ("gate", "fairness", name), "a regression decides nothing: say max_calibration_gap"
    if rules.max_calibration_gap is not None and (spec.problem == "ranking" or spec.metric == "mae"):
        yield ("gate", "fairness", "max_calibration_gap"), f"means nothing for {spec.metric}"


def _costs(spec: Spec) -> Iterator[Fault]:
    if spec.problem == "multiclass":
        yield from _class_costs(spec)
        return
    known = COSTS[spec.problem]
    for name, cost in spec.objective.costs.items():
        if name not in known:
            yield (
                ("objective", "costs", name),
                f"a {spec.problem} problem has no such cost{nearest(name, known)}",
            )
        elif isinstance(cost, dict) or cost < 0:
            yield ("objective", "costs", name), "should be a number that is not below 0"
    missing = [name for name in known if name not in spec.objective.costs]
    if spec.objective.costs and missing:
        yield ("objective", "costs"), f"lacks {', '.join(map(repr, missing))}"


def _class_costs(spec: Spec) -> Iterator[Fault]:
    classes = spec.outcome.classes
    for actual, costs in spec.objective.costs.items():
        keys = ("objective", "costs", actual)
        if classes and actual not in classes:
            yield keys, f"no class {actual!r}{nearest(actual, classes)}"
        if not isinstance(costs, dict):
            yield keys, "should name each class that may be said instead, with its cost"
            continue
        for said, cost in costs.items():
            if classes and said not in classes:
                yield (*keys, said), f"no class {said!r}{nearest(said, classes)}"
            elif cost < 0:
                yield (*keys, said), "should be a number that is not below 0"


def _named(spec: Spec) -> Iterator[Fault]:
    """The features and keys that gate, fairness, outcome, serving and training name."""
    events = spec.datasets.get(spec.events)
    if events is None or not spec.features:
        return
    known = [*spec.features, *events.key]
    columns: list[tuple[tuple[int | str, ...], tuple[str, ...]]] = [
        (("gate", "slices"), spec.gate.slices),
        (("gate", "fairness", "attributes"), spec.gate.fairness.attributes),
        (("outcome", "group"), spec.outcome.group),
        (("serving", "entity"), spec.serving.entity),
    ]
    for keys, names in columns:
        for place, column in enumerate(names):
            if column not in known:
                yield (*keys, place), f"no feature or key {column!r}{nearest(column, known)}"
            elif column in spec.features and spec.features[column].kind == "text":
                yield (*keys, place), f"{column!r} is free text, which no two rows share: name a category"
    for name in spec.training.monotone:
        keys = ("training", "monotone", name)
        if name not in spec.features:
            yield keys, f"no feature {name!r}{nearest(name, spec.features)}"
        elif spec.features[name].kind != "number":
            yield keys, f"is a {spec.features[name].kind}: only a number can rise"


def _tuned(spec: Spec) -> Iterator[Fault]:
    """The families that have a space and are not tuned; what their parameters are, only the families know."""
    tuning = spec.training.tuning
    for name in tuning.space if tuning else ():
        if tuning and name not in tuning.families:
            known = nearest(name, tuning.families)
            yield ("training", "tuning", "space", name), f"no family {name!r} is tuned{known}"
