"""Lookups: a value from another dataset, by its key, or by its key as of decision time."""

from collections.abc import Mapping

import polars as pl

from core.errors import IntegrityError, SpecError
from core.spec import Dataset, Lookup
from features.columns import DECISION, INSTANT, ROW, alike, instant, require

_KNOWN = ":known"


def lookup(
    rows: pl.DataFrame,
    tables: Mapping[str, pl.LazyFrame],
    datasets: Mapping[str, Dataset],
    features: Mapping[str, Lookup],
) -> pl.DataFrame:
    """One column for each of `features`, row by row of `rows`, in the dtype of the other dataset.

    `rows` holds `decision_time` and the columns to look up by. A dataset without a `known_at`
    gives its row of the same key; one with it gives the newest row of that key that has
    `decision - within <= known_at <= decision`, whose value is taken even where it is null. Where a
    key or the decision time is null, or there is no such row, the value is null.

    Raises SpecError when the dataset or a column is missing or of another dtype, or when `within`
    is asked of a dataset without `known_at`; IntegrityError when two rows could both be the one.

    >>> seats = Lookup.model_validate(
    ...     {"from": "lookup", "dataset": "planes", "column": "seats", "kind": "number",
    ...      "by": {"plane": "tail"}})
    >>> planes = Dataset.model_validate(
    ...     {"source": {"kind": "files", "path": "planes.csv"}, "columns": {}, "key": ["tail"]})
    >>> rows = pl.DataFrame({"plane": ["B", None, "A"]}).with_columns(decision_time=None)
    >>> tables = {"planes": pl.LazyFrame({"tail": ["A", "B", None], "seats": [55, 182, 2]})}
    >>> lookup(rows, tables, {"planes": planes}, {"seats": seats})["seats"].to_list()
    [182, None, 55]
    """
    found: dict[str, pl.Series] = {}
    for group in alike(features, lambda it: (it.dataset, tuple(it.by.items()), it.within)):
        name, feature = next(iter(group.items()))
        if feature.dataset not in tables or feature.dataset not in datasets:
            there = ", ".join(sorted(tables))
            raise SpecError(f"feature {name}: no dataset {feature.dataset!r}; there is {there}")
        found |= _found(rows, tables[feature.dataset], datasets[feature.dataset], group).to_dict()
    return pl.DataFrame([found[name] for name in features])


def _found(
    rows: pl.DataFrame, table: pl.LazyFrame, rules: Dataset, features: Mapping[str, Lookup]
) -> pl.DataFrame:
    """The features, which share their dataset, key and tolerance, row by row of `rows`."""
    name, feature = next(iter(features.items()))
    schema = table.collect_schema()
    _check(f"feature {name}", feature, rules, rows.schema, schema)
    for other, wanted in features.items():
        require([wanted.column], schema, f"feature {other}", wanted.dataset)
    on = [f":{column}" for column in feature.by]
    asked_for = [pl.col(here).alias(f":{here}") for here in feature.by]
    asked = rows.select(DECISION, *asked_for)
    keys = [pl.col(there).alias(f":{here}") for here, there in feature.by.items()]
    values = [pl.col(wanted.column).alias(other) for other, wanted in features.items()]
    if rules.known_at is None:
        held = table.select(*keys, *values).drop_nulls(on).collect()
        _unique(held, on, feature)
        return asked.join(held, on=on, how="left", maintain_order="left").select(*features)
    known = instant(rules.known_at, schema, f"feature {name}").alias(_KNOWN)
    asked = asked.with_row_index(ROW).sort(DECISION)
    reached = known <= pl.lit(asked[DECISION].max(), INSTANT)
    if feature.within is not None:
        reached &= known >= pl.lit(asked[DECISION].min(), INSTANT) - feature.within
    held = table.filter(reached).select(*keys, known, *values).drop_nulls(on).collect().sort(_KNOWN)
    _unique(held, [*on, _KNOWN], feature)
    # Polars cannot check the order within keys and would warn: both sides are sorted above.
    newest = asked.join_asof(
        held, left_on=DECISION, right_on=_KNOWN, by=on, tolerance=feature.within, check_sortedness=False
    )
    return newest.select(*features)[newest[ROW].arg_sort()]


def _check(asker: str, feature: Lookup, rules: Dataset, events: pl.Schema, dataset: pl.Schema) -> None:
    if feature.within is not None and rules.known_at is None:
        raise SpecError(f"{asker}: `within` needs a dataset with `known_at`, and {feature.dataset} has none")
    read = [*feature.by.values(), *([rules.known_at] if rules.known_at else [])]
    require(read, dataset, asker, feature.dataset)
    for here, there in feature.by.items():
        if events[here] != dataset[there]:
            other = f"{feature.dataset}'s {there!r} is {dataset[there]}"
            raise SpecError(f"{asker}: the events' {here!r} is {events[here]}, but {other}")


def _unique(held: pl.DataFrame, on: list[str], feature: Lookup) -> None:
    twice = held.filter(pl.struct(on).is_duplicated())
    if twice.height:
        key = ", ".join(f"{column.removeprefix(':')}={twice[column][0]}" for column in on)
        raise IntegrityError(
            f"dataset {feature.dataset}: {twice.height} rows share their key with another, such as {key}"
        )
