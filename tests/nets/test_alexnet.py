"""AlexNet's stages: published counts and shapes, torchvision's values from torchvision's weights, bad weights."""

from __future__ import annotations

import pytest
import torch
import torchvision

from tapetum.errors import RecipeError
from tapetum.nets import alexnet as module
from tapetum.nets.alexnet import ALEXNETS, alexnet
from tapetum.nets.resnet import Backbone

STAGES = ["stem", "layer1", "layer2", "layer3", "layer4", "fc6"]


def on_meta(name: str, in_channels: int = 3) -> Backbone:
    with torch.device("meta"):
        return alexnet(name, in_channels=in_channels)


def count(stage: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in stage.parameters())


def test_published_sizes():
    # METHODS 2.1: 2.33 M in the convolutions and 37.75 M in fc6. By hand, grouped: 96 x 3 x 121 + 96 = 34,944;
    # 256 x 48 x 25 + 256 = 307,456; 384 x 256 x 9 + 384 = 885,120; 384 x 192 x 9 + 384 = 663,936;
    # 256 x 192 x 9 + 256 = 442,624. fc6: 9216 x 4096 = 37,748,736, and its norm 8,192.
    stages = on_meta("alexnet_grouped").stages
    assert [count(stages[name]) for name in STAGES] == [34944, 307456, 885120, 663936, 442624, 37748736 + 8192]
    # torchvision's: 64 x 363 + 64, 192 x 1600 + 192, 384 x 1728 + 384, 256 x 3456 + 256, 256 x 2304 + 256.
    stages = on_meta("alexnet").stages
    assert [count(stages[name]) for name in STAGES] == [23296, 307392, 663936, 884992, 590080, 37748736 + 8192]


@pytest.mark.parametrize("name", ALEXNETS)
def test_published_shapes(name):
    # 227 x 227 ends as 6 x 6 in both layouts; the first map is 55 before its pooling, or 56 with padding 2.
    backbone = on_meta(name)
    maps = torch.empty(2, 3, 227, 227, device="meta")
    shapes = []
    for stage in STAGES:
        maps = backbone.stages[stage](maps)
        shapes.append(tuple(maps.shape[1:]))
    c = ALEXNETS[name].channels
    assert shapes == [(c[0], 27, 27), (c[1], 13, 13), (c[2], 13, 13), (c[3], 13, 13), (c[4], 6, 6), (4096,)]
    assert [backbone.channels[stage] for stage in STAGES] == [*c, 4096]


def test_other_sizes_and_channels():
    maps = torch.empty(2, 4, 128, 64, device="meta")
    for stage in on_meta("alexnet", in_channels=4).stages.values():
        maps = stage(maps)
    assert maps.shape == (2, 4096)


def test_torchvisions_weights_give_torchvisions_values(monkeypatch):
    torch.manual_seed(0)
    reference = torchvision.models.alexnet()
    torch.nn.init.zeros_(reference.classifier[1].bias)
    monkeypatch.setattr(module, "read_weights", lambda path: reference.state_dict())
    backbone = alexnet("alexnet", weights="w.pth")
    images = torch.randn(2, 3, 227, 227)
    with torch.inference_mode():
        expected = reference.classifier[1](reference.features(images).flatten(1))
        found = images
        for name, stage in backbone.stages.items():
            found = stage.eval()(found) if name != "fc6" else stage.fc6(stage.flatten(stage.pool(found)))
    torch.testing.assert_close(found, expected)


def test_weights_may_be_called_as_the_layers_are(monkeypatch):
    torch.manual_seed(0)
    given = alexnet("alexnet_grouped")
    state = {
        f"{layer}.{kind}": value
        for stage in given.stages.values()
        for name, value in stage.state_dict().items()
        for layer, _, kind in [name.partition(".")]
        if layer != "norm"
    }
    assert len(state) == 11
    monkeypatch.setattr(module, "read_weights", lambda path: state)
    found = alexnet("alexnet_grouped", weights="w.pth")
    for name in STAGES:
        for one, other in zip(given.stages[name].parameters(), found.stages[name].parameters(), strict=True):
            assert torch.equal(one, other)


def test_response_norms_stand_in_the_first_layout_alone():
    kinds = {
        name: [
            stage
            for stage, layers in on_meta(name).stages.items()
            if any(isinstance(layer, torch.nn.LocalResponseNorm) for layer in layers)
        ]
        for name in ALEXNETS
    }
    assert kinds == {"alexnet": [], "alexnet_grouped": ["stem", "layer1"]}


def test_bad_weights(monkeypatch):
    with pytest.raises(RecipeError, match="no ImageNet weights of 'alexnet_grouped'"):
        alexnet("alexnet_grouped", weights="imagenet")
    with pytest.raises(RecipeError, match=r"no weights file gone\.pth"):
        alexnet("alexnet", weights="gone.pth")
    with torch.device("meta"):
        whole = torchvision.models.alexnet().state_dict()
    state = {name: value for name, value in whole.items() if not name.startswith("features.3")}
    monkeypatch.setattr(module, "read_weights", lambda path: state)
    with pytest.raises(RecipeError, match=r"w\.pth: 'conv2\.weight' is missing, expected shape \(192, 64, 5, 5\)"):
        alexnet("alexnet", weights="w.pth")
