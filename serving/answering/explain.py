"""Why an answer is as it is: what each feature moves it by."""

from typing import Any

import numpy as np
import polars as pl

from models.rows import Floats
from serving.answering.answers import frame_of
from serving.answering.featurise import Known
from serving.answering.loaded import Loaded


def explained(loaded: Loaded, known: Known, most: int = 10) -> list[dict[str, Any]]:
    """What moved the answer to a row most: by how much it would fall were a feature at its usual value.

    Of classes it is the answer for the one that is most likely, of quantiles that for the middle one. The
    differences are by occlusion, on the very file that answers; they need not sum to the answer.
    """
    frame, names = frame_of(loaded, [known.features]), loaded.model.columns.names
    others = [frame.with_columns(loaded.usual[name]) for name in names]
    answers = loaded.model.predict(pl.concat([frame, *others]))
    told = answers if answers.ndim == 1 else answers[:, _place(loaded, answers[0])]
    moved = told[0] - told[1:]
    return [
        {"feature": names[place], "value": known.features[names[place]], "contribution": float(moved[place])}
        for place in np.argsort(-np.abs(moved), kind="stable")[:most]
        if moved[place]
    ]


def _place(loaded: Loaded, answer: Floats) -> int:
    return len(answer) // 2 if loaded.model.output == "quantiles" else int(answer.argmax())
