"""Attempt: what was decided about the champion is done, however its steps are run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.errors import UnfitError
from models.family import family
from models.gate.judge import GateReport
from models.registry.versions import Version
from models.waves import waves
from monitoring.actions import Act
from stages.champion.promote import decisions
from stages.champion.roll_back import rolled_back
from stages.models.train import Candidate, Unfit
from stages.workspace import Workspace

Answer = GateReport | Version
"""What came of an attempt: the gate's report on a challenger, or the version that serves again."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How the steps of an attempt are run: as tasks of a flow, or here and now, one after the other.

    `train` fits every family, going on from the champion where it is to be stateful; `recalibrate` gives
    the champion's fit a new calibration, or none where that cannot be. Both give the ids of challengers.
    `roll_back` gives the id of the version that serves again, `promote` what the gate says.
    """

    train: Callable[[bool], list[str]]
    recalibrate: Callable[[], list[str] | None]
    roll_back: Callable[[], str]
    promote: Callable[[list[str]], GateReport]


def attempt(workspace: Workspace, action: Act, as_of: datetime, ways: Ways) -> Answer:
    """Do what was decided, on what is known at `as_of`; asked again, it answers from the record.

    Where no calibration can be fitted anew, fits from nothing take its place.
    """
    if report := decisions(workspace).get(as_of):
        return ways.promote([report.challenger])
    if action == "roll back":
        return workspace.registry.version(ways.roll_back())
    if action == "recalibrate" and (found := ways.recalibrate()) is not None:
        return ways.promote(found)
    return ways.promote(ways.train(action == "retrain stateful"))


def on_record(workspace: Workspace, as_of: datetime) -> Answer | None:
    """What came of the attempt that stood at an instant."""
    if restored := rolled_back(workspace).get(as_of):
        return workspace.registry.version(restored.version)
    return decisions(workspace).get(as_of)


Wave = Mapping[str, Sequence[Candidate]]
"""Families that are fitted side by side, each with the fits that it is made of."""


def in_waves(workspace: Workspace, fit: Callable[[Wave], Mapping[str, Candidate | Unfit]]) -> list[Candidate]:
    """Fit each family of the spec, those that others are made of first; in the spec's order.

    A family whose fit may not serve is left out, and so is what would be made of it; UnfitError when none
    is left.
    """
    rules, fits, faults = workspace.spec.training, dict[str, Candidate](), list[str]()
    for wave in waves(rules.families, rules.parameters):
        takes = {name: family(name).takes(rules.parameters.get(name, {})) for name in wave}
        whole = {name: [fits[each] for each in takes[name]] for name in wave if fits.keys() >= {*takes[name]}}
        for name, found in fit(whole).items():
            if isinstance(found, Unfit):
                faults.append(found.reason)
            else:
                fits[name] = found
    if left := [fits[name] for name in rules.families if name in fits]:
        return left
    raise UnfitError(f"{workspace.project.name}: no family is left: {'; '.join(dict.fromkeys(faults))}")
