"""Reading a table on by a key that only rises: the pieces that were read, and what lies above them."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core.errors import DeliveryError
from core.sources.databases import Database
from core.sources.declared import SqlSource
from core.sources.items import Item
from core.sources.queries import KEYS, SQL_TYPES, Condition, Form, Key, above, plain, table_of

_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


def pieces_by_key(database: Database, source: SqlSource, key: str, known: Mapping[str, str]) -> list[Item]:
    """The pieces so far, with the rows that they have now, and one of all that lies above them.

    Raises DeliveryError when the key holds nulls, or what does not rise.
    """
    form = database.form(source.table, key)
    if form not in KEYS:
        raise DeliveryError(f"the key {key!r} holds what does not rise: numbers, texts and times do")
    if lacking := _count(database, source, sa.column(key).is_(None)):
        raise DeliveryError(
            f"{lacking:,} rows have no {key!r}, by which the table is read on: they would never be seen"
        )
    pieces = _chain(key, known)
    last = next(reversed(pieces.values()))["to"] if pieces else None
    expected = {what: sum(piece.get(what, 0) for piece in pieces.values()) for what in ("rows", "keys")}
    if last is not None and expected != held(database, source, form, None, last):
        for piece in pieces.values():
            piece.update(held(database, source, form, piece["after"], piece["to"]))
    newest = _newest(database, source, key, form)
    if newest is not None and (found := held(database, source, form, last, newest))["rows"]:
        name = f"{source.table} to {key} {newest}"
        pieces[name] = {"key": key, "after": last, "to": newest, **found}
    return [Item(name, json.dumps(piece, sort_keys=True)) for name, piece in pieces.items()]


def held(database: Database, source: SqlSource, form: Form, after: Key | None, to: Key) -> dict[str, int]:
    """How many rows lie above one key up to another, and what tells their keys from other ones."""
    key = str(source.key)
    rows, keys = database.keys(source.table, key, form, above(database, key, form, after, to))
    return {"rows": rows, "keys": keys}


def _chain(key: str, known: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The pieces so far, each from where the one before ends."""
    pieces = {name: piece for name, mark in known.items() if (piece := _piece(key, mark))}
    chain: dict[str, dict[str, Any]] = {}
    end: Key | None = None
    while following := [name for name, piece in pieces.items() if piece["after"] == end]:
        chain[following[0]] = pieces.pop(following[0])
        end = chain[following[0]]["to"]
    return chain


def _piece(key: str, mark: str | None) -> dict[str, Any] | None:
    try:
        piece = json.loads(mark or "")
    except ValueError:
        return None
    return piece if isinstance(piece, dict) and piece.get("key") == key else None


def _newest(database: Database, source: SqlSource, key: str, form: Form) -> Key | None:
    newest: sa.ColumnElement[Any] = sa.func.max(sa.column(key, SQL_TYPES[form]))
    shown = sa.cast(newest, sa.Text()) if form == "number" else newest
    query = sa.select(shown.label("newest")).select_from(table_of(source.table))
    try:
        (found,) = database.one(query, form)
    except (OverflowError, ValueError):  # as pyarrow has it of a time that Python cannot hold
        found = _UNREADABLE
    if isinstance(found, str) and _UNREADABLE in found:
        said = f"the highest {key!r} is beyond the calendar (infinity?) or no text"
        raise DeliveryError(f"{said}: the table cannot be read on from there")
    return None if found is None else plain(found)


def _count(database: Database, source: SqlSource, where: Condition) -> int:
    counted = sa.select(sa.func.count().label("rows")).select_from(table_of(source.table))
    return int(database.one(counted.where(where), "integer")[0])
