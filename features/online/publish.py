"""Publishing a batch: its rows, put by entity where single requests find them."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from core.batches import Batch
from core.errors import IntegrityError
from core.sources.place import WHOLE
from core.spec import Lag, Spec, TargetRate, Trailing
from features.columns import DECISION, instant, require
from features.declared import plain
from features.facts import Facts
from features.made import look_back
from features.online.layout import MICROSECOND, Group, Layout, entity_text, layout_of, value_of
from features.online.packing import Packer
from features.online.store import Store
from features.online.values import EPOCH, as_held

_BUCKET, _KNOWN, _STRETCH = ":bucket", ":known", ":stretch"


@dataclass(frozen=True, slots=True)
class Published:
    """The part that was published, under how many keys, and how many bytes its values have."""

    part: str
    keys: int
    bytes: int


def publish(
    spec: Spec,
    store: Store,
    dataset: str,
    batch: Batch | None,
    rows: pl.LazyFrame | pl.DataFrame,
    content: str = "",
) -> Published:
    """Put what requests read of a dataset's accepted rows in place of what the batch had before.

    `rows` are those that the offline build reads, prepared columns included, of one batch; of a
    dataset that is not cut into batches, where `batch` is None, all. The order of the rows is of no
    account, and publishing the same again changes nothing. `content` stands for them: `contents`
    tells it as long as they are there.
    Raises SpecError when a declaration does not fit the rows, IntegrityError when a lookup would
    find two of them where there can be one; then the store is as it was.
    """
    layout, lazy = layout_of(spec), rows.lazy()
    schema = lazy.collect_schema()
    if dataset == spec.events:
        _check(spec, schema)
    values = {layout.schema(dataset): _schema_bytes(schema)}
    for group in layout.groups:
        if group.dataset == dataset:
            values |= _packed(spec, layout, group, batch, lazy)
    part = part_of(spec, dataset, batch)
    store.put(part, values | {part: content.encode()})
    return Published(part, len(values), sum(map(len, values.values())))


def datasets(spec: Spec) -> list[str]:
    """The datasets that are to be published: the events, and those that features look up in."""
    return list(dict.fromkeys([spec.events, *(group.dataset for group in layout_of(spec).groups)]))


def part_of(spec: Spec, dataset: str, batch: Batch | None) -> str:
    """The name of the part under which a batch of a dataset is published."""
    return layout_of(spec).part(dataset, batch.id if batch else WHOLE)


def contents(store: Store, parts: Iterable[str]) -> dict[str, str]:
    """What was said to be the content of those of these parts that the store holds.

    The store itself knows best: it may have been emptied, or restored from an older copy.
    """
    return {part: held[-1].decode() for part, held in store.get(list(parts)).items() if held}


def expired(parts: Iterable[str], spec: Spec, now: datetime) -> list[str]:
    """Those of a store's `parts`, published under this spec, that no request at or after `now` can need.

    A batch is needed as long as a window or a tolerance reaches back to what became known of it,
    which is up to `maturity` after its end; whole datasets always are, and the newest batch of each,
    which says what the columns are.
    """
    layout, batches, there = layout_of(spec), spec.batches.calendar().batches(), set(parts)
    found = list[str]()
    for dataset in datasets(spec):
        back = look_back(spec, dataset)
        if back is not None:
            before = now - back + spec.decision.lead
            held = [batch for batch in batches if layout.part(dataset, batch.id) in there]
            found += [layout.part(dataset, batch.id) for batch in held[:-1] if batch.end <= before]
    return sorted(found)


def superseded(parts: Iterable[str], spec: Spec) -> list[str]:
    """Those of a store's `parts` that were published under other declarations than the spec's.

    Services that still run with those read them; others do not.
    """
    own = layout_of(spec).part("", "").split("/")[0]
    return sorted(part for part in parts if part.split("/")[0] != own)


def read_schema(stored: bytes) -> pl.Schema:
    """The dtypes of a dataset's columns, as they were published."""
    return pl.read_ipc(io.BytesIO(stored)).schema


def _schema_bytes(schema: pl.Schema) -> bytes:
    written = io.BytesIO()
    pl.DataFrame(schema=schema).write_ipc(written)
    return written.getvalue()


def _check(spec: Spec, schema: pl.Schema) -> None:
    """Raise SpecError where the events do not have what a feature of the past reads."""
    facts = Facts(pl.DataFrame(schema=schema))
    for name, feature in plain(spec).items():
        if isinstance(feature, Trailing | TargetRate | Lag):
            value = value_of(spec, feature)
            require([*feature.by, *([value] if value else [])], schema, f"feature {name}", spec.events)
            facts.check(name, feature, spec.outcome.label)


def _packed(
    spec: Spec, layout: Layout, group: Group, batch: Batch | None, rows: pl.LazyFrame
) -> dict[str, bytes]:
    """By key, the group's rows."""
    table = _facts(spec, group, rows) if group.past else _rows(group, rows)
    of_entity = [as_held(table[column], f"{group.dataset}'s {column!r}") for column in group.columns]
    values = [as_held(table[column], f"{group.dataset}'s {column!r}") for column in group.values]
    if group.past:
        values = [each.set(~each.is_finite(), None) if each.dtype.is_float() else each for each in values]
    known = [table[_KNOWN].to_physical()] if group.known else []
    packer = Packer([*known, *values], (batch.start - EPOCH) // MICROSECOND if batch else 0)
    lows = table[_STRETCH].arg_unique().sort().to_list() if table.height else []
    buckets = table[_BUCKET].gather(lows).to_list()
    parts = [column.gather(lows).to_list() for column in of_entity]
    entities = zip(*parts, strict=True) if parts else [()] * len(lows)
    found = {}
    for low, high, entity, bucket in zip(lows, [*lows[1:], table.height], entities, buckets, strict=False):
        found[layout.key(group, entity_text(entity), bucket)] = packer.pack(low, high)
    return found


def _facts(spec: Spec, group: Group, rows: pl.LazyFrame) -> pl.DataFrame:
    """The events that may count, entity by entity in the order in which they became known.

    Not those that were known by their own decision time, nor those of no entity.
    """
    schema, asker = rows.collect_schema(), "online features of the past"
    require([spec.decision.before, *_read(group)], schema, asker, group.dataset)
    decision = instant(spec.decision.before, schema, asker) - spec.decision.lead
    known = instant(group.known or "", schema, asker).alias(_KNOWN)
    facts = rows.with_columns(known, decision.alias(DECISION))
    return _ordered(group, facts.filter(pl.col(_KNOWN) > pl.col(DECISION)))


def _rows(group: Group, rows: pl.LazyFrame) -> pl.DataFrame:
    """The rows that have a key, by it; IntegrityError where two could be found by one."""
    schema, asker = rows.collect_schema(), "an online lookup"
    require(_read(group), schema, asker, group.dataset)
    if group.known:
        rows = rows.with_columns(instant(group.known, schema, asker).alias(_KNOWN)).drop_nulls(_KNOWN)
    table = _ordered(group, rows)
    key = [*group.columns, *([_KNOWN] if group.known else [])]
    twice = table.filter(pl.struct(key).is_duplicated())
    if twice.height:
        such = ", ".join(f"{column.removeprefix(':')}={twice[column][0]}" for column in key)
        raise IntegrityError(
            f"dataset {group.dataset}: {twice.height} rows share their key with another, such as {such}"
        )
    return table


def _read(group: Group) -> list[str]:
    known = [group.known] if group.known else []
    return [*group.columns, *known, *group.values, *group.ties]


def _ordered(group: Group, rows: pl.LazyFrame) -> pl.DataFrame:
    """In order of entity, bucket and instant, with a number for each stretch of one entity and bucket."""
    since = pl.col(_KNOWN).to_physical() if group.known else pl.lit(0, pl.Int64)
    bucket = (since // group.width if group.width else pl.lit(0, pl.Int64)).alias(_BUCKET)
    stretch = [*group.columns, _BUCKET]
    known = [_KNOWN] if group.known else []
    columns = dict.fromkeys([*group.columns, *known, *group.values, *group.ties])
    order = dict.fromkeys([*stretch, *known, *group.ties, *group.values])
    there = rows.drop_nulls(list(group.columns)) if group.columns else rows
    table = there.select(*columns, bucket).sort(*order).collect()
    return table.with_columns(pl.struct(stretch).rle_id().alias(_STRETCH))
