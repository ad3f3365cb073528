"""Whether the version before the champion would have done better: what rolls back to it."""

import numpy as np

from core.spec import Spec
from models.measures.intervals import drawn_blocks
from models.measures.paired import Blocks
from models.problem import Floats, problem_of
from models.rows import Rows
from monitoring.findings import Finding

MIN_BLOCKS = 7  # as many as the gate asks for


def of_earlier(name: str, rows: Rows, theirs: Floats, ours: Floats, spec: Spec) -> Finding:
    """What `rows`, new to both versions, say of the earlier one's answers `theirs` beside `ours`.

    Both lose on the same rows, and what the earlier version saves is averaged over whole blocks
    (days), as in the gate: its interval has to lie beyond `gate.margin`. With less than
    `monitoring.min_rows` rows or 7 blocks nothing is said.
    """
    problem, blocks = problem_of(spec), drawn_blocks(rows, spec)
    units = problem.units(rows)
    of_units = Blocks(blocks.block[units], blocks.weights)
    days = len(np.unique(of_units.block))
    few = len(rows) < spec.monitoring.min_rows or days < MIN_BLOCKS
    if lack := f"{len(rows)} rows of {days} days" if few else problem.lack(rows):
        return Finding("nothing", f"Since the release there are {lack}: too little to compare with {name} by")
    saved = problem.losses(rows, ours) - problem.losses(rows, theirs)
    gain = of_units.mean(saved, spec.gate.confidence)
    numbers = {
        "earlier_gain": gain.value,
        "earlier_gain_low": gain.low,
        "earlier_gain_high": gain.high,
        "earlier_rows": float(len(rows)),
        "earlier_blocks": float(days),
    }
    better = gain.low > spec.gate.margin
    told = f"{name}, the version before, {'is surely' if better else 'is not surely'} better on the "
    told += f"{len(rows)} labelled rows of {days} days since the release: {gain} in {spec.metric}"
    told += f" (the low end must be above {spec.gate.margin:g})"
    return Finding("roll back" if better else "nothing", told, numbers)
