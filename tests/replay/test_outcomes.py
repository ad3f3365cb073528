"""What a version lost is counted row by row, each by its own answer."""

from pathlib import Path

from replay.outcomes import Known
from tests.stages.orders import AS_OF, make_orders, orders


def test_a_labelled_row_is_known_by_where_it_lies_among_the_answers(tmp_path: Path) -> None:
    """Delivered in any order: the labelled rows come by event time, the answers as the rows lie."""
    workspace = make_orders(tmp_path, rows=orders(200).sample(fraction=1.0, shuffle=True, seed=1))
    known = Known(workspace, workspace.batch("2013-02"), AS_OF)
    places, key = known.labelled[":place"].to_list(), ["basket", "id"]
    assert places != sorted(places)
    assert known.rows[places].select(key).equals(known.labelled.select(key))
