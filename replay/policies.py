"""The policies that a replay compares: those of every replay, and the spec's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any

from core.errors import SpecError
from core.replaying import TAKEN
from core.spec import Spec
from core.words import nearest
from models.family import family

PRESENT, NEVER, ORACLE, ALL = TAKEN
REFERENCE = "every batch, stateless, expanding"
"""Its challengers are the freshest fit of each instant: what an alarm is held against."""
SLIDING = "every batch, stateless, sliding"
STATEFUL = "every batch, stateful, expanding"

_NOTHING: dict[str, Any] = {"opened_by": [], "every": None}
_OPENED: Mapping[str, dict[str, Any]] = {
    "every batch": _NOTHING | {"every": 1},
    "every 2 batches": _NOTHING | {"every": 2},
    "every 3 batches": _NOTHING | {"every": 3},
    "every 6 batches": _NOTHING | {"every": 6},
    "on drift": _NOTHING | {"opened_by": ["drift"]},
    "on estimates": _NOTHING | {"opened_by": ["estimates"]},
    "on performance": _NOTHING | {"opened_by": ["performance"]},
}


@dataclass(frozen=True, slots=True)
class Policy:
    """When to retrain, and how: its name, and what the spec would say.

    Or the version that `serves` from when it was made on.
    """

    name: str
    changes: Mapping[str, Any]
    serves: str | None = None


def policies_of(spec: Spec, start: str | None = None) -> list[Policy]:
    """All policies that are compared, the costliest to live through first.

    A sliding window reaches as far back as the first training does, of histories that begin with the batch
    `start`: so all begin with the same version. Where no family can go on from a fit,
    stateful policies would be the same as stateless ones, and are left out.
    """
    modes: dict[str, Any] = {"stateless": None}
    if any("start" in family(name).abilities for name in spec.training.families):
        rules = spec.training.stateful
        modes["stateful"] = rules.model_dump(mode="json") if rules else {}
    windows = {"expanding": None, "sliding": _sliding(spec, start)}
    made = [
        Policy(
            f"{opened}, {mode}, {window}",
            {
                "monitoring": _OPENED[opened],
                "training": {"stateful": modes[mode], "window": windows[window]},
            },
        )
        for opened, mode, window in product(_OPENED, modes, windows)
    ]
    own = [Policy(name, each.of_spec(), each.serves) for name, each in spec.replay.policies.items()]
    if twice := {policy.name for policy in made} & spec.replay.policies.keys():
        raise SpecError(f"replay.policies: {min(twice)!r} is compared anyway: give yours another name")
    never = Policy(NEVER, {"monitoring": _NOTHING, "training": {"stateful": None, "window": None}})
    return [*made, *own, Policy(PRESENT, {}), never]


def wanted(policies: list[Policy], names: str | None) -> list[Policy]:
    """Those whose names are given, with `;` between them, and the bound; SpecError for any other.

    None, or "all", is for all of them.
    """
    if names in (None, ALL):
        return policies
    known = {policy.name: policy for policy in policies}
    asked = [name.strip() for name in names.split(";")]
    for name in asked:
        if name not in known:
            raise SpecError(f"no policy {name!r}{nearest(name, known)}")
    return [known[name] for name in dict.fromkeys([*asked, NEVER])]


def told(spec: Spec) -> str:
    """The policy of a spec in words.

    It says what opens a retraining, and how models are fitted then.
    """
    rules, training = spec.monitoring, spec.training
    every = f"after every {rules.every} batches" if rules.every and rules.every > 1 else "after every batch"
    opened = [each.replace("_", " ") for each in rules.opened_by]
    when = [*([f"on {' or '.join(opened)}"] if opened else []), *([every] if rules.every else [])]
    how = "going on from the champion" if training.stateful else "from nothing"
    of = f"the last {training.window.days} days" if training.window else "all there is"
    return f"Retrain {' and '.join(when)}, {how}, on {of}" if when else "Never retrain"


def _sliding(spec: Spec, start: str | None) -> str:
    """As far back as the first training reaches, in whole days: it stands when the outcomes are in."""
    batches = spec.batches.calendar().batches(start)[: spec.training.first_batches]
    reach = batches[-1].end + spec.outcome.maturity - batches[0].start
    return f"{-(-reach // timedelta(days=1))}d"
