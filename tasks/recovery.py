"""How a stage is tried again: what may pass by itself is, what a person must mend is not."""

from typing import Any

from prefect.tasks import exponential_backoff

from core.errors import PerennialError


def may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Try again unless the error is one of ours: those say what a person must mend."""
    try:
        state.result()
    except PerennialError:
        return False
    except Exception:  # whatever else it is, such as a lost connection
        return True
    return False


# As the options of a task. The jitter keeps batches that failed together from coming back together.
PATIENT: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": may_pass,
}
