"""The search for parameters, by Optuna: what to try next, when to stop a trial, and which was best.

The only file that imports optuna. A round is a function of the trials before it and of the seed
alone: it is the same on any number of workers, and after a kill. So Optuna keeps no state between
rounds; what lasts is the record of the trials (`stages.models.tune`).
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from core.errors import PerennialError
from core.learning import Range, Tuning
from models.family import Parameter
from models.tuning.space import Space, holds
from models.tuning.trial import Means, Proposal, Trial

# So many proposals are tried side by side, whatever the number of workers: it must not tell in the result.
ROUND = 4
# Proposals are drawn at random until so many trials have ended with a loss.
RANDOM = 2 * ROUND

Attempt = Callable[[Sequence[Proposal]], Sequence[Trial]]


def search(
    space: Space, first: Mapping[str, Parameter], tuning: Tuning, seed: int, attempt: Attempt
) -> tuple[Trial, ...]:
    """Try parameters in rounds until the trials or the seconds are used up; all trials, by number.

    The parameters `first` are tried before others. `attempt` tries the proposals of a round and
    gives their trials in the same order. A trial that it takes from a record counts with the
    seconds that it took. PerennialError when no trial came to its end.
    """
    found: list[Trial] = []
    spent = 0.0
    while len(found) < tuning.trials and spent < (tuning.seconds or float("inf")):
        started = time.monotonic()
        tried = attempt(_next_round(found, space, first, tuning.trials, seed))
        spent += max(time.monotonic() - started, *(trial.seconds for trial in tried))
        found += tried
    if all(trial.loss is None for trial in found):
        raise PerennialError(f"none of {len(found)} trials came to its end; the first: {found[0].reason}")
    return tuple(found)


def best(trials: Iterable[Trial]) -> Trial:
    """The trial of the least loss, the earliest of equal ones; ValueError where none was completed."""
    return min((trial for trial in trials if trial.loss is not None), key=lambda trial: trial.means[-1])


def is_hopeless(means: Means, peers: Sequence[Means]) -> bool:
    """Whether most of the peers did better over the same folds, once there are a round's worth of them.

    Only the mean over all folds so far is compared, not the best of the folds, since some stretches
    of time are harder than others for every model.

    >>> is_hopeless((0.5,), [(0.1, 0.2)] * 4), is_hopeless((0.5,), [(0.1, 0.2)] * 3)
    (True, False)
    """
    study = _study(optuna.pruners.MedianPruner(n_startup_trials=ROUND, n_warmup_steps=0))
    study.add_trials(
        [create_trial(value=peer[-1], intermediate_values=dict(enumerate(peer))) for peer in peers]
    )
    trial = study.ask()
    trial.report(means[-1], len(means) - 1)
    return bool(trial.should_prune())


def _next_round(
    found: Sequence[Trial], space: Space, first: Mapping[str, Parameter], trials: int, seed: int
) -> list[Proposal]:
    """The proposals of the round that follows the trials found so far."""
    peers = tuple(trial.means for trial in found if trial.state == "complete")
    distributions = {name: _distribution(where) for name, where in space.items()}
    study = _study()
    study.add_trials([_as_optuna(trial, distributions) for trial in found if _tells(trial, space)])
    asked: list[Proposal] = []
    for number in range(len(found), min(len(found) + ROUND, trials)):
        # A number of its own for each, so that what was asked before in this process has no say.
        own = random.Random(f"{seed} {number}").getrandbits(32)
        study.sampler = optuna.samplers.TPESampler(n_startup_trials=RANDOM, seed=own, constant_liar=True)
        parameters = first if number == 0 else study.ask(distributions).params
        asked.append(Proposal(number, dict(parameters), peers))
    return asked


def _tells(trial: Trial, space: Space) -> bool:
    """Whether the sampler can learn from a trial: the first one may lie outside the space."""
    return trial.state != "failed" and holds(space, trial.parameters)


def _as_optuna(trial: Trial, distributions: Mapping[str, BaseDistribution]) -> optuna.trial.FrozenTrial:
    return create_trial(
        state=TrialState.COMPLETE if trial.state == "complete" else TrialState.PRUNED,
        value=trial.loss,
        params=dict(trial.parameters),
        distributions=dict(distributions),
        intermediate_values=dict(enumerate(trial.means)),
    )


def _distribution(where: Range) -> BaseDistribution:
    low, high = where.low, where.high
    if low is None or high is None:
        return CategoricalDistribution(where.choices)
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=where.log)
    return FloatDistribution(low, high, log=where.log)


def _study(pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(pruner=pruner)
