"""What each switch of structure identity gives: alone, all of the strong recipe's together, and that without each.

    tapetum data synthesize --preset medium --seed 0 people
    python benchmarks/structure_identity.py people OUTPUT [--seeds 3] [--batches 750] [--rows NAME ...] [--jobs 2]
        [--on val] [--set NAME=VALUE]

The deck's method is recipes/structure_identity/synthetic.yaml, "strong" strong_synthetic.yaml beside it; a switch is
the lines of `SWITCHES`. "+ NAME" is the deck's method with this switch alone, "strong - NAME" the strong recipe with
the deck's lines in its place, "strong + NAME" with a switch that it leaves out (but for those of a shallow E_s).
"DG-Net" is recipes/dgnet/synthetic.yaml, which reads identity from appearance. Budget and pictures are those of
`methods.py`: ResNet-10 of width 16 from scratch, 64 x 32 pixels, 8 persons x 4 crops of each light, the last weights. A
run that is there already is not made again; figures of other `--batches` or `--set` need another OUTPUT.

Figures: validation persons (`tapetum.selection`), all crops of theirs, ten gallery draws, percent; mean and standard
deviation over training seeds; the gain is that in mAP over the deck's. `--on test` scores the test persons by the
official protocol, for settings that are chosen already.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from methods import BUDGET, FIGURES, place, scores, slug
from tapetum.data.sysu_mm01 import read
from tapetum.embedding import embed_dataset
from tapetum.recipe import Recipe, read_recipe
from tapetum.training import train

RECIPES = Path(__file__).parents[1] / "recipes"
DECK, STRONG, DGNET = "the deck's", "strong", "DG-Net"
BASES = {
    DECK: "structure_identity/synthetic.yaml",
    STRONG: "structure_identity/strong_synthetic.yaml",
    DGNET: "dgnet/synthetic.yaml",
}
PAINTING = ("reconstruction", "cross", "generated", "adversarial", "structure", "appearance", "cycle", "teacher")
WORN = {"upper": 5, "lower": 5, "hair": 7, "headwear": 4, "carried": 5}  # columns of attributes.csv and their classes
SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "deep identity branch": {"settings.branch": True},
    "deep branch, detached": {"settings.branch": True, "settings.attached": False},
    "batch norm": {"settings.norm": "batch"},
    "half instance, half batch norm": {"settings.norm": "ibn"},
    "own optimiser": {"optimisers.structure": {"kind": "adamw", "learning_rate": 0.002, "weight_decay": 0.02}},
    "triplet": {"settings.metric": "batch_hard", "settings.margin": None},
    "alignment": {"settings.alignment_weight": 0.1},
    "ResNet trunk": {"settings.structure_trunk": "resnet10", "settings.structure_weights": "none"},
    "edges as input": {"settings.edges": "input"},
    "edges alone": {"settings.edges": "alone"},
    "edges as branch": {"settings.edges": "branch"},
    "edges of swaps": {"settings.edge_weight": 1.0},
    "strips, averaged": {"settings.strips": 4, "settings.pooling": "average"},
    "identity before painting": {"settings.identity_weight": 20.0},
    "smoothing": {"settings.smoothing": 0.1},
    "no identity in a": {"settings.reversal_weight": 0.1},
    "painting kept from E_s": {"settings.pulled": False},
    "attributes": {"settings.attributes": WORN, "data.attributes": "attributes.csv"},
    "nothing painted": {
        **{f"settings.{term}_weight": 0.0 for term in PAINTING},
        **{f"optimisers.{player}": None for player in ("discriminator", "teacher")},  # who then has nothing to learn
    },
}
SHALLOW = ("deep identity branch", "deep branch, detached", "batch norm", "half instance, half batch norm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=750)
    every = rows()
    parser.add_argument("--rows", nargs="+", default=list(every), choices=list(every), metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--on", choices=("val", "test"), default="val")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "SEED"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_one(given, given.one[0], int(given.one[1]))
        return
    chosen = [name for name in every if name in given.rows]
    todo = [(name, seed) for seed in range(given.seeds) for name in chosen]
    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(lambda one: in_own_process(given, *one), todo))
    print(table(given, chosen))


def rows() -> dict[str, dict[str, Any]]:
    """Name -> the recipe's lines by dotted name, beyond the budget's."""
    deck, strong, dgnet = (lines_of(BASES[base]) for base in (DECK, STRONG, DGNET))
    found = {DGNET: dgnet, DECK: deck}
    found |= {f"+ {name}": {**deck, **lines} for name, lines in SWITCHES.items()}
    found[STRONG] = strong
    for name, lines in SWITCHES.items():
        if all(strong.get(key) == value for key, value in lines.items()):
            rest = {key: value for key, value in strong.items() if key not in lines}
            found[f"{STRONG} - {name}"] = rest | {key: deck[key] for key in lines if key in deck}
        elif name not in SHALLOW:
            found[f"{STRONG} + {name}"] = {**strong, **lines}
    return found


def lines_of(recipe: str) -> dict[str, Any]:
    """Method, settings and optimisers of a recipe, by dotted name."""
    read_in = read_recipe(RECIPES / recipe)
    settings = {f"settings.{name}": value for name, value in read_in.settings.items()}
    optimisers = {f"optimisers.{name}": one.model_dump(exclude_unset=True) for name, one in read_in.optimisers.items()}
    return {"method": read_in.method, **settings, **optimisers}


def in_own_process(given: argparse.Namespace, name: str, seed: int) -> None:
    """One run, so that runs beside each other share nothing."""
    command = [sys.executable, __file__, str(given.root), str(given.output), "--on", given.on]
    command += ["--batches", str(given.batches), "--one", name, str(seed)]
    for change in given.changes:
        command += ["--set", change]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}, seed {seed}: {done.stderr.strip()}")
    found = json.loads((place(given.output, name, seed) / f"{given.on}.json").read_text())
    print(f"{name}, seed {seed}: mAP {100 * found['mAP']:.1f}, {found['seconds']:.0f} seconds", flush=True)


def run_one(given: argparse.Namespace, name: str, seed: int) -> None:
    torch.set_num_threads(1)
    folder = place(given.output, name, seed)
    result = folder / f"{given.on}.json"
    if result.is_file():
        return
    dataset = read(given.root)
    began, used = time.perf_counter(), time.process_time()
    train(recipe_of(given, name, seed), dataset, folder, workers=0)
    spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - used}
    embed_dataset(folder, dataset, given.on, folder / f"{given.on}.parquet", workers=0)
    result.write_text(json.dumps({**scores(folder / f"{given.on}.parquet", given.on, dataset), **spent}))


def recipe_of(given: argparse.Namespace, name: str, seed: int) -> Recipe:
    raw: dict[str, Any] = {key: dict(value) if isinstance(value, Mapping) else value for key, value in BUDGET.items()}
    raw |= {"settings": {}, "optimisers": {}, "seed": seed}
    raw["batch"]["steps_per_epoch"] = given.batches // raw["schedule"]["epochs"]
    for key, value in rows()[name].items():
        *group, leaf = key.split(".", 1)
        (raw[group[0]] if group else raw)[leaf] = value
    file = given.output / "recipes" / f"{slug(name)}-{seed}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(raw))  # JSON is YAML
    return read_recipe(file, given.changes)


def table(given: argparse.Namespace, names: Sequence[str]) -> str:
    """Markdown, in the order of `rows`."""
    lines = ["| row | " + " | ".join(FIGURES) + " | gain in mAP | CPU seconds a batch |", "|---|" + "---:|" * 5]
    found = {name: results(given, name) for name in names}
    for name, runs in found.items():
        cells = [shown(np.array([100 * run[figure] for run in runs])) for figure in FIGURES]
        gain = "" if DECK not in found or name == DECK else f"{100 * (mean(runs) - mean(found[DECK])):+.1f}"
        seconds = np.mean([run["cpu_seconds"] for run in runs]) / given.batches
        lines.append(f"| {name} | {' | '.join(cells)} | {gain} | {seconds:.2f} |")
    return "\n".join(lines)


def results(given: argparse.Namespace, name: str) -> list[dict[str, float]]:
    return [json.loads((place(given.output, name, s) / f"{given.on}.json").read_text()) for s in range(given.seeds)]


def mean(runs: Sequence[Mapping[str, float]]) -> float:
    return float(np.mean([run["mAP"] for run in runs]))


def shown(values: Any) -> str:
    spread = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread}"


if __name__ == "__main__":
    main()
