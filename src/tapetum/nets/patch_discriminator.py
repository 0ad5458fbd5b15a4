"""The discriminator of one light: how real each large patch of a picture looks, at several scales."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.errors import RecipeError
from tapetum.nets.convolution import ConvBlock

HALVINGS = 4


class PatchDiscriminator(nn.Module):
    """Four halvings without norms, for the picture and each of its own halvings (average of 3 x 3, stride 2).

    width: d, channels of the first layer (published: 32). scales: how many (published: 2). Layers of each, for
    pictures (3, H, W): 4 x 4, stride 2, four times, to d, 2d, 4d, 8d channels with leaky ReLU; 1 x 1 to 1.
    forward: (N, 3, H, W) -> one (N, 1, H/16, W/16) for each scale, finest first, no activation.
    690,401 parameters each, 1,380,802 in both; drawn with deviation 0.02.
    Raises RecipeError for pictures that are too small for the scales. Source: METHODS 6, discriminators.
    """

    def __init__(self, width: int = 32, scales: int = 2) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_one_scale(width) for _ in range(scales))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> [(N, 1, H/16, W/16), (N, 1, H/32, W/32), ...]."""
        least = 2 ** (HALVINGS + len(self.scales) - 1)  # the last halving's reflected border needs two places
        if min(pictures.shape[2:]) < least:
            raise RecipeError(
                f"painted pictures of {pictures.shape[2]} x {pictures.shape[3]} pixels are too few to be judged at"
                f" {len(self.scales)} scales, which need {least} on each side. Take larger images or fewer scales"
                " (--set settings.scales=1)."
            )
        outputs = []
        for place, network in enumerate(self.scales):
            if place:
                pictures = F.avg_pool2d(pictures, 3, stride=2, padding=1, count_include_pad=False)
            outputs.append(network(pictures))
        return outputs


def _one_scale(width: int) -> nn.Sequential:
    channels = [3, *(width * 2**place for place in range(HALVINGS))]
    return nn.Sequential(
        *(ConvBlock(inputs, outputs, 4, stride=2) for inputs, outputs in pairwise(channels)),
        ConvBlock(channels[-1], 1, 1, active=False),
    )
