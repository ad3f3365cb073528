"""What a version lost is counted row by row, each by its own answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.shared import Shared
from replay.outcomes import Known, outcome_of
from stages.models.train import register, train
from stages.score import served
from tests.stages.orders import AS_OF, make_orders, orders


def test_a_labelled_row_is_known_by_where_it_lies_among_the_answers(tmp_path: Path) -> None:
    """Delivered in any order: the labelled rows come by event time, the answers as the rows lie."""
    workspace = make_orders(tmp_path, rows=orders(200).sample(fraction=1.0, shuffle=True, seed=1))
    known = Known(workspace, workspace.batch("2013-02"), AS_OF)
    places, key = known.labelled[":place"].to_list(), ["basket", "id"]
    assert places != sorted(places)
    assert known.rows[places].select(key).equals(known.labelled.select(key))


def test_a_loss_is_that_of_the_answers_to_the_labelled_rows(tmp_path: Path) -> None:
    workspace = make_orders(tmp_path, rows=orders(200).sample(fraction=1.0, shuffle=True, seed=1))
    workspace = replace(workspace, shared=Shared(tmp_path / "shared"))
    batch = workspace.batch("2013-03")
    (version,) = register(workspace, [train(workspace, "linear", batch.start)])
    known = Known(workspace, batch, AS_OF)
    said = served(workspace, version).predict(known.labelled)
    label = known.labelled["label"].to_numpy()
    right = np.where(label > 0, said, 1 - said)
    found = outcome_of(workspace, batch, version, AS_OF)
    assert sum(found.loss) == pytest.approx(-np.log(right).sum(), rel=1e-6)
