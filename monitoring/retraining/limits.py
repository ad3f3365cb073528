"""The limits of retraining: a cooldown after one was opened, and what may be spent within a week."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from core.watching import Retraining
from monitoring.retraining.records import Request

WEEK = timedelta(days=7)


def limit(there: Sequence[Request], as_of: datetime, rules: Retraining) -> str | None:
    """Why no retraining may be opened at an instant, after those that are there; None where one may.

    Time is that of the instants at which they were asked for, so a history that is lived through
    again obeys the same limits. Those that were skipped, or asked for later, do not count.
    """
    opened = [each for each in there if each.state != "skipped" and each.as_of <= as_of]
    if opened and as_of < (free := max(each.as_of for each in opened) + rules.cooldown):
        why = f"the last retraining was opened less than {rules.cooldown} before"
        return f"Cooldown: {why}; the next may be from {free:%Y-%m-%d %H:%M} UTC on"
    week = [each for each in opened if each.as_of > as_of - WEEK]
    if len(week) >= rules.runs_a_week:
        return (
            f"Budget: {len(week)} retrainings were opened within seven days, of {rules.runs_a_week} allowed"
        )
    hours = sum(each.seconds for each in week) / 3_600
    if rules.hours_a_week is not None and hours >= rules.hours_a_week:
        spent = f"{hours:.1f} hours went into retrainings within seven days"
        return f"Budget: {spent}, of {rules.hours_a_week:g} allowed"
    return None
