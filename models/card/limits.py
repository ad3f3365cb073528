"""Where what a card says ends: sentences in the version's own numbers."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.spec import Spec
from models.onnx.texts import BUCKETS, CHARACTERS, WORDS
from models.registry.versions import Version

# So many of the changes that hurt are named.
NAMED = 4


def limits(version: Version, spec: Spec, described: Mapping[str, Any]) -> list[str]:
    """The limits of a version; `described` is its `models.card.describe.Description`, made plain."""
    return [*_of_time(version, spec, described), *of_inputs(spec, described), *_of_groups(spec, described)]


def asked(spec: Spec) -> str:
    """When an answer is asked for, such as `2 h before departure`."""
    hours = spec.decision.lead.total_seconds() / 3_600
    return f"{hours:g} h before {spec.decision.before}" if hours else f"at the time of {spec.decision.before}"


def _of_time(version: Version, spec: Spec, described: Mapping[str, Any]) -> Iterator[str]:
    until = version.lineage.learnt_until or version.lineage.trained_until
    batches = version.lineage.batches
    holdout = described["parts"]["holdout"]
    zone = ZoneInfo(spec.batches.timezone)
    first, last = (datetime.fromisoformat(holdout[end]).astimezone(zone) for end in ("first", "last"))
    yield (
        f"It learnt from events up to {until:%Y-%m-%d %H:%M %Z}. What the world did later it cannot know: "
        "its realised figures are watched after release."
    )
    yield (
        f"The figures are those of {holdout['rows']:,} events that no fit has seen, from {first:%Y-%m-%d} to "
        f"{last:%Y-%m-%d}, the end of the batches {batches[0]} to {batches[-1]}. Other seasons may differ by "
        "more than the intervals say."
    )
    yield _of_shift(spec, holdout["label"])
    yield (
        f"It answers for the instant {asked(spec)}: fed with what was known earlier or later, its answers "
        "are off."
    )


def _of_shift(spec: Spec, label: float | Mapping[str, float]) -> str:
    if isinstance(label, Mapping):
        shares = ", ".join(f"{name} {share:.1%}" for name, share in list(label.items())[:NAMED])
        return f"Where the shares of the classes move ({shares} here), calibration suffers first."
    if spec.problem == "binary":
        return (
            f"Where the share of positives moves away from {label:.1%}, calibration suffers first, "
            "ranking later."
        )
    if spec.problem == "ranking":
        return "Its scores order the rows of one list; between lists, or as amounts, they mean nothing."
    return f"Where the mean of {spec.outcome.label} moves away from {label:.4g}, its answers lag behind."


def of_inputs(spec: Spec, described: Mapping[str, Any]) -> Iterator[str]:
    outside = described["outside"]
    if outside["rows"]:
        yield (
            f"{outside['share']:.1%} of those events had a feature that training never saw the like of "
            f"({', '.join(list(outside['features'])[:NAMED])}): of such events it knows least."
        )
    hurts = [trial for trial in described["trials"] if trial["matters"] and trial["what"] != "all"]
    hurts.sort(key=lambda trial: -(trial["rise"]["value"] or float("inf")))
    if hurts:
        named = "; ".join(f"{each['what']} {each['change']}" for each in hurts[:NAMED])
        yield (
            f"{len(hurts)} of the disturbances that were tried raise the loss by more than the margin of "
            f"{spec.gate.slice_margin:g}, the worst: {named}."
        )
    if any(feature.kind == "category" for feature in spec.features.values()):
        yield "Of a category that it never met in training it knows nothing, and goes by the other features."
    if texts := [name for name, feature in spec.features.items() if feature.kind == "text"]:
        yield (
            f"Of {', '.join(texts)} it reads {CHARACTERS:,} characters from the start, and {WORDS} words; "
            f"words and letters are told apart by {BUCKETS - 1:,} numbers, which some share by chance. Its "
            "figures are of the people, topics and language of its training: a text is no proof of intent."
        )


def _of_groups(spec: Spec, described: Mapping[str, Any]) -> Iterator[str]:
    if not spec.gate.fairness.attributes:
        yield "The spec names no sensitive attribute: nothing here says whom its errors fall upon."
    hidden = {each["column"]: each["hidden"] for each in described["slices"] if each["hidden"]}
    if hidden:
        told = ", ".join(f"{count} of {column}" for column, count in hidden.items())
        yield f"Not every slice is shown: {told} are neither among the largest nor among the worst."
