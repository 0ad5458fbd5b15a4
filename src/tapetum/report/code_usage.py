"""Whether a generative method's pictures depend on its appearance code at all, or the rest carries everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import torch
from torch import Tensor

from tapetum.errors import InputError
from tapetum.methods.method import Generative, Pictures


@dataclass(frozen=True)
class CodeUsage:
    """What replacing a picture's appearance code (S of the deck's approach 0) changes.

    own, other, none: mean absolute error of the picture painted again with its own code, with another person's, and
    with zeros; pixels are in [0, 1]. change: mean absolute difference between the first two paintings. apart: the same
    difference between the pictures themselves. A code is dead where `share` is about 0.
    """

    own: float
    other: float
    none: float
    change: float
    apart: float

    @property
    def share(self) -> float:
        """`change` in units of `apart`: 0 where nothing changes, 1 where as much as between two persons' pictures."""
        return self.change / self.apart if self.apart > 0 else 0.0


@torch.inference_mode()
def code_usage(method: Generative, pictures: Pictures, person: Tensor) -> CodeUsage:
    """Paint each picture with its own appearance code, with that of another person of the same light, and with zeros.

    method: in evaluation mode. pictures: some hundreds, of one light. person: (N,) labels. The other person is that of
    the next row, counted in a circle, that shows another one. Raises InputError where all rows show one person.
    Source: METHODS 3.2, "S-usage".
    """
    rows = _next_other(person)
    structure, appearance = method.codes(pictures)
    own, other, none = (
        method.paint(structure, code, pictures.modality)
        for code in (appearance, appearance[rows], torch.zeros_like(appearance))
    )
    x = pictures.images
    return CodeUsage(*(_apart(a, b) for a, b in ((own, x), (other, x), (none, x), (own, other), (x, x[rows]))))


def mean_usage(found: Sequence[tuple[int, CodeUsage]]) -> CodeUsage:
    """The usage over several batches, each given with its number of pictures."""
    total = sum(count for count, _ in found)
    rows = [(count / total, astuple(usage)) for count, usage in found]
    return CodeUsage(*(sum(share * values[place] for share, values in rows) for place in range(len(fields(CodeUsage)))))


def _next_other(person: Tensor) -> Tensor:
    """For each row the next one, counted in a circle, that shows another person: (N,)."""
    labels = person.tolist()
    count = len(labels)
    if len(set(labels)) < 2:
        raise InputError("code usage: all pictures show one person. Give pictures of at least two.")
    steps = [next(k for k in range(1, count) if labels[(row + k) % count] != labels[row]) for row in range(count)]
    return torch.tensor([(row + step) % count for row, step in enumerate(steps)], device=person.device)


def _apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().mean())
