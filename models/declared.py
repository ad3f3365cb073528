"""What a spec says of families: whether they are there, and take what is asked of them."""

from collections.abc import Iterator

from core.documents import Fault, Keys
from core.errors import SpecError
from core.learning import Training
from core.spec import Spec
from core.words import nearest
from models.family import NO_RISE, Ability, families, family, parameter_faults, unable
from models.tuning.space import space_faults
from models.waves import waves


def training_faults(spec: Spec) -> Iterator[Fault]:
    """Where `training` asks for what no family does: the keys, and a sentence on what would be right."""
    unknown = list(_unknown(spec.training))
    yield from unknown
    wrong = [
        fault
        for name, parameters in spec.training.parameters.items()
        if name in families()
        for fault in parameter_faults(family(name).Parameters, name, parameters)
    ]
    yield from wrong
    yield from _unable(spec)
    if not unknown and not wrong:
        yield from _made_of(spec.training)
        yield from _tuned(spec.training)


def _unknown(training: Training) -> Iterator[Fault]:
    """The names that are those of no family."""
    tuning = training.tuning
    named: list[tuple[Keys, str]]
    named = [(("training", "families", place), name) for place, name in enumerate(training.families)]
    named += [(("training", "parameters", name), name) for name in training.parameters]
    tuned = enumerate(tuning.families if tuning else ())
    named += [(("training", "tuning", "families", place), name) for place, name in tuned]
    for keys, name in named:
        if name not in families():
            yield keys, f"no family {name!r}{nearest(name, families())}"


def _unable(spec: Spec) -> Iterator[Fault]:
    """The families that cannot do what the spec asks of each."""
    training = spec.training
    asked: set[Ability] = set()
    asked |= {"monotone"} if training.monotone else set()
    asked |= {"focal"} if training.imbalance == "focal" else set()
    for place, name in enumerate(training.families):
        if name in families():
            for sentence in unable(name, family(name).abilities, asked):
                yield ("training", "families", place), sentence
    if training.monotone and spec.problem == "multiclass":
        yield ("training", "monotone"), NO_RISE


def _made_of(training: Training) -> Iterator[Fault]:
    """What is wrong with the families that others are made of."""
    try:
        waves(training.families, training.parameters)
    except SpecError as error:
        keys, _, sentence = str(error).partition(": ")
        yield tuple(keys.split(".")), sentence


def _tuned(training: Training) -> Iterator[Fault]:
    for name in training.tuning.families if training.tuning else ():
        yield from space_faults(name, training)
