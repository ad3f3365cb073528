"""Tune: the parameters of a family looked for on what is known, and put on record, trial by trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import numpy as np

from core.learning import Tuning
from core.ledger import fingerprint
from core.plain import plain
from models.family import Parameter
from models.split import before_holdout
from models.tuning.search import Attempt, best, is_hopeless, search
from models.tuning.space import present, space_of
from models.tuning.trial import Proposal, Trial, evaluate
from stages.features.featurise import labelled
from stages.models.lineage import LATER
from stages.workspace import Workspace

# Of the spec and of its training, what has no say in the loss of a trial beside its rows and parameters.
_SILENT = {"title", "constraints", "quarantine", "gate", "training", *LATER}
_SILENT_IN_TRAINING = {"families", "first_batches", "parameters", "tuning", "stateful"}


@dataclass(frozen=True, slots=True)
class Tuned:
    """All trials of a family, by number, and the `parameters` to fit it with: the best, all of them.

    The first trial was of the parameters that the project has.
    """

    family: str
    parameters: Mapping[str, Parameter]
    trials: tuple[Trial, ...]

    @property
    def first(self) -> Trial:
        """The trial of the project's own parameters."""
        return self.trials[0]

    @property
    def best(self) -> Trial:
        """The trial of the least loss."""
        return best(self.trials)

    @property
    def gain(self) -> tuple[float, float]:
        """How much less the best loses than the first on the same folds: the mean, and its standard error.

        Both weigh a fold by its units. NaN where the first was not completed.
        """
        if self.first.loss is None:
            return float("nan"), float("nan")
        shares = np.array(self.first.units) / sum(self.first.units)
        gains = np.array(self.first.losses) - np.array(self.best.losses)
        mean = float(shares @ gains)
        return mean, float(np.sqrt(shares**2 @ (gains - mean) ** 2 * len(gains) / (len(gains) - 1)))

    def rows(self) -> list[dict[str, Any]]:
        """The trials as rows of one table, by number: a column for each fold and for each parameter."""
        folds = range(max(len(trial.losses) for trial in self.trials))
        return [
            {
                "number": trial.number,
                "state": trial.state,
                "loss": trial.loss,
                **{f"fold {fold + 1}": dict(enumerate(trial.losses)).get(fold) for fold in folds},
                **trial.parameters,
                "seconds": trial.seconds,
                "reason": trial.reason,
            }
            for trial in self.trials
        ]

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """What `core.plain` made of it."""
        return cls(**{**facts, "trials": tuple(Trial.read(trial) for trial in facts["trials"])})


def tuned(workspace: Workspace, family: str, as_of: datetime, attempt: Attempt | None = None) -> Tuned:
    """Look for the parameters of a family on what is known at `as_of`, but for the holdout.

    A search that was done from the same is not done again, and one that was killed goes on with
    the trials that are on record. `attempt` tries the proposals of a round, by default in turn.
    SpecError when the space is not one of the family's; PerennialError when no trial came to its end.
    """
    training = workspace.spec.training
    tuning, space = training.tuning or Tuning(), space_of(family, training)
    subject = f"{family} {as_of.isoformat()}"
    limits = tuning.trials, tuning.seconds, {name: where.model_dump() for name, where in space.items()}
    made_from = fingerprint(_judged_by(workspace, family, as_of), limits)
    if done := workspace.ledger.finished("tune", subject, made_from):
        return Tuned.read(done)

    def in_turn(proposals: Sequence[Proposal]) -> list[Trial]:
        return [try_out(workspace, family, as_of, each) for each in proposals]

    def searched() -> Tuned:
        first = present(family, training, space)
        trials = search(space, first, tuning, training.seed, attempt or in_turn)
        return Tuned(family, {**training.parameters.get(family, {}), **best(trials).parameters}, trials)

    shared = workspace.shared
    found = shared.once("tuned", made_from, lambda: plain(searched())) if shared else plain(searched())
    workspace.ledger.record("tune", subject, made_from, found, as_of)
    return Tuned.read(found)


def trials_of(workspace: Workspace, family: str, as_of: datetime) -> list[dict[str, Any]]:
    """The trials of the search that was done for a family at `as_of`, as rows; none where none was."""
    found = workspace.ledger.result("tune", f"{family} {as_of.isoformat()}")
    return Tuned.read(found).rows() if found else []


def try_out(workspace: Workspace, family: str, as_of: datetime, proposal: Proposal) -> Trial:
    """Try a proposal and put the trial on record, or take it from there if it was made from the same."""
    subject = f"{family} {as_of.isoformat()} {proposal.number}"
    made_from = fingerprint(_judged_by(workspace, family, as_of), plain(proposal))
    if done := workspace.ledger.finished("trial", subject, made_from):
        return Trial.read(done)
    rows = before_holdout(labelled(workspace, as_of), workspace.spec, as_of)
    trial = evaluate(rows, workspace.spec, family, proposal, is_hopeless)
    workspace.ledger.record("trial", subject, made_from, plain(trial), as_of)
    return trial


def _judged_by(workspace: Workspace, family: str, as_of: datetime) -> str:
    """What stands for all that the loss of parameters depends on: rows, problem, folds, other parameters."""
    spec, built = workspace.spec, workspace.ledger.results("features")
    training = spec.training
    return fingerprint(
        family,
        as_of,
        [built[batch.id]["content"] for batch in workspace.batches(as_of) if batch.id in built],
        spec.model_dump(mode="json", exclude=_SILENT),
        training.model_dump(mode="json", exclude=_SILENT_IN_TRAINING),
        list(spec.features),  # in their order, which is that of a model's columns
        training.parameters.get(family, {}),
        (training.tuning or Tuning()).folds,
    )
