"""Where identity is read from structure: E_s itself, a deeper branch on its code, or a residual trunk in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tapetum.errors import RecipeError
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import EDGE_FLOOR, EdgeFront
from tapetum.nets.pooling import Strips, global_pooling
from tapetum.nets.resnet import RESNETS, resnet
from tapetum.nets.structure_encoder import StructureEncoder, check_size, grey


class Structure(NamedTuple):
    """s: (N, C, H/4, W/4), what a generator paints from. maps: (N, D, h, w), what an identity head pools."""

    s: Tensor
    maps: Tensor


class ShallowStructure(nn.Module):
    """A structure encoder, and identity from its code (the deck) or from a branch on the code (METHODS 10.3, H2).

    encoder: pictures -> s (N, channels, H/4, W/4). branch: layer2 to layer4 of a ResNet-10 on the code (8 x as many
    channels, a quarter of its resolution). attached: whether the branch's gradient reaches the encoder. pulled: whether
    a painter's does, through s.
    forward: (N, ..., H, W) -> `Structure`; `maps` is s itself without a branch.
    """

    def __init__(
        self, encoder: nn.Module, channels: int, *, branch: bool = False, attached: bool = True, pulled: bool = True
    ) -> None:
        super().__init__()
        self.encoder, self.code_channels, self.attached, self.pulled = encoder, channels, attached, pulled
        self.branch: nn.Sequential | None = None
        self.channels = channels
        if branch:
            stages = resnet(RESNETS["resnet10"], width=channels)
            self.branch = _chain(stages.stages, ("layer2", "layer3", "layer4"))
            self.channels = stages.channels["layer4"]

    def forward(self, pictures: Tensor) -> Structure:
        """(N, ..., H, W) -> s, maps."""
        s: Tensor = self.encoder(pictures)
        seen = _passed(s, self.attached, self.encoder)
        return Structure(_passed(s, self.pulled, self.encoder), seen if self.branch is None else self.branch(seen))


class ResidualStructure(nn.Module):
    """A residual trunk as structure encoder: s after its layer1, through a 1 x 1 convolution; identity after layer4.

    trunk: settings of the trunk; `share_from` is "stem". code_channels: C of s (published: 128). attached: whether the
    identity's gradient reaches what s is made of too; pulled: whether a painter's goes further than that 1 x 1
    convolution. forward: (N, in_channels, H, W) -> `Structure`, H and W multiples of 4. With ResNet-50: maps (N, 2048,
    H/16, W/16); 23,508,032 parameters and 256 C + C. Source: METHODS 10.4, item 1.
    """

    def __init__(self, trunk: TrunkSettings, code_channels: int, *, attached: bool = True, pulled: bool = True) -> None:
        super().__init__()
        built = build_trunk(trunk)
        stages = dict(built.shared.named_children())
        self.code_channels, self.channels = code_channels, built.channels
        self.attached, self.pulled = attached, pulled
        self.early = _chain(stages, ("stem", "layer1"))
        self.late = _chain(stages, ("layer2", "layer3", "layer4"))
        self.tap = nn.Conv2d(built.stage_channels["layer1"], code_channels, 1)

    def forward(self, pictures: Tensor) -> Structure:
        """(N, in_channels, H, W) -> s, maps."""
        near = self.early(pictures)
        s = self.tap(_passed(near, self.pulled, self.early)).contiguous()
        return Structure(s, self.late(_passed(near, self.attached, self.early)))


def _passed(maps: Tensor, way_open: bool, made_by: nn.Module) -> Tensor:
    """The maps, whose gradient ends here where the way is closed to the weights that made them.

    While those are frozen there is nothing to protect: the gradient goes on, to the picture and to who painted it.
    """
    learns = any(weight.requires_grad for weight in made_by.parameters())
    return maps if way_open or not learns else maps.detach()


def _chain(stages: Mapping[str, nn.Module], names: tuple[str, ...]) -> nn.Sequential:
    chain = nn.Sequential()
    for name in names:
        chain.add_module(name, stages[name])
    return chain


@dataclass(frozen=True)
class ReaderSettings:
    """What a `StructureReader` is made of.

    kind: "shallow" or a residual trunk's name; weights, width: of that trunk. code_width, dilations, norm: of the
    shallow encoder; its code, and that of a trunk, has 8 code_width channels. branch, attached and
    pulled: see `ShallowStructure`. edges: "none", "input" (four edge maps beside grey), "alone" (in place of grey) or
    "branch" (an encoder of their own, its vector added). pooling, strips: of the maps that identity is read from.
    """

    kind: str = "shallow"
    weights: str = "none"
    width: int = 64
    code_width: int = 16
    dilations: tuple[int, ...] = (3, 6, 9)
    norm: str = "instance"
    branch: bool = False
    attached: bool = True
    pulled: bool = True
    edges: str = "none"
    pooling: str = "max"
    strips: int = 1


class Read(NamedTuple):
    """s: (N, C, H/4, W/4), what a generator paints from. vector: (N, length), what an identity head reads."""

    s: Tensor
    vector: Tensor


class StructureReader(nn.Module):
    """Structure code and identity vector of pictures, grey or in edges: E_s with all that stands before and after it.

    forward: normalised pictures (N, 3, H, W) -> `Read`. `code_channels`: C of s; `length`: of the vector.
    Raises RecipeError for trunks, norms and poolings that cannot be had, and for an average that is always zero.
    Source: METHODS 10.2, 10.3, 10.5.
    """

    def __init__(self, settings: ReaderSettings) -> None:
        super().__init__()
        _check_average(settings)
        self.settings = settings
        self.front = EdgeFront(floor=EDGE_FLOOR)
        self.structure = _structure(settings)
        self.pool = nn.Sequential(Strips(settings.strips, global_pooling(settings.pooling)), nn.Flatten())
        self.code_channels = 8 * settings.code_width
        self.length = settings.strips * self.structure.channels
        self.edge_encoder: nn.Module | None = None
        if settings.edges == "branch":
            self.edge_encoder = nn.Sequential(
                StructureEncoder(EdgeFront.channels, settings.code_width, settings.dilations, settings.norm),
                Strips(settings.strips, global_pooling(settings.pooling)),
                nn.Flatten(),
                nn.Linear(settings.strips * self.code_channels, self.length),
            )

    def forward(self, pictures: Tensor) -> Read:
        """(N, 3, H, W) -> s, vector."""
        check_size(pictures)
        seen = grey(pictures)
        if self.settings.edges == "alone":
            seen = self.front(pictures)
        elif self.settings.edges == "input":
            seen = torch.cat([seen, self.front(pictures)], dim=1)
        elif self.settings.kind != "shallow":
            seen = seen.expand(-1, 3, -1, -1)
        s, maps = self.structure(seen)
        vector = self.pool(maps)
        if self.edge_encoder is not None:
            vector = vector + self.edge_encoder(self.front(pictures))
        return Read(s, vector)


def _check_average(settings: ReaderSettings) -> None:
    """Instance norm is a shallow encoder's last layer: over the whole map, each channel's average is zero."""
    bare = (settings.kind == "shallow" and not settings.branch) or settings.edges == "branch"
    if bare and (settings.norm, settings.pooling, settings.strips) == ("instance", "average", 1):
        raise RecipeError(
            "pooling: the average of an instance-normed code is zero in every channel of every picture: nobody could be"
            " told from it. Take settings.pooling=max or gem, settings.strips=4, settings.norm=batch, or"
            " settings.branch=true."
        )


def _structure(settings: ReaderSettings) -> ShallowStructure | ResidualStructure:
    channels = 8 * settings.code_width
    inputs = {"input": EdgeFront.channels + 1, "alone": EdgeFront.channels}.get(settings.edges)
    flows = {"attached": settings.attached, "pulled": settings.pulled}
    if settings.kind == "shallow":
        encoder = StructureEncoder(inputs or 1, settings.code_width, settings.dilations, settings.norm)
        return ShallowStructure(encoder, channels, branch=settings.branch, **flows)
    if inputs is not None and settings.weights == "imagenet":
        raise RecipeError(
            f"edges = {settings.edges!r}: ImageNet weights are for grey or coloured pictures, not for edge maps."
            " Set settings.structure_weights=none, or settings.edges=branch."
        )
    trunk = TrunkSettings(settings.kind, "stem", settings.weights, settings.width, in_channels=inputs or 3)
    return ResidualStructure(trunk, channels, **flows)
