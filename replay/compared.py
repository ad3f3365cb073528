"""Compared: the histories of a replay side by side, on the batches that all of them have answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import PerennialError
from core.spec import Spec
from replay.alarms import Alarms, alarms
from replay.days import Days, Floats
from replay.lived import Lived, lived
from replay.oracle import fits, oracle
from replay.plan import Plan
from replay.policies import NEVER, ORACLE, REFERENCE
from replay.ungated import ungated
from replay.values import Worth, worth
from stages.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Compared:
    """What is known of a replay that was lived through, by policy.

    `specs` are of the policies, `histories` those of the oracle, too, cut to the `batches` that all of
    them have answered; `sums` are what each lost in each cell of the `days`, and what challengers would have
    lost without the gate. `alarms` are empty where the freshest fits are not known. `left_out` are policies
    that never had a champion.
    """

    spec: Spec
    specs: Mapping[str, Spec]
    histories: Mapping[str, Lived]
    batches: tuple[str, ...]
    days: Days
    sums: Mapping[str, Floats]
    alarms: Mapping[str, Alarms]
    worth: Worth
    left_out: tuple[str, ...]

    @property
    def in_costs(self) -> bool:
        """Whether the spec says what an error costs."""
        return bool(self.spec.objective.costs)


def compared(workspaces: Mapping[str, Workspace], plan: Plan) -> Compared:
    """Put the histories of a replay side by side; PerennialError where none of them ever had a champion."""
    as_of, spec = plan.as_of, workspaces[NEVER].spec
    whole = {name: (workspace, lived(workspace, name, as_of)) for name, workspace in workspaces.items()}
    begun = {name: each for name, each in whole.items() if each[1].steps}
    if NEVER not in begun:
        raise PerennialError(
            f"{plan.project}: no first champion was found in this history: see what `make status` says of it"
        )
    answered = [{step.batch.id for step in each.steps} for _, each in begun.values()]
    batches = set.intersection(*answered)
    of = {name: (workspace, each.among(batches)) for name, (workspace, each) in begun.items()}
    steps = of[NEVER][1].steps
    histories = {name: each for name, (_, each) in of.items()}
    histories[ORACLE] = oracle(fits(list(of.values())), [step.batch for step in steps], as_of)
    if not any(step.outcome.days for step in steps):
        why = f"by {as_of:%Y-%m-%d} no labelled batch was answered under every policy"
        raise PerennialError(f"{plan.project}: {why}")
    days = Days.of([step.outcome for step in steps], spec.training.seed)
    outcomes = {name: each.outcomes for name, each in histories.items()} | ungated(of, as_of)
    fresh = of.get(REFERENCE)
    held = {name: alarms(each, fresh, as_of) for name, each in of.items()} if fresh else {}
    return Compared(
        spec=spec,
        specs={name: workspace.spec for name, (workspace, _) in of.items()},
        histories=histories,
        batches=tuple(step.batch.id for step in steps),
        days=days,
        sums={name: days.sums(each) for name, each in outcomes.items()},
        alarms=held,
        worth=worth(histories, days, held, spec.replay.costs, in_costs=bool(spec.objective.costs)),
        left_out=tuple(whole.keys() - begun.keys()),
    )
