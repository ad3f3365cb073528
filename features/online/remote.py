"""The online store in Redis: a hash by key, with a field for each part."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress

import redis
from redis.client import Pipeline

from core.errors import PerennialError, SpecError

_SECONDS = 10.0  # to connect


class RemoteStore:
    """See `features.online.store.Store`. Each part has a set of its keys.

    Every key of Redis begins with `perennial:<project>:`.
    """

    def __init__(self, url: str, project: str, patience: float) -> None:
        self._prefix = f"perennial:{project}:"
        self._parts = f"{self._prefix}parts"
        try:
            self._client = redis.Redis.from_url(
                url, socket_connect_timeout=min(patience, _SECONDS), socket_timeout=patience
            )
        except ValueError:
            # Its message may show the URL, and so a password.
            raise SpecError(
                "the online store's URL must be redis://<user>:<password>@<host>:<port>/<number>"
            ) from None

    def put(self, part: str, values: Mapping[str, bytes]) -> None:
        """One transaction, made again when another has replaced the part meanwhile.

        Raises PerennialError when Redis would forget some of the keys: requests went on without them.
        """
        with self._named(), suppress(redis.exceptions.NoPermissionError):
            memory = self._client.info("memory")
            policy = str(memory.get("maxmemory_policy"))
            if memory.get("maxmemory") and policy.startswith("allkeys"):
                raise PerennialError(
                    f"the online store in Redis: it forgets keys when its memory is full ({policy}): "
                    "set its `maxmemory-policy` to noeviction"
                )
        self._replace(part, values)

    def get(self, keys: Collection[str]) -> dict[str, list[bytes]]:
        """One trip, in one transaction."""
        asked = list(keys)
        with self._named(), self._client.pipeline(transaction=True) as pipeline:
            for key in asked:
                pipeline.hvals(self._key(key))
            return dict(zip(asked, pipeline.execute(), strict=True))

    def drop(self, part: str) -> None:
        """One transaction."""
        self._replace(part, None)

    def parts(self) -> list[str]:
        """In alphabetical order."""
        with self._named():
            found = self._client.smembers(self._parts)
        return sorted(part.decode() for part in found if isinstance(part, bytes))

    def close(self) -> None:
        """Close the connections of the pool."""
        self._client.close()

    def _replace(self, part: str, values: Mapping[str, bytes] | None) -> None:
        keys = f"{self._prefix}part:{part}"

        def replace(pipeline: Pipeline) -> None:
            before = pipeline.smembers(keys)
            pipeline.multi()
            now = {self._key(key).encode(): value for key, value in (values or {}).items()}
            for key in before - now.keys():
                pipeline.hdel(key, part)
            for key, value in now.items():
                pipeline.hset(key, part, value)
            pipeline.delete(keys)
            if now:
                pipeline.sadd(keys, *now)
            (pipeline.srem if values is None else pipeline.sadd)(self._parts, part)

        with self._named():
            self._client.transaction(replace, keys)

    def _key(self, key: str) -> str:
        return f"{self._prefix}key:{key}"

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise PerennialError(f"the online store in Redis: {error}") from error
