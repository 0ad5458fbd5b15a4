"""Milliseconds that a training batch takes in every row of `methods.py`, on one thread.

    python benchmarks/method_steps.py [--rows NAME ...] [--batches 6] [--rounds 3]

Batches are as there (8 persons x 4 crops of each light, 64 x 32 pixels, drawn noise), forward, backward and the move
of every player, in the middle of training, when all losses are on; loading is not in it. Rounds alternate, so that
all rows see the same machine; the best round counts. "beside" is the ratio to the first row.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from methods import ROWS, recipe_of
from tapetum.core import Batch
from tapetum.methods.method import Method, Progress, find_method
from tapetum.recipe import Recipe

PERSONS = 296
FIRST = "frame, identity alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    on_pictures = [name for name, row in ROWS.items() if row.start is None]
    parser.add_argument("--rows", nargs="+", choices=on_pictures, default=on_pictures, metavar="NAME")
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [FIRST, *(name for name in given.rows if name != FIRST)]
    best = dict.fromkeys(rows, float("inf"))
    for _ in range(given.rounds):
        for name in rows:
            best[name] = min(best[name], milliseconds(name, given.batches))
    print("| method | ms a batch | beside |", "|---|---:|---:|", sep="\n")
    for name in sorted(rows, key=lambda name: best[name]):
        print(f"| {name} | {best[name]:.0f} | {best[name] / best[FIRST]:.1f} |")


def milliseconds(name: str, batches: int) -> float:
    """Of one batch, after one that does not count."""
    with TemporaryDirectory() as folder:
        recipe = recipe_of(name, 0, Path(folder), [])
    torch.manual_seed(0)
    kind = find_method(recipe.method)
    method = kind(kind.Settings.model_validate(recipe.settings), PERSONS)
    moves = {player: torch.optim.AdamW(part.parameters(), lr=1e-4) for player, part in method.players().items()}
    batch = noise(recipe)
    total = 10 * (batches + 1)
    play(method, moves, batch, Progress(total // 2, total))
    began = time.perf_counter()
    for step in range(batches):
        play(method, moves, batch, Progress(total // 2 + 1 + step, total))
    return 1000 * (time.perf_counter() - began) / batches


def play(method: Method, moves: dict[str, torch.optim.AdamW], batch: Batch, progress: Progress) -> None:
    for player, terms in method.step(batch, progress):
        torch.stack(list(terms.values())).sum().backward()
        moves[player].step()
        for optimiser in moves.values():
            optimiser.zero_grad()


def noise(recipe: Recipe) -> Batch:
    rows, height, width = recipe.batch.persons * recipe.batch.crops, recipe.image.height, recipe.image.width
    person = torch.arange(recipe.batch.persons).repeat_interleave(recipe.batch.crops)
    return Batch(torch.rand(rows, 3, height, width), torch.rand(rows, 3, height, width), person)


if __name__ == "__main__":
    main()
