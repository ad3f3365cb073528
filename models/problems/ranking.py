"""Ranking: which of a list comes first."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import PerennialError
from models.rows import Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Answers are scores [n] that order the rows of each list, compared by nDCG at `cutoff`.

    Lists without a relevant row say nothing of a ranking and are left out.
    """

    cutoff: int = 10

    kind: ClassVar[Literal["ranking"]] = "ranking"
    metric: ClassVar[str] = "ndcg"
    output: ClassVar[str] = "score"
    outputs: ClassVar[tuple[str, ...]] = ("score",)
    link: ClassVar[Literal["identity"]] = "identity"

    def units(self, rows: Rows) -> NDArray[np.intp]:
        """The most relevant row (the first of several) of each list that has a relevant one [u]."""
        groups = _groups(rows)
        order = np.lexsort((-rows.labels, groups))
        first = order[np.append(True, np.diff(groups[order]) != 0)]
        return np.asarray(first[rows.labels[first] > 0], np.intp)

    def losses(self, rows: Rows, answers: Floats) -> Floats:
        """1 - nDCG of each list [u]."""
        return 1 - self._ndcg(rows, answers)

    def measures(self, rows: Rows, answers: Floats) -> dict[str, float]:
        """rows, lists, ndcg, map and recall at the cutoff, and loss; NaN where no list has a relevant row."""
        parts = self.parts(rows, answers)
        means = {name: float(part.mean()) if part.size else float("nan") for name, part in parts.items()}
        return {"rows": float(len(rows)), "lists": float(parts["ndcg"].size), **means}

    def parts(self, rows: Rows, answers: Floats) -> dict[str, Floats]:
        """ndcg, map (average precision), recall and loss of each list that has a relevant row [u].

        Rows of equal score share their places: a list has the mean of all orders of them (McSherry and
        Najork, "Computing information retrieval performance measures efficiently in the presence of
        tied scores", 2008). The gain of grade g is 2^g - 1.
        """
        lists, group = np.unique(_groups(rows), return_inverse=True)
        hits = (rows.labels > 0).astype(np.float64)
        relevant = np.bincount(group, hits, len(lists))
        kept = relevant > 0
        found = self._seen(group, answers, hits, discounted=False)[kept]
        ndcg, most = self._ndcg(rows, answers), np.minimum(relevant[kept], self.cutoff)
        return {
            "ndcg": ndcg,
            "map": np.bincount(group, self._precisions(group, answers, hits))[kept] / most,
            "recall": found / most,
            "loss": 1 - ndcg,
        }

    def constant(self, rows: Rows) -> Floats:
        """The same score for all."""
        return np.asarray(0.0)

    def fault(self, rows: Rows, answers: Floats) -> str | None:
        """What is no number."""
        wrong = int((~np.isfinite(answers)).sum())
        return f"{wrong} of {answers.size} scores are no finite numbers" if wrong else None

    def targets(self, rows: Rows) -> Floats:
        """The grades [n, 1]."""
        return rows.labels[:, None]

    def selected(self, rows: Rows, answers: Floats) -> Floats:
        """The share of each row that is among the first `cutoff` of its list [n, 1]: ties share places."""
        group = np.unique(_groups(rows), return_inverse=True)[1]
        return self._weights(group, answers, discounted=False)[:, None]

    def off(self, rows: Rows, answers: Floats) -> Floats:
        """Scores claim nothing but an order [n, 0]."""
        return np.empty((len(rows), 0))

    def told(self, rows: Rows, scores: Floats) -> float:
        """The share that scores [n, 1] gain of the nDCG that there is to gain over one score for all."""
        found, chance = (1 - self._ndcg(rows, each).mean() for each in (scores[:, 0], np.zeros(len(rows))))
        return float(1 - found / chance) if chance > 0 else 0.0

    def lack(self, rows: Rows) -> str | None:
        """No list has both a relevant row and another."""
        if rows.labels.min() < 0:
            return f"{int((rows.labels < 0).sum())} rows have a relevance below 0"
        lists, group = np.unique(_groups(rows), return_inverse=True)
        relevant = np.bincount(group, rows.labels > 0, len(lists))
        if ((relevant > 0) & (relevant < np.bincount(group))).any():
            return None
        return f"{len(rows)} rows in {len(lists)} lists, none of which has a relevant row and another"

    def _ndcg(self, rows: Rows, scores: Floats) -> Floats:
        """The nDCG of each list that has a relevant row [u]."""
        group = np.unique(_groups(rows), return_inverse=True)[1]
        gains = np.exp2(rows.labels) - 1
        best, found = (self._seen(group, each, gains, discounted=True) for each in (rows.labels, scores))
        return found[best > 0] / best[best > 0]

    def _seen(self, group: NDArray[np.intp], scores: Floats, values: Floats, discounted: bool) -> Floats:
        """The sum of each list's values at the first places, by falling score [lists]."""
        return np.asarray(np.bincount(group, values * self._weights(group, scores, discounted)), np.float64)

    def _weights(self, group: NDArray[np.intp], scores: Floats, discounted: bool) -> Floats:
        """What its place in its list, by falling score, makes each row count [n]; ties count alike."""
        order, tied, place = _places(group, scores)
        weight = (place < self.cutoff) / (np.log2(place + 2) if discounted else 1.0)
        found = np.empty(len(order))
        found[order] = (np.bincount(tied, weight) / np.bincount(tied))[tied]
        return found

    def _precisions(self, group: NDArray[np.intp], scores: Floats, hits: Floats) -> Floats:
        """The precision at each row's place if it is a hit there, over all orders of ties [n].

        Of r hits among n tied rows each is one with the chance r / n, and those before it in the tie are
        with (r - 1) / (n - 1).
        """
        order, tied, place = _places(group, scores)
        size, hit = np.bincount(tied), np.bincount(tied, hits[order])
        first = np.flatnonzero(np.append(True, np.diff(tied) != 0))
        above = (np.cumsum(hit) - hit)[tied]  # with those of the lists before, which are taken off
        above -= above[np.arange(len(order)) - place]
        beside = (hit - 1) / np.maximum(size - 1, 1)
        seen = above + (np.arange(len(order)) - first[tied]) * beside[tied] + 1
        found = np.empty(len(order))
        found[order] = (place < self.cutoff) * (hit / size)[tied] * seen / (place + 1)
        return found


def _places(
    group: NDArray[np.intp], scores: Floats
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The rows list by list by falling score; of each in this order its tie, and its place in its list."""
    order = np.lexsort((-scores, group))
    ordered, sorted_scores = group[order], scores[order]
    fresh = np.append(True, np.diff(ordered) != 0)
    tied = np.cumsum(fresh | np.append(True, np.diff(sorted_scores) != 0)) - 1
    starts = np.flatnonzero(fresh)
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return order, tied, place


def _groups(rows: Rows) -> NDArray[np.int64]:
    if rows.groups is None:
        raise PerennialError("the rows of a ranking need their groups: say outcome.group")
    return rows.groups
