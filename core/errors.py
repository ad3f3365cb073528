"""The errors that a person is meant to read: what was wrong, where, and what would be right."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


class PerennialError(Exception):
    """A fault that the message alone explains; shown without a stack trace."""


class SpecError(PerennialError):
    """A project spec or an expectation suite that cannot be used as it is written."""


class DeliveryError(PerennialError):
    """A delivery that cannot be read: missing, truncated, or of another schema."""


class IntegrityError(PerennialError):
    """A promise of the system that does not hold: a count, a hash, a stage."""


class UnfitError(PerennialError):
    """A fit of which no file may serve, or rows that nothing can be learnt from; others may be better."""


class Gathered:
    """The SpecErrors of checks that do not rest on each other, to be raised as one.

    >>> found = Gathered(["shop.yaml:1: name: is missing"])
    >>> found.attempt(lambda: int("7"))
    7
    >>> found.refuse()
    Traceback (most recent call last):
    core.errors.SpecError: shop.yaml:1: name: is missing
    """

    def __init__(self, sentences: Iterable[str] = ()) -> None:
        self.sentences = list(sentences)

    def attempt(self, check: Callable[[], T]) -> T | None:
        """What a check returns; None where it raises SpecError, which is kept."""
        try:
            return check()
        except SpecError as error:
            self.sentences += str(error).splitlines()
            return None

    def refuse(self) -> None:
        """Raise SpecError with all that was found, a line each, if anything was."""
        if self.sentences:
            raise SpecError("\n".join(self.sentences))
