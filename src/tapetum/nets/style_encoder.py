"""The style encoder of one light: what a picture looks like, in a short vector and nowhere in particular."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from tapetum.errors import RecipeError
from tapetum.nets.convolution import ConvBlock, draw_kaiming


class StyleEncoder(nn.Module):
    """Picture -> style s, a vector without a place.

    width: b, channels of the first layer (published: 32). style: S, length of the vector (published: 128).
    halvings: how many (published: 4). Layers without norms, which would take away what a style is:

        7 x 7                              b,  H x W
        4 x 4, stride 2                   2b,  H/2 x W/2
        4 x 4, stride 2, three times      4b,  H/4 ... H/16
        mean over all places, 1 x 1        S

    forward: (N, 3, H, W) -> (N, S). 709,824 parameters at b = 32, S = 128.
    Raises RecipeError for pictures that are too small for the halvings. Source: METHODS 6, modality-specific encoders.
    """

    def __init__(self, width: int = 32, style: int = 128, halvings: int = 4) -> None:
        super().__init__()
        self.least = 2**halvings  # the last halving's reflected border needs two places
        channels = [width, 2 * width, *(4 * width for _ in range(halvings - 1))]
        self.body = nn.Sequential(
            ConvBlock(3, width, 7), *(ConvBlock(inputs, outputs, 4, stride=2) for inputs, outputs in pairwise(channels))
        )
        self.project = nn.Linear(channels[-1], style)
        draw_kaiming(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, S)."""
        if min(pictures.shape[2:]) < self.least:
            raise RecipeError(
                f"a style is read from pictures of {self.least} pixels at least on each side, not of"
                f" {pictures.shape[2]} x {pictures.shape[3]}. Take larger images, or --set settings.style_halvings=3."
            )
        s: Tensor = self.project(self.body(pictures).mean(dim=(2, 3)))
        return s
