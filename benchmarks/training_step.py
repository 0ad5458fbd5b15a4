"""Images per second of a training step, beside the plain float32 eager loop of the same model.

    python benchmarks/training_step.py [--persons 8] [--crops 4] [--steps 3] [--rounds 2]

The model is the published frame: ResNet-50 with own stems at 288 x 144, weighted triplet, SGD. "plain" is the loop
that a paper's script writes: NCHW memory, forward, backward, step. "ours" is the method's step as `tapetum train` runs
it, channels-last, in float32 and in bfloat16 autocast. Rounds alternate, so that all see the same machine; the best one
counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from tapetum.core import Batch
from tapetum.data.transforms import normalise
from tapetum.methods.method import Progress
from tapetum.methods.two_stream import TwoStream, TwoStreamSettings
from tapetum.training import arithmetic

SIZE = (288, 144)
PERSONS = 395


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("persons", 8), ("crops", 4), ("steps", 3), ("rounds", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    batch = made_batch(given.persons, given.crops)
    loops = {
        "plain float32": step_of(batch, torch.contiguous_format, None),
        "ours float32": step_of(batch, torch.channels_last, None),
        "ours bfloat16": step_of(batch, torch.channels_last, torch.bfloat16),
    }
    best = dict.fromkeys(loops, float("inf"))
    for _ in range(given.rounds):
        for name, step in loops.items():
            best[name] = min(best[name], seconds(step, given.steps))
            print(f"... {name}: {best[name]:.2f} s a step so far", flush=True)
    images = 2 * given.persons * given.crops
    print(f"{images} images a step, {SIZE[0]} x {SIZE[1]}, {torch.get_num_threads()} threads")
    print(f"`precision: auto` means {arithmetic('auto')} on this machine")
    for name, time_taken in best.items():
        ratio = best["plain float32"] / time_taken
        print(f"{name:14} {time_taken:7.2f} s a step {images / time_taken:7.1f} images/s {ratio:6.2f} x plain")


def made_batch(persons: int, crops: int) -> Batch:
    rows = persons * crops
    return Batch(torch.rand(rows, 3, *SIZE), torch.rand(rows, 3, *SIZE), torch.arange(persons).repeat_interleave(crops))


def step_of(batch: Batch, memory: torch.memory_format, dtype: torch.dtype | None) -> Callable[[], None]:
    torch.manual_seed(0)
    method = TwoStream(TwoStreamSettings(weights="none"), PERSONS)
    method.to(memory_format=memory)
    if memory is torch.contiguous_format:
        method._input = normalise  # type: ignore[method-assign]
    optimiser = torch.optim.SGD(method.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def step() -> None:
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
            for _, terms in method.step(batch, Progress(0, 1)):
                optimiser.zero_grad()
                torch.stack([term.float() for term in terms.values()]).sum().backward()
                optimiser.step()

    return step


def seconds(step: Callable[[], None], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - start) / steps


if __name__ == "__main__":
    main()
