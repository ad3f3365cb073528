"""The ONNX files of a fit: which of them earn their place, and which one serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import UnfitError
from core.learning import Constraints
from models.measures.paired import Interval
from models.onnx.latency import Latency
from models.onnx.parity import Parity

# A variant is worth keeping when it is so much faster in bulk, or so much smaller and not so much slower.
FASTER, SMALLER, SLOWEST = 1.3, 2.0, 0.5


@dataclass(frozen=True, slots=True)
class Variant:
    """One ONNX file of a fit: how it compares, what it costs, and whether it may be served.

    `measures` are those of the holdout. `rises` say by how much its loss is higher than that of the
    float32 file on the "validation" rows, by which it is judged, and on the "holdout". `on_cpu`
    are the operators that stay on the CPU though CUDA is there, with how many nodes there are of each.
    """

    name: str
    path: Path
    sha256: str
    bytes: int
    parity: Parity
    latency: Latency
    measures: Mapping[str, float]
    rises: Mapping[str, Interval]
    on_cpu: Mapping[str, int]
    kept: bool
    note: str


def weighed(variant: Variant, exact: Variant, margin: float) -> Variant:
    """The variant, kept where `exact` is, it is steady, gains enough, and costs no more than `margin`.

    The cost is the upper end of its rise in loss on the validation rows: what it may cost, not what
    it seems to. The note says what was found, and what refused it.
    """
    faster = variant.latency.rows_per_second / exact.latency.rows_per_second
    smaller, rise = exact.bytes / variant.bytes, variant.rises["validation"]
    faults = list(variant.parity.reasons)
    if not exact.kept:
        faults.append("the float32 file that it was made from is not the native model")
    if faster < FASTER and not (smaller >= SMALLER and faster >= SLOWEST):
        faults.append(f"it is neither {FASTER:g} times as fast nor {SMALLER:g} times smaller")
    if not rise.high <= margin:
        faults.append(f"its loss may rise by more than {margin:g}")
    found = f"{smaller:.1f} times smaller, {faster:.2f} times as fast, loss {rise} on validation"
    found += f" and {variant.rises['holdout']} on the holdout"
    note = f"{found}; refused: {', and '.join(faults)}" if faults else found
    return replace(variant, kept=not faults, note=note)


def best(variants: Sequence[Variant], constraints: Constraints) -> Variant:
    """The one to serve: of those kept that are within the constraints, the smallest, then the fastest.

    Where the constraints weigh loss against latency, the one with the least of both comes first: its
    rise in loss, and `loss_per_ms` for each millisecond that it takes for a row. UnfitError when
    none is kept.
    """
    kept = [variant for variant in variants if variant.kept]
    if not kept:
        faults = {variant.name: variant.note for variant in variants}
        raise UnfitError(f"no graph of this fit may be served: {faults}")

    def order(variant: Variant) -> tuple[bool, float, int, float]:
        beyond = (
            variant.bytes / 1e6 > constraints.max_size_mb
            or variant.latency.p99_us / 1e3 > constraints.max_latency_ms
        )
        slow = constraints.loss_per_ms * variant.latency.p50_us / 1e3
        cost = variant.rises["validation"].value + slow if slow else 0.0
        return beyond, cost, variant.bytes, -variant.latency.rows_per_second

    return min(kept, key=order)
