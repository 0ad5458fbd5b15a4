"""A bottleneck in two: an identity code S and the rest M, and the two joined again for the decoder."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tapetum.errors import RecipeError

Split = Literal["channels", "vectors", "heads"]


class CodeSplit(nn.Module):
    """Bottleneck maps (N, C, h, w) -> S and M, with C / 2 channels each.

    split: "channels": S of the first half of the channels, M the second half; "vectors": the same halves of the mean
    over all places; "heads": a 1 x 1 convolution for each. spatial: S stays a map (N, C / 2, h, w) instead of its mean
    over all places (N, C / 2). M is always (N, C / 2, h, w), of equal places for "vectors".
    No parameters, but for "heads" C (C + 1). Raises RecipeError for an odd C, and for spatial vectors.
    Source: METHODS 3.2, "where S/M split" and "is S a map or a vector".
    """

    def __init__(self, channels: int, split: Split = "channels", *, spatial: bool = False) -> None:
        super().__init__()
        if channels % 2:
            raise RecipeError(f"widths: the last is {channels}. Give an even number: one half is S, the other M.")
        if spatial and split == "vectors":
            raise RecipeError("spatial: split 'vectors' leaves no places in S. Take split 'channels' or 'heads'.")
        self.split, self.spatial = split, spatial
        self.heads = nn.Conv2d(channels, channels, 1) if split == "heads" else nn.Identity()

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, h, w) -> S (N, C / 2) or (N, C / 2, h, w), M (N, C / 2, h, w)."""
        of_s, of_m = self.heads(maps).chunk(2, dim=1)
        if self.split == "vectors":
            of_m = of_m.mean(dim=(2, 3), keepdim=True).expand_as(of_m)
        return of_s if self.spatial else of_s.mean(dim=(2, 3)), of_m


def joined(S: Tensor, M: Tensor) -> Tensor:
    """What the decoder starts from: S at every place of M. (N, C), (N, C, h, w) -> (N, 2 C, h, w); S may be a map."""
    everywhere = S if S.ndim == 4 else S[:, :, None, None].expand(-1, -1, *M.shape[2:])
    return torch.cat([everywhere, M], dim=1)
