"""The moderation project: its data, and that a labelled set of the well-known columns takes their place."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from core.projects import load
from core.settings import Settings
from models.problem import problem_of
from stages.champion.promote import promote
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.features.featurise import featurise, labelled
from stages.models.train import register, train
from stages.score import score, served
from stages.workspace import Workspace, open_workspace

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "projects" / "content_moderation"
AS_OF = datetime(2020, 1, 8, tzinfo=UTC)
# Made-up words of no meaning, in the place of those of the real set.
SIGNS = {0: ("grobble", "snarf"), 1: ("blimey", "zounds"), 2: ("river", "paper")}


def snippets(language: str) -> list[str]:
    """The blocks of this language in the README."""
    return re.findall(rf"```{language}\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)


def labelled_set(rows: int) -> pl.DataFrame:
    """Rows with the columns of the well-known set: an unnamed number, votes, `class` and `tweet`."""
    random = np.random.default_rng(0)
    classes = random.choice(3, rows, p=[0.2, 0.5, 0.3])
    words = ["house", "green", "music", "stone", "walk", "light", "table"]
    texts = []
    for found in classes:
        said = list(random.choice(words, random.integers(3, 8)))
        if random.random() < 0.9:
            said.insert(0, str(random.choice(SIGNS[int(found)])))
        texts.append(f'"RT @someone: {" ".join(said)}, really!"')
    votes = {name: (classes == place) * 3 for place, name in enumerate(("hate", "offensive", "other"))}
    return pl.DataFrame({"": np.arange(rows), "count": 3, **votes, "class": classes, "tweet": texts})


@pytest.fixture(scope="module")
def moderated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The project of the README's snippets, over a tiny set, with one family."""
    root = tmp_path_factory.mktemp("moderation")
    settings = Settings(home=root / "home", projects=root / "projects", suites=root / "expectations")
    project = settings.projects / "moderation"
    project.mkdir(parents=True)
    spec = yaml.safe_load(snippets("yaml")[0])
    spec["batches"] |= {"rows": 300, "start": "2020-01-01", "end": "2020-01-08"}
    spec["training"] = {"families": ["linear"], "first_batches": 3}
    spec["gate"] = {"block": "1h", "draws": 200, "max_calibration_error": 0.2}
    (project / "project.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    (project / "functions.py").write_text(snippets("python")[0])
    (settings.suites / "moderation").mkdir(parents=True)
    (settings.suites / "moderation" / "tweets.yaml").write_text(snippets("yaml")[1])
    labelled_set(1_500).write_csv(project / "labeled_data.csv")
    workspace = open_workspace("moderation", settings)
    batches = workspace.batches(AS_OF)
    for item in pending(workspace, "tweets", batches):
        deliver(workspace, "tweets", item, AS_OF)
    for batch in batches:
        ingest(workspace, "tweets", batch, AS_OF)
        featurise(workspace, batch, AS_OF)
    yield workspace


def test_a_labelled_set_of_the_well_known_columns_is_learnt_and_released(moderated: Workspace) -> None:
    rows = labelled(moderated, AS_OF)
    assert rows.height == 1_500
    assert set(rows["label"].unique()) == {"hate", "offensive", "neither"}
    fourth = moderated.batch("2020-01-04")
    version = register(moderated, [train(moderated, "linear", fourth.end)])[0]
    assert version.metrics["holdout"]["relative_loss"] < 0.6
    report = promote(moderated, [version.id], fourth.end)
    assert report.accepted, report.reasons
    score(moderated, moderated.batch("2020-01-05"), AS_OF)
    model = served(moderated, version)
    assert model.classes == problem_of(moderated.spec).outputs == ("hate", "offensive", "neither")
    said = pl.DataFrame({"tweet": ["grobble on the table", "zounds, music", "a river of paper"]})
    said = said.with_columns(characters=pl.col("tweet").str.len_chars().cast(pl.Float32))
    assert model.predict(said).argmax(axis=1).tolist() == [0, 1, 2]


def test_its_own_data_are_as_its_readme_says() -> None:
    project = load("content_moderation", Settings())
    source = project.spec.datasets["tweets"].source
    assert source.kind == "package"
    assert project.spec.features["tweet"].kind == "text"
    assert {"linear", "lightgbm", "torch", "transformer"} <= set(project.spec.training.families)
