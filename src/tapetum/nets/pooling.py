"""From a feature map to vectors: generalised-mean, average and maximum pooling, over the whole map or over strips."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapetum.errors import RecipeError, did_you_mean


class GeneralisedMeanPooling(nn.Module):
    """GeM: y_c = (mean over positions of max(x, eps)^p)^(1/p); p = 1 is the average (of x >= eps), large p the maximum.

    p: the power, > 0 (AGW: 3; HC-Tri: 3 for SYSU-MM01, 10 for RegDB); trained along when `learnable`.
    forward: (N, C, h, w) -> (N, C), values >= eps, in float32 when the map is in half precision.
    The map is divided by its channel's maximum before the power, so that no power overflows or vanishes.
    Raises RecipeError for p <= 0. Source: Radenovic et al., 2018; METHODS 12.
    """

    def __init__(self, p: float = 3.0, learnable: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        if p <= 0:
            raise RecipeError(f"GeM pooling: p is {p}. Give a number above 0 (3 is usual).")
        # A plain number lets torch take its fast path for whole powers; only a trained p needs to be a tensor.
        self.p: float | nn.Parameter = nn.Parameter(torch.tensor(float(p))) if learnable else float(p)
        self.eps = eps

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C)."""
        maps = maps.to(torch.promote_types(maps.dtype, torch.float32)).clamp(min=self.eps)
        # GeM is homogeneous: a detached scale leaves the value and the gradient as they are.
        scale = maps.detach().amax(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        mean = ((maps / scale) ** self.p).mean(dim=(2, 3))  # (N, C), in (0, 1]
        return scale.flatten(1) * mean ** (1.0 / self.p)

    def extra_repr(self) -> str:
        """The power, for printing."""
        return f"p={float(self.p):g}, learnable={isinstance(self.p, nn.Parameter)}"


def global_pooling(kind: str, p: float = 3.0) -> nn.Module:
    """Pooling (N, C, h, w) -> (N, C) by name: "gem" (with power `p`), "average" or "max".

    Raises RecipeError for another name.
    """
    kinds: dict[str, nn.Module] = {
        "gem": GeneralisedMeanPooling(p),
        "average": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "max": nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
    }
    if kind not in kinds:
        raise RecipeError(f"no pooling is called '{kind}'. {did_you_mean(kind, kinds)}")
    return kinds[kind]


class Strips(nn.Module):
    """Cut a map into horizontal strips of (nearly) equal height, head to foot, and pool each one by itself.

    count: number of strips; pooling: what maps (N, C, h', w) to (N, C).
    forward: (N, C, h, w) -> (N, count, C). When h is no multiple of `count`, the first strips are a row taller.
    Raises RecipeError for a count below 1, and for a map with fewer rows than strips.
    """

    def __init__(self, count: int, pooling: nn.Module) -> None:
        super().__init__()
        if count < 1:
            raise RecipeError(f"strips: got {count}. Give a whole number of at least 1 (6 and 8 are usual).")
        self.count = count
        self.pooling = pooling

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, count, C)."""
        if maps.shape[2] < self.count:
            raise RecipeError(
                f"strips: the feature map has {maps.shape[2]} rows, too few for {self.count} strips."
                f" Use fewer strips or taller images ({16 * self.count} rows give {self.count} at stride 16)."
            )
        return torch.stack([self.pooling(strip) for strip in maps.tensor_split(self.count, dim=2)], dim=1)
