"""Several families, each weighed by what it said of rows that it was not fitted on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.learning import Range
from models.family import Ability, Job, Parameter, read_parameters, report_losses, require_able
from models.learning.blend import Blend, Parameters, blended, fit_member, load_blend, members_of, single
from models.learning.losses import least
from models.learning.truth import truth_of
from models.rows import Floats, Rows

name = "stacking"
complexity = 7
abilities: frozenset[Ability] = frozenset({"monotone", "focal", "targets"})
space: Mapping[str, Range] = {}

# Stretches of time that members are judged on, each fitted on all before it; and the newest share of
# what comes before, which stops those fits.
STRETCHES, STOPPING = 3, 0.15
ITERATIONS = 200


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """The members."""
    return single(name, read_parameters(Parameters, name, parameters).members)


def fit(job: Job) -> Blend:
    """Members fitted on all train rows, with the weights that lose least on margins out of fold.

    Those come from members that were fitted on earlier rows only than the ones that they were asked
    about. No weight is negative (Breiman, "Stacked regressions", 1996). The level moves with time, so
    that each stretch has one of its own, and the whole keeps the mean of its members'. Where no
    stretch of the rows is enough to learn from, members weigh alike.
    """
    require_able(name, abilities, job)
    names = takes(job.parameters)
    members = members_of(job, names)
    found = [(_asked(job, names, *places), places[-1]) for places in stretches(job)]
    weights = _weights(job, found) if found else np.full(len(names), 1 / len(names))
    levels = np.array([model.margins(job.train.frame).mean(0) for model in members.values()])
    model = blended(job, members, weights.tolist(), levels.mean(0) - weights @ levels)
    report_losses(job, model)
    return model


def load(folder: Path) -> Blend:
    """Read back what `Blend.save` wrote."""
    return load_blend(folder)


def _weights(job: Job, found: Sequence[tuple[Floats, NDArray[np.intp]]]) -> Floats:
    """The weights [m] of least loss, for margins [n, m, K] of the members on each stretch of rows."""
    margins = np.concatenate([said for said, _ in found])
    truth = truth_of(_at(job, np.concatenate([places for _, places in found])))
    said = truth.unit.back(margins)
    spreads = said.std(axis=(0, 2))
    spreads = np.where(spreads > 0, spreads, 1.0)
    scaled, count = said / spreads[:, None], margins.shape[1]
    stretch = np.repeat(np.eye(len(found)), [len(places) for _, places in found], axis=0)

    def combined(flat: Floats) -> Floats:
        levels = flat[count:].reshape(len(found), -1)
        return np.asarray(np.einsum("nmk,m->nk", scaled, flat[:count]) + stretch @ levels)

    def slope(by_margin: Floats) -> Floats:
        by_weight = np.einsum("nmk,nk->m", scaled, by_margin)
        return np.append(by_weight, stretch.T @ by_margin)

    levels = len(found) * truth.outputs
    start = np.append(spreads / count, np.zeros(levels))
    bounds: list[tuple[float | None, float | None]] = [(0.0, None)] * count + [(None, None)] * levels
    flat, _ = least(truth, combined, slope, start, np.zeros(len(start)), ITERATIONS, bounds)
    return flat[:count] / spreads


def _asked(
    job: Job, names: Sequence[str], fitted: NDArray[np.intp], stop: NDArray[np.intp], later: NDArray[np.intp]
) -> Floats:
    """The margins [n, m, K] on the later rows of members fitted on some of the train rows."""
    part = replace(_at(job, fitted), validation=job.train.at(stop), members={})
    frame = job.train.frame[later]
    return np.stack([fit_member(part, one).margins(frame) for one in names], axis=1)


def stretches(job: Job) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
    """The train rows to fit on, to stop by, and to be asked about, for each stretch that will do."""
    count = len(job.train)
    for stretch in range(1, STRETCHES + 1):
        first, end = (count * edge // (STRETCHES + 1) for edge in (stretch, stretch + 1))
        later = np.arange(first, end)
        before = _before(job.train, np.arange(first), later)
        edge = round(len(before) * (1 - STOPPING))
        parts = _before(job.train, before[:edge], before[edge:]), before[edge:], later
        if all(len(part) > 1 and job.problem.lack(job.train.at(part)) is None for part in parts):
            yield parts


def _before(rows: Rows, earlier: NDArray[np.intp], later: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those earlier rows that had happened when the first later one was decided, and are in no list of it."""
    kept = np.ones(len(earlier), np.bool_)
    if len(later) and "decision_time" in rows.frame.columns:
        asked = rows.frame["decision_time"][later].min()
        kept &= (rows.times[earlier] <= asked).to_numpy()
    if rows.groups is not None:
        kept &= ~np.isin(rows.groups[earlier], rows.groups[later])
    return earlier[kept]


def _at(job: Job, places: NDArray[np.intp]) -> Job:
    """The job on some of its train rows."""
    targets = None if job.targets is None else job.targets[places]
    return replace(job, train=job.train.at(places), targets=targets)
