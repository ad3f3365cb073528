"""Several families, each weighed by what it said of rows that it was not fitted on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.learning import Range
from models.blend import Blend, Parameters, blended, fit_member, load_blend, members_of, single
from models.family import Ability, Job, Parameter, read_parameters, report_losses, require_able
from models.losses import Truth, least
from models.rows import Floats, Rows
from models.truth import truth_of

name = "stacking"
complexity = 6
abilities: frozenset[Ability] = frozenset({"monotone", "focal", "targets"})
space: Mapping[str, Range] = {}

# Stretches of time that members are judged on, each fitted on all before it; and the newest share of
# what comes before, which stops those fits.
STRETCHES, STOPPING = 3, 0.15


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """The members."""
    return single(name, read_parameters(Parameters, name, parameters).members)


def fit(job: Job) -> Blend:
    """Members fitted on all train rows, with the weights that lose least on margins out of fold.

    Weights are not negative (Breiman, "Stacked regressions", 1996), and each margin has an intercept.
    They come from members that were fitted on earlier rows only than those they were asked about.
    Where no stretch of the rows is enough to learn from, members weigh alike.
    """
    require_able(name, abilities, job)
    names = takes(job.parameters)
    members = members_of(job, names)
    found = [_asked(job, names, *places) for places in _stretches(job)]
    weights, intercept = np.full(len(names), 1 / len(names)), np.zeros(len(job.problem.outputs))
    if found:
        margins = np.concatenate([part for part, _ in found])
        later = np.concatenate([places for _, places in found])
        weights, intercept = _weights(margins, truth_of(_at(job, later)))
    model = blended(job, members, weights.tolist(), intercept)
    report_losses(job, model)
    return model


def load(folder: Path) -> Blend:
    """Read back what `Blend.save` wrote."""
    return load_blend(folder)


def _weights(margins: Floats, truth: Truth) -> tuple[Floats, Floats]:
    """The weights [m] and the intercept [K] of least loss, for margins [n, m, K] of the members."""
    said = truth.unit.back(margins)
    spreads = said.std(axis=(0, 2))
    scaled = said / np.where(spreads > 0, spreads, 1.0)[:, None]
    count, outputs = margins.shape[1:]

    def combined(flat: Floats) -> Floats:
        return np.asarray(np.einsum("nmk,m->nk", scaled, flat[:count]) + flat[count:])

    def slope(by_margin: Floats) -> Floats:
        return np.append(np.einsum("nmk,nk->m", scaled, by_margin), by_margin.sum(0))

    start = np.append(spreads / count, np.zeros(outputs))
    bounds: list[tuple[float | None, float | None]] = [(0.0, None)] * count + [(None, None)] * outputs
    flat, _ = least(truth, combined, slope, start, np.zeros(count + outputs), bounds, iterations=200)
    weights = flat[:count] / np.where(spreads > 0, spreads, 1.0)
    return weights, truth.unit.of(flat[count:]) - weights.sum() * truth.unit.mean


def _asked(
    job: Job, names: Sequence[str], fitted: NDArray[np.intp], stop: NDArray[np.intp], later: NDArray[np.intp]
) -> tuple[Floats, NDArray[np.intp]]:
    """The margins [n, m, K] of members fitted on some of the train rows, of the later ones; and those."""
    part = replace(_at(job, fitted), validation=job.train.at(stop), members={})
    frame = job.train.frame[later]
    return np.stack([fit_member(part, one).margins(frame) for one in names], axis=1), later


def _stretches(job: Job) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
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
