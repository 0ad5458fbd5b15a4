"""The four rows of embedding disentangling, on the vectors of one trained run: what each loss adds to them.

    python benchmarks/embedding_disentangling.py ROOT OUTPUT --from RUN [--classifier frozen] [--seeds 1]
        [--rows NAME ...] [--set NAME=VALUE]

ROOT holds data in SYSU-MM01's form, RUN a run that learnt its training persons, such as "512-d frame" of `methods.py`.
Layers are the deck's, at full width; 500 batches of 64 pairs, Adam 1e-4, the last weights (recipes/
embedding_disentangling/synthetic.yaml). The first row is the run's own vectors; the gain is that in mAP over them.
The spread is the mean distance between two vectors of one light: below 0.1 all are nearly one point, which is said.
A fifth row, "hard from the first step", shows that. A run that is there already is not made again.

Figures: single-shot, official draw, ten trials, percent; with several seeds their mean ± standard deviation.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tapetum.core import Dataset
from tapetum.data.sysu_mm01 import read
from tapetum.embedding import embed_dataset
from tapetum.embedding_table import read_embeddings
from tapetum.errors import TapetumError
from tapetum.evaluation.evaluate import evaluate_embeddings
from tapetum.evaluation.spread import COLLAPSED, spread
from tapetum.recipe import read_recipe
from tapetum.training import train

RECIPE = Path(__file__).parents[1] / "recipes" / "embedding_disentangling" / "synthetic.yaml"
ROWS: Mapping[str, Sequence[str]] = {
    "simple + dis": ("cross=false", "triplet=none"),
    "+ cross": ("triplet=none",),
    "+ triplet, random": ("triplet=random",),
    "+ triplet, hard after a warm start": ("triplet=hard",),
    "+ triplet, hard from the first step": ("triplet=hard", "hard_after=0"),
}
FIGURES = [(setting, name) for setting in ("all_single", "indoor_single") for name in ("r1", "mAP")]
HEAD = ["vectors", "all r1", "all mAP", "gain", "indoor r1", "indoor mAP", "gain", "spread", "seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--from", dest="run", type=Path, required=True, metavar="RUN")
    parser.add_argument("--classifier", choices=("generated", "joint", "frozen"), default="frozen")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS)[:4], metavar="NAME")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    try:
        print(table(given, read(given.root)))
    except TapetumError as error:
        sys.exit(f"embedding_disentangling: {error}")


def table(given: argparse.Namespace, dataset: Dataset) -> str:
    """Markdown: the run's own vectors, the rows in their order, chance."""
    raw = scored(given.run, dataset, given.output / "raw")
    length = int(raw["length"])
    lines = [f"| {' | '.join(HEAD)} |", "|---|" + "---:|" * (len(HEAD) - 1), line("as the run makes them", [raw])]
    for name in given.rows:
        found = [one_row(given, dataset, name, seed, length) for seed in range(given.seeds)]
        lines.append(line(name, found, raw))
        print(lines[-1], file=sys.stderr, flush=True)
    chance = [f"{raw[f'{setting} chance {name}']:.1f}" for setting, name in FIGURES]
    lines.append(f"| by chance | {chance[0]} | {chance[1]} | | {chance[2]} | {chance[3]} | | | |")
    return "\n".join(lines)


def one_row(given: argparse.Namespace, dataset: Dataset, name: str, seed: int, length: int) -> dict[str, float]:
    """Train one row with one seed, and score it."""
    changes = [f"settings.{change}" for change in (*ROWS[name], f"classifier={given.classifier}")]
    changes += [f"settings.vector_length={length}", f"seed={seed}", "validation=null", *given.changes]
    slug = "".join(letter if letter.isalnum() else "_" for letter in f"{given.classifier}{name}{seed}")
    began = time.perf_counter()
    run = train(read_recipe(RECIPE, changes), dataset, given.output / slug, workers=0, start=given.run)
    return scored(run, dataset, given.output / slug, time.perf_counter() - began)


def scored(run: Path, dataset: Dataset, folder: Path, seconds: float = 0.0) -> dict[str, float]:
    """A run's figures in percent, what chance gives, the spread and the length of its vectors."""
    known = folder / "figures.json"
    if known.is_file():
        found: dict[str, float] = json.loads(known.read_text())
        return found
    folder.mkdir(parents=True, exist_ok=True)
    embed_dataset(run, dataset, "test", folder / "test.parquet", workers=0)
    results: Any = evaluate_embeddings(folder / "test.parquet", folder / "results.json", dataset=dataset)
    found = {"seconds": seconds}
    for setting, name in FIGURES:
        found[f"{setting} {name}"] = 100 * results[setting]["mean"][name]
        found[f"{setting} chance {name}"] = 100 * results[setting]["chance"][name]
    vectors = read_embeddings(folder / "test.parquet")
    found["spread"] = spread(vectors.vectors, [crop.modality for crop in vectors.crops])
    found["length"] = vectors.vectors.shape[1]
    known.write_text(json.dumps(found))
    return found


def line(name: str, found: Sequence[Mapping[str, float]], raw: Mapping[str, float] | None = None) -> str:
    """One line of the table; `found` has a member for each seed."""
    cells = []
    for setting, figure in FIGURES:
        values = np.array([one[f"{setting} {figure}"] for one in found])
        cells.append(f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""))
        if figure == "mAP":
            cells.append("" if raw is None else f"{values.mean() - raw[f'{setting} {figure}']:+.1f}")
    least = min(one["spread"] for one in found)
    cells.append(f"{least:.2f}" + (", collapsed" if least < COLLAPSED else ""))
    cells.append("" if raw is None else f"{np.mean([one['seconds'] for one in found]):.0f}")
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
