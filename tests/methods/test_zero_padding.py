"""Zero padding and its siblings: published sizes, what each network reads and keeps apart, and the loss by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from tapetum.core import Batch, Modality
from tapetum.errors import RecipeError
from tapetum.methods.method import Progress
from tapetum.methods.zero_padding import ZeroPadding, ZeroPaddingSettings
from tapetum.recipe import read_recipe
from tapetum.training import build_method

RECIPES = Path(__file__).parents[2] / "recipes" / "zero_padding"
VARIANTS = ["one_stream", "two_stream", "asymmetric_fc", "zero_padding"]


def made(persons: int = 4, **settings) -> ZeroPadding:
    torch.manual_seed(0)
    return ZeroPadding(ZeroPaddingSettings.model_validate({"width": 8, **settings}), persons)


def batch(persons: int = 4, size: tuple[int, int] = (32, 16)) -> Batch:
    generator = torch.Generator().manual_seed(0)
    rgb, ir = (torch.rand(2 * persons, 3, *size, generator=generator) for _ in range(2))
    return Batch(rgb, ir, torch.arange(persons).repeat_interleave(2))


def loss_of(method: ZeroPadding, given: Batch) -> torch.Tensor:
    ((player, terms),) = method.step(given, Progress(0, 1))
    assert player == "model"
    assert set(terms) == {"identity"}
    return terms["identity"]


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_network():
    # METHODS section 1: a trunk of about 4.90 M parameters with two input channels, 512 -> 296 with a shift: 151,848.
    # ResNet-10 has 4,905,792 with three input channels; a channel of the first layer holds 7 x 7 x 64 = 3,136.
    method = ZeroPadding(ZeroPaddingSettings(), 296)
    assert count(method.trunk) == 4_905_792 - 3_136
    assert count(method.classifiers) == 512 * 296 + 296 == 151_848
    shapes = {name: tuple(maps.shape) for name, maps in method.trunk.stages(torch.zeros(1, 2, 224, 224), Modality.IR)}
    assert shapes == {
        "stem": (1, 64, 56, 56),
        "layer1": (1, 64, 56, 56),
        "layer2": (1, 128, 28, 28),
        "layer3": (1, 256, 14, 14),
        "layer4": (1, 512, 7, 7),
    }


@pytest.mark.parametrize(
    ("settings", "trunk", "classifiers"),
    [
        ({"variant": "one_stream"}, 4_905_792 - 2 * 3_136, 151_848),
        ({"variant": "one_stream", "picture": "colour"}, 4_905_792, 151_848),
        ({"variant": "asymmetric_fc"}, 4_905_792 - 2 * 3_136, 2 * 151_848),
        # A second stem of one channel (3,136 + 128) and a second first stage (2 x 36,864 + 2 x 128).
        ({"variant": "two_stream"}, 4_905_792 - 2 * 3_136 + 3_264 + 73_984, 151_848),
        ({"variant": "two_stream", "share_from": "layer1"}, 4_905_792 - 2 * 3_136 + 3_264, 151_848),
        # The slimmer network: two stages, ResNet-6 less a channel of its first layer, and 128 -> 296.
        ({"trunk": "resnet6"}, 313_664 - 3_136, 128 * 296 + 296),
    ],
)
def test_sizes_of_the_siblings(settings, trunk, classifiers):
    with torch.device("meta"):
        method = ZeroPadding(ZeroPaddingSettings.model_validate(settings), 296)
    assert (count(method.trunk), count(method.classifiers)) == (trunk, classifiers)


def test_the_cpu_variant_has_about_a_third_of_a_million():
    # METHODS section 1: widths 16-32-64-128, about 0.31 M.
    assert 300_000 < count(made(width=16).trunk) < 320_000


# One pixel of each light by hand. The grey of RGB is 0.299 x 0.5 + 0.587 x 0.2 + 0.114 x 0.9 = 0.3695, infrared has
# three equal channels; in ImageNet's units a grey g is the mean of (g - 0.485) / 0.229, (g - 0.456) / 0.224 and
# (g - 0.406) / 0.225: -0.350917 for 0.3695 and -0.658467 for 0.3.
RGB_PIXEL, IR_PIXEL = [0.5, 0.2, 0.9], [0.3, 0.3, 0.3]
RGB_GREY, IR_GREY = -0.350917, -0.658467


@pytest.mark.parametrize(
    ("variant", "rgb", "ir"),
    [
        ("one_stream", [RGB_GREY], [IR_GREY]),
        ("asymmetric_fc", [RGB_GREY], [IR_GREY]),
        ("zero_padding", [RGB_GREY, 0], [0, IR_GREY]),
    ],
)
def test_the_place_of_the_picture_tells_its_modality(variant, rgb, ir):
    method = made(variant=variant)
    for pixel, modality, expected in ((RGB_PIXEL, Modality.RGB, rgb), (IR_PIXEL, Modality.IR, ir)):
        image = torch.tensor(pixel).view(1, 3, 1, 1).expand(1, 3, 32, 16)
        found = method.x(image, modality)
        assert found.shape == (1, len(expected), 32, 16)
        assert torch.allclose(found, torch.tensor(expected).view(1, -1, 1, 1).expand_as(found), atol=1e-5)


def test_colour_reads_the_three_channels_normalised():
    image = torch.tensor(RGB_PIXEL).view(1, 3, 1, 1).expand(1, 3, 32, 16)
    found = made(variant="one_stream", picture="colour").x(image, Modality.RGB)[0, :, 0, 0]
    expected = [(0.5 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (0.9 - 0.406) / 0.225]
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("modality", list(Modality))
def test_edges_are_padded_as_grey_is(modality):
    # A step from 0 to 1 between the columns 7 and 8: the first edge map, of changes across, sees it, the third not.
    image = (torch.arange(16) >= 8).float().expand(1, 3, 32, 16)
    found = made(picture="edges").x(image, modality)
    held, empty = found.chunk(2, dim=1)[:: 1 if modality is Modality.RGB else -1]
    assert found.shape == (1, 8, 32, 16)
    assert not empty.any()
    assert held[0, 0, 16, 7] > 1
    assert held[0, 2].abs().max() < 1e-6


def test_strips_are_laid_end_to_end():
    method = made(picture="edges", strips=2, last_stride=1)
    pictures = torch.rand(3, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    assert method.embed(pictures, Modality.IR).shape == (3, 2 * method.trunk.channels)


def test_the_loss_by_hand():
    # Classifiers without weights: the logits are their shifts, whatever the pictures, so that
    # -log p_y = log(e^0 + e^1 + e^2 + e^3) - y for persons y = 0, 1, 2, 3, whose mean is 1.5.
    method = made()
    layer = method.classifiers["both"]
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.arange(4.0))
    expected = math.log(sum(math.exp(k) for k in range(4))) - 1.5
    assert loss_of(method, batch()).item() == pytest.approx(expected, rel=1e-5)


def test_each_light_has_a_classifier_of_its_own_in_asymmetric_fc():
    # The RGB half guesses among four (log 4); the infrared half has shifts 0, 1, 2, 3 as above.
    method = made(variant="asymmetric_fc")
    with torch.no_grad():
        for layer in method.classifiers.values():
            layer.weight.zero_()
            layer.bias.zero_()
        method.classifiers["ir"].bias.copy_(torch.arange(4.0))
    ir = math.log(sum(math.exp(k) for k in range(4))) - 1.5
    assert loss_of(method, batch()).item() == pytest.approx((math.log(4) + ir) / 2, rel=1e-5)


GRADIENT_FLOW = {
    # variant: which parts the identity loss of RGB pictures reaches
    "one_stream": {"shared": True, "classifiers.both": True},
    "two_stream": {"own.rgb": True, "own.ir": False, "shared": True, "classifiers.both": True},
    "asymmetric_fc": {"shared": True, "classifiers.rgb": True, "classifiers.ir": False},
    "zero_padding": {"shared": True, "classifiers.both": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_an_rgb_picture_trains(variant):
    method = made(variant=variant).eval()  # fixed norms: in training they mix the rows of a batch
    z = method.pool(method.trunk.single(method.x(batch().rgb, Modality.RGB), Modality.RGB))
    classifier = method.classifiers["rgb" if variant == "asymmetric_fc" else "both"]
    torch.nn.functional.cross_entropy(classifier(z), batch().person).backward()
    parts = {"shared": method.trunk.shared}
    parts |= {f"own.{name}": part for name, part in method.trunk.own.items() if len(list(part.parameters()))}
    parts |= {f"classifiers.{name}": part for name, part in method.classifiers.items()}
    reached = {
        name: any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
        for name, part in parts.items()
    }
    assert reached == GRADIENT_FLOW[variant]


def test_zero_padding_trains_each_channel_with_one_light():
    # The first layer's weights on the channel of zeros have no gradient: conv1 can grow filters of one light.
    method = made().eval()
    for modality, channel in ((Modality.RGB, 0), (Modality.IR, 1)):
        method.zero_grad()
        method.trunk.single(method.x(batch().rgb, modality), modality).square().sum().backward()
        gradient = method.trunk.shared.stem.conv1.weight.grad
        assert gradient[:, channel].abs().sum() > 0
        assert gradient[:, 1 - channel].abs().sum() == 0


@pytest.mark.parametrize(("variant", "alike"), [(v, v in ("one_stream", "asymmetric_fc")) for v in VARIANTS])
def test_which_networks_tell_the_lights_apart(variant, alike):
    # The same picture as RGB and as infrared; two_stream's stages start equal, so one of them is moved first.
    method = made(variant=variant).eval()
    images = batch().rgb
    with torch.inference_mode():
        for parameter in method.trunk.own["ir"].parameters():
            parameter.mul_(1.5)
        one, other = (method.embed(images, modality) for modality in Modality)
    assert torch.allclose(one, other, atol=1e-6) == alike


def test_with_an_equal_start_zero_padding_begins_as_one_stream():
    padded, one = made(equal_start=True).eval(), made(variant="one_stream").eval()
    weights = padded.state_dict()
    first = "trunk.shared.stem.conv1.weight"
    weights[first] = weights[first][:, :1]
    one.load_state_dict(weights)
    with torch.inference_mode():
        for modality in Modality:
            expected = one.embed(batch().rgb, modality)
            assert torch.allclose(padded.embed(batch().rgb, modality), expected, atol=1e-6)
    drawn = made().state_dict()[first]
    assert not torch.equal(drawn[:, 0], drawn[:, 1])


def test_the_test_vector_is_the_pooled_map_at_unit_length():
    method = made(width=16).eval()
    images = batch().ir
    with torch.inference_mode():
        maps = method.trunk.single(method.x(images, Modality.IR), Modality.IR)
        z = maps.mean(dim=(2, 3))
        assert torch.allclose(method.embed(images, Modality.IR), z / z.norm(dim=1, keepdim=True), atol=1e-6)
    assert z.shape == (8, 8 * 16)


@pytest.mark.parametrize("variant", VARIANTS)
def test_responses_are_the_mean_answers_of_each_stage(variant):
    method = made(variant=variant).eval()
    images = batch().ir
    with torch.inference_mode():
        answers = method.responses(images, Modality.IR)
        z = method.pool(method.trunk.single(method.x(images, Modality.IR), Modality.IR))
        assert {name: tuple(answer.shape) for name, answer in answers.items()} == {
            "stem": (8, 8), "layer1": (8, 8), "layer2": (8, 16), "layer3": (8, 32), "layer4": (8, 64),
        }  # fmt: skip
        assert torch.allclose(answers["layer4"], z, atol=1e-6)
        assert all((answer >= 0).all() for answer in answers.values())


def test_settings_that_say_nothing_are_refused():
    with pytest.raises(ValidationError, match="zero padding reads grey pictures or edges"):
        ZeroPaddingSettings(picture="colour")
    with pytest.raises(
        ValidationError, match="share_from is for the variant two_stream; one_stream shares every stage"
    ):
        ZeroPaddingSettings(variant="one_stream", share_from="layer2")
    with pytest.raises(ValidationError, match="equal_start is for the variant zero_padding; two_stream has no padded"):
        ZeroPaddingSettings(variant="two_stream", equal_start=True)
    with pytest.raises(RecipeError, match="no stage is called 'layer3'"):
        made(variant="two_stream", trunk="resnet6", share_from="layer3")
    with pytest.raises(RecipeError, match="width 64 and 3 channels, not 64 and 2"):
        made(trunk="resnet18", weights="imagenet", width=64)


@pytest.mark.parametrize(("name", "persons"), [("sysu_mm01", 296), ("regdb", 206)])
def test_the_full_size_recipes_hold_the_published_settings(name, persons):
    # METHODS section 1: 224 x 224, SGD 1e-3 with momentum 0.9 and weight decay 5e-4, batches of 64, moves of +-10 %.
    recipe = read_recipe(RECIPES / f"{name}.yaml")
    assert (recipe.image.height, recipe.image.width) == (224, 224)
    assert 2 * recipe.batch.persons * recipe.batch.crops == 64
    model = recipe.optimisers["model"]
    assert (model.kind, model.learning_rate, model.momentum, model.weight_decay) == ("sgd", 1e-3, 0.9, 5e-4)
    augmentation = recipe.augmentation
    assert (augmentation.padding, augmentation.flip, augmentation.erasing) == (22, 0, 0)
    method = build_method(recipe, persons)
    assert count(method) == 4_902_656 + 512 * persons + persons
