"""Pickled pandas frames of data packages as staged tables, read without running what they name."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet

from core.errors import DeliveryError
from core.sources.delimited import FIELDS, require

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 1 << 17  # of a row group

# All that a frame of numbers, booleans and texts is made of. None of it runs what it is given.
_NEEDED = {
    ("builtins", "slice"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.numeric", "_frombuffer"),
    ("pandas", "DataFrame"),
    ("pandas", "Index"),
    ("pandas", "RangeIndex"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
}


def tabulate(path: Path, target: Path, columns: Sequence[str], named: object) -> None:
    """Write the rows of a pickled frame to a Parquet file, in their order; its index is left out.

    Its columns are `row` (UInt32, counted from 0), `columns` and `:fields` (String, null). NaN and None
    are null; a column of objects of more than one kind is texts.

    Raises DeliveryError when it is no such frame, names anything that a frame does not need, or lacks
    a column; it calls the file `named`.
    """
    frame = _frame(path, named)
    names = list(map(str, frame.columns))
    require(named, columns, names)
    arrays = {name: _values(frame.iloc[:, names.index(name)]) for name in columns}
    rows = pa.array(range(len(frame)), pa.uint32())
    table = pa.table({"row": rows, **arrays, FIELDS: pa.nulls(len(frame), pa.string())})
    pyarrow.parquet.write_table(table, target, row_group_size=_ROWS, compression="lz4")


class _Unpickler(pickle.Unpickler):
    """Gives a pickle the classes that a frame needs, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core.", "numpy._core.")  # as numpy called it before 2.0
        if (module, name) not in _NEEDED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no frame of data needs")
        return super().find_class(module, name)


def _frame(path: Path, named: object) -> "pd.DataFrame":
    try:
        with path.open("rb") as file:
            found = _Unpickler(file).load()
    except Exception as error:  # of damaged bytes anything may come
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise DeliveryError(f"{named}: is no pickled frame that can be read: {why}") from error
    import pandas as pd  # takes a second, which other kinds of deliveries need not wait

    if not isinstance(found, pd.DataFrame):
        raise DeliveryError(f"{named}: holds a {type(found).__name__}, where a pandas frame is expected")
    return found


def _values(column: "pd.Series") -> pa.Array:
    """The values in their own dtype, of which an object has none: it is text unless all are of one kind."""
    try:
        found = pa.array(column, from_pandas=True)
    except (pa.ArrowException, UnicodeError):
        texts = [
            None if missing else _text(value) for value, missing in zip(column, column.isna(), strict=True)
        ]
        return pa.array(texts, pa.string())
    return found.cast(pa.string()) if pa.types.is_null(found.type) else found


def _text(value: object) -> str:
    """Its text; half a pair of UTF-16 stands for no character."""
    return str(value).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
