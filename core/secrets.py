"""Secrets that a spec names: filled in where they are used, hidden in whatever is said of it."""

import json
import os
import re
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from core.errors import Gathered, SpecError

PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_BLOCK = "block:"
_PASSWORD = re.compile(r"://[^@/]*?:(.*)@", re.DOTALL)
_USER = re.compile(r"://[^\s@]*@")
_PARAMETER = re.compile(r"(password|passwd|pwd|secret|token)(=|%3d)[^&;\s\"]+", re.IGNORECASE)
_HIDDEN = "***"
IN_URL = ":[],"
"""What stays as it is of a secret that is filled into a URL, beside letters and digits."""


class Secrets:
    """Fills in `${NAME}` from the environment and `${block:name}` through `blocks`, and hides them.

    It shows none of what it holds, in `repr` neither.

    >>> os.environ["DOCTEST_PASSWORD"] = "hunter2"
    >>> secrets = Secrets()
    >>> secrets.hide("refused: " + secrets.fill("user:${DOCTEST_PASSWORD}@host"))
    'refused: user:***@host'
    """

    __slots__ = ("_blocks", "_filled")

    def __init__(self, blocks: Callable[[str], str] | None = None) -> None:
        """`blocks` gives the secret that a block holds; without it, there are no blocks here."""
        self._blocks = blocks
        self._filled: set[str] = set()

    def __repr__(self) -> str:
        return "Secrets()"

    def __reduce__(self) -> str:
        raise TypeError("secrets are looked up where they are used: they are not sent, nor stored")

    def fill(self, text: str, encode: Callable[[str], str] = str) -> str:
        """The text with its placeholders filled in, each through `encode`.

        Raises SpecError naming the variable or the block that is missing.
        """
        return PLACEHOLDER.sub(lambda found: encode(self._value(found[1])), text)

    def hide(self, text: str) -> str:
        """The text with each secret that was filled in as ***, however a URL or a message spells it."""
        forms = {form for value in self._filled for form in _forms(value)} - {""}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, _HIDDEN)
        return text

    def _value(self, name: str) -> str:
        value = self._block(name.removeprefix(_BLOCK)) if name.startswith(_BLOCK) else _variable(name)
        self._filled.add(value)
        return value

    def _block(self, name: str) -> str:
        if self._blocks is None:
            raise SpecError(
                f"${{block:{name}}}: there are no blocks here: run this as a flow, or use ${{NAME}}"
            )
        return self._blocks(name)


def unset(text: str) -> list[str]:
    """A sentence on each variable of the environment that a text names and that is not set.

    >>> unset("postgresql://ann:${DOCTEST_NOT_SET}@host/${block:name}")[0][:59]
    "${DOCTEST_NOT_SET}: the environment variable 'DOCTEST_NOT_S"
    """
    found = Gathered()
    for name in PLACEHOLDER.findall(text):
        if not name.startswith(_BLOCK):
            found.attempt(partial(_variable, name))
    return found.sentences


def holds_password(url: str) -> bool:
    """Whether a URL holds a password itself, and not just the name of one.

    >>> [holds_password(f"postgresql://ann:{word}@host/db") for word in ("${PASSWORD}", "hunter2")]
    [False, True]
    """
    named = PLACEHOLDER.sub("", url)
    user = _PASSWORD.search(named)
    return bool(user and user[1]) or _PARAMETER.search(named) is not None


def without_password(text: str) -> str:
    """The text with `***` for the user and the password of each URL in it."""
    return _PARAMETER.sub(rf"\1\2{_HIDDEN}", _USER.sub(f"://{_HIDDEN}@", text))


def _variable(name: str) -> str:
    if not (value := os.environ.get(name)):
        is_what = "is empty" if value == "" else "is not set"
        raise SpecError(
            f"${{{name}}}: the environment variable {name!r} {is_what}: "
            "set it where the flow runs, on each worker too"
        )
    return value


def _forms(value: str) -> set[str]:
    """The spellings of a secret, and of the password inside of it where it is a URL."""
    inner = _PASSWORD.search(value)
    plain = {
        part
        for held in (value, inner[1] if inner else "")
        for part in (held, unquote(held), unquote_plus(held))
    }
    spelled = set(plain)
    for part in plain:
        spelled |= {quote(part), quote(part, safe=""), quote(part, safe=" +"), quote_plus(part)}
        spelled.add(quote(part, safe=IN_URL))  # as it was filled in, which SQLAlchemy hands on as it is
        spelled |= {repr(part)[1:-1], json.dumps(part)[1:-1], part.replace("'", "''")}
    return spelled
