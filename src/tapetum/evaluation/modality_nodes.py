"""How many nodes of a network answer to one modality alone: what zero padding lets a shared network learn.

A node is a channel of a stage, and its answer to a modality the mean of its activation over all crops of that modality
and all positions. With a_rgb and a_ir those two answers, by magnitude, a node is
    silent    when (a_rgb + a_ir) / 2 is below SILENT times its mean over the stage's nodes; of the others,
    rgb       when a_rgb >= ratio * a_ir
    ir        when a_ir >= ratio * a_rgb
    shared    when neither holds
Source: the domain-specific nodes of Wu et al., ICCV 2017; METHODS section 1. The thresholds are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapetum.core import FloatArray
from tapetum.errors import InternalError, RecipeError

RATIO = 2.0
SILENT = 0.01


@dataclass(frozen=True)
class NodeCounts:
    """How many nodes of a stage are of each kind."""

    rgb: int
    shared: int
    ir: int
    silent: int

    @property
    def total(self) -> int:
        """All nodes of the stage."""
        return self.rgb + self.shared + self.ir + self.silent

    @property
    def specific_share(self) -> float:
        """The share of nodes that answer to one modality, in [0, 1]."""
        return (self.rgb + self.ir) / self.total


def count_nodes(rgb: FloatArray, ir: FloatArray, ratio: float = RATIO) -> NodeCounts:
    """Sort the nodes of a stage by their mean answers rgb and ir, (C,) each; ratio: above 1, see the module.

    Raises InternalError for shapes that do not fit, RecipeError for a ratio that is not above 1.
    """
    if rgb.ndim != 1 or rgb.shape != ir.shape or len(rgb) == 0:
        raise InternalError(f"count_nodes: got answers of shapes {rgb.shape} and {ir.shape}. Expected (C,) twice.")
    if not ratio > 1:
        raise RecipeError(
            f"a node cannot count as specific from a ratio of {ratio}. Give a number above 1 (2 is usual)."
        )
    a_rgb, a_ir = np.abs(rgb), np.abs(ir)
    both = a_rgb + a_ir
    silent = both <= SILENT * both.mean()
    of_rgb = ~silent & (a_rgb >= ratio * a_ir)
    of_ir = ~silent & (a_ir >= ratio * a_rgb)
    shared = ~(silent | of_rgb | of_ir)
    return NodeCounts(*(int(kind.sum()) for kind in (of_rgb, shared, of_ir, silent)))
