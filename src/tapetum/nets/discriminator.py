"""The discriminator D of DG-Net: how real each patch of a picture looks, at three scales."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.errors import RecipeError
from tapetum.nets.convolution import ConvBlock, ResidualBlock


class MultiScaleDiscriminator(nn.Module):
    """One network without norms for the picture and each of its halvings (average of 3 x 3, stride 2).

    width: d, channels of the first layers (published: 32). scales: how many (published: 3). Layers of each, for
    pictures (3, H, W): 1 x 1 d; 3 x 3 d; 3 x 3 d, stride 2; 3 x 3 d; 3 x 3 2d, stride 2; 4 residual blocks 2d; 1 x 1 1.
    forward: (N, 3, H, W) -> one (N, 1, H/4, W/4) for each scale, finest first, no activation.
    341,857 parameters each, 1,025,571 in all; drawn with deviation 0.02.
    Raises RecipeError for pictures that are too small for the scales. Source: METHODS 9.1.
    """

    def __init__(self, width: int = 32, scales: int = 3) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_one_scale(width) for _ in range(scales))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> [(N, 1, H/4, W/4), (N, 1, H/8, W/8), ...]."""
        least = 5 * 2 ** (len(self.scales) - 1)  # the reflected border needs two places after two halvings
        if min(pictures.shape[2:]) < least:
            raise RecipeError(
                f"image: {pictures.shape[2]} x {pictures.shape[3]} pixels are too few to be judged at"
                f" {len(self.scales)} scales, which need {least} on each side. Take larger images or fewer scales"
                " (--set settings.scales=2)."
            )
        outputs = []
        for place, network in enumerate(self.scales):
            if place:
                pictures = F.avg_pool2d(pictures, 3, stride=2, padding=1, count_include_pad=False)
            outputs.append(network(pictures))
        return outputs


def _one_scale(width: int) -> nn.Sequential:
    return nn.Sequential(
        ConvBlock(3, width, 1),
        ConvBlock(width, width, 3),
        ConvBlock(width, width, 3, stride=2),
        ConvBlock(width, width, 3),
        ConvBlock(width, 2 * width, 3, stride=2),
        *(ResidualBlock(2 * width) for _ in range(4)),
        ConvBlock(2 * width, 1, 1, active=False),
    )
