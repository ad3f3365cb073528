"""A deep and cross network of a family: fitted, written, and read back."""

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
from models.family import Job, shares
from models.learning.descent import Batch, Lesson, learn
from models.learning.encode import CategoryCodes, Scaling, fit_codes, fit_scaling
from models.learning.losses import Truth, Unit, mean_loss
from models.learning.network import DeepCross, Parameters, margins, settled
from models.learning.tokens import tokens
from models.learning.truth import best_constant, later_base, truth_of
from models.onnx.graph import from_network
from models.onnx.network import network_margin
from models.rows import Columns, Floats, Rows, categories, numbers

IMPORTANCE_ROWS = 4_096
# The parameters that a network's weights fit.
SHAPE = ("hidden", "cross", "width", "batch_norm", "dropout", "text_width", "blocks", "heads")


@dataclass(frozen=True, slots=True)
class Network:
    """The fitted network, on the CPU, behind the codes of its categories and the tokens of its texts."""

    columns: Columns
    encodings: tuple[CategoryCodes, ...]
    chosen: Parameters
    network: DeepCross
    shares: Mapping[str, float]

    def margins(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The margins of each row [n, K]."""
        return _margins(self.network, _inputs(frame, self.columns, self.encodings, self.chosen))

    def graph(self) -> ModelProto:
        """The model as one graph: raw features in, `margin` out."""
        core, in_order = network_margin(self.network, self.columns), self.chosen.blocks > 0
        return from_network(core, self.columns, self.encodings, in_order)

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


def fit_network(job: Job, chosen: Parameters) -> Network:
    """Fit until the validation loss stops falling; a step is a batch. On a GPU where there is one.

    It learns by the cross-entropy, the squared, absolute or pinball error in spreads of the train rows, or by
    whole lists of a ranking (`models.learning.losses.listwise`), and stops by the problem's own loss.
    """
    columns, truth = job.columns, truth_of(job)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with settled(job.seed, chosen.threads):
        begun = _begun(job, chosen, truth) if job.start is None else _warm(job, chosen, truth, job.start)
        network, truth = begun.network.to(device), truth.in_unit(begun.network.unit)
        inputs, later = (
            [part.to(device) for part in _inputs(rows.frame, columns, begun.encodings, begun.chosen)]
            for rows in (job.train, job.validation)
        )
        codes, values, *read = inputs
        seen, check = Batch.of(codes, values, read, truth), _check(job, truth, later)
        lesson = Lesson(seen, truth.loss, check, truth.levels)
        warm = job.start is not None
        rate, best = chosen.learning_rate * (chosen.warm_rate if warm else 1.0), math.inf
        learn(network, lesson, begun.chosen, rate, job.report, lesson.check(network) if warm else best)
        rises = _rises(network, job, later)
    return Network(columns, begun.encodings, begun.chosen, network.cpu(), shares(columns, rises))


def load_network(folder: Path) -> Network:
    """Read back what `Network.save` wrote."""
    saved = json.loads((folder / "network.json").read_text())
    columns = Columns(**{kind: tuple(names) for kind, names in saved["columns"].items()})
    encodings = tuple(CategoryCodes(**encoding) for encoding in saved["encodings"])
    chosen, unit = Parameters(**saved["parameters"]), Unit(**saved["unit"])
    with np.load(folder / "network.npz", allow_pickle=False) as arrays:
        weights = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    scaling = Scaling(weights["mean"].numpy(), weights["scale"].numpy())
    sizes = [encoding.size for encoding in encodings]
    network = DeepCross(scaling, sizes, len(columns.texts), saved["outputs"], unit, chosen)
    network.load_state_dict(weights)
    return Network(columns, encodings, chosen, network, saved["shares"])


def _begun(job: Job, chosen: Parameters, truth: Truth) -> Network:
    """A network that has learned nothing yet, with its encodings and scaling."""
    named = categories(job.train.frame, job.columns)
    encodings = tuple(fit_codes(series, chosen.min_rows) for series in named)
    scaling = fit_scaling(numbers(job.train.frame, job.columns))
    sizes = [encoding.size for encoding in encodings]
    network = DeepCross(scaling, sizes, len(job.columns.texts), truth.outputs, truth.unit, chosen)
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
    shape = {part: getattr(start.chosen, part) for part in SHAPE}
    chosen = chosen.model_copy(update=shape)
    return Network(job.columns, start.encodings, chosen, copy.deepcopy(start.network), {})


def _inputs(
    frame: pl.DataFrame, columns: Columns, encodings: Sequence[CategoryCodes], chosen: Parameters
) -> list[torch.Tensor]:
    """The codes int64 [n, C], the raw numbers float32 [n, N] and the tokens int32 [n, T] of each text."""
    codes = np.empty((frame.height, len(encodings)), np.int64)
    for place, (series, encoding) in enumerate(zip(categories(frame, columns), encodings, strict=True)):
        codes[:, place] = encoding.apply(series)
    read = [each.words if chosen.blocks else each.all for each in tokens(frame, columns)]
    return [torch.from_numpy(each) for each in (codes, numbers(frame, columns), *read)]


def _margins(network: DeepCross, inputs: Sequence[torch.Tensor]) -> Floats:
    return np.asarray(margins(network, inputs).double().cpu().numpy())


def _check(job: Job, truth: Truth, inputs: Sequence[torch.Tensor]) -> Callable[[DeepCross], float]:
    """What a network loses on the validation rows, once their own shares of the classes are known."""
    moved = later_base(job, truth) - best_constant(truth)

    def check(network: DeepCross) -> float:
        return mean_loss(job.problem, job.validation, _margins(network, inputs) + moved, job.focal)

    return check


def _rises(network: DeepCross, job: Job, inputs: Sequence[torch.Tensor]) -> NDArray[np.float64]:
    """How much shuffling each feature raises the loss of some rows, 0 where it does not [features]."""
    rows = _some(job.validation)
    index = torch.from_numpy(rows).to(inputs[0].device)
    codes, values, *read = (each[index] for each in inputs)
    few, judged = (codes, values, *read), job.validation.at(rows)

    def loss() -> float:
        return mean_loss(job.problem, judged, _margins(network, few), job.focal)

    base, rises = loss(), []
    for part in (*values.unbind(1), *codes.unbind(1), *read):  # views: what they hold changes in `few`
        kept = part.clone()
        part.copy_(kept[torch.randperm(len(kept), device=kept.device)])
        rises.append(max(0.0, loss() - base))
        part.copy_(kept)
    return np.array(rises)


def _some(rows: Rows) -> NDArray[np.intp]:
    """An even sample of the rows, or of a ranking's lists, whole."""
    if rows.groups is None:
        return np.arange(0, len(rows), math.ceil(len(rows) / IMPORTANCE_ROWS))
    group = np.unique(rows.groups, return_inverse=True)[1]
    return np.flatnonzero(group % math.ceil(len(rows) / IMPORTANCE_ROWS) == 0)
