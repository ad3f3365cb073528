"""A deep and cross network on entity embeddings and standardised numbers."""

import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from core.learning import Range
from models.encode import CategoryCodes, Scaling, fit_codes, fit_scaling
from models.family import Ability, Job, Parameter, read_parameters, require_able, shares
from models.network import DeepCross, Parameters, Tables, learn, log_loss, margins, settled
from models.onnx.graph import from_network
from models.rows import Columns, categories, numbers

name = "torch"
complexity = 3
abilities: frozenset[Ability] = frozenset()
space: Mapping[str, Range] = {
    "learning_rate": Range(low=0.0003, high=0.01, log=True),
    "dropout": Range(low=0.0, high=0.4),
    "weight_decay": Range(low=0.0001, high=0.1, log=True),
    "width": Range(choices=(8, 16, 32)),
    "cross": Range(low=1, high=3),
}
_IMPORTANCE_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class Network:
    """The fitted network, on the CPU, behind the codes of its categories."""

    columns: Columns
    encodings: tuple[CategoryCodes, ...]
    chosen: Parameters
    network: DeepCross
    shares: Mapping[str, float]

    def margins(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The margins of each row [n, K]."""
        found = margins(self.network, *_inputs(frame, self.columns, self.encodings))
        return found.double().numpy()[:, None]

    def graph(self) -> ModelProto:
        """The model as one graph: raw features in, `margin` out."""
        return from_network(_export(self.network, self.columns), self.columns, self.encodings)

    def save(self, folder: Path) -> None:
        """Write `network.npz`, the plain arrays of the weights, and `network.json`."""
        arrays = {key: tensor.numpy() for key, tensor in self.network.state_dict().items()}
        np.savez(folder / "network.npz", **arrays)
        document = {
            "columns": asdict(self.columns),
            "encodings": [asdict(encoding) for encoding in self.encodings],
            "parameters": self.chosen.model_dump(),
            "shares": self.shares,
        }
        (folder / "network.json").write_text(json.dumps(document))

    def importance(self) -> dict[str, float]:
        """Each feature's share of the validation loss that shuffling it would add."""
        return dict(self.shares)

    def contributions(self, frame: pl.DataFrame) -> NDArray[np.float64] | None:
        """None: a network has no exact ones."""
        return None


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """None: a network is made of no other family."""
    return ()


def fit(job: Job) -> Network:
    """Fit until the validation loss stops falling; a step is a batch. On a GPU where there is one."""
    require_able(name, abilities, job)
    train, validation, columns = job.train, job.validation, job.columns
    chosen = read_parameters(Parameters, name, job.parameters)
    encodings = tuple(fit_codes(series, chosen.min_rows) for series in categories(train.frame, columns))
    scaling = fit_scaling(numbers(train.frame, columns))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    seen, unseen = (
        Tables(*_inputs(rows.frame, columns, encodings), torch.tensor(rows.labels, dtype=torch.float32)).to(
            device
        )
        for rows in (train, validation)
    )
    with settled(job.seed, chosen.threads):
        network = DeepCross(scaling, [encoding.size for encoding in encodings], chosen).to(device)
        learn(network, seen, unseen, chosen, job.report)
        rises = _rises(network, unseen)
    return Network(columns, encodings, chosen, network.cpu(), shares(columns, rises))


def load(folder: Path) -> Network:
    """Read back what `Network.save` wrote."""
    saved = json.loads((folder / "network.json").read_text())
    columns = Columns(**{kind: tuple(names) for kind, names in saved["columns"].items()})
    encodings = tuple(CategoryCodes(**encoding) for encoding in saved["encodings"])
    chosen = Parameters(**saved["parameters"])
    with np.load(folder / "network.npz", allow_pickle=False) as arrays:
        weights = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    scaling = Scaling(weights["mean"].numpy(), weights["scale"].numpy())
    network = DeepCross(scaling, [encoding.size for encoding in encodings], chosen)
    network.load_state_dict(weights)
    return Network(columns, encodings, chosen, network, saved["shares"])


def _inputs(
    frame: pl.DataFrame, columns: Columns, encodings: Sequence[CategoryCodes]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The codes int64 [n, C] and the raw numbers float32 [n, K] of a frame."""
    codes = np.empty((frame.height, len(encodings)), np.int64)
    for place, (series, encoding) in enumerate(zip(categories(frame, columns), encodings, strict=True)):
        codes[:, place] = encoding.apply(series)
    return torch.from_numpy(codes), torch.from_numpy(numbers(frame, columns))


def _rises(network: DeepCross, rows: Tables) -> NDArray[np.float64]:
    """How much shuffling each feature raises the log loss of some rows, 0 where it does not [features]."""
    step = math.ceil(len(rows) / _IMPORTANCE_ROWS)
    few = rows.at(torch.arange(0, len(rows), step, device=rows.labels.device))
    base, rises = log_loss(network, few), []
    for part in (few.numbers, few.codes):
        for place in range(part.shape[1]):
            kept = part[:, place].clone()
            part[:, place] = kept[torch.randperm(len(few), device=kept.device)]
            rises.append(max(0.0, log_loss(network, few) - base))
            part[:, place] = kept
    return np.array(rises)


def _export(network: DeepCross, columns: Columns) -> ModelProto:
    """The network as a graph from "codes" and "numbers" (such as there are columns for) to "margin"."""
    widths = {"codes": len(columns.categories), "numbers": len(columns.numbers)}
    rows = (torch.zeros((2, widths["codes"]), dtype=torch.int64), torch.zeros((2, widths["numbers"])))
    with _hushed():
        program = torch.onnx.export(
            network.eval(),
            rows,
            dynamo=True,
            input_names=list(widths),
            output_names=["margin"],
            dynamic_shapes={name: {0: "rows"} for name in widths},
            verbose=False,
        )
    assert program is not None  # it is None only for the older exporter
    core = program.model_proto
    kept = [value for value in core.graph.input if widths[value.name]]
    del core.graph.input[:]
    core.graph.input.extend(kept)
    return core


@contextmanager
def _hushed() -> Iterator[None]:
    """Within, the exporter is silent: it warns of its own deprecations, and of torchvision's absence."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
