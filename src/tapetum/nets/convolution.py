"""The blocks that picture-making networks share: reflected border, convolution, norm, leaky ReLU."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tapetum.errors import RecipeError, did_you_mean

SLOPE = 0.2  # of every leaky ReLU


class ConvBlock(nn.Module):
    """Reflect the border, convolve (with bias), normalise, leaky ReLU(0.2).

    kernel: odd side, whose border keeps the map's size at stride 1, or 4 at stride 2, which halves even sizes.
    norm: "none" or a name that `norm_layer` knows. `slope`: of the leaky ReLU, which `set_slope` changes.
    active: with the leaky ReLU. forward: (N, inputs, H, W) -> (N, outputs, H / stride, W / stride), halves rounded up.
    outputs (inputs kernel^2 + 1) parameters, and the norm's. Source: METHODS 9.1.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, norm: str = "none", active: bool = True
    ) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(inputs, outputs, kernel, stride=stride)
        self.norm = norm_layer(norm, outputs)
        self.border = (kernel - 1) // 2
        self.active, self.slope = active, SLOPE

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H', W')."""
        maps = self.norm(self.convolve(reflected(maps, self.border)))
        return F.leaky_relu(maps, self.slope, inplace=True) if self.active else maps


class DilatedBlock(nn.Module):
    """A 3 x 3 convolution whose nine taps lie `dilation` apart, border reflected, then the norm; no activation.

    forward: (N, inputs, H, W) -> (N, outputs, H, W); H and W must exceed `dilation`. Source: METHODS 9.1.
    """

    def __init__(self, inputs: int, outputs: int, dilation: int, norm: str) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(inputs, outputs, 3, dilation=dilation)
        self.norm = norm_layer(norm, outputs)
        self.dilation = dilation

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        changed: Tensor = self.norm(self.convolve(reflected(maps, self.dilation)))
        return changed


class ResidualBlock(nn.Module):
    """Two 3 x 3 blocks, the second without activation, added to what came in; no activation after the sum.

    forward: (N, channels, H, W) -> the same shape. 2 channels (9 channels + 1) parameters. Source: METHODS 9.1.
    """

    def __init__(self, channels: int, norm: str = "none") -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels, 3, norm=norm)
        self.second = ConvBlock(channels, channels, 3, norm=norm, active=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        changed: Tensor = maps + self.second(self.first(maps))
        return changed


class InstanceBatchNorm(nn.Module):
    """IBN: the first half of the channels by instance norm, the rest by batch norm (Pan et al., 2018).

    Half of the channels keep what tells one picture's brightness and contrast from another's.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.split = channels // 2
        self.instance = norm_layer("instance", self.split)
        self.batch = nn.BatchNorm2d(channels - self.split)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return torch.cat([self.instance(maps[:, : self.split]), self.batch(maps[:, self.split :])], dim=1)


def norm_layer(name: str, channels: int) -> nn.Module:
    """A norm of maps (N, C, H, W) by name, no running statistics but for "batch".

    "none"; "instance": each map of each picture for itself, nothing learned; "layer": each picture's maps together,
    with a learned scale and shift per channel; "batch"; "ibn": half instance, half batch.
    Raises RecipeError for another name.
    """
    # Group norm is torch's fastest instance norm and layer norm of maps on a CPU, and saves nothing but its input.
    kinds: dict[str, Callable[[], nn.Module]] = {
        "none": nn.Identity,
        "instance": lambda: nn.GroupNorm(channels, channels, affine=False),
        "layer": lambda: nn.GroupNorm(1, channels),
        "batch": lambda: nn.BatchNorm2d(channels),
        "ibn": lambda: InstanceBatchNorm(channels),
    }
    if name not in kinds:
        raise RecipeError(f"no norm is called '{name}'. {did_you_mean(name, kinds)}")
    return kinds[name]()


def reflected(maps: Tensor, border: int) -> Tensor:
    """The maps with `border` more rows and columns on each side, mirrored at the edge; as they are for 0."""
    return F.pad(maps, (border,) * 4, mode="reflect") if border else maps


def set_slope(module: nn.Module, slope: float) -> None:
    """Give every `ConvBlock` inside the module another slope of its leaky ReLU."""
    for layer in module.modules():
        if isinstance(layer, ConvBlock):
            layer.slope = slope


def draw_kaiming(module: nn.Module) -> None:
    """Draw the weights of all convolutions and linear layers as in He et al., 2015 (fan-in); biases become zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
