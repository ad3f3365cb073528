"""What the inputs and the predictions of a batch say, where nothing but they may."""

from collections.abc import Iterator, Mapping, Sequence

from core.spec import Monitoring
from monitoring.drift.changes import VALUES
from monitoring.drift.drift import Drift
from monitoring.findings import Call, Finding

_NAMED = 3


def of_drift(
    drifts: Sequence[Drift],
    importance: Mapping[str, float],
    prediction: Drift | None,
    judged: bool,
    rules: Monitoring,
    before: Sequence[Sequence[str]] = (),
) -> Iterator[Finding]:
    """What inputs and predictions say, and where they may (`rules.opened_by`) call for.

    Inputs do so alone or, together with the predictions, only where no outcomes have `judged`.

    `before` names the features that had drifted in the batches before, oldest first: one that has not
    lasted (`rules.drift_persistence`) calls for nothing, nor do those that the model hardly uses.
    """
    if rules.drift is None:
        yield Finding("nothing", "Drift is not watched (monitoring.drift is null): performance decides")
        return
    drifted = sorted(
        (drift for drift in drifts if drift.drifted), key=lambda drift: -importance.get(drift.feature, 0.0)
    )
    lasting = [drift for drift in drifted if _lasts(drift.feature, before, rules)]
    share, lasts = (sum(importance.get(each.feature, 0.0) for each in some) for some in (drifted, lasting))
    moved = prediction is not None and prediction.drifted
    numbers = {
        "drifted_features": float(len(drifted)),
        "drifted_importance": share,
        "lasting_importance": lasts,
    }
    alone = "drift" in rules.opened_by
    enough = alone or (moved and not judged and "blind_drift" in rules.opened_by)
    opens = enough and lasts >= rules.drifted_importance
    reason = f"{len(drifted)} of {len(drifts)} inputs drifted"
    if drifted:
        reason += f", with {share:.1%} of the model's importance: "
        reason += _list([f"{drift.feature} {drift.value:.2f}" for drift in drifted])
    if opens:
        reason += f" (limit {rules.drifted_importance:.1%})"
        reason += "" if alone else ", the predictions too, and no outcomes tell more"
    elif enough and share >= rules.drifted_importance:
        wanted = rules.drift_persistence
        reason += f"; not yet in {wanted.batches} of the last {wanted.of} batches"
    call: Call = "retrain" if opens else "watch" if drifted else "nothing"
    yield Finding(call, reason, numbers, source="drift")
    if prediction is not None and prediction.value is not None:
        reason = f"Prediction drift {prediction.value:.2f} (limit {prediction.threshold:.2f})"
        yield Finding("watch" if moved else "nothing", reason, {"prediction_drift": prediction.value})
    came = [f"{drift.feature} ({drift.note})" for drift in drifts if drift.new or drift.vanished]
    if came:
        yield Finding("nothing", f"Categories came or went: {_list(came)}")
    other = [f"{drift.feature} ({drift.note})" for drift in drifts if set(drift.changes) - VALUES]
    if other:
        yield Finding("nothing", f"Columns are not what they were: {_list(other)}")


def _lasts(feature: str, before: Sequence[Sequence[str]], rules: Monitoring) -> bool:
    """Whether a feature that has drifted now did so often enough of late."""
    wanted = rules.drift_persistence
    earlier = before[-(wanted.of - 1) :] if wanted.of > 1 else ()
    return 1 + sum(feature in names for names in earlier) >= wanted.batches


def _list(items: Sequence[str]) -> str:
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more
