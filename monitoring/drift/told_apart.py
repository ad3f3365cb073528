"""Texts that a classifier can tell apart: a drift of many rare words, each too rare for a bin of its own.

A domain classifier (Rabanser, Günnemann and Lipton, 2019) is fitted on some days of both sides, and asked
about others. It reads samples of bounded size, never all rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.learning.tokens import words_of
from monitoring.drift.drift import Drift

# So many texts of a side tell enough.
MOST = 4_000
# Below it texts hardly differ: 2 AUC - 1 of 0.2 is an AUC of 0.6.
LEAST = 0.2
_FEW_DAYS = 4
_FEW_TEXTS = 50
_HALVES = 6
_WIDTH = 2**16


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Texts [n], in order of time, and the day, or the shorter stretch, of each."""

    texts: pl.Series
    days: pl.Series

    @property
    def some(self) -> "Texts":
        """About MOST of them, spread evenly."""
        step = max(1, -(-len(self.texts) // MOST))
        return Texts(self.texts.gather_every(step), self.days.gather_every(step))


def told_apart(found: Drift, reference: Texts, current: Texts) -> Drift:
    """The drift of a text, by what tells its batch from the reference where that is beyond its threshold.

    The effect is 2 AUC - 1: 0 where nothing tells them apart, 1 where everything does. Its threshold is
    LEAST, or what days of the reference reach against others of its own (mean and three standard
    deviations of some draws), if that is more. With fewer than 2 days in the batch or 4 in the reference
    there is none: rows of one day must not be on both sides.
    """
    before, now = reference.some, current.some
    matrix = _vectors(pl.concat([before.texts.cast(pl.String), now.texts.cast(pl.String)]))
    old, new = _places(before.days), _places(now.days)
    days = int(new.max(initial=-1)) + 1
    if days < 2 or old.max(initial=-1) + 1 < _FEW_DAYS:
        return found
    random = np.random.default_rng(0)
    effect = _effect(matrix[: old.size], matrix[old.size :], old, new, random)
    own = list(_own(matrix[: old.size], old, days, random))
    if effect is None or not own:
        return found
    limit = max(LEAST, float(np.mean(own) + 3 * np.std(own)))
    note = "; ".join(filter(None, [f"told apart {effect:.3f} (limit {limit:.3f})", found.note]))
    if effect < limit or found.drifted:
        return replace(found, note=note)
    return replace(found, method="told apart", value=effect, threshold=limit, drifted=True, note=note)


def _own(
    rows: csr_matrix, days: NDArray[np.intp], wanted: int, random: np.random.Generator
) -> Iterator[float]:
    """How well days of the reference are told from its other days, as many as the batch has or half."""
    count = int(days.max()) + 1
    for _ in range(_HALVES):
        drawn = np.isin(days, random.permutation(count)[: max(2, min(wanted, count // 2))])
        sides = _places(pl.Series(days[~drawn])), _places(pl.Series(days[drawn]))
        effect = _effect(rows[~drawn], rows[drawn], *sides, random)
        if effect is not None:
            yield effect


def _effect(
    before: csr_matrix,
    now: csr_matrix,
    old: NDArray[np.intp],
    new: NDArray[np.intp],
    random: np.random.Generator,
) -> float | None:
    """2 AUC - 1 on the days that were not learnt from; None where there are too few texts."""
    from scipy.sparse import vstack
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    learnt = [
        np.isin(days, random.permutation(days.max() + 1)[: (days.max() + 1) // 2]) for days in (old, new)
    ]
    if min(each.sum() for some in learnt for each in (some, ~some)) < _FEW_TEXTS:
        return None
    fitted = LogisticRegression(class_weight="balanced", max_iter=200)
    labels = [
        np.repeat([0, 1], [some[0].sum(), some[1].sum()]) for some in (learnt, [~each for each in learnt])
    ]
    fitted.fit(vstack([before[learnt[0]], now[learnt[1]]]), labels[0])
    said = fitted.decision_function(vstack([before[~learnt[0]], now[~learnt[1]]]))
    return float(max(0.0, 2 * roc_auc_score(labels[1], said) - 1))


def _vectors(texts: pl.Series) -> csr_matrix:
    """The words of texts, hashed: no vocabulary is kept."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(n_features=_WIDTH, alternate_sign=False, analyzer=list)
    return hashing.transform(words_of(texts).fill_null([]).to_list())


def _places(days: pl.Series) -> NDArray[np.intp]:
    """A number for each day [n], from 0 on."""
    return days.rank("dense").cast(pl.Int64).to_numpy() - 1
