"""AlexNet's five convolutions and its fc6 as a row of stages: the streams of TONE and BDTR."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from tapetum.nets.pretrained import fetch_imagenet, load_weights, read_weights
from tapetum.nets.resnet import Backbone

FC6 = 4096
_SIDE = 6  # of the last map, for pictures of 227 x 227
_KERNELS = (11, 5, 3, 3, 3)
_STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
_POOLED = ("stem", "layer1", "layer4")
# torchvision's names of the layers; other files have to call them conv1 ... conv5 and fc6.
_TORCHVISION = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3",
    "features.8": "conv4",
    "features.10": "conv5",
    "classifier.1": "fc6",
}


@dataclass(frozen=True)
class AlexNetPlan:
    """Channels and groups of the five convolutions, conv1's padding, and local response norms after conv1 and conv2."""

    channels: tuple[int, ...]
    groups: tuple[int, ...]
    padding: int
    response_norm: bool


ALEXNETS = {
    "alexnet": AlexNetPlan((64, 192, 384, 256, 256), (1, 1, 1, 1, 1), padding=2, response_norm=False),
    "alexnet_grouped": AlexNetPlan((96, 256, 384, 384, 256), (1, 2, 1, 2, 2), padding=0, response_norm=True),
}


def alexnet(name: str, weights: str = "none", in_channels: int = 3) -> Backbone:
    """AlexNet up to fc6 and a batch norm on it (no ReLU between them): (N, 3, 227, 227) -> vectors (N, 4096).

    name: "alexnet" (torchvision's layout, 2,469,696 parameters in the convolutions) or "alexnet_grouped" (the first
    layout of Krizhevsky et al., 2012, as in the published code of BDTR: 2,334,080, of which no ImageNet weights are at
    hand). weights: "none", "imagenet", or the path of a weights file with torchvision's names of the layers or with
    conv1 ... conv5, fc6. fc6 has 9216 x 4096 weights and no bias, which the norm would take away.
    Stages: "stem" is conv1, "layer1" ... "layer4" are conv2 ... conv5, "fc6" is fc6 with its norm. Maps of other sizes
    are averaged to 6 x 6 before fc6; pictures below 63 x 63 are too small for the three poolings.
    Raises RecipeError for weights that do not fit. Source: METHODS 2.1.
    """
    plan = ALEXNETS[name]
    stages: dict[str, nn.Sequential] = {}
    channels: dict[str, int] = {}
    inputs = in_channels
    for index, stage in enumerate(_STAGES):
        stages[stage] = _convolution(plan, index, inputs)
        inputs = channels[stage] = plan.channels[index]
    stages["fc6"] = nn.Sequential()
    stages["fc6"].add_module("pool", nn.AdaptiveAvgPool2d(_SIDE))
    stages["fc6"].add_module("flatten", nn.Flatten())
    stages["fc6"].add_module("fc6", nn.Linear(inputs * _SIDE**2, FC6, bias=False))
    stages["fc6"].add_module("norm", nn.BatchNorm1d(FC6))
    channels["fc6"] = FC6
    layers = nn.ModuleDict({layer: stages[stage].get_submodule(layer) for stage, layer in _layers()})
    if weights == "none":
        _draw_weights(layers)
    else:
        state = fetch_imagenet(name) if weights == "imagenet" else read_weights(Path(weights))
        load_weights(layers, _renamed(state), f"torchvision's {name}" if weights == "imagenet" else weights)
    return Backbone(stages, channels)


def _layers() -> list[tuple[str, str]]:
    """Which layer with weights stands in which stage."""
    return [*((stage, f"conv{index + 1}") for index, stage in enumerate(_STAGES)), ("fc6", "fc6")]


def _convolution(plan: AlexNetPlan, index: int, inputs: int) -> nn.Sequential:
    kernel, first = _KERNELS[index], index == 0
    convolution = nn.Conv2d(
        inputs,
        plan.channels[index],
        kernel,
        stride=4 if first else 1,
        padding=plan.padding if first else kernel // 2,
        groups=plan.groups[index],
    )
    stage = nn.Sequential()
    stage.add_module(f"conv{index + 1}", convolution)
    stage.add_module("act", nn.ReLU(inplace=True))
    if plan.response_norm and index < 2:
        stage.add_module("norm", nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0))
    if _STAGES[index] in _POOLED:
        stage.add_module("pool", nn.MaxPool2d(3, stride=2))
    return stage


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        renamed[f"{_TORCHVISION.get(layer, layer)}.{kind}"] = value
    return renamed


def _draw_weights(layers: nn.ModuleDict) -> None:
    for layer in layers.values():
        nn.init.kaiming_normal_(layer.get_parameter("weight"), nonlinearity="relu")
        if getattr(layer, "bias", None) is not None:
            nn.init.zeros_(layer.get_parameter("bias"))
