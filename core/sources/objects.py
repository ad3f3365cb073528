"""Objects of S3 and of what speaks its protocol, found and downloaded.

Credentials, region and endpoint are those of the standard AWS environment variables and profiles.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs

from core.batches import Batch
from core.errors import DeliveryError
from core.sources.items import Item
from core.sources.patterns import chosen, has_wildcards, is_pattern, root
from core.sources.staging import File

_SCHEME = "s3://"
_CONNECT, _REQUEST, _ATTEMPTS = 3, 5, 3  # seconds, seconds without a byte, attempts
_CHUNK = 8 << 20
_AT_ONCE = 16  # requests
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def is_url(path: str) -> bool:
    """Whether the path is that of an object."""
    return path.startswith(_SCHEME)


def items(url: str, batches: Sequence[Batch], known: Mapping[str, str]) -> list[Item]:
    """The objects that a URL or a pattern stands for.

    Only of what seems to be as it was known is the ETag asked for: a listing does not tell it.
    Raises DeliveryError when there is none, and when they cannot be listed.
    """
    path = check(url)
    with _speaking_of(url):
        there = _filesystem()
        found = _matching(there, url, path, batches)
        marks = _marks(there, [info for info, _ in found], known)
    return [Item(_SCHEME + info.path, marks[info.path], info.size, batch) for info, batch in found]


@contextmanager
def downloaded(url: str, staging: Path) -> Iterator[tuple[File, str]]:
    """A copy of an object for as long as the block lasts, and the object's mark.

    Raises DeliveryError when it cannot be read whole, or changes meanwhile.
    """
    staging.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=staging, prefix=".download-") as copy:
        digest, size = hashlib.sha256(), 0
        with _speaking_of(url):
            there = _filesystem()
            mark = _mark(there, _one(there, url, check(url)))
        for chunk in _chunks(there, url):
            digest.update(chunk)
            size += copy.write(chunk)
        copy.flush()
        with _speaking_of(url):
            info = _one(there, url, check(url))
            if size != info.size or _mark(there, info) != mark:
                raise DeliveryError(f"{url}: changed while it was read: deliver it whole, then ingest")
        yield File(Path(copy.name), digest.hexdigest(), url), mark


def storage_options() -> dict[str, str]:
    """What Delta tables in S3 are to be read with, beside what they take from the environment."""
    options = {"connect_timeout": f"{_CONNECT}s", "timeout": "60s", "max_retries": str(_ATTEMPTS - 1)}
    endpoint = _endpoint()
    if endpoint:
        options |= {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": _region() or "us-east-1"}
        options |= {"AWS_ALLOW_HTTP": "true"} if endpoint.startswith("http://") else {}
    return options


def hide(text: str) -> str:
    """The text without the secrets of the AWS environment variables."""
    for secret in filter(None, map(os.environ.get, _SECRETS)):
        text = text.replace(secret, "***")
    return text


def check(url: str) -> str:
    """The `bucket/key` of a URL; DeliveryError when it has no bucket, or bears credentials."""
    path = url.removeprefix(_SCHEME)
    bucket, _, key = path.partition("/")
    if "@" in bucket:
        raise DeliveryError(
            f"{_SCHEME}***@{bucket.rpartition('@')[2]}: bears credentials: give them in the environment "
            "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or in a profile"
        )
    if not bucket or not key or is_pattern(bucket):
        raise DeliveryError(f"{url}: name a bucket and a key in it, as in s3://bucket/trips/*.parquet")
    return path


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _region() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None


def _filesystem() -> Any:
    endpoint, options = _endpoint(), {}
    if endpoint:
        scheme, at = urlsplit(endpoint).scheme, urlsplit(endpoint).netloc.rpartition("@")[2]
        options = {"endpoint_override": at, "scheme": scheme}
    return pa.fs.S3FileSystem(
        # Without one the SDK may ask a metadata server, which only Amazon's machines have.
        region=_region() or ("us-east-1" if endpoint else None),
        connect_timeout=_CONNECT,
        request_timeout=_REQUEST,
        retry_strategy=pa.fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        tls_ca_file_path=os.environ.get("AWS_CA_BUNDLE"),
        **options,
    )


def _one(there: Any, url: str, path: str) -> Any:
    info = there.get_file_info(path)
    if info.type == pa.fs.FileType.Directory:
        raise DeliveryError(f"{url}: is a folder: say which of its files, as in {url.rstrip('/')}/*.parquet")
    if info.type != pa.fs.FileType.File:
        raise DeliveryError(f"{url}: {_no_bucket(there, path) or 'is missing'}")
    return info


def _matching(there: Any, url: str, pattern: str, batches: Sequence[Batch]) -> list[tuple[Any, str | None]]:
    if not is_pattern(pattern):
        return [(_one(there, url, pattern), None)]
    base = root(pattern)
    within = pattern.removeprefix(base + "/")
    deep = "/" in within or within == "**"
    listed = there.get_file_info(pa.fs.FileSelector(base, recursive=deep, allow_not_found=True))
    files = {info.path: info for info in listed if info.type == pa.fs.FileType.File}
    found = [(files[name], batch) for name, batch in chosen(files, pattern, batches)]
    if not found:
        why = _no_bucket(there, pattern)
        if why or has_wildcards(pattern):
            raise DeliveryError(f"{url}: {why or 'there is no such file'}")
    return found


def _no_bucket(there: Any, path: str) -> str:
    bucket = path.partition("/")[0]
    missing = there.get_file_info(bucket).type == pa.fs.FileType.NotFound
    return f"there is no bucket {bucket!r}" if missing else ""


def _marks(there: Any, infos: Sequence[Any], known: Mapping[str, str]) -> dict[str, str]:
    marks = {info.path: _stamp(info) for info in infos}
    alike = [info for info in infos if known.get(_SCHEME + info.path, "").startswith(_stamp(info))]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        marks |= zip(
            (info.path for info in alike), pool.map(lambda info: _mark(there, info), alike), strict=True
        )
    return marks


def _stamp(info: Any) -> str:
    # Not every server tells fractions of a second, and not every request the same.
    return f"{info.size}-{info.mtime_ns // 1_000_000_000}-"


def _mark(there: Any, info: Any) -> str:
    with there.open_input_file(info.path) as file:
        etag: bytes = file.metadata().get("ETag", b"")
    return f"{_stamp(info)}{etag.decode()}"


def _chunks(there: Any, url: str) -> Iterator[bytes]:
    with _speaking_of(url), there.open_input_stream(check(url), compression=None) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


@contextmanager
def _speaking_of(url: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DeliveryError(f"{url}: is missing") from error
    except (pa.ArrowException, OSError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise DeliveryError(f"{url}: {hide(why)}") from None
