"""Non-local blocks: every position of a map hears from every other one."""

from __future__ import annotations

from torch import Tensor, nn


class NonLocalBlock(nn.Module):
    """y_i = x_i + BN(W (1/n) sum_j (theta(x_i) · phi(x_j)) g(x_j)), j over all n = h w positions; 1 x 1 convolutions.

    channels: C of the map; inner: channels of theta, phi and g (AGW's released code: 1).
    forward: (N, C, h, w) -> (N, C, h, w). The norm starts with scale and shift 0: the block is the identity then.
    Parameters: 3 (C + 1) inner + (inner + 1) C + 2 C. Source: METHODS 12, AGW (Wang et al., CVPR 2018, dot product).
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Conv2d(channels, inner, 1)
        self.g = nn.Conv2d(channels, inner, 1)
        self.out = nn.Conv2d(inner, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        theta, phi, g = (branch(maps).flatten(2) for branch in (self.theta, self.phi, self.g))  # (N, inner, n)
        # Without a soft-max the product can be taken from the right: an inner x inner matrix in place of an n x n one.
        context = (g @ phi.transpose(1, 2)) @ theta / theta.shape[2]  # (N, inner, n)
        update: Tensor = self.norm(self.out(context.unflatten(2, maps.shape[2:])))
        return maps + update
