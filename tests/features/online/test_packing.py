"""Packed rows come back as they were, or not at all."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import IntegrityError
from features.online.packing import Packer, joined, unpack

ROWS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.none() | st.text(),
        st.none() | st.booleans(),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.integers(0, 2**64 - 1),
    ),
    max_size=20,
)
SCHEMA = {"known": pl.Int64, "text": pl.String, "flag": pl.Boolean, "float": pl.Float64, "whole": pl.UInt64}


def packer(rows: list[Any], order: int = 0) -> Packer:
    return Packer(pl.DataFrame(rows, SCHEMA, orient="row").get_columns(), order)


def rows_of(columns: Any) -> list[tuple[Any, ...]]:
    read = []
    for column in columns:
        null = np.zeros(len(column.values), bool) if column.null is None else column.null
        read.append([None if no else value for value, no in zip(column.values.tolist(), null, strict=True)])
    return list(zip(*read, strict=True))


@given(ROWS, st.data())
def test_any_stretch_of_rows_comes_back(rows: list[Any], data: st.DataObject) -> None:
    low = data.draw(st.integers(0, len(rows)))
    high = data.draw(st.integers(low, len(rows)))
    block = unpack("key", packer(rows, order=-7).pack(low, high))
    assert block.order == -7
    assert rows_of(block.columns) == rows[low:high]
    both = [block, unpack("key", packer(rows).pack(0, len(rows)))]
    assert rows_of(joined(both)) == rows[low:high] + rows


def test_what_is_not_finite_comes_back_too() -> None:
    packed = Packer([pl.Series([math.nan, math.inf, -0.0])], 0).pack(0, 3)
    (column,) = unpack("key", packed).columns
    assert [str(value) for value in column.values.tolist()] == ["nan", "inf", "-0.0"]


def test_damage_anywhere_is_seen() -> None:
    packed = packer([(5, "é", True, 0.5, None), (6, None, False, 1.5, 7)]).pack(0, 2)
    for place in range(len(packed)):
        broken = bytearray(packed)
        broken[place] ^= 0x10
        with pytest.raises(IntegrityError, match="under 'a/key' is damaged: publish its part again"):
            unpack("a/key", bytes(broken))
        with pytest.raises(IntegrityError, match="'a/key' is damaged"):
            unpack("a/key", packed[:place])
