"""DG-Net: published sizes, which term reaches which network, whose label a swap has, and what its pictures hold."""

from __future__ import annotations

import copy
import math

import pytest
import torch

import tapetum.methods.dgnet as module
from tapetum.core import Batch, Modality
from tapetum.data.pairing import Pairs
from tapetum.errors import RecipeError
from tapetum.losses.identity import identity_loss
from tapetum.methods.dgnet import DGNet, DGNetSettings
from tapetum.methods.method import Generative, Pictures, Progress, reconstruct, swap
from tapetum.model_file import load_model, save_model

TINY = {
    "trunk": "resnet10", "weights": "none", "width": 8, "code_width": 2, "style_width": 16, "dilations": (1, 2, 3),
    "discriminator_width": 4, "scales": 2, "embedding": 16, "dropout": 0.0, "fine_dropout": 0.0, "erasing": 0.0,
}  # fmt: skip
WEIGHTS = ("reconstruction", "cross", "identity", "generated", "adversarial", "structure", "appearance", "cycle",
           "teacher", "fine")  # fmt: skip
LATE, EARLY = Progress(9, 10), Progress(0, 10)


def made(**settings) -> DGNet:
    torch.manual_seed(0)
    return DGNet(DGNetSettings.model_validate({**TINY, **settings}), 5)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    rgb, ir = (torch.rand(6, 3, 32, 16, generator=generator) for _ in range(2))
    return Batch(rgb, ir, torch.tensor([0, 0, 2, 2, 4, 4]))


def one_step(method: DGNet, progress: Progress = LATE) -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(3)
    return {player: dict(terms) for player, terms in method.step(batch(), progress)}


def total(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


def count(*modules: torch.nn.Module | None) -> int:
    return sum(p.numel() for part in modules if part is not None for p in part.parameters())


def test_published_sizes():
    with torch.device("meta"):
        method = DGNet(DGNetSettings(weights="none", teacher_weight=0.0), 395)
    found = [count(part) for part in (method.E_s, method.G, method.D, method.E_a)]
    assert found == [380_544, 13_000_131, 1_025_571, 23_508_032]
    assert count(method.primary, method.fine) == 2_505_494


def test_the_order_of_play():
    assert list(one_step(made(), EARLY)) == ["teacher", "discriminator", "generator", "appearance"]
    late = one_step(made())
    assert list(late) == ["discriminator", "generator", "appearance"]
    assert list(late["discriminator"]) == ["adversarial", "r1"]
    assert list(late["generator"]) == [
        "reconstruction", "cross", "adversarial", "generated", "structure", "appearance", "cycle",
    ]  # fmt: skip
    assert list(late["appearance"]) == ["identity", "fine", "teacher", "generated_fine"]
    assert set(made().players()) == {"teacher", "discriminator", "generator", "appearance"}


GRADIENT_FLOW = {
    # term: player that it is yielded to -> the networks that its gradient reaches; all others get none
    "reconstruction": {"generator": {"E_s", "G"}},
    "cross": {"generator": {"E_s", "G"}},
    "identity": {"appearance": {"E_a", "primary"}},
    "generated": {"generator": {"E_s", "G"}},
    "adversarial": {"discriminator": {"D"}, "generator": {"E_s", "G"}},
    "structure": {"generator": {"E_s", "G"}},
    "appearance": {"generator": {"E_s", "G"}},  # through the frozen E_a; none at all in the released code
    "cycle": {"generator": {"E_s", "G"}},
    "teacher": {"appearance": {"E_a", "primary"}},
    "fine": {"appearance": {"E_a", "fine"}},
}


def reached(method: DGNet) -> set[str]:
    parts = {"E_s": method.E_s, "G": method.G, "E_a": method.E_a, "primary": method.primary, "fine": method.fine,
             "D": method.D, "C": method.C}  # fmt: skip
    return {
        name
        for name, part in parts.items()
        if part is not None and any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
    }


def flow(term: str, **settings) -> dict[str, set[str]]:
    weights = {f"{name}_weight": float(name == term) for name in WEIGHTS}
    method = made(**weights, reencode_detached=0.0, **settings)
    # A fresh classifier's weights are near zero: bigger ones make every gradient plain to see.
    for head in (method.primary, method.fine):
        if head is not None:
            torch.nn.init.normal_(head.classifier.weight)
    found = {}
    for player, terms in one_step(method).items():
        method.zero_grad()
        if terms and total(terms).requires_grad:
            total(terms).backward()
        if reached(method):
            found[player] = reached(method)
    return found


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    assert flow(term) == GRADIENT_FLOW[term]


def test_reencoding_of_given_swaps_trains_the_structure_encoder_alone():
    weights = {f"{name}_weight": float(name == "structure") for name in WEIGHTS}
    method = made(**weights, reencode_detached=1.0)
    total(one_step(method)["generator"]).backward()
    assert reached(method) == {"E_s"}


def test_early_gradients_are_those_of_the_plain_loss(monkeypatch):
    found = {}
    for name in ("early", "plain"):
        if name == "plain":
            monkeypatch.setattr(module, "early", lambda make, inputs, modules=(): dict(make(*inputs)))
        method = made(dropout=0.0)
        for player, terms in one_step(method).items():
            method.zero_grad()
            total(terms).backward()
            own = method.players()[player].named_parameters()
            found[name, player] = {n: p.grad.clone() for n, p in own if p.grad is not None}
    for player in ("discriminator", "generator", "appearance"):
        assert found["early", player].keys() == found["plain", player].keys()
        for name, gradient in found["plain", player].items():
            assert torch.allclose(found["early", player][name], gradient, atol=1e-5, rtol=1e-3), name


def test_no_network_is_copied_and_running_norms_see_real_pictures_only(monkeypatch):
    method = made()
    monkeypatch.setattr(copy, "deepcopy", lambda *_: pytest.fail("a network was copied"))
    one_step(method)
    norms = [layer for layer in method.E_a.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}
    assert int(method.primary.norm.num_batches_tracked) == int(method.fine.norm.num_batches_tracked) == 1
    assert all(p.requires_grad for p in method.E_a.parameters())


def test_a_generated_picture_is_whom_its_appearance_shows(monkeypatch):
    # Rows 0 ... 5 RGB, 6 ... 11 infrared, persons 0 0 2 2 4 4. Pairs: (0, 8): 0 and 2; (4, 7): 4 and 0.
    row, other = torch.tensor([0, 4, 8, 7]), torch.tensor([2, 3, 0, 1])
    monkeypatch.setattr(module, "draw_pairs", lambda *_: Pairs(row, row, other))
    seen = []

    def recorded(logits, person):
        seen.append(person.tolist())
        return identity_loss(logits, person)

    monkeypatch.setattr(module, "identity_loss", recorded)
    one_step(made())
    everybody = [0, 0, 2, 2, 4, 4, 0, 0, 2, 2, 4, 4]
    appearance, structure = [2, 0, 0, 4], [0, 4, 2, 0]
    assert seen == [everybody, everybody, appearance, structure]  # L_id, L_fine, L_id_recon, L_fine of swaps


def test_a_cycle_paints_each_swap_in_the_appearance_of_its_opposite(monkeypatch):
    # x_1 is G(E_a(x_2^1), E_s(x_1^2)): the appearance that 1 lent comes back from the other swap of the pair.
    method, drawn, coded, painted = made(reencode_detached=0.0), [], [], []
    draw, code = module.draw_pairs, method.E_a.code
    monkeypatch.setattr(module, "draw_pairs", lambda *given: drawn.append(draw(*given)) or drawn[-1])
    monkeypatch.setattr(method.E_a, "code", lambda maps: coded.append(code(maps)) or coded[-1], raising=False)
    method.G.register_forward_hook(lambda network, given, made: painted.append(given))
    one_step(method)
    (pairs,), swaps = drawn, coded[-1]
    assert painted[-1][1].shape == swaps.shape
    assert torch.equal(painted[-1][1], swaps[pairs.other])
    assert not torch.equal(painted[-1][1], swaps)


def test_warm_up_is_a_fraction_of_training():
    # Published: nothing until 30,000 of 100,000, then + 0.0005 an iteration: 1 after 2,000, 2 after 4,000.
    published = {"warmup": 0.3, "rise": 0.02, "reencode_detached": 0.0}
    steps = (30_000, 31_000, 32_000, 34_000, 99_999)
    generator, appearance = {}, {}
    for step in steps:
        terms = one_step(made(**published), Progress(step, 100_000))
        generator[step], appearance[step] = terms["generator"], terms["appearance"]
    assert "cycle" not in generator[30_000]
    assert "teacher" not in appearance[30_000]
    final = {name: generator[99_999][name].item() for name in ("structure", "appearance", "cycle")}
    for name, at_31, at_32, at_34 in (("structure", 0.5, 1, 1), ("appearance", 0.5, 1, 1), ("cycle", 0.25, 0.5, 1)):
        shares = [generator[step][name].item() / final[name] for step in steps[1:4]]
        assert shares == pytest.approx([at_31, at_32, at_34], rel=1e-4)
    for name in ("teacher", "generated_fine"):
        shares = [appearance[step][name].item() / appearance[99_999][name].item() for step in steps[1:4]]
        assert shares == pytest.approx([0.25, 0.5, 1], rel=1e-3)


def test_edges_strips_and_fewer_pairs_for_small_trunks():
    method = made(edges=True, strips=2, exchanged=2)
    assert method.primary.project.in_features == method.fine.project.in_features == 2 * method.E_a.channels
    painted = []
    method.G.register_forward_hook(lambda network, given, made: painted.append(len(made)))
    terms = one_step(method)
    assert painted == [4, 8, 4]  # two pairs: swaps, own and partner's, cycle
    assert all(torch.isfinite(term) for found in terms.values() for term in found.values())
    assert method.eval().embed(torch.rand(2, 3, 32, 16), Modality.IR).shape == (2, 32)


def test_the_gradient_penalty_at_intervals_is_as_heavy_on_the_whole():
    every = one_step(made(), Progress(8, 10))["discriminator"]["r1"].item()
    fourth = made(r1_every=4)
    assert one_step(fourth, Progress(8, 10))["discriminator"]["r1"].item() == pytest.approx(4 * every, rel=1e-4)
    assert "r1" not in one_step(fourth, Progress(9, 10))["discriminator"]


def test_codes_of_erased_pictures_are_those_of_whole_ones(monkeypatch):
    # With everything erased, codes come from the whole pictures in a pass of their own.
    method, images = made(erasing=1.0), torch.randn(4, 3, 32, 16)
    _, codes = method._real(images, torch.tensor([0, 1, 2, 3]), EARLY)
    method.E_a.train()
    with torch.no_grad():
        assert torch.allclose(codes, method.E_a.code(method.E_a(images)), atol=1e-5)


def test_without_teacher_fine_head_or_discriminator_nobody_misses_them():
    method = made(teacher_weight=0.0, fine_weight=0.0, adversarial_weight=0.0)
    assert set(method.players()) == {"generator", "appearance"}
    assert list(one_step(method)) == ["generator", "appearance"]
    assert method.eval().embed(batch().rgb, Modality.RGB).shape == (6, 16)


def test_the_deck_s_variants_run():
    terms = one_step(made(gan_loss="log", kl_direction="student_teacher"))
    start = 2 * 2 * math.log(2)  # weight 2, two scales, scores near zero
    assert terms["generator"]["adversarial"].item() == pytest.approx(start, rel=0.01)


def test_the_ranking_vector_is_both_heads_of_both_sides():
    method, images = made().eval(), batch().rgb
    with torch.inference_mode():
        vectors = method.embed(images, Modality.RGB)
        assert torch.allclose(vectors, method.embed(images.flip(3), Modality.RGB), atol=1e-6)
        assert torch.equal(vectors, method.embed(images, Modality.IR))  # one encoder for both lights
    primary, fine = vectors.split(16, dim=1)
    assert torch.allclose(primary.norm(dim=1), 2 * fine.norm(dim=1), atol=1e-5)


def test_pictures_are_taken_apart_and_swapped():
    method = made().eval()
    rgb, ir = Pictures(batch().rgb, Modality.RGB), Pictures(batch().ir, Modality.IR)
    assert isinstance(method, Generative)
    with torch.inference_mode():
        structure, appearance = method.codes(rgb)
        assert (structure.shape, appearance.shape) == ((6, 16, 8, 4), (6, 64, 4))
        own = reconstruct(method, rgb)
        assert own.shape == rgb.images.shape
        assert 0 <= own.min() <= own.max() <= 1
        assert torch.equal(swap(method, rgb, rgb), own)
        assert not torch.allclose(swap(method, rgb, ir), own, atol=1e-4)  # another appearance changes the picture
        assert not torch.allclose(swap(method, ir, rgb), own, atol=1e-4)  # and another structure


def test_saved_and_loaded_it_paints_the_same_pictures(tmp_path):
    method = made().eval()
    description = {"method": "dgnet", "settings": TINY, "persons": 5, "height": 32, "width": 16}
    save_model(tmp_path, method, description)
    loaded, _ = load_model(tmp_path)
    pictures = Pictures(batch().rgb, Modality.RGB)
    with torch.inference_mode():
        assert torch.equal(reconstruct(method, pictures), reconstruct(loaded, pictures))


def test_it_learns_to_paint_a_fixed_batch():
    generator = torch.Generator().manual_seed(2)
    plain = [torch.rand(6, 3, 4, 2, generator=generator).repeat_interleave(8, 2).repeat_interleave(8, 3) for _ in "ab"]
    given = Batch(*plain, batch().person)
    method = made()
    optimisers = {name: torch.optim.Adam(player.parameters(), 4e-3) for name, player in method.players().items()}
    errors = []
    for step in range(20):
        for player, terms in method.step(given, Progress(step, 80)):
            optimisers[player].zero_grad()
            total(dict(terms)).backward()
            optimisers[player].step()
            errors += [terms["reconstruction"].item()] if player == "generator" else []
    assert errors[-1] < 0.85 * errors[0]


def test_sizes_that_cannot_be_painted_are_refused():
    wide = Batch(torch.rand(4, 3, 32, 18), torch.rand(4, 3, 32, 18), torch.tensor([0, 0, 1, 1]))
    with pytest.raises(RecipeError, match="32 x 18 pixels; a generator paints multiples of 4"):
        list(made().step(wide, EARLY))
