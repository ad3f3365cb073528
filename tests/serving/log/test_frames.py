"""Of a file of frames all is read that is whole, wherever it breaks off or is damaged."""

from itertools import accumulate

import polars as pl
import pytest

from serving.log.frames import Broken, framed, unframed

FRAMES = [framed(pl.DataFrame({"x": [number], "text": ["a" * number]})) for number in range(3)]
FILE = b"".join(FRAMES)
ENDS = list(accumulate(map(len, FRAMES)))


def read(content: bytes) -> tuple[list[int], bool | None]:
    """The numbers of the frames, and whether the file is torn; None where it is whole."""
    numbers: list[int] = []
    try:
        for rows in unframed(content):
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
