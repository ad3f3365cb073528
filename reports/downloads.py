"""Plots together with the numbers that they were drawn from, as files that need no network."""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot as SVG; `data` is a data: URI of a CSV with its numbers, to be saved as `file`."""

    svg: Markup
    file: str
    data: str


def with_data(svg: str, name: str, columns: Mapping[str, Sequence[Any]]) -> Drawn:
    """A plot with its numbers, a column each; what has no number is empty."""
    return Drawn(Markup(svg), f"{name}.csv", uri(columns))


def uri(columns: Mapping[str, Sequence[Any]]) -> str:
    r"""Columns of one length as a data: URI of a CSV (RFC 4180, UTF-8).

    >>> base64.b64decode(uri({"batch": ["2013-01"], "AUC": [None]}).partition(",")[2])
    b'batch,AUC\r\n2013-01,\r\n'
    """
    text = io.StringIO()
    csv.writer(text).writerows([list(columns), *zip(*columns.values(), strict=True)])
    return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(text.getvalue().encode()).decode()}"
