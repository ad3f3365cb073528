"""Index: the retriever that serves beside a version, as files, and what it would have found."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from core.spec import Candidates
from models.retrieval.fit import KNOWN, entities, instants
from models.retrieval.graph import graph, parity
from models.retrieval.measures import recall
from models.retrieval.pasts import Pasts
from models.retrieval.retriever import NONE, Retriever, Whole
from models.runtime.session import session
from stages.features.retrieval import INDEX, chosen, drawn, facts, retriever
from stages.workspace import Workspace

GRAPH = "retrieval.onnx"
TRIED = 500  # pasts that the graph is compared with the retriever on


@dataclass(frozen=True, slots=True)
class Index:
    """The retriever of a version, and what one of the holdout's start found of what was chosen since.

    `recall` is that at `count` over the whole catalogue, `popularity` that of the most popular items;
    `unseen` is the share of what was chosen that was not in the catalogue. `difference` is the largest
    of a score between the graph and the retriever itself.
    """

    items: int
    count: int
    lists: int
    recall: float
    popularity: float
    unseen: float
    difference: float


def index(
    workspace: Workspace, rules: Candidates, as_of: datetime, since: datetime, folder: Path
) -> dict[str, Any]:
    """Write the graph and the vectors of the retriever of `as_of` into a folder; the facts of an Index.

    UnfitError when the graph does not find what the retriever does.
    """
    serving, known = retriever(workspace, rules, as_of), facts(workspace, rules, as_of)
    serving.save(folder / INDEX)
    content = graph(serving, rules.count).SerializeToString()
    (folder / GRAPH).write_bytes(content)
    difference = parity(serving, session(content, GRAPH), _pasts(serving, rules, known), rules.count)
    then = retriever(workspace, rules, since)
    asks = chosen(workspace, rules, since, as_of)
    codes = [then.codes(each) for each in asks["chosen"]]
    alone = replace(then, asked=np.zeros_like(then.asked))
    found, popular = (recall(drawn(each, rules, known, asks).items, codes) for each in (then, alone))
    every = np.concatenate([np.empty(0, np.int64), *codes])
    told = Index(
        items=len(serving.items),
        count=rules.count,
        lists=asks.height,
        recall=found,
        popularity=popular,
        unseen=float((every == NONE).mean()) if len(every) else float("nan"),
        difference=difference,
    )
    return asdict(told)


def _pasts(serving: Retriever, rules: Candidates, known: pl.DataFrame) -> list[Whole]:
    """What some of the entities had, and one that had nothing."""
    who, items = entities([known], rules.by)[0], serving.codes(known[rules.item])
    past = Pasts.of(who, instants(known, KNOWN), items)
    some = np.unique(who)[:TRIED]
    low, high = past.until(some, np.full(len(some), np.iinfo(np.int64).max))
    return [past.items[:0], *(past.items[start:end] for start, end in zip(low, high, strict=True))]
