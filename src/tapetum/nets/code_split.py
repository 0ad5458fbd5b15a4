"""A bottleneck in two: an identity code S and the rest M, and the two joined again for the decoder."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.errors import RecipeError

Split = Literal["channels", "vectors", "heads"]


class CodeSplit(nn.Module):
    """Bottleneck maps (N, C, h, w) -> S and M, with C / 2 channels each.

    split: "channels": S of the first half of the channels, M the second half; "vectors": the same halves of the mean
    over all places; "heads": a 1 x 1 convolution for each. spatial: S stays a map (N, C / 2, h, w) instead of its mean
    over all places (N, C / 2). strips: with more than one, S is the mean over each of so many horizontal strips,
    (N, C / 2, strips, 1), for small networks. M is always (N, C / 2, h, w), of equal places for "vectors".
    No parameters, but for "heads" C (C + 1). Raises RecipeError for an odd C, for spatial vectors or strips, and for
    maps of fewer rows than strips. Source: METHODS 3.2, "where S/M split" and "is S a map or a vector".
    """

    def __init__(self, channels: int, split: Split = "channels", *, spatial: bool = False, strips: int = 1) -> None:
        super().__init__()
        if channels % 2:
            raise RecipeError(f"widths: the last is {channels}. Give an even number: one half is S, the other M.")
        if spatial and split == "vectors":
            raise RecipeError("spatial: split 'vectors' leaves no places in S. Take split 'channels' or 'heads'.")
        if spatial and strips > 1:
            raise RecipeError("strips: a spatial S has every place already. Take strips 1, or spatial false.")
        self.split, self.spatial, self.strips = split, spatial, strips
        self.heads = nn.Conv2d(channels, channels, 1) if split == "heads" else nn.Identity()

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, h, w) -> S (N, C / 2), (N, C / 2, h, w) or (N, C / 2, strips, 1), and M (N, C / 2, h, w)."""
        of_s, of_m = self.heads(maps).chunk(2, dim=1)
        if self.split == "vectors":
            of_m = of_m.mean(dim=(2, 3), keepdim=True).expand_as(of_m)
        return of_s if self.spatial else self._mean(of_s), of_m

    def _mean(self, maps: Tensor) -> Tensor:
        if self.strips == 1:
            return maps.mean(dim=(2, 3))
        if maps.shape[2] < self.strips:
            raise RecipeError(f"strips: S has {maps.shape[2]} rows, too few for {self.strips} strips. Take fewer.")
        return F.adaptive_avg_pool2d(maps, (self.strips, 1))


def joined(S: Tensor, M: Tensor) -> Tensor:
    """What the decoder starts from: S at every place of M. (N, C), (N, C, h, w) -> (N, 2 C, h, w).

    S may be a map, also one of fewer places, each of which then stands for its part of M's.
    """
    maps = S if S.ndim == 4 else S[:, :, None, None]
    return torch.cat([F.interpolate(maps, size=M.shape[2:], mode="nearest"), M], dim=1)
