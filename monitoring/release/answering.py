"""Whether a canary answers as surely, and as fast, as the champion."""

import numpy as np
import polars as pl

from core.releasing import ReleaseRules
from models.measures.sequential import difference
from monitoring.release.sides import Sides, arms
from monitoring.release.watches import Watch, few, judged, numbers, of_each, points

# Beyond this share of the champion's own requests one counts as slow.
_SLOW = 0.99


def errors(sides: Sides, rules: ReleaseRules) -> Watch:
    """Whether surely more requests stay without an answer; an answer that is no finite number is none."""
    requests = sides.requests()
    ours, theirs = arms(requests, (~requests["answered"]).to_numpy().astype(np.float64))
    if unknown := few("errors", "requests", ours, theirs):
        return unknown
    found = difference(ours, theirs, rules.requests, of_each(rules.confidence))
    reason = (
        f"{ours.mean:.2%} of {ours.count:,} requests to {sides.ours} had no answer,"
        f" {theirs.mean:.2%} of {theirs.count:,} to {sides.theirs}: {points(found)}; the limit is"
        f" {100 * rules.errors:.1f}"
    )
    state = judged(found.low, rules.errors)
    return Watch("errors", state, reason, numbers(ours, theirs, found, rules.errors))


def latency(sides: Sides, rules: ReleaseRules) -> Watch:
    """Whether surely more requests take longer than 99 of 100 of the champion's."""
    timed = sides.requests().filter(pl.col("seconds").is_not_null())
    seconds = timed["seconds"].to_numpy()
    theirs_alone = seconds[~timed["ours"].to_numpy()]
    slow = float(np.quantile(theirs_alone, _SLOW)) if len(theirs_alone) else np.inf
    ours, theirs = arms(timed, (seconds > slow).astype(np.float64))
    if unknown := few("latency", "timed requests", ours, theirs):
        return unknown
    found = difference(ours, theirs, rules.requests, of_each(rules.confidence))
    reason = (
        f"{ours.mean:.1%} of {ours.count:,} requests to {sides.ours} took longer than {1000 * slow:.1f} ms,"
        f" which {theirs.mean:.1%} of {theirs.count:,} to {sides.theirs} did: {points(found)}; the limit is"
        f" {100 * rules.slower:.1f}"
    )
    state = judged(found.low, rules.slower)
    return Watch("latency", state, reason, numbers(ours, theirs, found, rules.slower) | {"slow": slow})
