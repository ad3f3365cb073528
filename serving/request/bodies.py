"""Bodies of requests: read as far as they may be long, and taken apart into rows."""

from typing import Any

import msgspec
from starlette.requests import Request

from serving.request.fields import Fault
from serving.request.headers import header
from serving.request.problems import Problem, unprocessable

ARROW = "application/vnd.apache.arrow.stream"
SHORT = 16_384  # bytes that are taken apart at once; longer bodies take their turn in a thread
_DECODER = msgspec.json.Decoder()


async def body_of(request: Request, most_mb: float) -> bytes:
    """The whole body; Problem (413) where it is longer than so many megabytes, 400 where it breaks off."""
    most = int(most_mb * 1_000_000)
    said = header(request, b"content-length") or ""
    if said.isdecimal() and int(said) > most:
        raise _too_long(most_mb)
    parts, length, more = list[bytes](), 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "the body broke off")
        parts.append(message.get("body", b""))
        length, more = length + len(parts[-1]), message.get("more_body", False)
        if length > most:
            raise _too_long(most_mb)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def is_arrow(request: Request) -> bool:
    """Whether a body is an Arrow stream; Problem (415) where it is neither that nor JSON."""
    told = header(request, b"content-type")
    kind = "application/json" if told is None else told.partition(";")[0].strip().lower()
    if kind not in (ARROW, "application/json"):
        raise Problem(415, f"send application/json, or {ARROW}, not {kind[:60]!r}")
    return kind == ARROW


def rows_of(body: bytes, most: int) -> tuple[list[Any], bool]:
    """The rows of a body of JSON, and whether it was a list of them.

    Problem: 422 where it is no JSON, or neither an object nor a list of some; 413 for too many rows.
    """
    try:
        sent = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unprocessable([Fault(0, "", f"the body is no JSON: {error}")]) from None
    except RecursionError:
        raise unprocessable([Fault(0, "", "the body is nested too deep")]) from None
    if isinstance(sent, dict):
        return [sent], False
    if not isinstance(sent, list) or not sent:
        raise unprocessable(
            [Fault(0, "", "the body should be a row, which is an object of fields, or a list of rows")]
        )
    require_few(len(sent), most)
    return sent, True


def require_few(rows: int, most: int) -> None:
    """Problem (413) for too many rows."""
    if rows > most:
        raise Problem(413, f"{rows:,} rows are more than the {most:,} of one request: send them in parts")


def _too_long(most_mb: float) -> Problem:
    return Problem(413, f"the body is longer than the {most_mb:g} MB of one request: send it in parts")
