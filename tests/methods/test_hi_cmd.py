"""Hi-CMD: published sizes, which term reaches which network, whose part is painted, and what its pictures hold."""

from __future__ import annotations

import copy

import pytest
import torch

import tapetum.methods.hi_cmd as module
from tapetum.core import Batch, Modality
from tapetum.data.transforms import normalise
from tapetum.errors import RecipeError
from tapetum.losses.identity import identity_loss
from tapetum.losses.reconstruction import reconstruction_loss
from tapetum.methods.hi_cmd import HiCmd, HiCmdSettings
from tapetum.methods.method import Generative, Pictures, Progress, reconstruct, swap
from tapetum.model_file import load_model, save_model
from tapetum.nets.convolution import ConvBlock
from tapetum.nets.structure_encoder import sketch

TINY = {
    "trunk": "resnet10", "weights": "none", "width": 8, "code_width": 1, "style_width": 8, "dilations": (1, 2, 3),
    "discriminator_width": 2, "scales": 2, "embedding": 12, "metric_embedding": 6, "dropout": 0.0, "erasing": 0.0,
}  # fmt: skip
WEIGHTS = ("reconstruction", "cross", "cycle", "adversarial", "code", "excluded", "identity", "exchanged", "metric")
EVEN, ODD = Progress(8, 10), Progress(9, 10)
PERSON = torch.tensor([0, 0, 2, 2, 4, 4])


def made(**settings) -> HiCmd:
    torch.manual_seed(0)
    return HiCmd(HiCmdSettings.model_validate({**TINY, **settings}), 5)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    rgb, ir = (torch.rand(6, 3, 32, 16, generator=generator) for _ in range(2))
    return Batch(rgb, ir, PERSON)


def one_step(method: HiCmd, progress: Progress = EVEN) -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(3)
    return {player: dict(terms) for player, terms in method.step(batch(), progress)}


def total(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


def count(*modules: torch.nn.Module) -> int:
    return sum(p.numel() for part in modules for p in part.parameters())


def test_published_sizes():
    # METHODS 7 and 9.1, by hand. E_p at base 32 and 3 channels: 896 + 18,496 + 36,928 + 73,856, four blocks of 295,168,
    # ASPP 8,256 + 3 x 45,184, 65,792. G: blocks 4 x 1,180,160, eight MLPs of 787,968, 819,584 + 204,992 + 2 x 36,928
    # + 195.
    with torch.device("meta"):
        method = HiCmd(HiCmdSettings(weights="none"), 395)
    for light in Modality:
        found = [count(part[light]) for part in (method.E_p, method.E_a, method.D)]
        assert found == [1_520_448, 23_508_032, 1_025_571]
    assert count(method.G) == 12_123_011
    assert count(method.H) == 8_317_953
    assert count(method.head) == 2048 * 2048 + 2048 + 2 * 2048 + 2048 * 395 + 395
    assert count(method.T) == 2048 * 1024 + 1024
    assert {layer.slope for layer in method.E_p.modules() if isinstance(layer, ConvBlock)} == {0.3}
    assert {layer.slope for layer in method.G.modules() if isinstance(layer, ConvBlock)} == {0.2}


def test_the_order_of_play():
    even, odd = one_step(made()), one_step(made(), ODD)
    assert list(even) == list(odd) == ["discriminator", "generator", "identity"]
    assert list(even["discriminator"]) == ["adversarial", "r1"]
    painting = ["adversarial", "reconstruction", "cross", "cycle", "code", "excluded", "identity", "triplet"]
    assert list(even["generator"]) == [*painting, "exchanged"]
    assert list(odd["generator"]) == [*painting, "generated"]
    assert set(made().players()) == set(even)
    assert set(one_step(made(adversarial_weight=0.0))) == {"generator", "identity"}


PAINTS = {"generator": {"E_p", "G"}, "identity": {"E_a"}}
READS = {"generator": {"E_p"}, "identity": {"E_a", "H", "head"}}
GRADIENT_FLOW = {
    # term, in which step: player that it is yielded to -> the networks that its gradient reaches; others get none
    ("reconstruction", EVEN): PAINTS,
    ("cross", EVEN): PAINTS,
    ("cycle", EVEN): PAINTS,
    ("code", EVEN): PAINTS,
    ("adversarial", EVEN): {"discriminator": {"D"}, **PAINTS},
    ("excluded", EVEN): {"identity": {"E_a"}},
    ("identity", EVEN): READS,
    ("exchanged", EVEN): READS,
    ("exchanged", ODD): READS,  # on generated pictures as they stand: G does not learn
    ("metric", EVEN): {"generator": {"E_p"}, "identity": {"E_a", "H", "T"}},
}


def reached(method: HiCmd) -> set[str]:
    names = ("E_p", "E_a", "G", "D", "H", "head", "T")
    return {
        name
        for name in names
        if any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in getattr(method, name).parameters())
    }


@pytest.mark.parametrize(("term", "progress"), GRADIENT_FLOW)
def test_gradient_flow(term, progress):
    method = made(**{f"{name}_weight": float(name == term) for name in WEIGHTS})
    torch.nn.init.normal_(method.head.classifier.weight)  # plain to see, where a fresh one is near zero
    found = {}
    for player, terms in one_step(method, progress).items():
        method.zero_grad()
        total(terms).backward()
        if reached(method):
            found[player] = reached(method)
    assert found == GRADIENT_FLOW[term, progress]


def test_the_proportion_of_shape_is_learned_and_watched():
    method = made()
    assert method.watched()["shape"].item() == 0.5
    total(one_step(method)["identity"]).backward()
    assert method.H.share.grad.abs() > 0
    with torch.no_grad():
        method.H.share.fill_(0.7)
    assert method.watched()["shape"].item() == pytest.approx(0.7)


def test_a_residual_prototype_is_one_for_both_lights():
    method = made(prototype_trunk="resnet10", edges=True).eval()
    # Stem of 7 x 7 on four edge maps, and one block of two 3 x 3, at width 8, each with a batch norm of 16 numbers.
    assert count(method.E_p) == 4 * 8 * 49 + 2 * 8 * 8 * 9 + 3 * 16
    codes = {}
    for light in Modality:
        with torch.inference_mode():
            codes[light], _ = method.codes(Pictures(batch().rgb, light))
    assert codes[Modality.RGB].shape == (6, 9, 8, 4)
    assert torch.equal(codes[Modality.RGB], codes[Modality.IR])


@pytest.mark.parametrize("settings", [{}, {"prototype_trunk": "resnet10", "erasing": 0.5}])
def test_no_network_is_copied_and_running_norms_see_real_pictures_only(monkeypatch, settings):
    method = made(**settings)
    monkeypatch.setattr(copy, "deepcopy", lambda *_: pytest.fail("a network was copied"))
    one_step(method)
    one_step(method, ODD)
    norms = [layer for layer in method.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {2}  # once a step
    assert all(p.requires_grad for p in method.parameters())


def drawn(monkeypatch, *rows: int) -> None:
    monkeypatch.setattr(module, "draw_rows", lambda *_: torch.tensor(rows))


def test_what_each_picture_must_be(monkeypatch):
    # Rows 1 and 4 are drawn: x is RGB 1, RGB 4, infrared 1, infrared 4.
    drawn(monkeypatch, 1, 4)
    seen, paintings = [], []

    def recorded(made, target, power=1):
        paintings.append(made.detach())
        seen.append(target.detach())
        return reconstruction_loss(made, target, power)

    monkeypatch.setattr(module, "reconstruction_loss", recorded)
    method = made(adversarial_weight=0.0).eval()
    one_step(method)
    x = module.normalise(torch.cat([batch().rgb[[1, 4]], batch().ir[[1, 4]]]))
    with torch.no_grad():
        p, a = method._read(x)
    shape, look, own, cross, cycle, excluded = seen
    assert torch.equal(own, x)
    assert torch.equal(cycle, x)
    assert torch.equal(cross, x.roll(2, 0))  # the structure of row i, as its opposite
    assert torch.allclose(shape, p, atol=1e-5)
    mixed = torch.stack([a.roll(2, 0)[:, :, 0], a[:, :, 1], a.roll(2, 0)[:, :, 2], a[:, :, 3]], dim=2)
    assert torch.allclose(look, mixed.roll(2, 0), atol=1e-5)
    with torch.no_grad():
        crossed = method._painted(x, p, a).crossed
        of_rgb, of_ir = crossed.chunk(2)  # pictures in the other light each, which that light's encoders read
        shapes = torch.cat([method.E_p[Modality.IR](of_rgb), method.E_p[Modality.RGB](of_ir)])
        looks = torch.cat([method.E_a[Modality.IR](of_rgb), method.E_a[Modality.RGB](of_ir)])
        expected = shapes, looks, method.G(p, mixed), crossed, method.G(shapes, mixed)
    for found, wanted in zip(paintings, expected, strict=False):
        assert torch.allclose(found, wanted, atol=1e-4)
    assert torch.count_nonzero(excluded) == 0


def test_whose_parts_are_painted():
    method = made().eval()
    x, n = torch.randn(4, 3, 32, 16), 2
    with torch.inference_mode():
        p, a = method._read(x)
        painted = method._painted(x, p, a)
        # RGB shapes; styles 1, and pose and illumination of 2 (crossed) or illumination alone (lit).
        style, other = a[:n], a[n:]
        both = torch.stack([style[:, :, 0], other[:, :, 1], style[:, :, 2], other[:, :, 3]], dim=2)
        light = torch.stack([style[:, :, 0], style[:, :, 1], style[:, :, 2], other[:, :, 3]], dim=2)
        assert torch.allclose(painted.crossed[:n], method.G(p[:n], both), atol=1e-4)
        assert torch.allclose(painted.lit[:n], method.G(p[:n], light), atol=1e-4)
        swapped = torch.stack([other[:, :, 0], style[:, :, 1], other[:, :, 2], style[:, :, 3]], dim=2)
        assert torch.allclose(painted.own[:n], method.G(p[:n], swapped), atol=1e-4)


def test_painted_infrared_is_judged_beside_infrared():
    crossed, lit = torch.arange(4.0)[:, None], 10 + torch.arange(4.0)[:, None]
    rgb, infrared = module._in_light(crossed, lit)  # rows 0 and 1 have RGB shapes, hence infrared light
    assert rgb.flatten().tolist() == [2, 3, 12, 13]
    assert infrared.flatten().tolist() == [0, 1, 10, 11]


@pytest.mark.parametrize(("progress", "persons"), [(EVEN, 2 * PERSON.tolist()), (ODD, [0, 4, 0, 4])])
def test_whose_label_recombined_and_generated_features_have(monkeypatch, progress, persons):
    drawn(monkeypatch, 1, 4)
    seen = []

    def recorded(logits, person, smoothing=0.0):
        seen.append(person.tolist())
        return identity_loss(logits, person, smoothing)

    monkeypatch.setattr(module, "identity_loss", recorded)
    one_step(made(), progress)
    assert seen == [2 * PERSON.tolist(), persons]


def test_erased_pictures_are_for_identity_alone(monkeypatch):
    # With everything erased, painting still has the codes of whole pictures.
    drawn(monkeypatch, 1, 4)
    method, seen = made(erasing=1.0).eval(), []
    plain = method._painted
    monkeypatch.setattr(method, "_painted", lambda x, p, a: seen.append((x, p, a)) or plain(x, p, a))
    one_step(method)
    ((x, p, a),) = seen
    assert torch.equal(x, module.normalise(torch.cat([batch().rgb[[1, 4]], batch().ir[[1, 4]]])))
    with torch.no_grad():
        wanted = method._read(x)
    assert torch.allclose(p, wanted[0], atol=1e-5)
    assert torch.allclose(a, wanted[1], atol=1e-5)


def test_pictures_are_taken_apart_and_swapped():
    method = made().eval()
    rgb, ir = Pictures(batch().rgb, Modality.RGB), Pictures(batch().ir, Modality.IR)
    assert isinstance(method, Generative)
    with torch.inference_mode():
        structure, appearance = method.codes(rgb)
        assert (structure.shape, appearance.shape) == ((6, 8, 8, 4), (6, 16, 4))
        own = reconstruct(method, rgb)
        assert own.shape == rgb.images.shape
        assert 0 <= own.min() <= own.max() <= 1
        assert torch.equal(swap(method, rgb, rgb), own)
        assert not torch.allclose(swap(method, rgb, ir), own, atol=1e-4)
        assert not torch.allclose(swap(method, ir, rgb), own, atol=1e-4)


def test_saved_and_loaded_it_paints_the_same_pictures(tmp_path):
    method = made().eval()
    save_model(tmp_path, method, {"method": "hi_cmd", "settings": TINY, "persons": 5, "height": 32, "width": 16})
    loaded, _ = load_model(tmp_path)
    pictures = Pictures(batch().ir, Modality.IR)
    with torch.inference_mode():
        assert torch.equal(reconstruct(method, pictures), reconstruct(loaded, pictures))


def test_edges_strips_and_mirror():
    method, images = made(edges=True, strips=2, mirror=True).eval(), batch().rgb
    with torch.inference_mode():
        vectors = method.embed(images, Modality.RGB)
        assert vectors.shape == (6, 12)
        assert torch.allclose(vectors, method.embed(images.flip(3), Modality.RGB), atol=1e-5)
    assert all(torch.isfinite(total(terms)) for terms in one_step(made(edges=True)).values())


def test_with_edges_g_knows_what_is_bright_and_the_prototype_does_not():
    method, rgb = made(edges=True).eval(), batch().rgb
    seen = []
    method.H.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        p, a = method.codes(Pictures(rgb, Modality.RGB))
        method.embed(rgb, Modality.RGB)
        assert p.shape == (6, 9, 8, 4)  # 8 channels that E_p reads from edges, and the sketch
        assert torch.equal(seen[0], p[:, :-1])  # identity is read from the edges' part alone
        darker = torch.cat([p[:, :-1], p[:, -1:] - 1], dim=1)
        assert not torch.allclose(method.paint(p, a, Modality.RGB), method.paint(darker, a, Modality.RGB), atol=1e-3)
    assert torch.allclose(p[:, -1:], sketch(normalise(rgb)), atol=1e-5)


def test_sizes_that_cannot_be_painted_are_refused():
    wide = Batch(torch.rand(4, 3, 32, 18), torch.rand(4, 3, 32, 18), torch.tensor([0, 0, 1, 1]))
    for settings in ({}, {"prototype_trunk": "resnet10"}):
        with pytest.raises(RecipeError, match="32 x 18 pixels; a generator paints multiples of 4"):
            list(made(**settings).step(wide, EVEN))
