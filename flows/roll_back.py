"""The roll back flow: the version before the champion serves again, where it surely does better."""

from datetime import datetime

from prefect import flow

from tasks.training import restore_earlier


@flow(name="roll-back", flow_run_name="roll back {project}")
def roll_back(project: str, as_of: datetime) -> str:
    """Make the version before the champion of `as_of` champion again; its id.

    Asked again about the same instant, it answers from the record.
    """
    return restore_earlier(project, as_of)
