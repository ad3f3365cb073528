"""The two measures by which a project's batches and versions are told in a line."""

from typing import Any

from models.card.card import MEASURES

LOWER_IS_BETTER = frozenset({"log_loss", "rmse", "mae", "pinball"})


def headlines_of(facts: dict[str, Any]) -> tuple[str, str]:
    """The keys of the two measures, by a summary.

    >>> headlines_of({})
    ('auc', 'log_loss')
    """
    first, second = facts.get("headlines") or ("auc", "log_loss")
    return first, second


def name_of(measure: str) -> str:
    """What a measure is called; one that has no other name by its key.

    >>> name_of("ndcg"), name_of("own")
    ('nDCG', 'own')
    """
    return MEASURES[measure][0] if measure in MEASURES else measure


def meaning_of(measure: str) -> str:
    """How a measure is read."""
    return MEASURES[measure][1]
