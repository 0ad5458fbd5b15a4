"""The two-stream trunk: the first stages apart for each light, the later ones shared."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tapetum.core import Modality
from tapetum.errors import RecipeError, did_you_mean
from tapetum.nets.efficientnet import EFFICIENTNET_LITE0, efficientnet_lite0
from tapetum.nets.non_local import NonLocalBlock
from tapetum.nets.pretrained import fetch_imagenet, load_weights, read_weights
from tapetum.nets.resnet import RESNETS, Backbone, resnet

# AGW: after each of the last two blocks of layer2 and of the last three of layer3.
NON_LOCAL_BLOCKS = {"layer2": 2, "layer3": 3}


# Of a channels-last convolution of 1 x 1 and stride 2 with 2 to 7 input channels, oneDNN's backward pass writes past
# its memory (torch 2.13).
LEAST_WIDTH = 8


@dataclass(frozen=True)
class TrunkSettings:
    """What a two-stream trunk is made of.

    name: "resnet6", "resnet10", "resnet18", "resnet34", "resnet50" or "efficientnet_lite0".
    share_from: the first stage that both modalities share: "stem" (all shared), "layer1" (AGW: own stems), "layer2"
    (HC-Tri), "layer3" (MMD-ReID), "layer4", or "head" (BDTR: two complete streams, nothing of the trunk shared).
    weights: "none" (drawn), "imagenet", or the path of a weights file.
    width: channels of a ResNet's first stage, at least 8 (published: 64; 16 and 32 suit a CPU).
    in_channels: of the pictures (4 after `EdgeFront`).
    non_local_channels: inner channels of AGW's non-local blocks (published: 1); 0 for a trunk without.
    last_stride: of a ResNet's layer4 (1 in today's frames, 2 in the shallow networks of zero padding).
    """

    name: str = "resnet50"
    share_from: str = "layer1"
    weights: str = "none"
    width: int = 64
    in_channels: int = 3
    non_local_channels: int = 0
    last_stride: int = 1


class TwoStreamTrunk(nn.Module):
    """Pictures of two lights through stages of their own, then together through the shared ones.

    backbone: the stages; those before `share_from` are copied, so that both modalities start from the same weights.
    `channels`: of the maps it puts out; `stage_channels`: of each stage's. Pictures are (N, 3, H, W), normalised by
    ImageNet's mean and deviation; maps are (N, channels, H / 16, W / 16), halves rounded up (ResNet-50, 288 x 144:
    2048 x 18 x 9); H / 32 with last_stride 2.
    Raises RecipeError for a stage that the backbone does not have. Source: METHODS 12, common frame.
    """

    def __init__(self, backbone: Backbone, share_from: str) -> None:
        super().__init__()
        names = list(backbone.stages)
        places = [*names, "head"]
        if share_from not in places:
            raise RecipeError(f"no stage is called '{share_from}' (share_from). {did_you_mean(share_from, places)}")
        cut = places.index(share_from)
        self.own = nn.ModuleDict(
            {modality.value: _chain(copy.deepcopy(backbone.stages), names[:cut]) for modality in Modality}
        )
        self.shared = _chain(backbone.stages, names[cut:])
        self.stage_channels = dict(backbone.channels)
        self.channels = backbone.channels[names[-1]]

    def forward(self, rgb: Tensor, ir: Tensor) -> Tensor:
        """A mixed batch in one pass: rgb (N, 3, H, W), ir (M, 3, H, W) -> maps (N + M, C, h, w), RGB rows first.

        The shared batch norms see both modalities together, as in all published systems of this frame.
        """
        together = torch.cat([self.own[Modality.RGB](rgb), self.own[Modality.IR](ir)])
        maps: Tensor = self.shared(together)
        return maps

    def single(self, images: Tensor, modality: Modality) -> Tensor:
        """Pictures of one modality: (N, 3, H, W) -> maps (N, C, h, w)."""
        maps: Tensor = self.shared(self.own[modality](images))
        return maps

    def stages(self, images: Tensor, modality: Modality) -> Iterator[tuple[str, Tensor]]:
        """The maps that `single` goes through: (stage's name, (N, C, h, w)) after each stage, own ones first."""
        maps = images
        for chain in (self.own[modality], self.shared):
            for name, stage in chain.named_children():
                maps = stage(maps)
                yield name, maps


def build_trunk(settings: TrunkSettings) -> TwoStreamTrunk:
    """The trunk that the settings describe, with its weights drawn (torch's seed) or loaded.

    Raises RecipeError for unknown names, impossible numbers and weights that cannot be had, InputError for a package
    that is not installed.
    """
    for field, least in (("width", LEAST_WIDTH), ("in_channels", 1)):
        if getattr(settings, field) < least:
            raise RecipeError(f"{field} is {getattr(settings, field)}. Give a whole number of at least {least}.")
    if settings.name == EFFICIENTNET_LITE0:
        if (settings.width, settings.in_channels, settings.last_stride) != (64, 3, 1):
            raise RecipeError(
                f"{settings.name} has one size and 3 channels. Leave width, in_channels and last_stride out."
            )
        backbone = efficientnet_lite0(settings.weights)
    elif settings.name in RESNETS:
        backbone = _resnet(settings)
    else:
        known = [*RESNETS, EFFICIENTNET_LITE0]
        raise RecipeError(f"no trunk is called '{settings.name}'. {did_you_mean(settings.name, known)}")
    if settings.non_local_channels:
        backbone = _with_non_local(backbone, settings.non_local_channels)
    return TwoStreamTrunk(backbone, settings.share_from)


def _resnet(settings: TrunkSettings) -> Backbone:
    backbone = resnet(RESNETS[settings.name], settings.width, settings.in_channels, settings.last_stride)
    if settings.weights == "none":
        return backbone
    if settings.weights == "imagenet":
        if (settings.width, settings.in_channels) != (64, 3):
            raise RecipeError(
                f"ImageNet weights are for width 64 and 3 channels, not {settings.width} and {settings.in_channels}."
                " Use these; or --set settings.weights=none trains from scratch."
            )
        source, state = f"torchvision's {settings.name}", fetch_imagenet(settings.name)
    else:
        source, state = settings.weights, read_weights(Path(settings.weights))
    # Weight files know no stem: its layers stand at the top there ("conv1.weight", then "layer1.0.conv1.weight").
    load_weights(backbone.stages["stem"], state, source)
    load_weights(
        nn.ModuleDict({name: stage for name, stage in backbone.stages.items() if name != "stem"}), state, source
    )
    return backbone


def _with_non_local(backbone: Backbone, inner: int) -> Backbone:
    """The same stages, with a non-local block after each of the last blocks of layer2 and layer3."""
    stages = dict(backbone.stages)
    if not set(NON_LOCAL_BLOCKS) <= set(stages):
        raise RecipeError(f"this trunk ends with {list(stages)[-1]}, before layer3. Set non_local_channels to 0.")
    for name, count in NON_LOCAL_BLOCKS.items():
        blocks = list(stages[name])
        plain, followed = blocks[:-count], blocks[-count:]
        pairs = [module for block in followed for module in (block, NonLocalBlock(backbone.channels[name], inner))]
        stages[name] = nn.Sequential(*plain, *pairs)
    return Backbone(stages, backbone.channels)


def _chain(stages: Mapping[str, nn.Sequential], names: list[str]) -> nn.Sequential:
    chain = nn.Sequential()
    for name in names:
        chain.add_module(name, stages[name])
    return chain
