"""A file is there whole or as it was, and where there is no place for it, that is said."""

from pathlib import Path

import pytest

from core.errors import PerennialError
from core.whole import whole


def test_a_file_takes_its_place_when_it_is_done_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "x.json"
    with whole(path) as draft:
        draft.write_text("one")
        assert not path.exists()
    with pytest.raises(ValueError, match="half"), whole(path) as draft:
        draft.write_text("tw")
        raise ValueError("half")
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_and_a_folder_that_cannot_be_made_are_said(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with (
        pytest.raises(PerennialError, match="cannot be written to: No space left on device"),
        whole(path),
        Path("/dev/full").open("w") as full,
    ):
        full.write("x")
    assert list(tmp_path.iterdir()) == []
    path.write_text("a file")
    with pytest.raises(PerennialError, match="cannot be written to: "), whole(path / "y.json"):
        pass
