"""Performance without labels where answers claim nothing of themselves: the loss of a row is learnt.

Direct loss estimation (NannyML's DLE): trees learn, from labelled rows that the champion did not learn
from, what a row loses by its features and its answer, and tell it of rows without a label.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.problem import Floats, Problem
from models.rows import Columns, Rows, categories, numbers
from monitoring.performance.estimates import LEAST, Estimate, Past, within

# By kind of metric, the parts that are learnt, and what they are called as measures.
_LEARNT = {
    "rmse": {"squared_error": "rmse", "mae": "mae"},
    "mae": {"squared_error": "rmse", "mae": "mae"},
    "pinball": {"pinball": "pinball", "coverage": "coverage"},
}
_ROUNDS = 60
_PARAMETERS = {
    "objective": "regression",
    "num_leaves": 15,
    "learning_rate": 0.1,
    "min_data_in_leaf": 50,
    "lambda_l2": 10.0,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 0,
    "verbosity": -1,
}


def direct(
    problem: Problem, past: Past, rows: Rows, answers: Floats, days: int, columns: Columns
) -> dict[str, Estimate]:
    """RMSE and MAE, or pinball loss and coverage, of the answers to a batch of so many `days`.

    Each is learnt twice, on the even and on the odd days of the past: each half says how far off the
    other is. Empty for other problems, and where too few labels are known.
    """
    learnt = _LEARNT.get(problem.metric, {})
    if not learnt or len(past.rows) < LEAST or not len(rows):
        return {}
    codes = _codes(past.rows, columns)
    then, now = (
        _inputs(each, said, columns, codes) for each, said in ((past.rows, past.answers), (rows, answers))
    )
    halves = np.unique(past.day, return_inverse=True)[1] % 2
    if len(np.unique(halves)) < 2:
        return {}
    parts, found = problem.parts(past.rows, past.answers), {}
    for part, name in learnt.items():
        value, off = _told(then, parts[part], halves, now)
        found[name] = (
            _rooted(within(value, off, past, part, days))
            if name == "rmse"
            else within(value, off, past, name, days)
        )
    return found


def _told(then: Floats, lost: Floats, halves: NDArray[np.intp], now: Floats) -> tuple[float, Floats]:
    """The mean told of the new rows, and how far each past row strayed from what the other half told."""
    import lightgbm  # with all that it imports, a second

    said, off = [], np.zeros(len(lost))
    for half in (0, 1):
        mine = halves == half
        data = lightgbm.Dataset(then[mine], lost[mine], params={"verbosity": -1})
        trees = lightgbm.train(_PARAMETERS, data, _ROUNDS)
        off[~mine] = lost[~mine] - np.asarray(trees.predict(then[~mine]), np.float64)
        said.append(float(np.mean(trees.predict(now))))
    return float(np.mean(said)), off


def _rooted(found: Estimate) -> Estimate:
    """The root of a mean square, and of the ends of its interval."""
    return Estimate(*(float(np.sqrt(max(end, 0.0))) for end in (found.value, found.low, found.high)))


def _codes(rows: Rows, columns: Columns) -> dict[str, Mapping[str, int]]:
    """The values of each category by how many rows have them, the most frequent first."""
    found: dict[str, Mapping[str, int]] = {}
    for name, values in zip(columns.categories, categories(rows.frame, columns), strict=True):
        counts = values.value_counts().sort(["count", name], descending=[True, False])
        found[name] = {value: place for place, value in enumerate(counts[name].to_list())}
    return found


def _inputs(rows: Rows, answers: Floats, columns: Columns, codes: Mapping[str, Mapping[str, int]]) -> Floats:
    """What the loss is learnt from [n, F]: numbers, categories by their place, and the answers."""
    texts = zip(columns.categories, categories(rows.frame, columns), strict=True)
    places = [
        values.replace_strict(list(codes[name]), list(codes[name].values()), default=len(codes[name]))
        .cast(float)
        .to_numpy()
        for name, values in texts
    ]
    wide = answers if answers.ndim == 2 else answers[:, None]
    return np.column_stack([np.asarray(numbers(rows.frame, columns), np.float64), *places, wide])
