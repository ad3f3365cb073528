"""The batches of a lifecycle as its page tells them: measures, decision, and what came of it."""

from collections.abc import Sequence
from typing import Any

Facts = dict[str, Any]
_UNKNOWN: Facts = {
    "status": "accepted",
    "stopped": None,
    "quarantine_reasons": {},
    "auc_interval": None,
    "baseline_auc": None,
    "measures": {},
    "intervals": {},
    "baseline": {},
    "base_rate": None,
    "calibration_error": None,
    "calibration": [],
    "prediction_drift": None,
    "feature_drift": {},
    "drifted": None,
    "challenger": None,
    "retrained": None,
    "drift_page": None,
    "final": None,
    "estimates": {},
    "request": None,
}
# What is said of a decision that nothing has come of yet, by the state of what it asked for.
_OPEN = {
    "open": "waits to be carried out",
    "running": "is being carried out",
    "failed": "failed",
    "skipped": "not opened",
}
_SYMBOLS = {
    "nothing": "○",
    "watch": "◐",
    "recalibrate": "●",
    "retrain stateful": "●",
    "retrain stateless": "●",
    "roll back": "●",
}


def told_batch(given: Facts, headlines: tuple[str, str]) -> Facts:
    """A batch with the measures that are shown of it, and what came of its decision."""
    batch = _UNKNOWN | given
    first, second = headlines
    found = batch["measures"] or {"auc": batch["auc"], "log_loss": batch["log_loss"]}
    batch |= {"score": found.get(first), "second": found.get(second), "relative": found.get("relative_loss")}
    batch["score_interval"] = (batch["intervals"] or {"auc": batch["auc_interval"]}).get(first)
    batch["baseline_score"] = (batch["baseline"] or {"auc": batch["baseline_auc"]}).get(first)
    batch["symbol"] = _SYMBOLS.get(batch["decision"], "")
    if (asked := batch["request"]) and asked["why"]:
        batch["reasons"] = [
            *batch["reasons"],
            f"Retraining {asked['number']}, {asked['state']}: {asked['why']}",
        ]
    return batch | {"outcome": _outcome(batch)}


def _outcome(batch: Facts) -> str:
    """What came of the decision, in words; empty where nothing was to come of it."""
    if batch["retrained"]:
        return f"{batch['retrained']} {'restored' if batch['decision'] == 'roll back' else 'released'}"
    if batch["challenger"]:
        return f"{batch['challenger']} refused"
    if batch["symbol"] != "●":
        return ""
    return _OPEN.get((batch["request"] or {}).get("state", ""), "not carried out")


def scored_of(batches: Sequence[Facts]) -> list[Facts]:
    """From the first batch with a realised headline to the last."""
    places = [place for place, batch in enumerate(batches) if batch["score"] is not None]
    return list(batches[places[0] : places[-1] + 1]) if places else []


def short(version: str) -> str:
    """`v2` of `shop/2`: a page is of one project."""
    return f"v{version.rpartition('/')[2]}"


def ids_of(batches: Sequence[Facts]) -> list[str]:
    """The ids of batches."""
    return [batch["batch"] for batch in batches]


def of(batches: Sequence[Facts], fact: str) -> list[Any]:
    """A fact of each batch."""
    return [batch[fact] for batch in batches]
