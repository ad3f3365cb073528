"""Where the nodes of a graph run: with CUDA the numeric core does there, strings and trees on the CPU."""

from collections import Counter

import onnx

from models.onnx.proto import ML

# onnxruntime's CUDA provider has kernels of neither the domain ai.onnx.ml nor anything that reads
# strings (docs/OperatorKernels.md of its repository; its library for CUDA names none of them).
STRINGS = frozenset(
    {"MurmurHash3", "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "Tokenizer"}
)


def cpu_nodes(model: onnx.ModelProto) -> dict[str, int]:
    """How many nodes of each operator stay on the CPU though CUDA is there."""
    kinds = [node.op_type for node in model.graph.node if node.domain == ML or node.op_type in STRINGS]
    return dict(sorted(Counter(kinds).items()))
