"""Of a file of frames all is read that is whole, wherever it breaks off or is damaged."""

from itertools import accumulate

import polars as pl
import pytest

from serving.log.encode import packed, together, unpacked
from serving.log.frames import ROWS, Broken, columns, framed, unframed

SCHEMA = pl.Schema({"x": pl.Int64, "text": pl.String})
FRAMES = [
    columns(pl.DataFrame({"x": [0], "text": [""]})),
    framed(ROWS, together([packed((1, "a"))])),
    columns(pl.DataFrame({"x": [2], "text": ["aa"]})),
]
FILE = b"".join(FRAMES)
ENDS = list(accumulate(map(len, FRAMES)))


def read(content: bytes) -> tuple[list[int], bool | None]:
    """The numbers of the frames, and whether the file is torn; None where it is whole."""
    numbers: list[int] = []
    try:
        for mark, held in unframed(content):
            rows = unpacked(held, SCHEMA)[0] if mark == ROWS else pl.read_ipc_stream(held)
            numbers += rows["x"].to_list()
    except Broken as broken:
        return numbers, broken.torn
    return numbers, None


def test_frames_come_back_as_they_were() -> None:
    assert read(FILE) == ([0, 1, 2], None)
    assert read(b"") == ([], None)


def test_wherever_it_breaks_off_the_frames_before_are_there() -> None:
    for end in range(len(FILE)):
        whole = sum(end >= each for each in ENDS)
        assert read(FILE[:end]) == (list(range(whole)), None if end in (0, *ENDS) else True), end


def test_whichever_byte_is_flipped_the_frames_before_are_there_and_it_is_told_from_a_torn_end() -> None:
    for place in range(len(FILE)):
        flipped = bytearray(FILE)
        flipped[place] ^= 0x10
        whole = sum(place >= each for each in ENDS)
        assert read(bytes(flipped)) == (list(range(whole)), False), place


def test_what_is_no_frame_at_all_is_damage() -> None:
    with pytest.raises(Broken, match="at byte 0 is damaged"):
        list(unframed(b"\0" * 4096))
