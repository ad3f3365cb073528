"""The page of a project's model versions: which there are, how they compare, and what the gate said."""

from collections.abc import Sequence

from reports.downloads import Drawn, with_data
from reports.headlines import headlines_of, meaning_of, name_of
from reports.lifecycle.batches import Facts, short, told_batch
from reports.lifecycle.versions import told
from reports.models import plots

_NONE: Facts = {"value": None, "low": None, "high": None}


def arranged(site: Facts, history: Facts) -> Facts:
    """The values of the template `models.html`, from the facts of `reports.site` as plain JSON."""
    headlines = headlines_of(history)
    batches = [told_batch(batch, headlines) for batch in history["batches"]]
    versions = [told(version, batches, headlines) for version in history["versions"]]
    cards = {version["version"]: version.get("card") for version in history["versions"]}
    return {
        "versions": versions[::-1],
        "headlines": [name_of(headline) for headline in headlines],
        "metric": site["metric"],
        "has_calibration": any(
            each["metrics"].get("calibration_error") is not None for each in history["versions"]
        ),
        "champion": next((each for each in site["reigns"] if each["until"] is None), None),
        "reigns": site["reigns"][::-1],
        "cards": cards,
        "duels": site["duels"][::-1],
        "holdouts": _holdouts(site["made"], headlines[0]),
        "gains": _gains(site["duels"], site["metric"]),
        "meanings": [(name_of(headline), meaning_of(headline)) for headline in headlines],
    }


def _holdouts(made: Sequence[Facts], headline: str) -> Drawn | None:
    """The headline of each version on its holdout; None where none is known."""
    found = [each["holdout"].get(headline) or _NONE for each in made]
    if all(each["value"] is None for each in found):
        return None
    names, families = [short(each["version"]) for each in made], [each["family"] for each in made]
    drawn = plots.holdouts(
        name_of(headline), names, families, [each["as_of"] for each in made], found,
        [each["stage"] == "champion" for each in made],
    )  # fmt: skip
    columns = {
        "version": [each["version"] for each in made],
        "family": families,
        "as_of": [each["as_of"] for each in made],
        name_of(headline): [each["value"] for each in found],
        **{end: [each[end] for each in found] for end in ("low", "high")},
    }
    return with_data(drawn, "holdouts", columns)


def _gains(duels: Sequence[Facts], metric: str) -> Drawn | None:
    """What each challenger would gain on the champion of its time; None before the first met the gate."""
    shown = [each for each in duels if each["gain"] and each["gain"]["low"] is not None]
    if not shown:
        return None
    columns = {
        "challenger": [each["version"] for each in shown],
        "against": [each["against"] or "the best constant" for each in shown],
        "at": [each["at"] for each in shown],
        **{end: [each["gain"][end] for each in shown] for end in ("low", "high")},
        "limit": [each["limit"] for each in shown],
        "accepted": [each["accepted"] for each in shown],
    }
    return with_data(plots.gains(metric, shown), "gains", columns)
