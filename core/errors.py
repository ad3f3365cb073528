"""The errors that a person is meant to read: what was wrong, where, and what would be right."""


class PerennialError(Exception):
    """A fault that the message alone explains; shown without a stack trace."""


class SpecError(PerennialError):
    """A project spec or an expectation suite that cannot be used as it is written."""


class DeliveryError(PerennialError):
    """A delivery that cannot be read: missing, truncated, or of another schema."""


class IntegrityError(PerennialError):
    """A promise of the system that does not hold: a count, a hash, a stage."""


class UnfitError(PerennialError):
    """A fit of which no file may serve; those of other families may."""
