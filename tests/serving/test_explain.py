"""A contribution is by how much the answer would fall were the feature at its usual value."""

import numpy as np
import polars as pl
import pytest

from models.card.usual import REFERENCE
from models.registry.releases import Part
from models.runtime.model import Model
from tests.serving.inside import inside
from tests.serving.running import PREDICT
from tests.serving.shop import Shop, sent

pytestmark = pytest.mark.slow


def test_contributions_are_what_they_claim(copied: Shop) -> None:
    orders = copied.orders(25)
    registry = copied.workspace.registry
    copied.release(Part(copied.trees, "canary", 0.5))
    with inside(copied) as client:
        answers = client.post(
            PREDICT, json=sent(orders), params={"explain": "true", "features": "true"}
        ).json()
    assert {each["version"] for each in answers} == {copied.linear, copied.trees}
    for answer in answers:
        version = registry.version(answer["version"])
        name = f"{version.metrics['serves']}.onnx"
        model = Model.open(registry.file(version, name), version.files[name])
        sample = pl.read_parquet(registry.file(version, REFERENCE))
        sample = sample.filter(pl.col("prediction").is_null())  # the rest is newer than the training
        features, moved = answer["features"], answer["explanation"]
        assert [each["value"] for each in moved] == [features[each["feature"]] for each in moved]
        sizes = [abs(each["contribution"]) for each in moved]
        assert sizes == sorted(sizes, reverse=True) and 0 not in sizes
        for each in moved:
            at = each["feature"]
            usual = sample[at].quantile(0.5) if at in model.columns.numbers else sample[at].mode().sort()[0]
            (without,) = model.answer([features | {at: usual}])
            np.testing.assert_allclose(each["contribution"], answer["prediction"] - without, atol=1e-6)
