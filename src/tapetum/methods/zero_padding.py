"""Deep zero padding and its siblings (Wu et al., ICCV 2017): one shallow network learns what to keep apart by itself.

    g = 0.299 R + 0.587 G + 0.114 B
    x_rgb = [g; 0],  x_ir = [0; ir]        two channels, so that the place of the picture tells its modality
    z = GAP(f(x)),  p = softmax(W z + b)
    L = -log p_y

`variant`: zero_padding as above; one_stream: x = [g], [ir], everything shared; two_stream: each modality has its own
stages of f before `share_from`; asymmetric_fc: f shared, W and b of each modality.
Differences from the paper: (1) z is searched at unit length (cosine), not by its Euclidean distance. (2) A batch holds
as many RGB as infrared crops, P persons x K of each, not 64 drawn at will. (3) SGD's momentum is Nesterov's. (4) The
depth of the paper's network is not verified: the default has one residual block in each of four stages. (5) The vector
of asymmetric_fc is z, which stands before its two classifiers. (6) Pictures are normalised before they are padded, so
that 0 is a medium grey. (7) `equal_start` is ours; so are `picture: edges`, four edge maps in the place of g, and
`strips`, for small trunks that learn from scratch on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.data.transforms import normalise
from tapetum.losses.identity import identity_loss
from tapetum.methods.method import Method, MethodSettings, Progress, Terms
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import LUMA, EdgeFront
from tapetum.nets.pooling import Strips, global_pooling

_SHARED = "both"  # the name of a classifier that serves both modalities
_CHANNELS = {"grey": 1, "colour": 3, "edges": EdgeFront.channels}


class ZeroPaddingSettings(MethodSettings):
    """Settings of zero padding; the defaults are those of METHODS, section 1."""

    variant: Literal["one_stream", "two_stream", "asymmetric_fc", "zero_padding"] = "zero_padding"
    picture: Literal["grey", "colour", "edges"] = Field(
        "grey",
        description="grey: one channel; colour: three; edges: four maps of the grey one's edges; published: grey",
    )
    trunk: str = Field("resnet10", description="blocks per stage: resnet10 (1, 1, 1, 1), resnet6 (1, 1), resnet18 ...")
    weights: str = Field("none", description="what the trunk starts from: none, imagenet (colour), or a weights file")
    width: int = Field(64, ge=8, description="channels of the first stage; published: 64")
    last_stride: Literal[1, 2] = Field(2, description="stride of the fourth stage; published: 2, a map of 7 x 7")
    strips: int = Field(1, ge=1, description="horizontal strips of the map that are averaged apart; published: 1")
    share_from: Literal["layer1", "layer2", "layer3", "layer4"] | None = Field(
        None, description="two_stream: first stage that both modalities share; None: layer2"
    )
    equal_start: bool = Field(
        False, description="zero_padding: the filters of both channels start equal, so that it begins as one_stream"
    )

    @model_validator(mode="after")
    def _fits_the_variant(self) -> Self:
        if self.variant == "zero_padding" and self.picture == "colour":
            raise ValueError("zero padding reads grey pictures or edges; set picture so, or take another variant")
        if self.variant != "two_stream" and self.share_from is not None:
            raise ValueError(f"share_from is for the variant two_stream; {self.variant} shares every stage")
        if self.variant != "zero_padding" and self.equal_start:
            raise ValueError(f"equal_start is for the variant zero_padding; {self.variant} has no padded channel")
        return self


class ZeroPadding(Method):
    """The four networks of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = ZeroPaddingSettings

    def __init__(self, settings: ZeroPaddingSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.front = EdgeFront() if settings.picture == "edges" else None
        places = 2 if settings.variant == "zero_padding" else 1
        self.trunk = build_trunk(
            TrunkSettings(
                name=settings.trunk,
                share_from=(settings.share_from or "layer2") if settings.variant == "two_stream" else "stem",
                weights=settings.weights,
                width=settings.width,
                in_channels=places * _CHANNELS[settings.picture],
                last_stride=settings.last_stride,
            )
        )
        self.pool = nn.Sequential(Strips(settings.strips, global_pooling("average")), nn.Flatten())
        names = [m.value for m in Modality] if settings.variant == "asymmetric_fc" else [_SHARED]
        self.classifiers = nn.ModuleDict(
            {name: nn.Linear(settings.strips * self.trunk.channels, persons) for name in names}
        )
        if settings.equal_start:
            with torch.no_grad():
                filters = self.trunk.get_parameter("shared.stem.conv1.weight")  # (width, 2 c, 7, 7)
                first, second = filters.chunk(2, dim=1)
                second.copy_(first)
        self.to(memory_format=torch.channels_last)

    def players(self) -> dict[str, nn.Module]:
        """One player: the whole network."""
        return {"model": self}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """One step over the mixed batch: the identity loss, from each modality's own classifier or from the shared."""
        x_rgb, x_ir = self.x(batch.rgb, Modality.RGB), self.x(batch.ir, Modality.IR)
        z = self.pool(self.trunk(x_rgb, x_ir))  # (2N, D), RGB rows first
        parts = z.chunk(len(self.classifiers))  # one part per classifier
        logits = torch.cat([W(part) for W, part in zip(self.classifiers.values(), parts, strict=True)])  # (2N, persons)
        yield "model", {"identity": identity_loss(logits, torch.cat([batch.person, batch.person]))}

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """z at unit length, through the stages of the pictures' own modality: (B, 3, H, W) -> (B, D)."""
        z: Tensor = self.pool(self.trunk.single(self.x(images, modality), modality))
        return F.normalize(z.float())

    def x(self, images: Tensor, modality: Modality) -> Tensor:
        """What f reads: (B, 3, H, W) in [0, 1] -> (B, C, H, W), C = 1, 3 or 4; twice as many when padded."""
        if self.settings.picture == "colour":
            return normalise(images).contiguous(memory_format=torch.channels_last)
        g = _grey(images) if self.front is None else self.front(images)
        if self.settings.variant == "zero_padding":
            nothing = torch.zeros_like(g)
            g = torch.cat([g, nothing] if modality is Modality.RGB else [nothing, g], dim=1)
        return g.contiguous(memory_format=torch.channels_last)

    def responses(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """What the nodes of each stage answer to pictures of one modality: stage -> (B, C), means over positions."""
        stages = self.trunk.stages(self.x(images, modality), modality)
        return {name: maps.float().mean(dim=(2, 3)) for name, maps in stages}


def _grey(images: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] -> (B, 1, H, W), in the mean of the three channels' units."""
    g = (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(dim=1, keepdim=True)
    return normalise(g.expand(-1, 3, -1, -1)).mean(dim=1, keepdim=True)
