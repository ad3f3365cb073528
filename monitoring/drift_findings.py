"""What the inputs and the predictions of a batch say, where nothing but they may."""

from collections.abc import Iterator, Mapping, Sequence

from core.spec import Monitoring
from monitoring.drift import Drift
from monitoring.findings import Finding

_NAMED = 3


def of_drift(
    drifts: Sequence[Drift],
    importance: Mapping[str, float],
    prediction: Drift | None,
    judged: bool,
    rules: Monitoring,
) -> Iterator[Finding]:
    """What inputs and predictions say, where nothing but they may: where no outcomes have `judged`."""
    if rules.drift is None:
        yield Finding("nothing", "Drift is not watched (monitoring.drift is null): performance decides")
        return
    drifted = sorted(
        (drift for drift in drifts if drift.drifted), key=lambda drift: -importance.get(drift.feature, 0.0)
    )
    share = sum(importance.get(drift.feature, 0.0) for drift in drifted)
    moved = prediction is not None and prediction.drifted
    numbers = {"drifted_features": float(len(drifted)), "drifted_importance": share}
    blind = share >= rules.drifted_importance and moved and not judged
    reason = f"{len(drifted)} of {len(drifts)} inputs drifted"
    if drifted:
        reason += f", with {share:.1%} of the model's importance: "
        reason += _list([f"{drift.feature} {drift.value:.2f}" for drift in drifted])
    if blind:
        reason += f" (limit {rules.drifted_importance:.1%}), the predictions too, and no outcomes tell more"
    yield Finding("retrain" if blind else "watch" if drifted else "nothing", reason, numbers)
    if prediction is not None and prediction.value is not None:
        reason = f"Prediction drift {prediction.value:.2f} (limit {prediction.threshold:.2f})"
        yield Finding("watch" if moved else "nothing", reason, {"prediction_drift": prediction.value})
    changed = [f"{drift.feature} ({drift.note})" for drift in drifts if drift.new or drift.vanished]
    if changed:
        yield Finding("nothing", f"Categories came or went: {_list(changed)}")


def _list(items: Sequence[str]) -> str:
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more
