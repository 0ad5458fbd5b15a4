"""Residual networks as a row of stages, at any width, with the last stage's stride removed or kept."""

from __future__ import annotations

from dataclasses import dataclass

from timm.models.resnet import BasicBlock, Bottleneck
from torch import nn

STAGE_STRIDES = (1, 2, 2)  # of layer1 ... layer3; layer4 has a stride of its own


@dataclass(frozen=True)
class Backbone:
    """A trunk in stages from picture to map: "stem", "layer1" ... "layer4", and the channels that each one puts out."""

    stages: dict[str, nn.Sequential]
    channels: dict[str, int]


@dataclass(frozen=True)
class ResNetPlan:
    """Blocks per stage, one to four stages, and whether they are bottlenecks (three convolutions, four-fold output)."""

    blocks: tuple[int, ...]
    bottleneck: bool = False


RESNETS = {
    "resnet6": ResNetPlan((1, 1)),
    "resnet10": ResNetPlan((1, 1, 1, 1)),
    "resnet18": ResNetPlan((2, 2, 2, 2)),
    "resnet34": ResNetPlan((3, 4, 6, 3)),
    "resnet50": ResNetPlan((3, 4, 6, 3), bottleneck=True),
}


def resnet(plan: ResNetPlan, width: int = 64, in_channels: int = 3, last_stride: int = 1) -> Backbone:
    """A ResNet without head, weights drawn as in He et al., 2015.

    width: channels of the stem and of layer1's blocks; doubled from stage to stage.
    last_stride: of layer4. The field keeps it at 1: a 288 x 144 picture ends as 18 x 9, a sixteenth; 2 halves that.
    Parameters at width 64 and 3 channels: ResNet-6 313,664; ResNet-10 4,905,792; ResNet-18 11,176,512; ResNet-50
    23,508,032.
    The names inside the stages are those of torchvision's and timm's weights.
    """
    block = Bottleneck if plan.bottleneck else BasicBlock
    stages = {"stem": _stem(in_channels, width)}
    channels = {"stem": width}
    inputs = width
    for index, (count, stride) in enumerate(zip(plan.blocks, (*STAGE_STRIDES, last_stride), strict=False)):
        name, planes = f"layer{index + 1}", width * 2**index
        outputs = planes * block.expansion
        first = block(inputs, planes, stride, _shortcut(inputs, outputs, stride))
        stages[name] = nn.Sequential(first, *(block(outputs, planes) for _ in range(count - 1)))
        channels[name] = inputs = outputs
    for stage in stages.values():
        _draw_weights(stage)
    return Backbone(stages, channels)


def _stem(in_channels: int, width: int) -> nn.Sequential:
    stem = nn.Sequential()
    stem.add_module("conv1", nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False))
    stem.add_module("bn1", nn.BatchNorm2d(width))
    stem.add_module("act1", nn.ReLU(inplace=True))
    stem.add_module("maxpool", nn.MaxPool2d(3, stride=2, padding=1))
    return stem


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


def _draw_weights(stage: nn.Module) -> None:
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
