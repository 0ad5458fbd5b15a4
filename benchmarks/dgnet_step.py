"""Time and peak memory of a full-size DG-Net step, beside a plain reading of the published loop.

    python benchmarks/dgnet_step.py [--pairs 4] [--steps 1] [--rounds 2] [--size 256 128] [--trunk resnet50]
        [--r1-every 1]

Both play with the same widths, all terms risen: P + P pairs of pictures and as many partners, re-encoding through
frozen encoders, R1 in every step, half of the pictures erased. "plain" makes a deep copy of both encoders for each
step, keeps one graph of all terms until one backward, passes the two loaders one after the other, doubles maps before
their 5 x 5 convolutions, and lets backward compute what the frozen copies and D do not need. "ours" is `DGNet.step`
with the optimisers of its players. Each measurement is a process of its own; rounds alternate, and the quickest step
counts. Peak memory is the process's, less what it held when its networks stood. "tflop" counts the multiplications and
additions of convolutions and matrix products: what a step must compute, however busy the machine is. With --r1-every n,
ours is a step without R1, as all but each n-th are.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

import tapetum.nets.generator
from tapetum.core import Batch
from tapetum.data.erasing import erased
from tapetum.data.transforms import normalise
from tapetum.losses.adversarial import discriminator_loss, generator_loss, gradient_penalty
from tapetum.losses.distillation import soft_label_loss
from tapetum.methods.dgnet import DGNet, DGNetSettings
from tapetum.methods.method import Progress
from tapetum.nets.generator import UpsamplingBlock
from tapetum.nets.structure_encoder import grey

PERSONS = 395
LATE = Progress(997, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("pairs", 4), ("steps", 1), ("rounds", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128))
    parser.add_argument("--trunk", default="resnet50")
    parser.add_argument("--r1-every", type=int, default=1)
    parser.add_argument("--one", choices=("plain", "ours"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given)))
        return
    found: dict[str, list[dict[str, float]]] = {"plain": [], "ours": []}
    for _ in range(given.rounds):
        for name, results in found.items():
            done = subprocess.run(
                [sys.executable, *sys.argv, "--one", name], capture_output=True, text=True, check=True
            )
            results.append(json.loads(done.stdout))
            print("...", name, results[-1], flush=True)
    best = {name: {key: min(r[key] for r in results) for key in results[0]} for name, results in found.items()}
    print(f"{given.pairs} + {given.pairs} pairs, {given.size[0]} x {given.size[1]}, {torch.get_num_threads()} threads")
    for name, values in best.items():
        shares = ", ".join(f"{key} {values[key]:.2f} ({values[key] / best['plain'][key]:.2f})" for key in values)
        print(f"{name:6} {shares}")


def measured(given: argparse.Namespace) -> dict[str, float]:
    torch.manual_seed(0)
    settings = DGNetSettings(weights="none", trunk=given.trunk, reencode_detached=0.0, r1_every=given.r1_every)
    method = DGNet(settings, PERSONS)
    step = (ours if given.one == "ours" else plain)(method, given)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, cpu = [], []
    for _ in range(given.steps):
        start, used = time.perf_counter(), time.process_time()
        with Operations() as operations:
            step()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": min(seconds), "cpu_seconds": min(cpu), "gib": peak / 2**20, "tflop": operations.count / 1e12}


class Operations(TorchDispatchMode):
    """Counts what convolutions and matrix products multiply and add, gradients included."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            self.count += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=made)
        return made


def ours(method: DGNet, given: argparse.Namespace) -> Callable[[], None]:
    count = 2 * given.pairs
    batch = Batch(
        torch.rand(count, 3, *given.size),
        torch.rand(count, 3, *given.size),
        torch.arange(given.pairs).repeat_interleave(2),
    )
    optimisers = {name: torch.optim.Adam(player.parameters(), 1e-4) for name, player in method.players().items()}

    def step() -> None:
        for player, terms in method.step(batch, LATE):
            optimisers[player].zero_grad()
            torch.stack([term.float() for term in terms.values()]).sum().backward()
            optimisers[player].step()

    return step


class PlainUpsampling(nn.Module):
    """Doubled first, then convolved."""

    def __init__(self, block: UpsamplingBlock) -> None:
        super().__init__()
        self.convolve, self.norm = block.convolve, block.norm

    def forward(self, maps: Tensor) -> Tensor:
        doubled = F.interpolate(maps, scale_factor=2, mode="nearest")
        return F.leaky_relu(self.norm(self.convolve(F.pad(doubled, (2,) * 4, mode="reflect"))), 0.2)


def plain_adain(maps: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return F.instance_norm(maps) * scale[:, :, None, None] + shift[:, :, None, None]


def plain(m: DGNet, given: argparse.Namespace) -> Callable[[], None]:
    m.to(memory_format=torch.contiguous_format)
    for place in (0, 1):
        m.G.paint[place] = PlainUpsampling(m.G.paint[place])
    tapetum.nets.generator.styled = plain_adain
    x_a, x_b, xp_a, xp_b = (normalise(torch.rand(given.pairs, 3, *given.size)) for _ in range(4))
    y_a = torch.arange(given.pairs)
    y_b = y_a.roll(1)
    appearance = [*m.E_a.parameters(), *m.primary.parameters(), *m.fine.parameters()]
    joint = torch.optim.Adam([*m.E_s.parameters(), *m.G.parameters()], 1e-4)
    identity, judge = torch.optim.Adam(appearance, 1e-4), torch.optim.Adam(m.D.parameters(), 1e-4)

    def code(x: Tensor) -> Tensor:
        return m.E_a.code(m.E_a(x)).detach()

    def step() -> None:
        s_a, s_b = m.E_s(grey(x_a)), m.E_s(grey(x_b))
        a, b, ap, bp = (code(x) for x in (x_a, x_b, xp_a, xp_b))
        x_ab, x_ba = m.G(s_a, b), m.G(s_b, a)  # structure, appearance
        terms = [
            5 * F.l1_loss(m.G(s, c), x) for s, c, x in ((s_a, a, x_a), (s_b, b, x_b), (s_a, ap, x_a), (s_b, bp, x_b))
        ]
        judge.zero_grad()
        judged = []
        for x, fake in ((x_a, x_ab), (x_b, x_ba)):
            real = x.detach().requires_grad_()
            scores = m.D(real)
            judged += [discriminator_loss(scores, m.D(fake.detach())), 0.01 * gradient_penalty(real, scores)]
        torch.stack(judged).sum().backward()
        judge.step()
        for x, y in ((x_a, y_a), (x_b, y_b), (xp_a, y_a), (xp_b, y_b)):
            pooled = m.E_a.pooled(m.E_a(erased(x, 0.5)[0]))
            terms += [F.cross_entropy(m.primary(pooled).logits, y), 0.4 * F.cross_entropy(m.fine(pooled).logits, y)]
        E_a, E_s, primary = copy.deepcopy(m.E_a), copy.deepcopy(m.E_s), copy.deepcopy(m.primary)
        again = []
        for fake, s, c, y in ((x_ab, s_a, b, y_b), (x_ba, s_b, a, y_a)):
            maps, s_v = E_a(fake), E_s(grey(fake))
            terms += [2 * generator_loss(m.D(fake)), 0.5 * F.cross_entropy(primary(E_a.pooled(maps)).logits, y)]
            terms += [F.l1_loss(s_v, s), F.l1_loss(E_a.code(maps), c)]
            again.append((s_v, E_a.code(maps)))
        (s_ab, c_ab), (s_ba, c_ba) = again
        terms += [2 * F.l1_loss(m.G(s_ab, c_ba), x_a), 2 * F.l1_loss(m.G(s_ba, c_ab), x_b)]
        for fake, y in ((x_ab, y_a), (x_ba, y_b)):
            pooled = m.E_a.pooled(m.E_a(fake.detach()))
            terms += [2 * soft_label_loss(m.primary(pooled).logits, m.C.soft_labels(fake.detach()))]
            terms += [0.4 * F.cross_entropy(m.fine(pooled).logits, y)]
        joint.zero_grad()
        identity.zero_grad()
        torch.stack(terms).sum().backward()
        joint.step()
        identity.step()

    return step


if __name__ == "__main__":
    main()
