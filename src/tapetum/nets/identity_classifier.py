"""A plain classifier of persons: the teacher whose soft labels say whom a generated picture resembles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from tapetum.errors import RecipeError
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import EDGE_FLOOR, EdgeFront
from tapetum.nets.heads import BNNeck, vector_head
from tapetum.nets.pooling import global_pooling
from tapetum.nets.pretrained import load_weights, read_weights


class IdentityClassifier(nn.Module):
    """Trunk, average pooling, one linear layer, `BNNeck`: the network of a `two_stream` run with all stages shared.

    settings: of the trunk (`share_from` is "stem"); dimension: of the linear layer (published: 512); classes: persons.
    run_weights: "none", or the `model.safetensors` of a run of `two_stream` with the same trunk and `share_from: stem`,
    `pooling: average`, `embedding: <dimension>`. edges: it reads four edge maps in place of colours; strips: of the
    maps, each averaged by itself. forward: normalised pictures (N, 3, H, W) -> logits (N, classes).
    Raises RecipeError for weights that do not fit. Source: METHODS 9.1, teacher.
    """

    def __init__(
        self,
        trunk: TrunkSettings,
        dimension: int,
        classes: int,
        run_weights: str = "none",
        *,
        edges: bool = False,
        strips: int = 1,
    ) -> None:
        super().__init__()
        self.front = EdgeFront(floor=EDGE_FLOOR) if edges else None
        trunk = replace(trunk, in_channels=EdgeFront.channels if edges else 3)
        self.trunk = build_trunk(trunk if run_weights == "none" else replace(trunk, weights="none"))
        self.pool, _ = vector_head(self.trunk.channels, global_pooling("average"), strips, dimension)
        self.neck = BNNeck(dimension, classes)
        if run_weights != "none":
            load_weights(self, read_weights(Path(run_weights)), run_weights)
        self.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, classes)."""
        seen = pictures if self.front is None else self.front(pictures)
        _, logits = self.neck(self.pool(self.trunk.shared(seen.contiguous(memory_format=torch.channels_last))))
        predicted: Tensor = logits
        return predicted

    @torch.no_grad()
    def soft_labels(self, pictures: Tensor) -> Tensor:
        """Mean of the soft-max on each picture and on its mirror image: (N, 3, H, W) -> (N, classes), rows sum to 1."""
        seen = torch.cat([pictures, pictures.flip(3)])
        q: Tensor = self.forward(seen).float().softmax(dim=1)
        return (q[: len(pictures)] + q[len(pictures) :]) / 2


def check_teacher(run_weights: str, warmup: float) -> None:
    """A teacher who learns along does so until `warmup`. Raises RecipeError where that leaves no time."""
    if run_weights == "none" and warmup == 0:
        raise RecipeError(
            "warmup = 0: the teacher learns along until then, and one that has learnt nothing spoils the run."
            " Set settings.warmup above 0, settings.teacher_weights to a trained one, or settings.teacher_weight=0."
        )
