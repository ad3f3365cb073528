"""What features are made of: which declarations and datasets, and how far back in time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.past import WORDS
from core.spec import Derived, Expression, Input, Lag, Lookup, Spec, TargetRate, Trailing
from features.declared import plain
from features.derived import Functions, expressions

_NONE = timedelta(0)
_RULES = {"key", "event_time", "known_at"}


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What a feature's values depend on, beside the rows of the datasets themselves.

    `declared` are the declarations, as JSON, of the feature and of those that it reads, and the rules
    of decision, outcome and the datasets that bear on them; `functions` says whether the code of the
    project's functions does. `back` says by dataset how far before a batch's start its rows matter:
    None is for ever; of the events, no time at all says that only those of the batch do.
    """

    declared: Mapping[str, Any]
    functions: bool
    back: Mapping[str, timedelta | None]


def made_of(spec: Spec, name: str, functions: Functions) -> MadeOf:
    """What the feature of this name depends on: of equal ones, equal data makes equal values.

    Raises SpecError when a function that makes a feature of the spec is missing.
    """
    feature, read = spec.features[name], _read(spec, name, functions)
    others = sorted({it.dataset for it in read.values() if isinstance(it, Lookup)})
    rules = {
        each: spec.datasets[each].model_dump(mode="json", include=_RULES) for each in (spec.events, *others)
    }
    declared = {
        "feature": feature.model_dump(mode="json", exclude=WORDS),
        "reads": {other: it.model_dump(mode="json", exclude=WORDS) for other, it in sorted(read.items())},
        "datasets": rules,
        "decision": spec.decision.model_dump(mode="json"),
    }
    if any(isinstance(it, Trailing | TargetRate | Lag) for it in read.values()):
        declared["outcome"] = spec.outcome.model_dump(mode="json")
    back = {each: _back(spec, each, read.values()) for each in (spec.events, *others)}
    return MadeOf(declared, isinstance(feature, Derived), back)


def look_back(spec: Spec, dataset: str) -> timedelta | None:
    """How far before a batch's start the rows of a dataset must begin that its features are made from.

    None: all that there is. The longest window or tolerance reaches back from decisions `lead`
    before the batch, to rows whose event time may lie the outcome's `maturity` before the instant at
    which they became known; without a tolerance, or a `known_at`, any row may be the one.
    """
    return _back(spec, dataset, plain(spec).values())


def horizon(spec: Spec) -> timedelta | None:
    """The longest `look_back` of the events and of the datasets that are cut into batches."""
    cut = [name for name, rules in spec.datasets.items() if rules.event_time or name == spec.events]
    every = [look_back(spec, name) for name in cut]
    return None if None in every else max(it for it in every if it is not None)


def _read(spec: Spec, name: str, functions: Functions) -> dict[str, Input]:
    """The features that this one reads, or itself where it reads none."""
    features, feature = plain(spec), spec.features[name]
    if not isinstance(feature, Derived | Expression):
        return {name: feature}
    roots = expressions(spec, functions, [name])[name].meta.root_names()
    return {other: features[other] for other in roots if other in features}


def _back(spec: Spec, dataset: str, features: Iterable[Input]) -> timedelta | None:
    spans = [span for feature in features for span in _spans(spec, dataset, feature)]
    if None in spans:
        return None
    longest = max((span for span in spans if span is not None), default=None)
    return _NONE if longest is None else longest + spec.decision.lead + spec.outcome.maturity


def _spans(spec: Spec, dataset: str, feature: Input) -> list[timedelta | None]:
    """How far back of a decision the feature reads the dataset: once, or not at all."""
    if isinstance(feature, Trailing | TargetRate) and dataset == spec.events:
        return [feature.over]
    if isinstance(feature, Lag) and dataset == spec.events:
        return [feature.within]
    if isinstance(feature, Lookup) and dataset == feature.dataset:
        return [feature.within]
    return []
