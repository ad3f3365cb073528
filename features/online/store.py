"""Where online facts lie: values by key, replaced part by part, in a file or in Redis."""

from collections.abc import Collection, Mapping
from typing import Protocol

from core.errors import SpecError
from features.online.embedded import EmbeddedStore

PATIENCE = 60.0


class Store(Protocol):
    """A key-value store of one project, for any number of threads and processes.

    A part is what is replaced as a whole: under a key lies one value of each part that has one.
    Readers never wait for a writer, and see a part as it was or as it is, never between.
    """

    def put(self, part: str, values: Mapping[str, bytes]) -> None:
        """Make these all that is stored under the part, at once; killed on the way, nothing changes."""

    def get(self, keys: Collection[str]) -> dict[str, list[bytes]]:
        """The values of each key, of all parts as they were at one instant; none is an empty list."""

    def drop(self, part: str) -> None:
        """Forget the part, if it is there."""

    def parts(self) -> list[str]:
        """The parts that there are, in alphabetical order."""

    def close(self) -> None:
        """Let go of the connections; a store that is used again opens new ones."""


def open_store(url: str, project: str, patience: float = PATIENCE) -> Store:
    """The project's store at the URL: `sqlite:///<file>`, or `redis://`, `rediss://`, `unix://`.

    It is given so many seconds for an answer.

    Opening makes nothing and asks for nothing; the first use does. Any number of projects may share
    a URL. Raises SpecError for another kind of URL, without showing a password that is in it.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return EmbeddedStore(rest[1:], project, patience)
    if scheme in ("redis", "rediss", "unix") and rest:
        from features.online.remote import RemoteStore  # with a client that who has a file need not wait for

        return RemoteStore(url, project, patience)
    raise SpecError(
        f"the online store's URL must be sqlite:///<file> or redis://<host>:<port>/<number>, not {scheme}://…"
    )
