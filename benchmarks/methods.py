"""Train every method with one budget on the synthetic medium set, over seeds, and print one table.

    tapetum data synthesize --preset medium --seed 0 people
    python benchmarks/methods.py people OUTPUT [--seeds 3] [--rows NAME ...] [--jobs 2] [--on test] [--set NAME=VALUE]

The same for all: persons, trunk (ResNet-10 of width 16, from scratch), 64 x 32 pixels, number of batches and crops in
them (8 persons x 4 crops of each light), augmentation (crop, flip, tone), AdamW on a cosine, the last weights; edge
maps, four strips and average pooling for every method that has them, as small networks from scratch need them. What
differs is the method. Zero padding and its siblings read grey pictures and pool the whole map, as their idea has it.
CAJ is about augmentation: "exchange for tone" has its second view, "no tone" has neither. "Small weights" were chosen
on validation persons, all others are published. "embedding disentangling" goes on from the run of "512-d frame" with
the same seed, at full width, with 500 batches of 64 pairs of vectors and Adam. The methods that paint have settings
and optimisers (one for each player) of their CPU recipes, with the trunk, pictures, batches and schedule of all. HOG
learns nothing (`hog.py`). A run that is there already is not made again.

Figures: all search, single-shot, official draw, ten trials; mean and standard deviation over training seeds, percent.
`--on val` scores the validation persons instead (`tapetum.selection`); hyperparameters are chosen there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hog import hog_table
from tapetum.data.sysu_mm01 import read
from tapetum.embedding import embed_dataset
from tapetum.embedding_table import read_embeddings, write_embeddings
from tapetum.evaluation.evaluate import evaluate_embeddings
from tapetum.methods.method import find_method
from tapetum.model_file import load_model
from tapetum.recipe import Recipe, read_recipe
from tapetum.selection import validation_scores
from tapetum.training import train

FIGURES = ("r1", "mAP", "mINP")
TRUNK = {
    "trunk": "resnet10",
    "weights": "none",
    "width": 16,
    "last_stride": 1,
    "edges": True,
    "strips": 4,
    "pooling": "average",
    "gem_power": 1.0,  # the average, for DEEN, which has no other pooling
}
HEADS: Mapping[str, Mapping[str, Any]] = {  # 256 numbers, but 512 for the frame of that name and its kin
    "zero_padding": {"picture": "edges"},
    "two_stream": {"embedding": 256},
    "caj": {"embedding": 256},
    "hc_tri": {"embedding": 64},
}
BUDGET: Mapping[str, Any] = {
    "data": {"dataset": "sysu_mm01", "split": "train", "cache": True},
    "image": {"height": 64, "width": 32},
    "batch": {"persons": 8, "crops": 4, "steps_per_epoch": 75},
    "augmentation": {"padding": 2, "tone": 0.7, "erasing": 0.0},
    "optimisers": {"model": {"kind": "adamw", "learning_rate": 0.002, "weight_decay": 0.02}},
    "schedule": {"epochs": 10, "warmup_epochs": 1, "shape": "cosine"},
    "validation": None,
}


HOG = {"HOG, handcrafted": (64, 32), "HOG, handcrafted, 128 x 64": (128, 64)}
ON_VECTORS: Mapping[str, Any] = {
    "batch": {"persons": 16, "crops": 4, "steps_per_epoch": 25},
    "optimisers": {"model": {"kind": "adam", "learning_rate": 1e-4, "weight_decay": 0.0}},
    "schedule": {"epochs": 20, "warmup_epochs": 0},
}
_NO_TONE = {"augmentation": {"padding": 2, "erasing": 0.0}}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    start: the row whose run it goes on from; changes: what its recipe sets otherwise; recipe: the one, below recipes/,
    whose settings and optimisers it has.
    """

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    start: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    recipe: str | None = None


_HARD = {"metric": "batch_hard", "margin": None}
_MMD = {"share_from": "layer3", "metric": "hetero_centre", "metric_weight": 2.0}
ROWS: Mapping[str, Row] = {
    "one-stream": Row("zero_padding", {"variant": "one_stream"}),
    "two-stream": Row("zero_padding", {"variant": "two_stream"}),
    "asymmetric FC": Row("zero_padding", {"variant": "asymmetric_fc"}),
    "zero padding": Row("zero_padding"),
    "zero padding, equal start": Row("zero_padding", {"equal_start": True}),
    "512-d frame": Row("bdtr", {"ranking": "none"}),
    "TONE": Row("bdtr", {"ranking": "contrastive"}),
    "BCTR": Row("bdtr", {"ranking": "cross"}),
    "BDTR": Row("bdtr"),
    "embedding disentangling": Row("embedding_disentangling", start="512-d frame", changes=ON_VECTORS),
    "SDL, without its idea": Row("sdl", {"additive_weight": 0.0, "dispeller_weight": 0.0, "code": "x"}),
    "SDL": Row("sdl"),
    "frame, identity alone": Row("two_stream", {"metric_weight": 0.0}),
    "frame, identity alone, mirror": Row("two_stream", {"metric_weight": 0.0, "mirror": True}),
    "frame, batch-hard": Row("two_stream", _HARD),
    "frame, weighted": Row("two_stream", {"metric": "weighted"}),
    "AGW": Row("two_stream", {"metric": "weighted", "non_local_channels": 1, "pooling": "gem", "gem_power": 3.0}),
    "HC-Tri, identity alone": Row("hc_tri", {"metric_weight": 0.0, "joint_weight": 0.0}),
    "HC-Tri": Row("hc_tri"),
    "HC-Tri, small weights": Row("hc_tri", {"metric_weight": 0.1, "joint_weight": 0.0}),
    "MMD-ReID, without MMD": Row("two_stream", _MMD),
    "MMD-ReID": Row("two_stream", {**_MMD, "discrepancy_weight": 0.25}),
    "CAJ, without exchange": Row("caj", {"exchange": False}),
    "CAJ, weighted": Row("caj", {"metric": "weighted"}),
    "CAJ": Row("caj"),
    "CAJ, no tone": Row("caj", {"exchange": False}, changes=_NO_TONE),
    "CAJ, exchange for tone": Row("caj", changes=_NO_TONE),
    "DEEN, without expansion": Row("deen", {"expansion": False}),
    "DEEN": Row("deen"),
    "DEEN, small weights": Row("deen", {"pair_weight": 0.1, "orthogonal_weight": 1e-4}),
    "U-Net disentangling": Row("unet_disentangling", recipe="unet_disentangling/synthetic.yaml"),
    "DG-Net": Row("dgnet", recipe="dgnet/synthetic.yaml"),
    "structure identity, the deck's": Row("structure_identity", recipe="structure_identity/synthetic.yaml"),
    "structure identity, strong": Row("structure_identity", recipe="structure_identity/strong_synthetic.yaml"),
    "cmPIG": Row("cmpig", recipe="cmpig/synthetic.yaml"),
    "Hi-CMD": Row("hi_cmd", recipe="hi_cmd/synthetic.yaml"),
    "CASE-Net": Row("case_net", recipe="case_net/synthetic.yaml"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    every = [*ROWS, *HOG]
    parser.add_argument("--rows", nargs="+", default=every, choices=every, metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--on", choices=("test", "val"), default="test")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "SEED"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_one(given, given.one[0], int(given.one[1]))
        return
    starts = {ROWS[name].start for name in given.rows if name in ROWS}
    chosen = [name for name in ROWS if name in given.rows or name in starts]
    for later in (False, True):  # a run must be there before another one goes on from it
        todo = [(name, s) for s in range(given.seeds) for name in chosen if (ROWS[name].start is not None) is later]
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(lambda one: in_own_process(given, *one), todo))
    for name in HOG:
        if name in given.rows:
            handcrafted(given, name)
    print(table(given, [name for name in (*ROWS, *HOG) if name in given.rows]))


def in_own_process(given: argparse.Namespace, name: str, seed: int) -> None:
    """One run, so that runs beside each other share nothing."""
    command = [sys.executable, __file__, str(given.root), str(given.output), "--on", given.on, "--one", name, str(seed)]
    for change in given.changes:
        command += ["--set", change]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}, seed {seed}: {done.stderr.strip()}")
    found = json.loads((place(given.output, name, seed) / f"{given.on}.json").read_text())
    print(f"{name}, seed {seed}: mAP {100 * found['mAP']:.1f}, {found['seconds']:.0f} seconds", flush=True)


def handcrafted(given: argparse.Namespace, name: str) -> None:
    folder = place(given.output, name, 0)
    result = folder / f"{given.on}.json"
    if result.is_file():
        return
    dataset = read(given.root)
    began = time.perf_counter()
    table = hog_table(dataset, given.on, HOG[name])
    seconds = time.perf_counter() - began
    write_embeddings(folder / f"{given.on}.parquet", table)
    figures = scores(folder / f"{given.on}.parquet", given.on, dataset)
    result.write_text(json.dumps({**figures, "seconds": seconds, "parameters": 0}))


def run_one(given: argparse.Namespace, name: str, seed: int) -> None:
    torch.set_num_threads(1)
    folder = place(given.output, name, seed)
    result = folder / f"{given.on}.json"
    if result.is_file():
        return
    row = ROWS[name]
    dataset = read(given.root)
    began = time.perf_counter()
    start = None if row.start is None else place(given.output, row.start, seed)
    train(recipe_of(name, seed, given.output, given.changes), dataset, folder, workers=0, start=start)
    seconds = time.perf_counter() - began
    embed_dataset(folder, dataset, given.on, folder / f"{given.on}.parquet", workers=0)
    figures = scores(folder / f"{given.on}.parquet", given.on, dataset)
    facts = {"seconds": seconds, "parameters": sum(p.numel() for p in load_model(folder)[0].parameters())}
    result.write_text(json.dumps({**figures, **facts}))


def recipe_of(name: str, seed: int, output: Path, changes: Sequence[str]) -> Recipe:
    row = ROWS[name]
    raw: dict[str, Any] = {**BUDGET, **row.changes, "method": row.method, "settings": settings_of(name), "seed": seed}
    if row.recipe is not None:
        raw["optimisers"] = {player: one.model_dump() for player, one in painter(row.recipe).optimisers.items()}
    if row.start is not None:  # pictures as the run before reads them
        del raw["image"], raw["augmentation"]
    file = output / "recipes" / f"{slug(name)}-{seed}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(raw))  # JSON is YAML
    return read_recipe(file, changes)


def settings_of(name: str) -> dict[str, Any]:
    """What a row's method is set to: the trunk of all, as far as the method has it, and what the row is about."""
    row = ROWS[name]
    if row.recipe is not None:
        return {**painter(row.recipe).settings, **row.settings}
    fields = find_method(row.method).Settings.model_fields
    trunk = {key: value for key, value in TRUNK.items() if key in fields}
    return {**trunk, **HEADS.get(row.method, {}), **row.settings}


def painter(recipe: str) -> Recipe:
    return read_recipe(Path(__file__).parents[1] / "recipes" / recipe)


def scores(embeddings: Path, on: str, dataset: Any) -> dict[str, float]:
    if on == "val":
        found = validation_scores(read_embeddings(embeddings).vectors, dataset, trials=10, seed=0)
        return {name: found[name] for name in FIGURES}
    results = evaluate_embeddings(embeddings, embeddings.with_name("results.json"), dataset=dataset)
    return {name: results["all_single"]["mean"][name] for name in FIGURES} | {
        f"chance {name}": results["all_single"]["chance"][name] for name in FIGURES
    }


def place(output: Path, name: str, seed: int) -> Path:
    return output / f"{slug(name)}-{seed}"


def slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())


def table(given: argparse.Namespace, names: Sequence[str]) -> str:
    """Markdown, best mAP first; chance below."""
    lines = []
    for name in names:
        seeds = range(1 if name in HOG else given.seeds)
        found = [json.loads((place(given.output, name, s) / f"{given.on}.json").read_text()) for s in seeds]
        cells = []
        for figure in FIGURES:
            values = 100 * np.array([one[figure] for one in found])
            spread = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
            cells.append(f"{values.mean():.1f}{spread}")
        seconds, parameters = np.mean([one["seconds"] for one in found]), found[0]["parameters"] / 1e6
        line = f"| {name} | {' | '.join(cells)} | {parameters:.2f} | {seconds:.0f} |"
        lines.append((np.mean([one["mAP"] for one in found]), line))
        chance = [f"{100 * found[0].get(f'chance {figure}', float('nan')):.1f}" for figure in FIGURES]
    head = ["| method | " + " | ".join(FIGURES) + " | parameters, million | seconds |", "|---|" + "---:|" * 5]
    ordered = [line for _, line in sorted(lines, key=lambda pair: -pair[0])]
    return "\n".join([*head, *ordered, f"| by chance | {' | '.join(chance)} | | |"])


if __name__ == "__main__":
    main()
