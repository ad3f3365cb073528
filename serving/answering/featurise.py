"""Features of the rows of a request: from what they hold, and by the online store where that is needed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import PerennialError, SpecError
from core.spec import Spec
from features.online.request import Online
from features.online.rows import Final
from features.online.values import RequestError
from serving.request.fields import Fault, Fields, Malformed, Row

AGAIN = 1.0  # seconds after which a store that could not be read is asked again


class StoreLost(PerennialError):
    """The online store cannot be read, and the spec says that rows which need it are refused."""


@dataclass(frozen=True, slots=True)
class Known:
    """A row with its features, as a model gets them; `degraded` where the store could not be asked.

    A row that does not say whom it is about is about its own `id`.
    """

    id: str
    row: Row
    features: Mapping[str, Final] = field(repr=False)
    degraded: bool
    entity: str
    key: str | None


class Featuriser:
    """Makes features of rows, by the store where that is needed and can be."""

    def __init__(self, spec: Spec, fields: Fields, online: Online) -> None:
        self._spec, self._fields, self._online = spec, fields, online
        self._lost_until = 0.0
        self.lost: str | None = None

    @property
    def reads(self) -> list[str]:
        """The columns of the events that features read: all that a row need have."""
        return self._online.columns()

    def needs_store(self, row: Row) -> bool:
        """Whether some feature is not given by the row itself."""
        return not row.given.keys() >= self._spec.features.keys()

    def look(self) -> None:
        """Ask whether a lost store is back, which else only a row that needs it would tell."""
        if self.lost is None:
            return
        try:
            self._online.require_published()
            self.lost, self._lost_until = None, 0.0
        except PerennialError as error:
            self.lost = str(error)

    def known(self, rows: Sequence[Row], ids: Sequence[str]) -> list[Known]:
        """The rows, of these ids, with their features.

        Raises Malformed where a row cannot be computed, StoreLost where the store is needed, cannot be read,
        and the spec would rather have no answer.
        """
        events = self._events(rows)
        return [
            self._known(place, *each, events.get(place))
            for place, each in enumerate(zip(rows, ids, strict=True))
        ]

    def _events(self, rows: Sequence[Row]) -> dict[int, Mapping[str, Any]]:
        """By place, the columns of the event of each row that needs the store."""
        places = [place for place, row in enumerate(rows) if self.needs_store(row)]
        events = [
            {name: value for name, value in rows[place].sent.items() if name in rows[place].held}
            for place in places
        ]
        return dict(zip(places, self._online.completed(events) if len(events) > 1 else events, strict=True))

    def _known(self, place: int, row: Row, id: str, event: Mapping[str, Any] | None) -> Known:
        try:
            features, degraded = self._features(row, event)
        except (RequestError, SpecError) as error:  # of what it holds nothing can be computed
            raise Malformed([Fault(place, "", str(error).removeprefix("request: "))]) from error
        entity = self._fields.entity(row, features) or id
        return Known(id, row, features, degraded, entity, self._fields.key(row.held))

    def _features(self, row: Row, event: Mapping[str, Any] | None) -> tuple[Mapping[str, Final], bool]:
        if event is None:
            return row.given, False
        if time.monotonic() >= self._lost_until:
            try:
                found = self._online.features(event, row.decision_time, row.given)
                self.lost = None
                return found, False
            except (RequestError, SpecError):
                raise
            except PerennialError as error:
                self.lost, self._lost_until = str(error), time.monotonic() + AGAIN
        if self._spec.serving.without_store == "refuse":
            raise StoreLost(str(self.lost))
        return self._online.features_alone(event, row.decision_time, row.given), True
