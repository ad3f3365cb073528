"""The champion's graph as a model of MLflow, saved for its scoring server; run by the peers' own Python."""

import json
import sys

import mlflow.onnx
import numpy as np
import onnx
from mlflow.models import infer_signature


def main(graph: str, row: str, folder: str) -> None:
    """Save the graph, with the signature that the row tells: columns of values, as the graph takes them."""
    columns = {
        name: np.array([[value]], np.str_ if isinstance(value, str) else np.float32)
        for name, value in json.loads(row).items()
    }
    mlflow.onnx.save_model(
        onnx.load(graph),
        folder,
        signature=infer_signature(columns),
        pip_requirements=[],
        onnx_execution_providers=["CPUExecutionProvider"],
        onnx_session_options={"intra_op_num_threads": 1, "inter_op_num_threads": 1},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
