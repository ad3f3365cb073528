"""Sending: a message through a notification block of Prefect, without a secret in what is said of it."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import httpx
from apprise import AppriseAsset, NotifyFormat
from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.blocks.core import Block
from prefect.blocks.notifications import AppriseNotificationBlock

SENDER = "alerts-"
"""How the names of the threads begin that send."""
_STATUS = re.compile(r"error=(\d{3})")
_APPRISE = logging.getLogger("apprise")
# Those that tell the URLs they call, which are secrets.
_TALKERS = ("httpx", "httpcore.connection", "httpcore.http11", "urllib3.connectionpool")


class Apprise(AppriseNotificationBlock):
    """Sends to whatever a URL of Apprise names, such as a mailbox through a plain SMTP server."""

    _block_type_name = "Apprise"
    _block_type_slug = "apprise"

    def block_initialization(self) -> None:
        """Let Apprise know that alerts are plain text, which it quotes where mails are HTML."""
        super().block_initialization()
        self._apprise_client.asset = AppriseAsset(app_id="Perennial", body_format=NotifyFormat.TEXT)


def send(block: str, subject: str, body: str) -> str | None:
    """Send a message through the block `<type>/<name>`; None, or in a sentence why it could not be sent.

    Nothing is raised, and neither the sentence nor a log tells what the block holds.
    """
    _be_quiet()
    found = _loaded(block)
    if isinstance(found, str):
        return found
    with _heard() as said:
        try:
            with found.raise_on_failure() if isinstance(found, NotificationBlock) else nullcontext():
                found.notify(body, subject)
        except Exception as error:  # whatever a receiver makes of it loses no run
            return f"{block}: {_why(error, ' '.join(said))}"
    return None


def _loaded(block: str) -> Any:
    """The block, or why there is none."""
    try:
        found = Block.load(block)
    except ValueError as error:
        # The error of a block that does not hold may show what it holds.
        if str(error).startswith("Unable to find block document"):
            return (
                f"{block}: Prefect has no such block: make it in Prefect's UI under Blocks, or by "
                f"save({block.partition('/')[2]!r}) in Python"
            )
        return f"{block}: the block cannot be used: it does not hold what its type needs"
    except Exception as error:
        return f"{block}: the block could not be loaded from Prefect's API ({type(error).__name__})"
    if not hasattr(found, "notify"):
        return f"{block}: a block of this type sends nothing: name one that notifies, such as slack-webhook"
    return found


def _why(error: Exception, said: str) -> str:
    """What went wrong, by what was said meanwhile, but without the texts of others: they may hold a URL."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"the receiver answered {error.response.status_code}"
    if isinstance(error, httpx.TimeoutException):
        return "the receiver gave no answer in time"
    if isinstance(error, httpx.TransportError):
        return "the receiver could not be reached"
    if isinstance(error, NotificationError):
        if status := _STATUS.search(said):
            return f"the receiver answered {status[1]}"
        if "no service" in said:
            return "the block holds no URL that anything can be sent to"
        return "the receiver could not be reached, or refused the message"
    return f"it could not be sent ({type(error).__name__}): see whether the block holds a URL"


class _Heard(logging.Handler):
    """Keeps what is said in one thread: Prefect hears what all of them say."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.said.append(record.getMessage())


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What Apprise says in this thread meanwhile."""
    handler = _Heard()
    _APPRISE.addHandler(handler)
    try:
        yield handler.said
    finally:
        _APPRISE.removeHandler(handler)


class _Quiet(logging.Filter):
    """Lets nothing through that is said while sending."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not threading.current_thread().name.startswith(SENDER)


_QUIET = _Quiet()


def _be_quiet() -> None:
    """Let those who send say nothing to the world; what Apprise says is heard here alone."""
    _APPRISE.propagate = False
    for name in _TALKERS:
        logging.getLogger(name).addFilter(_QUIET)  # which adds it once
