"""A deep and cross network on entity embeddings and standardised numbers."""

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from core.errors import SpecError
from core.learning import Range
from models.family import Ability, Job, Parameter, read_parameters, require_able, shares
from models.learning.descent import Batch, Lesson, learn
from models.learning.encode import CategoryCodes, Scaling, fit_codes, fit_scaling
from models.learning.losses import Truth, Unit, mean_loss
from models.learning.network import DeepCross, Parameters, margins, settled
from models.learning.truth import best_constant, truth_of
from models.onnx.graph import from_network
from models.onnx.network import network_margin
from models.rows import Columns, Floats, Rows, categories, numbers

name = "torch"
complexity = 4
abilities: frozenset[Ability] = frozenset({"focal", "start", "targets"})
space: Mapping[str, Range] = {
    "learning_rate": Range(low=0.0003, high=0.01, log=True),
    "dropout": Range(low=0.0, high=0.4),
    "weight_decay": Range(low=0.0001, high=0.1, log=True),
    "width": Range(choices=(8, 16, 32)),
    "cross": Range(low=1, high=3),
    "batch_norm": Range(choices=(False, True)),
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
        return _margins(self.network, *_inputs(frame, self.columns, self.encodings))

    def graph(self) -> ModelProto:
        """The model as one graph: raw features in, `margin` out."""
        return from_network(network_margin(self.network, self.columns), self.columns, self.encodings)

    def save(self, folder: Path) -> None:
        """Write `network.npz`, the plain arrays of the weights, and `network.json`."""
        arrays = {key: tensor.numpy() for key, tensor in self.network.state_dict().items()}
        np.savez(folder / "network.npz", **arrays)
        document = {
            "columns": asdict(self.columns),
            "encodings": [asdict(encoding) for encoding in self.encodings],
            "parameters": self.chosen.model_dump(),
            "unit": asdict(self.network.unit),
            "outputs": self.network.head.out_features,
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
    """Fit until the validation loss stops falling; a step is a batch. On a GPU where there is one.

    It learns by the cross-entropy, the squared, absolute or pinball error in spreads of the train rows, or by
    whole lists of a ranking (`models.learning.losses.listwise`), and stops by the problem's own loss.
    """
    require_able(name, abilities, job)
    columns, truth = job.columns, truth_of(job)
    chosen = read_parameters(Parameters, name, job.parameters)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with settled(job.seed, chosen.threads):
        begun = _begun(job, chosen, truth) if job.start is None else _warm(job, chosen, truth, job.start)
        network, truth = begun.network.to(device), truth.in_unit(begun.network.unit)
        inputs, later = (
            [part.to(device) for part in _inputs(rows.frame, columns, begun.encodings)]
            for rows in (job.train, job.validation)
        )
        lesson = Lesson(Batch.of(inputs[0], inputs[1], truth), truth.loss, _check(job, later), truth.levels)
        warm = job.start is not None
        rate, best = chosen.learning_rate * (chosen.warm_rate if warm else 1.0), math.inf
        learn(network, lesson, begun.chosen, rate, job.report, lesson.check(network) if warm else best)
        rises = _rises(network, job, later)
    return Network(columns, begun.encodings, begun.chosen, network.cpu(), shares(columns, rises))


def load(folder: Path) -> Network:
    """Read back what `Network.save` wrote."""
    saved = json.loads((folder / "network.json").read_text())
    columns = Columns(**{kind: tuple(names) for kind, names in saved["columns"].items()})
    encodings = tuple(CategoryCodes(**encoding) for encoding in saved["encodings"])
    chosen, unit = Parameters(**saved["parameters"]), Unit(**saved["unit"])
    with np.load(folder / "network.npz", allow_pickle=False) as arrays:
        weights = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    scaling = Scaling(weights["mean"].numpy(), weights["scale"].numpy())
    network = DeepCross(scaling, [encoding.size for encoding in encodings], saved["outputs"], unit, chosen)
    network.load_state_dict(weights)
    return Network(columns, encodings, chosen, network, saved["shares"])


def _begun(job: Job, chosen: Parameters, truth: Truth) -> Network:
    """A network that has learned nothing yet, with its encodings and scaling."""
    texts = categories(job.train.frame, job.columns)
    encodings = tuple(fit_codes(series, chosen.min_rows) for series in texts)
    scaling = fit_scaling(numbers(job.train.frame, job.columns))
    sizes = [encoding.size for encoding in encodings]
    network = DeepCross(scaling, sizes, truth.outputs, truth.unit, chosen)
    with torch.no_grad():  # it starts from the best constant: a rare class need not be unlearned first
        network.head.bias.copy_(torch.tensor(best_constant(truth)))
    return Network(job.columns, encodings, chosen, network, {})


def _warm(job: Job, chosen: Parameters, truth: Truth, start: object) -> Network:
    """A copy of the start, of its shape whatever the parameters say: its weights fit no other."""
    same = isinstance(start, Network) and start.columns == job.columns
    if not isinstance(start, Network) or not same or start.network.head.out_features != truth.outputs:
        raise SpecError(
            "training.stateful: the champion has other features or classes: fit from nothing once"
        )
    shape = {
        part: getattr(start.chosen, part) for part in ("hidden", "cross", "width", "batch_norm", "dropout")
    }
    chosen = chosen.model_copy(update=shape)
    return Network(job.columns, start.encodings, chosen, copy.deepcopy(start.network), {})


def _inputs(
    frame: pl.DataFrame, columns: Columns, encodings: Sequence[CategoryCodes]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The codes int64 [n, C] and the raw numbers float32 [n, N] of a frame."""
    codes = np.empty((frame.height, len(encodings)), np.int64)
    for place, (series, encoding) in enumerate(zip(categories(frame, columns), encodings, strict=True)):
        codes[:, place] = encoding.apply(series)
    return torch.from_numpy(codes), torch.from_numpy(numbers(frame, columns))


def _margins(network: DeepCross, codes: torch.Tensor, values: torch.Tensor) -> Floats:
    return np.asarray(margins(network, codes, values).double().cpu().numpy())


def _check(job: Job, inputs: Sequence[torch.Tensor]) -> Callable[[DeepCross], float]:
    """What a network loses on the validation rows."""

    def check(network: DeepCross) -> float:
        return mean_loss(job.problem, job.validation, _margins(network, *inputs), job.focal)

    return check


def _rises(network: DeepCross, job: Job, inputs: Sequence[torch.Tensor]) -> NDArray[np.float64]:
    """How much shuffling each feature raises the loss of some rows, 0 where it does not [features]."""
    rows, (codes, values) = _some(job.validation), inputs
    index = torch.from_numpy(rows).to(codes.device)
    few, judged = (codes[index], values[index]), job.validation.at(rows)

    def loss() -> float:
        return mean_loss(job.problem, judged, _margins(network, *few), job.focal)

    base, rises = loss(), []
    for part in reversed(few):
        for place in range(part.shape[1]):
            kept = part[:, place].clone()
            part[:, place] = kept[torch.randperm(len(kept), device=kept.device)]
            rises.append(max(0.0, loss() - base))
            part[:, place] = kept
    return np.array(rises)


def _some(rows: Rows) -> NDArray[np.intp]:
    """An even sample of the rows, or of a ranking's lists, whole."""
    if rows.groups is None:
        return np.arange(0, len(rows), math.ceil(len(rows) / _IMPORTANCE_ROWS))
    group = np.unique(rows.groups, return_inverse=True)[1]
    return np.flatnonzero(group % math.ceil(len(rows) / _IMPORTANCE_ROWS) == 0)
