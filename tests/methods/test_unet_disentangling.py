"""U-Net disentangling: published sizes, the equations by a slow twin, which term reaches which part, swaps."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tapetum.core import Batch, Modality
from tapetum.errors import RecipeError
from tapetum.losses.identity import identity_loss
from tapetum.methods.method import Generative, Pictures, Progress, reconstruct, swap
from tapetum.methods.unet_disentangling import UNetDisentangling, UNetDisentanglingSettings
from tapetum.model_file import load_model, save_model
from tapetum.nets.code_split import joined
from tapetum.report.code_usage import code_usage

TINY = {"widths": (4, 6, 8), "embedding": 5, "trunk": "resnet10", "weights": "none", "width": 8}
PERSONS = 4
LATE = Progress(9, 10)
RGB, IR = Modality


def made(persons: int = PERSONS, **settings) -> UNetDisentangling:
    torch.manual_seed(0)
    return UNetDisentangling(UNetDisentanglingSettings.model_validate({**TINY, **settings}), persons)


def batch(height: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(1)
    rgb, ir = (torch.rand(6, 3, height, height // 2, generator=generator) for _ in range(2))
    return Batch(rgb, ir, torch.tensor([0, 0, 1, 1, 3, 3]))


def terms(method: UNetDisentangling, progress: Progress = LATE) -> dict[str, torch.Tensor]:
    torch.manual_seed(2)  # draws the third rows
    found = {player: dict(terms) for player, terms in method.step(batch(), progress)}
    return found["model"]


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("widths", "skips", "total"),
    [
        # METHODS 3.2: total 0.90 and 0.99 M at 64 x 32, 4.66 and 5.54 M at 128 x 64, 8.27 M at 256 x 128.
        ((16, 32, 64, 128), "none", 897_222),
        ((16, 32, 64, 128), "all", 993_990),
        ((24, 48, 96, 192, 192), "none", 4_659_366),
        ((24, 48, 96, 192, 192), "all", 5_540_646),
        ((32, 64, 128, 256, 256), "none", 8_267_398),
    ],
)
def test_published_sizes(widths, skips, total):
    method = UNetDisentangling(UNetDisentanglingSettings(widths=widths, skips=skips), 395)
    assert count(method) == total
    if widths == (16, 32, 64, 128):  # E 0.303 M, D 0.146 M, 0.194 M with all skips
        assert count(method.E[RGB]) == 302_576
        assert count(method.D[RGB]) == {"none": 146_035, "all": 194_419}[skips]


def test_shapes_at_256_x_128():
    method = UNetDisentangling(UNetDisentanglingSettings(), 395).eval()
    with torch.inference_mode():
        S, M, skips = method._taken_apart(torch.rand(1, 3, 256, 128), RGB)
        assert method._feature(S, RGB).shape == (1, 128)
    assert (S.shape, M.shape) == ((1, 128), (1, 128, 16, 8))
    assert [tuple(skip.shape) for skip in skips] == [(1, 256, 32, 16), (1, 128, 64, 32)]


@pytest.mark.parametrize("options", [{}, {"skips": "all", "shared_encoder": True}, {"spatial": True, "skips": "none"}])
def test_the_equations_one_triplet_at_a_time(options):
    method, given = made(margin=0.4, **options), batch()
    found = terms(method)
    torch.manual_seed(2)
    third = torch.multinomial((given.person[:, None] != given.person[None, :]).float(), 1)[:, 0]
    X_1, X_2 = 2 * given.rgb - 1, 2 * given.ir - 1
    one, two, features = method._read(X_1, X_2)
    codes = {RGB: one, IR: two}
    f = {light: nn.functional.normalize(found) for light, found in zip(Modality, features, strict=True)}

    def painted(light, S, i):
        M, skips = codes[light].M[i][None], [skip[i][None] for skip in codes[light].skips]
        return method.D[light](joined(S[None], M), skips)[0]

    def squared(a, b):
        return ((a - b) ** 2).mean().item()

    expected = {"reconstruction": 0.0, "cross": 0.0, "triplet": 0.0}
    for i, j in enumerate(third.tolist()):
        assert given.person[i] != given.person[j]
        S_1, S_2, S_3 = codes[RGB].S[i], codes[IR].S[i], codes[IR].S[j]
        expected["reconstruction"] += squared(X_1[i], painted(RGB, S_1, i)) + squared(X_2[i], painted(IR, S_2, i))
        expected["reconstruction"] += squared(X_2[j], painted(IR, S_3, j))
        expected["cross"] += squared(X_1[i], painted(RGB, S_2, i)) + squared(X_2[i], painted(IR, S_1, i))
        near, far = (((f[RGB][i] - f[IR][k]) ** 2).sum().item() for k in (i, j))
        expected["triplet"] += max(0.0, 0.4 + near - far)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value / 6, rel=1e-4), name


def test_each_direction_has_the_nearest_other_person_of_its_own():
    method = made(triplet="nearest", symmetric_triplet=True, margin=10.0)
    at = torch.tensor([0.0, 0.5, 1.2, 3.0, 2.6, 2.0])  # on the unit circle: RGB of persons 0, 1, 2, then infrared
    rgb, ir = torch.stack([at.cos(), at.sin()], dim=1).chunk(2)
    y = torch.tensor([0, 1, 3])
    third = method._third([rgb, ir], y)
    # Of RGB 0 (0.0), 1 (0.5), 3 (1.2) the nearest infrared: 3 (2.0), 3 (2.0), 1 (2.6); of infrared 0 (3.0), 1 (2.6),
    # 3 (2.0) the nearest RGB: 3 (1.2), 3 (1.2), 1 (0.5).
    assert third.tolist() == [2, 2, 1]
    apart = lambda a, b: 2 - 2 * math.cos(a - b)  # noqa: E731
    forth = [10 + apart(0, 3.0) - apart(0, 2.0), 10 + apart(0.5, 2.6) - apart(0.5, 2.0),
             10 + apart(1.2, 2.0) - apart(1.2, 2.6)]  # fmt: skip
    back = [10 + apart(0, 3.0) - apart(3.0, 1.2), 10 + apart(0.5, 2.6) - apart(2.6, 1.2),
            10 + apart(1.2, 2.0) - apart(2.0, 0.5)]  # fmt: skip
    assert method._triplet([rgb, ir], third, y).item() == pytest.approx((sum(forth) + sum(back)) / 6, rel=1e-5)


def test_a_shared_encoder_s_norms_see_both_lights_at_once():
    method, given = made(shared_encoder=True), batch()
    _, _, features = method._read(2 * given.rgb - 1, 2 * given.ir - 1)
    assert torch.cat(features).mean(dim=0).abs().max() < 1e-5
    assert features[0].mean(dim=0).abs().max() > 1e-2


EDGES = {"edges": True, "strips": 2, "trunk": "resnet10", "weights": "none", "width": 8, "shared_encoder": True}


def test_edges_alone_say_who_it_is():
    method, given = made(**EDGES).eval(), batch(height=32)
    with torch.inference_mode():
        one = method._taken_apart(2 * given.rgb - 1, RGB)
        inverse = method._taken_apart(1 - 2 * given.rgb, RGB)
        assert one.S.shape == (6, 4, 2, 1)
        assert torch.allclose(one.S, inverse.S, atol=1e-4)
        assert not torch.allclose(one.M, inverse.M, atol=1e-2)
        assert method.embed(given.rgb, RGB).shape == (6, 5)
        pictures = Pictures(given.rgb, RGB)
        assert reconstruct(method, pictures).shape == given.rgb.shape
    with pytest.raises(RecipeError, match="edges: S then has an encoder of its own"):
        made(**EDGES, split="heads")


def test_some_crops_of_each_person_are_painted():
    seen, method = [], made(painted_crops=1)
    method.D[RGB].register_forward_hook(lambda module, given, painted: seen.append(len(painted)))
    found = terms(method)
    assert seen == [2 * len(batch().person.unique())]  # with its own S and with the other light's
    assert found.keys() == {"reconstruction", "cross", "triplet"}


ALL = {"cycle_weight": 1.0, "identity_weight": 1.0, "generated_weight": 1.0, "margin": 50.0}
GRADIENT_FLOW = {
    # term: which parts its gradient reaches: E_rgb, E_ir, F_rgb, F_ir, D_rgb, D_ir, the classifier of f, C
    "reconstruction": (True, True, False, False, True, True, False, False),
    "cross": (True, True, False, False, True, True, False, False),
    "triplet": (True, True, True, True, False, False, False, False),
    "cycle": (True, True, False, False, True, True, False, False),
    "identity": (True, True, True, True, False, False, True, False),
    "generated": (True, True, False, False, True, True, False, False),
}


def reached(method: UNetDisentangling) -> tuple[bool, ...]:
    encoders = [method.E[light]["maps"] for light in Modality]
    features = [method.E[light]["feature"] for light in Modality]
    parts = [*encoders, *features, *(method.D[light] for light in Modality), method.classifier, method.C]
    return tuple(any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters()) for part in parts)


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    method = made(**ALL)
    nn.init.normal_(method.C.neck.classifier.weight)  # near zero at first
    terms(method)[term].backward()
    assert reached(method) == GRADIENT_FLOW[term]


def test_the_classifier_of_pictures_learns_first_and_is_frozen_then():
    method = made(**ALL, classifier_until=0.5)
    early = {player: dict(found) for player, found in method.step(batch(), Progress(4, 10))}
    assert set(early) == set(method.players()) == {"classifier", "model"}
    assert "generated" not in early["model"]
    early["classifier"]["identity"].backward()
    assert reached(method) == (False,) * 7 + (True,)
    norms = [layer for layer in method.C.modules() if isinstance(layer, nn.BatchNorm2d)]
    late = {player: dict(found) for player, found in method.step(batch(), Progress(5, 10))}
    assert set(late) == {"model"}
    assert set(late["model"]) == {"reconstruction", "cross", "triplet", "cycle", "identity", "generated"}
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}, "generated pictures leave the running norms alone"


def test_a_swap_with_another_person_is_whose_identity_code_it_has(monkeypatch):
    method, seen = made(generated_weight=1.0), []

    def recorded(logits, person):
        seen.append(person.tolist())
        return identity_loss(logits, person)

    monkeypatch.setattr("tapetum.methods.unet_disentangling.identity_loss", recorded)
    terms(method)
    torch.manual_seed(2)
    y = batch().person
    third = torch.multinomial((y[:, None] != y[None, :]).float(), 1)[:, 0]
    assert seen == [y[third].tolist(), y.tolist()]  # D_rgb(S_3, M_1), D_ir(S_1, M_3)


def test_weights_and_options():
    once = terms(made())
    twice = terms(made(reconstruction_weight=2.0, cross_weight=3.0, triplet_weight=4.0))
    for name, weight in (("reconstruction", 2), ("cross", 3), ("triplet", 4)):
        assert twice[name].item() == pytest.approx(weight * once[name].item(), rel=1e-5)
    wide = {"margin": 50.0}
    nearest, random = (terms(made(triplet=name, **wide))["triplet"].item() for name in ("nearest", "random"))
    assert nearest > random, "the nearest other person is the hardest"
    assert terms(made(symmetric_triplet=True, **wide))["triplet"].item() != random
    assert made(feature="raw").eval().embed(batch().rgb, RGB).shape == (6, 4)
    shared, own = (made(shared_encoder=flag).eval() for flag in (True, False))
    same = [torch.equal(method.embed(batch().rgb, RGB), method.embed(batch().rgb, IR)) for method in (shared, own)]
    assert same == [True, False]


@pytest.mark.parametrize("options", [{}, {"skips": "none", "spatial": True}, {"skips": "all"}, {"split": "vectors"}])
def test_pictures_are_taken_apart_and_swapped(options):
    method, given = made(**options).eval(), batch()
    rgb, ir = Pictures(given.rgb, RGB), Pictures(given.ir, IR)
    assert isinstance(method, Generative)
    with torch.inference_mode():
        one, two = method._taken_apart(2 * given.rgb - 1, RGB), method._taken_apart(2 * given.ir - 1, IR)
        for pictures, codes, light in ((rgb, one, RGB), (ir, two, IR)):
            plain = (method.D[light](joined(codes.S, codes.M), codes.skips) + 1) / 2
            assert torch.allclose(reconstruct(method, pictures), plain, atol=1e-6)
        # L_cross's picture D_rgb(S_2, M_1): the structure, with its light, is the first picture's.
        crossed = (method.D[RGB](joined(two.S, one.M), one.skips) + 1) / 2
        assert torch.allclose(swap(method, rgb, ir), crossed, atol=1e-6)
        assert not torch.allclose(swap(method, ir, rgb), crossed, atol=1e-3)


def test_how_much_of_the_picture_is_the_identity_code_s():
    method = made(skips="none").eval()
    given = Pictures(batch().rgb, RGB)
    assert code_usage(method, given, batch().person).share > 0
    with torch.no_grad():
        method.D[RGB].stages[0][0].weight[:, :4] = 0  # deaf to S
    deaf = code_usage(method, given, batch().person)
    assert (deaf.change, deaf.share) == (0, 0)
    assert deaf.own == deaf.other == deaf.none > 0


def test_saved_and_loaded_it_paints_the_same_pictures(tmp_path):
    method = made().eval()
    facts = {"settings": TINY, "persons": PERSONS, "height": 16, "width": 8}
    save_model(tmp_path, method, {"method": "unet_disentangling", **facts})
    loaded, _ = load_model(tmp_path)
    with torch.inference_mode():
        for light, images in ((RGB, batch().rgb), (IR, batch().ir)):
            pictures = Pictures(images, light)
            assert torch.equal(reconstruct(method, pictures), reconstruct(loaded, pictures))


def test_it_learns_to_paint_a_fixed_batch():
    method = made()
    optimiser = torch.optim.Adam(method.parameters(), 3e-3, betas=(0.5, 0.999))
    errors = []
    for _ in range(30):
        found = terms(method)
        optimiser.zero_grad()
        torch.stack(list(found.values())).sum().backward()
        optimiser.step()
        errors.append(found["reconstruction"].item())
    assert errors[-1] < 0.8 * errors[0]


def test_sizes_that_cannot_be_painted_are_refused():
    wide = Batch(torch.rand(4, 3, 16, 10), torch.rand(4, 3, 16, 10), torch.tensor([0, 0, 1, 1]))
    with pytest.raises(RecipeError, match="16 x 10 pixels cannot be halved 2 times"):
        list(made().step(wide, Progress(0, 1)))
    for option in ({"edges": True, "strips": 1}, {}):
        with pytest.raises(RecipeError, match="widths: the last is 9. Give an even number"):
            made(widths=(4, 6, 9), **option)
