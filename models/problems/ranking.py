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
        """The first row of each list that has a relevant one [u]."""
        lists, first, group = np.unique(_groups(rows), return_index=True, return_inverse=True)
        relevant = np.bincount(group, rows.labels > 0, len(lists)) > 0
        return first[relevant]

    def losses(self, rows: Rows, answers: Floats) -> Floats:
        """1 - nDCG of each list [u]."""
        return 1 - self.parts(rows, answers)["ndcg"]

    def measures(self, rows: Rows, answers: Floats) -> dict[str, float]:
        """rows, lists, ndcg and recall at the cutoff, and loss; NaN where no list has a relevant row."""
        parts = self.parts(rows, answers)
        means = {name: float(part.mean()) if part.size else float("nan") for name, part in parts.items()}
        return {"rows": float(len(rows)), "lists": float(parts["ndcg"].size), **means}

    def parts(self, rows: Rows, answers: Floats) -> dict[str, Floats]:
        """ndcg, recall and loss of each list that has a relevant row [u].

        Rows of equal score share their places: each has the mean gain of all of them (McSherry and
        Najork, "Computing information retrieval performance measures efficiently in the presence of
        tied scores", 2008). The gain of grade g is 2^g - 1.
        """
        lists, group = np.unique(_groups(rows), return_inverse=True)
        gains, hits = np.exp2(rows.labels) - 1, (rows.labels > 0).astype(np.float64)
        best = self._seen(group, rows.labels, gains, discounted=True)
        relevant = np.bincount(group, hits, len(lists))
        kept = relevant > 0
        ndcg = self._seen(group, answers, gains, discounted=True)[kept] / best[kept]
        found = self._seen(group, answers, hits, discounted=False)[kept]
        return {
            "ndcg": ndcg,
            "recall": found / np.minimum(relevant[kept], self.cutoff),
            "loss": 1 - ndcg,
        }

    def constant(self, rows: Rows) -> Floats:
        """The same score for all."""
        return np.asarray(0.0)

    def fault(self, answers: Floats) -> str | None:
        """What is no number, or the same for all."""
        wrong = int((~np.isfinite(answers)).sum())
        if wrong:
            return f"{wrong} of {answers.size} scores are no finite numbers"
        return "it says the same for every row" if np.ptp(answers) == 0 else None

    def lack(self, rows: Rows) -> str | None:
        """No list has both a relevant row and another."""
        if rows.labels.min() < 0:
            return f"{int((rows.labels < 0).sum())} rows have a relevance below 0"
        lists, group = np.unique(_groups(rows), return_inverse=True)
        relevant = np.bincount(group, rows.labels > 0, len(lists))
        if ((relevant > 0) & (relevant < np.bincount(group))).any():
            return None
        return f"{len(rows)} rows in {len(lists)} lists, none of which has a relevant row and another"

    def _seen(self, group: NDArray[np.intp], scores: Floats, values: Floats, discounted: bool) -> Floats:
        """The sum of each list's values at the first places, by falling score [lists]."""
        order = np.lexsort((-scores, group))
        ordered, sorted_scores = group[order], scores[order]
        fresh = np.append(True, np.diff(ordered) != 0)
        tied = np.cumsum(fresh | np.append(True, np.diff(sorted_scores) != 0)) - 1
        shared = (np.bincount(tied, values[order]) / np.bincount(tied))[tied]
        starts = np.flatnonzero(fresh)
        place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
        weight = (place < self.cutoff) / (np.log2(place + 2) if discounted else 1.0)
        return np.asarray(np.bincount(ordered, shared * weight), np.float64)


def _groups(rows: Rows) -> NDArray[np.int64]:
    if rows.groups is None:
        raise PerennialError("the rows of a ranking need their groups: say outcome.group")
    return rows.groups
