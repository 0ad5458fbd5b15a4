"""The two-stream trunk: published sizes and shapes, torchvision as a second opinion, what is shared and what is not."""

import copy

import pytest
import torch
import torchvision

from tapetum.core import Modality
from tapetum.errors import RecipeError
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.non_local import NonLocalBlock

SMALL = TrunkSettings("resnet10", width=8)


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


def pictures(count=2, height=32, width=16, channels=3, seed=0):
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(seed))


def on_meta(settings):
    """The trunk without memory behind its weights: enough to count and to follow shapes."""
    with torch.device("meta"):
        return build_trunk(settings)


@pytest.mark.parametrize(
    ("name", "share_from", "parameters"),
    [
        ("resnet50", "stem", 23_508_032),
        ("resnet50", "layer1", 23_517_568),
        ("resnet18", "stem", 11_176_512),
        ("resnet10", "stem", 4_905_792),
        # Stem 9,408 + 128; layer1 2 x 36,864 + 256; layer2 73,728 + 147,456 + 8,192 + 3 x 256.
        ("resnet6", "stem", 313_664),
        # A second stem and layer1 on top: 9,536 + 215,808; and layer2: 1,219,584 (sums of the published layers).
        ("resnet50", "layer2", 23_508_032 + 9_536 + 215_808),
        ("resnet50", "layer3", 23_508_032 + 9_536 + 215_808 + 1_219_584),
    ],
)
def test_published_number_of_parameters(name, share_from, parameters):
    trunk = on_meta(TrunkSettings(name, share_from))
    assert size(trunk) == parameters
    assert trunk.channels == {"resnet50": 2048, "resnet6": 128}.get(name, 512)


def test_published_shapes_of_resnet50_at_288_by_144():
    trunk = on_meta(TrunkSettings("resnet50", "stem"))
    maps, shapes = torch.empty(1, 3, 288, 144, device="meta"), {}
    for name, stage in trunk.shared.named_children():
        maps = stage(maps)
        shapes[name] = tuple(maps.shape[1:])
    assert shapes == {
        "stem": (64, 72, 36),
        "layer1": (256, 72, 36),
        "layer2": (512, 36, 18),
        "layer3": (1024, 18, 9),
        "layer4": (2048, 18, 9),
    }


@pytest.mark.parametrize(("name", "last_stride", "shape"), [
    ("resnet10", 2, (512, 7, 7)),  # METHODS section 1: averaged over 7 x 7
    ("resnet10", 1, (512, 14, 14)),
    ("resnet6", 1, (128, 28, 28)),
])  # fmt: skip
def test_shapes_of_the_shallow_networks_at_224(name, last_stride, shape):
    trunk = on_meta(TrunkSettings(name, "stem", in_channels=2, last_stride=last_stride))
    assert trunk.single(torch.empty(1, 2, 224, 224, device="meta"), Modality.RGB).shape[1:] == shape


def test_a_stride_changes_no_weight():
    assert size(on_meta(TrunkSettings("resnet10", last_stride=2))) == size(on_meta(TrunkSettings("resnet10")))


@pytest.mark.parametrize("width", [16, 32])
def test_small_trunks_for_a_cpu(width):
    trunk = build_trunk(TrunkSettings("resnet18", width=width))
    assert trunk(pictures(1, 128, 64), pictures(2, 128, 64)).shape == (3, 8 * width, 8, 4)
    # Convolutions shrink with the square of the width, all else linearly; only the stem has a fixed input.
    full = build_trunk(TrunkSettings("resnet18"))
    convolutions = sum(p.numel() for p in full.shared.parameters() if p.ndim == 4)
    norms = sum(p.numel() for p in full.shared.parameters() if p.ndim == 1)
    assert size(trunk.shared) == convolutions * width**2 // 64**2 + norms * width // 64


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_same_maps_as_torchvision_with_its_last_stride_removed(name, tmp_path):
    torch.manual_seed(0)
    reference = getattr(torchvision.models, name)()
    torch.save(reference.state_dict(), tmp_path / "w.pth")
    for part in ("conv1", "conv2", "downsample"):
        layer = getattr(reference.layer4[0], part)
        layer = layer[0] if part == "downsample" else layer
        layer.stride = (1, 1)
    reference.avgpool, reference.fc = torch.nn.Identity(), torch.nn.Identity()
    trunk = build_trunk(TrunkSettings(name, "layer2", weights=str(tmp_path / "w.pth"))).eval()
    images = pictures(2, 64, 32)
    with torch.no_grad():
        expected = reference.eval()(images).view(2, trunk.channels, 4, 2)
        torch.testing.assert_close(trunk.single(images, Modality.RGB), expected)
        torch.testing.assert_close(trunk.single(images, Modality.IR), expected)


@pytest.mark.parametrize("share_from", ["stem", "layer1", "layer2", "layer3", "layer4"])
def test_own_stages_stand_before_the_shared_ones(share_from):
    trunk = build_trunk(TrunkSettings("resnet10", share_from, width=8))
    stages = ["stem", "layer1", "layer2", "layer3", "layer4"]
    cut = stages.index(share_from)
    for modality in Modality:
        assert [name for name, _ in trunk.own[modality].named_children()] == stages[:cut]
    assert [name for name, _ in trunk.shared.named_children()] == stages[cut:]


def test_each_modality_trains_its_own_stages_and_all_shared_ones():
    trunk = build_trunk(SMALL)
    assert torch.equal(trunk.own["rgb"].stem.conv1.weight, trunk.own["ir"].stem.conv1.weight)
    for modality, other in ((Modality.RGB, Modality.IR), (Modality.IR, Modality.RGB)):
        trunk.zero_grad()
        trunk.single(pictures(), modality).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trunk.own[modality].parameters())
        assert all(p.grad is None for p in trunk.own[other].parameters())
        assert all(p.grad is not None for p in trunk.shared.parameters())


def test_a_mixed_batch_is_the_two_lights_one_after_the_other():
    trunk = build_trunk(SMALL).eval()
    with torch.no_grad():
        trunk.own["ir"].stem.conv1.weight.mul_(-0.5)
        rgb, ir = pictures(3, seed=1), pictures(2, seed=2)
        expected = torch.cat([trunk.single(rgb, Modality.RGB), trunk.single(ir, Modality.IR)])
        torch.testing.assert_close(trunk(rgb, ir), expected)
        assert not torch.allclose(trunk.single(ir, Modality.RGB), trunk.single(ir, Modality.IR))


def test_shared_norms_see_both_modalities_at_once():
    trunk = build_trunk(SMALL)
    seen = []
    trunk.shared.layer1[0].bn1.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    trunk.own["rgb"].stem.bn1.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    trunk(pictures(3), pictures(2))
    assert seen == [3, 5]


def test_non_local_blocks_stand_where_agw_has_them():
    agw = on_meta(TrunkSettings("resnet50", non_local_channels=1))
    kinds = {
        name: "".join("n" if isinstance(block, NonLocalBlock) else "b" for block in stage)
        for name, stage in agw.shared.named_children()
    }
    assert kinds == {"layer1": "bbb", "layer2": "bbbnbn", "layer3": "bbbbnbnbn", "layer4": "bbb"}
    # 7 C + 3 parameters each at one inner channel: two at 512 channels, three at 1024.
    assert size(agw) == 23_517_568 + 2 * (7 * 512 + 3) + 3 * (7 * 1024 + 3)


def test_non_local_blocks_start_as_identity_and_leave_loaded_weights_in_place(tmp_path):
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "w.pth")
    plain, with_blocks = (
        build_trunk(TrunkSettings("resnet18", "layer3", str(tmp_path / "w.pth"), non_local_channels=inner)).eval()
        for inner in (0, 1)
    )
    with torch.no_grad():
        assert torch.equal(with_blocks(pictures(1), pictures(1)), plain(pictures(1), pictures(1)))


def test_saved_and_loaded_trunks_are_equal():
    trunk = build_trunk(SMALL)
    trunk(pictures(), pictures())
    other = build_trunk(SMALL)
    other.load_state_dict(copy.deepcopy(trunk.state_dict()))
    with torch.no_grad():
        assert torch.equal(trunk.eval()(pictures(), pictures()), other.eval()(pictures(), pictures()))


def test_the_memory_format_changes_nothing_but_the_layout():
    trunk = build_trunk(TrunkSettings("resnet10", width=8, in_channels=4)).eval()
    images = pictures(channels=4)
    with torch.no_grad():
        expected = trunk(images, images)
        found = trunk.to(memory_format=torch.channels_last)(images, images)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected)


def test_bad_settings():
    with pytest.raises(RecipeError, match=r"no trunk is called 'resnet5'\. Did you mean 'resnet50'"):
        build_trunk(TrunkSettings("resnet5"))
    with pytest.raises(RecipeError, match=r"no stage is called 'layer5' \(share_from\)\. Did you mean 'layer4'"):
        build_trunk(TrunkSettings("resnet10", "layer5"))
    with pytest.raises(RecipeError, match="width is 0"):
        build_trunk(TrunkSettings(width=0))
    with pytest.raises(RecipeError, match=r"width is 7\. Give a whole number of at least 8"):
        build_trunk(TrunkSettings("resnet10", width=7))
    with pytest.raises(RecipeError, match="width 64 and 3 channels, not 32 and 3"):
        build_trunk(TrunkSettings("resnet18", weights="imagenet", width=32))
    with pytest.raises(RecipeError, match="no ImageNet weights of 'resnet10'"):
        build_trunk(TrunkSettings("resnet10", weights="imagenet"))
    with pytest.raises(RecipeError, match=r"ends with layer2, before layer3\. Set non_local_channels to 0"):
        build_trunk(TrunkSettings("resnet6", non_local_channels=1))
    with pytest.raises(RecipeError, match="Leave width, in_channels and last_stride out"):
        build_trunk(TrunkSettings("efficientnet_lite0", width=32))


def test_two_complete_streams_share_nothing():
    trunk = build_trunk(TrunkSettings("resnet10", "head", width=8))
    assert [name for name, _ in trunk.own["ir"].named_children()] == ["stem", "layer1", "layer2", "layer3", "layer4"]
    assert size(trunk.shared) == 0
    assert size(trunk) == 2 * size(build_trunk(TrunkSettings("resnet10", "stem", width=8)))
    with torch.no_grad():
        before = trunk.eval()(pictures(2), pictures(2))
        trunk.own["ir"].stem.conv1.weight.zero_()
        after = trunk(pictures(2), pictures(2))
    assert torch.equal(after[:2], before[:2])
    assert not torch.allclose(after[2:], before[2:])
    # METHODS 2.4: two complete ResNet-50.
    assert size(on_meta(TrunkSettings("resnet50", "head"))) == 2 * 23_508_032
