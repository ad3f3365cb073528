"""The network of the torch family: a deep and cross network, and how its weights are learned."""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.lr_scheduler import OneCycleLR

from core.spec import Model, Share
from models.encode import Scaling
from models.family import Report

LIMIT = 6.0  # standard deviations: crossing takes powers of the inputs, and an outlier's would drown the rest


class Parameters(Model):
    """What `training.parameters.torch` may say.

    Training takes `epochs`, or as many as make `min_steps` batches where the rows are few; over
    them the rate of learning rises to `learning_rate` and falls to nothing. The validation loss is
    taken `checks` times, and the fit stops when it has not fallen for `patience` of them. A
    category of fewer than `min_rows` training rows counts as unseen.
    """

    hidden: list[int] = Field(default=[128, 64], min_length=1)
    cross: int = Field(default=2, ge=1)
    width: int = Field(default=16, ge=1)
    dropout: Share = 0.1
    learning_rate: float = Field(default=0.002, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    batch_rows: int = Field(default=512, ge=2)
    epochs: int = Field(default=2, ge=1)
    min_steps: int = Field(default=150, ge=1)
    checks: int = Field(default=8, ge=1)
    patience: int = Field(default=4, ge=1)
    min_rows: int = Field(default=20, ge=1)
    threads: int = Field(default=1, ge=1)


@dataclass(frozen=True, slots=True)
class Tables:
    """What a network sees: codes int64 [n, C], raw numbers float32 [n, K] (NaN missing), labels [n]."""

    codes: Tensor
    numbers: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.codes)

    def to(self, device: torch.device) -> "Tables":
        """The same on a device."""
        return Tables(self.codes.to(device), self.numbers.to(device), self.labels.to(device))

    def at(self, index: Tensor) -> "Tables":
        """Some of the rows, all three sliced at once: far faster than a DataLoader's row by row."""
        return Tables(self.codes[index], self.numbers[index], self.labels[index])


class DeepCross(nn.Module):
    """DCN-v2 with a parallel MLP: Wang et al., "DCN V2" (2021).

    Imputation, missing indicators and scaling are part of it, and so of its graph. A category of
    `size` codes gets an embedding of min(width, 1.6 * size ** 0.56) numbers (fastai's rule).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, scaling: Scaling, sizes: Sequence[int], chosen: Parameters) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(scaling.mean))
        self.register_buffer("scale", torch.from_numpy(scaling.scale))
        widths = [min(chosen.width, round(1.6 * size**0.56)) for size in sizes]
        self.embeddings = nn.ModuleList(map(nn.Embedding, sizes, widths))
        total = 2 * len(scaling.mean) + sum(widths)
        self.cross = nn.ModuleList(nn.Linear(total, total) for _ in range(chosen.cross))
        layers: list[nn.Module] = []
        for entering, leaving in zip([total, *chosen.hidden], chosen.hidden, strict=False):
            layers += [nn.Linear(entering, leaving), nn.ReLU(), nn.Dropout(chosen.dropout)]
        self.deep = nn.Sequential(*layers)
        self.head = nn.Linear(total + chosen.hidden[-1], 1)
        for weights in self.embeddings.parameters():
            nn.init.normal_(weights, std=0.05)

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """The margins float32 [n, 1]."""
        parts = [embedding(codes[:, place]) for place, embedding in enumerate(self.embeddings)]
        if numbers.shape[1]:
            missing = torch.isnan(numbers)
            known = (torch.where(missing, self.mean, numbers) - self.mean) / self.scale
            parts += [known.clamp(-LIMIT, LIMIT), missing.to(known.dtype)]
        inputs = torch.cat(parts, dim=1)
        crossed = inputs
        for layer in self.cross:
            crossed = inputs * layer(crossed) + crossed
        margins: Tensor = self.head(torch.cat([crossed, self.deep(inputs)], dim=1))
        return margins


@contextmanager
def settled(seed: int, threads: int) -> Iterator[None]:
    """Within: seeded, deterministic where the device can be, on so many threads; after: as before."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1])


def learn(network: DeepCross, train: Tables, validation: Tables, chosen: Parameters, report: Report) -> None:
    """Fit the network in place, on the device that it is on; it ends with the best of its weights."""
    steps = math.ceil(len(train) / chosen.batch_rows)
    total = steps * max(chosen.epochs, math.ceil(chosen.min_steps / steps))
    every = max(1, total // chosen.checks)
    best, best_step, weights, losses = math.inf, 0, copy.deepcopy(network.state_dict()), []
    for step, loss in enumerate(_steps(network, train, total, chosen), start=1):
        losses.append(loss)
        if step % every:
            continue
        seen, unseen = float(torch.stack(losses).mean()), log_loss(network, validation)
        report(step, {"train_loss": seen, "validation_loss": unseen})
        losses.clear()
        if unseen < best:
            best, best_step, weights = unseen, step, copy.deepcopy(network.state_dict())
        elif step - best_step >= chosen.patience * every:
            break
    network.load_state_dict(weights)


def margins(network: DeepCross, codes: Tensor, numbers: Tensor) -> Tensor:
    """The margins without dropout, float32 [n], in chunks that bound the memory."""
    network.eval()
    chunks = zip(torch.split(codes, 8_192), torch.split(numbers, 8_192), strict=True)
    with torch.inference_mode():
        return torch.cat([network(*chunk).squeeze(1) for chunk in chunks])


def log_loss(network: DeepCross, rows: Tables) -> float:
    """The mean log loss of a network's margins on these rows, in nats."""
    predicted = margins(network, rows.codes, rows.numbers).double()
    return float(binary_cross_entropy_with_logits(predicted, rows.labels.double()))


def _steps(network: DeepCross, train: Tables, total: int, chosen: Parameters) -> Iterator[Tensor]:
    """Take one step of AdamW after another, and give the loss of each batch (in mixed precision on CUDA)."""
    device = train.labels.device
    mixed = device.type == "cuda"
    optimizer = torch.optim.AdamW(
        network.parameters(), chosen.learning_rate, weight_decay=chosen.weight_decay
    )
    schedule = OneCycleLR(optimizer, chosen.learning_rate, total_steps=total)
    scaler = torch.amp.GradScaler(device.type, enabled=mixed)
    for index in islice(_batches(len(train), chosen.batch_rows, device), total):
        batch = train.at(index)
        network.train()
        with torch.autocast(device.type, torch.float16, enabled=mixed):
            predicted = network(batch.codes, batch.numbers)
        loss = binary_cross_entropy_with_logits(predicted.float().squeeze(1), batch.labels)
        optimizer.zero_grad()
        torch.autograd.backward(scaler.scale(loss))
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        yield loss.detach()


def _batches(rows: int, batch_rows: int, device: torch.device) -> Iterator[Tensor]:
    """The rows' numbers, batch by batch, shuffled anew for each epoch, without an end."""
    while True:
        yield from torch.split(torch.randperm(rows, device=device), batch_rows)
