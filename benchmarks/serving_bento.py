"""The champion's graph behind BentoML, as its documentation has it; run by the peers' own Python."""

import os
from typing import Any

import bentoml
import numpy as np
import onnxruntime as ort


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Champion:
    """One session on one thread, as the service has it."""

    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(os.environ["BENCHMARK_GRAPH"], options)
        self._numbers = {each.name for each in self._session.get_inputs() if each.type == "tensor(float)"}

    @bentoml.api
    async def predict(self, row: dict[str, Any]) -> float:
        """The answer to a row."""
        feed = {
            name: np.array([[value]], np.float32 if name in self._numbers else object)
            for name, value in row.items()
        }
        return float(self._session.run(None, feed)[0][0, 0])
