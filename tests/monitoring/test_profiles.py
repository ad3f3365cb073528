"""A batch's profile holds what is asked of it later: read once, merged at will, the same every time."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import IntegrityError
from core.settings import CHECKOUT
from models.rows import Columns
from monitoring.profiles import profiling
from monitoring.profiles.frequencies import Frequencies
from monitoring.profiles.profile import SCHEMA, from_table, merged, over, to_table
from monitoring.profiles.profiling import profile
from monitoring.profiles.quantiles import CAPACITY, Folding, Quantiles

COLUMNS = Columns(("wind",), ("carrier",))


def documents(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    table = to_table(profile(frame, COLUMNS))
    assert table.schema == SCHEMA
    return dict(zip(table["feature"], map(json.loads, table["document"]), strict=True))


def skewed(rows: int, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    wind = np.where(random.random(rows) < 0.3, 0.0, random.lognormal(0, 1, rows))
    tail = random.zipf(1.2, rows) % 30_000
    return pl.DataFrame({"wind": wind, "carrier": [f"N{number}" for number in tail]})


def test_numbers_are_summarised_without_their_missing_values() -> None:
    wind = [*range(101), None, float("nan"), float("inf")]
    frame = pl.DataFrame({"wind": pl.Series(wind, dtype=pl.Float32, strict=False), "carrier": "UA"})
    row = profile(frame, COLUMNS)["wind"].row()
    assert (row["kind"], row["rows"], row["nulls"]) == ("number", 104, 3)
    found = json.loads(row["document"])
    assert (found["mean"], found["min"], found["max"]) == (50, 0, 100)
    assert found["std"] == pytest.approx(((101**2 - 1) / 12) ** 0.5)  # discrete uniform
    assert found["quantiles"]["0.25"] == 25
    assert found["quantiles"]["0.99"] == 99


def test_categories_keep_the_most_frequent_in_a_stable_order() -> None:
    carriers = ["B6"] * 2 + ["UA"] * 5 + ["AA"] * 2 + [None] * 3 + [f"X{n:02d}" for n in range(40)]
    found = documents(pl.DataFrame({"wind": 1.0, "carrier": carriers}))["carrier"]
    assert found["distinct"] == 43
    assert [entry["value"] for entry in found["top"][:4]] == ["UA", "AA", "B6", "X00"]
    assert found["top"][0]["count"] == 5
    assert len(found["top"]) == 20


@pytest.mark.parametrize("rows", [0, 3])
def test_empty_and_all_null_columns_are_null_in_valid_json(rows: int) -> None:
    frame = pl.DataFrame(
        {"wind": [None] * rows, "carrier": [None] * rows}, schema={"wind": pl.Float32, "carrier": pl.String}
    )
    found = documents(frame)
    assert found["wind"]["mean"] is None
    assert found["wind"]["quantiles"]["0.5"] is None
    assert found["carrier"] == {"distinct": 0, "top": []}


def test_numbers_too_large_to_be_squared_are_valid_json() -> None:
    found = documents(pl.DataFrame({"wind": [1e308, -1e308, 1e308], "carrier": "UA"}))["wind"]
    assert found["std"] is None
    assert (found["min"], found["max"]) == (-1e308, 1e308)


def test_what_is_no_number_is_missing_and_counted() -> None:
    tally = profile(pl.DataFrame({"wind": ["4.5", "calm", None, "12 kn"]}), Columns(("wind",), ()))[
        "wind"
    ].tally
    assert (tally.rows, tally.missing, tally.strange) == (4, 3, 2)


def test_a_missing_feature_is_said_to_be_absent() -> None:
    tally = profile(pl.DataFrame({"wind": [1.0, 2.0]}), COLUMNS)["carrier"].tally
    assert (tally.rows, tally.missing, tally.absent) == (2, 2, 2)


SHARES = np.linspace(0.001, 0.999, 999)


@pytest.mark.parametrize("pieces", [1, 60])
@pytest.mark.parametrize("rows", [CAPACITY, 200_000])
def test_ranks_are_those_of_the_rows(rows: int, pieces: int) -> None:
    values = skewed(rows)["wind"].to_numpy().copy()
    shared = np.arange(1, 8)  # values that just over 1 / CAPACITY of the rows have, each
    values[: shared.size * (rows // 1_500)] = np.repeat(shared, rows // 1_500)
    folding = Folding()
    for piece in np.array_split(values, pieces):
        folding.add(piece)
    found = folding.quantiles()
    cuts = np.unique(np.quantile(values, SHARES, method="lower"))
    exact = np.searchsorted(np.sort(values), cuts, side="right") / rows
    told = np.cumsum(found.between(cuts))[:-1] / rows
    # A reduction moves a rank by no more than 1 / CAPACITY, and 60 pieces take log2(60) + 1 of them.
    allowed = 0 if rows <= CAPACITY else (1 + np.log2(pieces)) / CAPACITY
    assert np.abs(told - exact).max() <= allowed
    assert found.known == rows
    assert found.values[[0, -1]].tolist() == [values.min(), values.max()]
    assert found.values.size <= 3 * CAPACITY
    for value in [0, *(shared if pieces == 1 else ())]:  # what many share is never smeared
        assert found.rows[found.values == value].item() == (values == value).sum()


def test_counts_of_categories_are_off_by_no_more_than_is_said() -> None:
    values = skewed(200_000)["carrier"]
    exact = dict(values.value_counts().iter_rows())
    parts = [profiling.frequencies(values[start : start + 50_000]) for start in range(0, 200_000, 50_000)]
    found = Frequencies.merged(parts)
    assert 0 < found.error <= 0.0005 * 200_000
    for value, rows in list(found.counts().items())[:100]:
        assert exact[value] <= rows <= exact[value] + found.error
    assert found.distinct == pytest.approx(len(exact), rel=0.05)


def test_a_window_is_what_its_rows_would_be() -> None:
    parts = [skewed(1_000, seed) for seed in range(3)]
    for feature, whole in profile(pl.concat(parts), COLUMNS).items():
        window = merged([profile(part, COLUMNS)[feature] for part in parts])
        assert window.tally == whole.tally
        assert window.moments.std == pytest.approx(whole.moments.std)
        told, expected = (json.loads(each.row()["document"]) for each in (window, whole))
        for name in ("quantiles", "top", "distinct", "min", "max"):
            if feature == "wind":
                assert told.get(name) == pytest.approx(expected.get(name))
            else:
                assert told.get(name) == expected.get(name)


def test_pieces_are_read_once_and_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = skewed(2_000)
    whole = to_table(profile(frame, COLUMNS))
    monkeypatch.setattr(profiling, "AT_ONCE", 300)
    pieces = to_table(profile(frame.lazy(), COLUMNS))
    for column in ("rows", "nulls"):
        assert pieces[column].equals(whole[column])
    told, expected = (json.loads(table["document"][1]) for table in (pieces, whole))
    assert told == expected


def test_of_many_texts_as_many_are_read_whatever_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    said = pl.DataFrame({"remark": [f"word{place} again" for place in range(2_000)]})
    columns = Columns((), (), ("remark",))
    monkeypatch.setattr(profiling, "MOST_TEXTS", 100)
    whole = profile(said, columns)["remark"]
    monkeypatch.setattr(profiling, "AT_ONCE", 310)
    pieces = profile(said, columns)["remark"]
    assert whole.values is not None and pieces.values is not None
    assert pieces.tally.rows == whole.tally.rows == 100
    assert pieces.values.counts() == whole.values.counts()


PRINTS_A_HASH = """
import hashlib, sys
import numpy, polars
from models.rows import Columns
from monitoring.profiles.profile import to_table
from monitoring.profiles.profiling import profile
random = numpy.random.default_rng(0)
tail = polars.Series(random.zipf(1.2, 60_000) % 30_000).cast(polars.String)
frame = polars.DataFrame({"wind": random.lognormal(0, 1, 60_000), "carrier": tail})
frame = frame.sample(fraction=1, shuffle=True, seed=int(sys.argv[1]))
sketches = to_table(profile(frame, Columns(("wind",), ("carrier",))))["sketch"]
print(*(hashlib.sha256(sketch).hexdigest() for sketch in sketches))
"""


def test_the_same_rows_in_any_order_and_process_give_the_same_bytes() -> None:
    """What Apache DataSketches' own sketches of quantiles would not: they toss coins without a seed."""
    ran = [
        subprocess.run(
            [sys.executable, "-c", PRINTS_A_HASH, seed], cwd=CHECKOUT, capture_output=True, check=True
        )
        for seed in ("1", "2")
    ]
    assert ran[0].stdout == ran[1].stdout
    assert len(ran[0].stdout.split()) == 2


def test_what_is_kept_comes_back_as_it_was() -> None:
    made = to_table(profile(skewed(20_000), COLUMNS, blocks=31))
    back = from_table(made, "here")
    assert to_table(back).drop("sketch").equals(made.drop("sketch"))
    assert back["wind"].moments == profile(skewed(20_000), COLUMNS)["wind"].moments
    assert back["wind"].tally.blocks == 31
    assert over(pl.concat([made, made]), "here")["carrier"].tally.rows == 40_000


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda sketch: sketch[:-5],
    "one bit": lambda sketch: sketch[:400] + bytes([sketch[400] ^ 1]) + sketch[401:],
    "nothing": lambda sketch: b"",
    "something else": lambda sketch: b"x" * len(sketch),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_sketch_is_named_and_never_read(damage: str) -> None:
    made = to_table(profile(skewed(500), COLUMNS))
    sketches = [DAMAGES[damage](sketch) for sketch in made["sketch"]]
    with pytest.raises(IntegrityError, match=r"table profiles, batch 2013-01, feature 'wind': .* damaged"):
        from_table(made.with_columns(sketch=pl.Series(sketches)), "table profiles, batch 2013-01")


def test_no_numbers_have_no_quantiles() -> None:
    assert Quantiles.merged([]).at([0.5]).size == 0
    assert Quantiles.of(np.empty(0)).between(np.array([1.0])).tolist() == [0, 0]
