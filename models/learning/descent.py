"""How a network's weights are learned: batches, losses, the rate of learning, and when to stop."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from models.family import Report
from models.learning.losses import FOCUS, Loss, Truth
from models.learning.network import DeepCross, Parameters
from models.learning.readers import shortened


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to learn from: codes int64 [n, C], raw numbers float32 [n, N] (NaN missing), and their truth.

    `tokens` are those of each text, int32 [n, T], 0 for none. `targets` float32 [n, K] and `weights` [n]
    are those of `models.learning.losses.Truth`; `lists` [n], the number of each row's list, are all 0
    where there are none.
    """

    codes: Tensor
    numbers: Tensor
    tokens: tuple[Tensor, ...]
    targets: Tensor
    weights: Tensor
    lists: Tensor

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, codes: Tensor, numbers: Tensor, tokens: Sequence[Tensor], truth: Truth) -> "Batch":
        """The rows with their truth, on the device of their codes."""
        lists = torch.zeros(len(codes)) if truth.lists is None else torch.tensor(truth.lists)
        floats = (torch.tensor(part, dtype=torch.float32) for part in (truth.targets, truth.weights))
        return cls(
            codes, numbers, tuple(tokens), *(part.to(codes.device) for part in (*floats, lists.long()))
        )

    def at(self, index: Tensor) -> "Batch":
        """Some of the rows, all parts sliced at once: far faster than a DataLoader's row by row."""
        truth = (part[index] for part in (self.targets, self.weights, self.lists))
        tokens = tuple(shortened(part[index]) for part in self.tokens)
        return Batch(self.codes[index], self.numbers[index], tokens, *truth)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be learned: the rows, by which loss, and `check`, what the network loses on later rows.

    `levels` are those of the quantiles of a pinball loss.
    """

    train: Batch
    loss: Loss
    check: Callable[[DeepCross], float]
    levels: tuple[float, ...] = ()


def learn(
    network: DeepCross,
    lesson: Lesson,
    chosen: Parameters,
    rate: float,
    report: Report,
    best: float = math.inf,
) -> None:
    """Fit the network in place, on the device that it is on; it ends with the best of its weights.

    `best` is the loss on later rows that it begins with, if those weights are worth keeping.
    """
    steps = math.ceil(len(lesson.train) / chosen.batch_rows)
    total = steps * max(chosen.epochs, math.ceil(chosen.min_steps / steps))
    every = max(1, total // chosen.checks)
    best_step, weights, losses = 0, copy.deepcopy(network.state_dict()), []
    for step, loss in enumerate(_steps(network, lesson, total, rate, chosen), start=1):
        losses.append(loss)
        if step % every:
            continue
        seen, unseen = float(torch.stack(losses).mean()), lesson.check(network)
        report(step, {"train_loss": seen, "validation_loss": unseen})
        losses.clear()
        if unseen < best:
            best, best_step, weights = unseen, step, copy.deepcopy(network.state_dict())
        elif step - best_step >= chosen.patience * every:
            break
    network.load_state_dict(weights)


def batch_loss(loss: Loss, scores: Tensor, batch: Batch, levels: Sequence[float] = ()) -> Tensor:
    """The mean loss of scores float32 [n, K] on the rows of a batch, by their weights (see `losses`)."""
    if loss == "listwise":
        return _listwise(scores[:, 0], batch)
    targets = batch.targets
    match loss:
        case "logistic":
            rows = binary_cross_entropy_with_logits(scores, targets, reduction="none")[:, 0]
        case "focal":
            true, false = logsigmoid(scores), logsigmoid(-scores)
            faded = targets * (FOCUS * false).exp() * true + (1 - targets) * (FOCUS * true).exp() * false
            rows = -faded[:, 0]
        case "softmax":
            rows = -(targets * scores.log_softmax(1)).sum(1)
        case "squared":
            rows = ((scores - targets) ** 2).sum(1)
        case "absolute":
            rows = (scores - targets)[:, 0].abs()
        case "pinball":
            off = scores - targets
            rows = (0.5 * off.abs() + (0.5 - torch.tensor(levels, device=off.device)) * off).sum(1)
    return (rows * batch.weights).sum() / batch.weights.sum()


def _listwise(scores: Tensor, batch: Batch) -> Tensor:
    """The cross-entropy of the lists' shares of gain and the softmax of their scores, a mean over lists."""
    lists, place = torch.unique(batch.lists, return_inverse=True)
    highest = torch.full((len(lists),), -math.inf, device=scores.device)
    highest = highest.scatter_reduce(0, place, scores.detach(), "amax")
    raised = scores - highest[place]
    sums = torch.zeros_like(highest).index_add(0, place, raised.exp())
    return -(batch.targets[:, 0] * (raised - sums.log()[place])).sum() / len(lists)


def _steps(
    network: DeepCross, lesson: Lesson, total: int, rate: float, chosen: Parameters
) -> Iterator[Tensor]:
    """Take one step of AdamW after another, and give the loss of each batch (in mixed precision on CUDA)."""
    device = lesson.train.targets.device
    mixed = device.type == "cuda"
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=chosen.weight_decay)
    schedule = _schedule(optimizer, rate, total, chosen)
    scaler = torch.amp.GradScaler(device.type, enabled=mixed)
    for index in islice(batches(lesson, chosen.batch_rows), total):
        batch = lesson.train.at(index)
        network.train()
        with torch.autocast(device.type, torch.float16, enabled=mixed):
            scores = network.scores(batch.codes, batch.numbers, *batch.tokens)
        loss = batch_loss(lesson.loss, scores.float(), batch, lesson.levels)
        optimizer.zero_grad()
        torch.autograd.backward(scaler.scale(loss))
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        yield loss.detach()


def _schedule(optimizer: torch.optim.Optimizer, rate: float, total: int, chosen: Parameters) -> LRScheduler:
    if chosen.schedule == "cosine":
        return CosineAnnealingLR(optimizer, total)
    return OneCycleLR(optimizer, rate, total_steps=total)


def batches(lesson: Lesson, rows: int) -> Iterator[Tensor]:
    """The rows' numbers, batch by batch, shuffled anew for each epoch, without an end.

    A list stays in one batch. A row that is left over alone waits for another epoch: batch norm and
    lists can make nothing of it.
    """
    count, device = len(lesson.train), lesson.train.targets.device
    while True:
        if lesson.loss == "listwise":
            parts = _whole_lists(lesson.train.lists, rows)
        else:
            parts = torch.split(torch.randperm(count, device=device), rows)
        yield from (part for part in parts if len(part) > 1 or count == 1)


def _whole_lists(lists: Tensor, rows: int) -> tuple[Tensor, ...]:
    """The rows in a new order of their lists, cut between lists after about as many rows as wanted."""
    sizes = torch.bincount(lists)
    order = torch.randperm(len(sizes), device=lists.device)
    batch = torch.cumsum(sizes[order], 0).sub(1).div(rows, rounding_mode="floor")
    position = torch.empty_like(order)
    position[order] = torch.arange(len(order), device=lists.device)
    shuffled = torch.argsort(position[lists], stable=True)
    edges = torch.bincount(batch.repeat_interleave(sizes[order]))
    return torch.split(shuffled, edges[edges > 0].tolist())
