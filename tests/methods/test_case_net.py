"""CASE-Net: published sizes, which term reaches which network, whose label a swap has, colours that are not told."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tapetum.methods.case_net as module
from tapetum.core import Batch, Modality
from tapetum.data.pairing import Pairs
from tapetum.errors import RecipeError
from tapetum.losses.identity import identity_loss
from tapetum.methods.case_net import CASENet, CASENetSettings
from tapetum.methods.method import Generative, Pictures, Progress, reconstruct, swap
from tapetum.model_file import load_model, save_model

TINY = {
    "trunk": "resnet10", "weights": "none", "width": 8, "code_width": 2, "style_width": 16, "dilations": (1, 2, 3),
    "discriminator_width": 4, "scales": 2, "domain_widths": (8,),
}  # fmt: skip
WEIGHTS = ("reconstruction", "cross", "identity", "triplet", "domain", "generated", "adversarial", "structure",
           "appearance", "cycle")  # fmt: skip
LATE, EARLY = Progress(9, 10), Progress(0, 10)
CODES = {"structure_weight": 1.0, "appearance_weight": 1.0, "cycle_weight": 2.0}


def made(**settings) -> CASENet:
    torch.manual_seed(0)
    return CASENet(CASENetSettings.model_validate({**TINY, **settings}), 5)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    rgb, ir = (torch.rand(6, 3, 32, 16, generator=generator) for _ in range(2))
    return Batch(rgb, ir.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1), torch.tensor([0, 0, 2, 2, 4, 4]))


def one_step(method: CASENet, progress: Progress = LATE) -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(3)
    return {player: dict(terms) for player, terms in method.step(batch(), progress)}


def total(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


def count(*parts: nn.Module | None) -> int:
    return sum(p.numel() for part in parts if part is not None for p in part.parameters())


def test_published_sizes():
    with torch.device("meta"):
        method = CASENet(CASENetSettings(weights="none"), 395)
    found = [count(part) for part in (method.E_s, method.G, method.D, method.E_a, method.U)]
    assert found == [380_832, 13_000_131, 1_025_571, 23_508_032, 738_945]
    assert count(method.pool) == 0
    assert count(method.shape) == 2 * 128 + 128 * 395
    assert count(method.colour) == 2 * 2048 + 2048 * 395


def test_the_order_of_play():
    found = one_step(made(**CODES))
    assert list(found) == ["discriminator", "generator", "identity", "domain"]
    assert list(found["discriminator"]) == ["adversarial", "r1"]
    assert list(found["generator"]) == [
        "shape", "colour", "triplet", "domain", "reconstruction", "cross", "adversarial", "generated", "structure",
        "appearance", "cycle",
    ]  # fmt: skip
    assert list(found["identity"]) == list(found["domain"]) == ["joint"]
    assert set(made().players()) == set(found)
    assert set(made(domain_weight=0.0, adversarial_weight=0.0).players()) == {"generator", "identity"}
    assert list(one_step(made(domain_weight=0.0, adversarial_weight=0.0))) == ["generator", "identity"]


def test_the_code_terms_are_off_as_in_the_released_code_and_rise_where_wanted():
    assert not {"structure", "appearance", "cycle"} & set(one_step(made())["generator"])
    assert "cycle" not in one_step(made(**CODES), EARLY)["generator"]


GRADIENT_FLOW = {
    # term: the networks that its gradient reaches, whoever moves; all others get none
    "reconstruction": {"E_s", "G"},
    "cross": {"E_s", "G"},
    "identity": {"E_s", "pool", "shape", "E_a", "colour"},
    "triplet": {"E_s", "pool"},
    "domain": {"E_s", "U"},
    "generated": {"E_s", "G"},
    "adversarial": {"D", "E_s", "G"},
    "structure": {"E_s", "G"},
    "appearance": {"E_s", "G"},
    "cycle": {"E_s", "G"},
}
PARTS = ("E_s", "E_a", "G", "D", "U", "pool", "shape", "colour")


def reached(method: CASENet) -> set[str]:
    return {
        name
        for name in PARTS
        if (part := getattr(method, name)) is not None
        and any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
    }


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    method = made(**{f"{name}_weight": float(name == term) for name in WEIGHTS}, embedding=6)
    for head in (method.shape, method.colour):  # near zero at first: bigger ones make every gradient plain to see
        nn.init.normal_(head.classifier.weight)
    found, players = set(), method.players()
    for player, terms in one_step(method).items():
        method.zero_grad()
        total(terms).backward()
        assert reached(method) <= {name for name in PARTS if owned(getattr(method, name), players[player])}
        found |= reached(method)
    assert found == GRADIENT_FLOW[term]


def owned(part: nn.Module | None, player: nn.Module) -> bool:
    own = {id(p) for p in player.parameters()}
    return part is not None and any(id(p) in own for p in part.parameters())


def test_early_gradients_are_those_of_the_plain_loss(monkeypatch):
    found = {}
    for name in ("early", "plain"):
        if name == "plain":
            monkeypatch.setattr(module, "early", lambda make, inputs, modules=(): dict(make(*inputs)))
        method = made(**CODES)
        for player, terms in one_step(method).items():
            method.zero_grad()
            total(terms).backward()
            own = method.players()[player].named_parameters()
            found[name, player] = {n: p.grad.clone() for n, p in own if p.grad is not None}
    for player in made().players():
        assert found["early", player].keys() == found["plain", player].keys()
        for name, gradient in found["plain", player].items():
            assert torch.allclose(found["early", player][name], gradient, atol=1e-5, rtol=1e-3), name


def test_what_the_shape_encoder_unlearns(monkeypatch):
    # U is told 6 colour pictures from 12 grey ones; the gradient in s is that of telling them worse.
    seen = {}

    def recorded(scores, is_grey):
        seen["domain"] = is_grey.tolist()
        return scores.sum() * 0

    monkeypatch.setattr(module, "domain_loss", recorded)
    one_step(made())
    assert seen["domain"] == [False] * 6 + [True] * 12


def test_the_shape_of_a_swap_is_its_structure_donor_s(monkeypatch):
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
    structure, appearance = [0, 4, 2, 0], [2, 0, 0, 4]
    assert seen == [everybody, everybody, structure, appearance]  # p(g), c(x), p and c of swaps


def test_running_norms_see_real_pictures_only():
    method = made()
    one_step(method)
    norms = [layer for layer in method.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}
    assert all(p.requires_grad for p in method.E_a.parameters())


def test_ranking_reads_grey_unless_told_otherwise():
    images = batch().rgb
    grey = images.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        for rank_by in ("grey", "colour"):
            method = made(rank_by=rank_by).eval()
            assert method.embed(images, Modality.RGB).shape == (6, 16)
            assert torch.allclose(method.embed(images, Modality.IR), method.embed(grey, Modality.IR), atol=1e-5)
            same = torch.allclose(method.embed(images, Modality.RGB), method.embed(grey, Modality.RGB), atol=1e-5)
            assert same == (rank_by == "grey")


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
        assert not torch.allclose(swap(method, rgb, ir), own, atol=1e-4)  # another appearance changes the picture
        assert not torch.allclose(swap(method, ir, rgb), own, atol=1e-4)  # and another structure


def test_a_residual_shape_encoder_on_edges():
    small = {"shape_trunk": "resnet10", "edges": True, "pooling": "average", "strips": 2, "embedding": 6}
    method = made(**small, **CODES)
    players = one_step(method)
    total(players["generator"]).backward()
    assert reached(method) == {"E_s", "G"}
    norms = [layer for layer in method.E_s.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}, "generated pictures leave the running norms alone"
    method.eval()
    with torch.inference_mode():
        structure, _ = method.codes(Pictures(batch().rgb, Modality.RGB))
        assert structure.shape == (6, 17, 8, 4)
        means = nn.functional.avg_pool2d(2 * batch().rgb - 1, 4).mean(dim=1)
        assert torch.allclose(structure[:, 16], means, atol=1e-5), "the sketch: means of 4 x 4 pixels"
        assert method.embed(batch().rgb, Modality.RGB).shape == (6, 6)
        # Edges of 1 - x are those of x: what is dark in one light and bright in the other looks the same.
        assert torch.allclose(*(method.embed(x, Modality.IR) for x in (batch().ir, 1 - batch().ir)), atol=1e-4)


def test_some_persons_of_a_batch_are_exchanged():
    for exchanged, swaps in ((None, 6), (2, 4)):
        method, seen = made(exchanged=exchanged), []
        method.G.register_forward_hook(lambda module, given, painted, seen=seen: seen.append(len(painted)))
        one_step(method)
        assert seen == [swaps, 2 * swaps]  # swaps; then each shape in its own colours and in its partner's


def test_the_colour_code_is_the_mean_of_each_quarter():
    # Rows 0 ... 7 of a map of one channel: quarters 0 1 | 2 3 | 4 5 | 6 7.
    maps = torch.arange(8.0).view(1, 1, 8, 1)
    assert module._code(maps).tolist() == [[[0.5, 2.5, 4.5, 6.5]]]
    assert module._pooled(maps).tolist() == [[3.5]]


def test_saved_and_loaded_it_paints_the_same_pictures(tmp_path):
    method = made().eval()
    save_model(tmp_path, method, {"method": "case_net", "settings": TINY, "persons": 5, "height": 32, "width": 16})
    loaded, _ = load_model(tmp_path)
    pictures = Pictures(batch().rgb, Modality.RGB)
    with torch.inference_mode():
        assert torch.equal(reconstruct(method, pictures), reconstruct(loaded, pictures))


def test_it_learns_to_paint_a_fixed_batch():
    method = made(r1_weight=0.0, scales=1)  # not what is tested, but half of the time
    optimisers = {name: torch.optim.Adam(player.parameters(), 5e-3) for name, player in method.players().items()}
    errors = []
    for step in range(10):
        for player, terms in method.step(batch(), Progress(step, 40)):
            optimisers[player].zero_grad()
            total(dict(terms)).backward()
            optimisers[player].step()
            errors += [terms["reconstruction"].item()] if player == "generator" else []
    assert errors[-1] < 0.8 * errors[0]


def test_an_average_that_is_always_zero_is_refused():
    with pytest.raises(RecipeError, match="the average of the shape code is zero in every channel"):
        made(pooling="average")
    assert made(pooling="average", strips=2).pool is not None
    with torch.no_grad():  # which is why
        assert made().E_s(torch.randn(3, 3, 64, 32)).s.mean(dim=(2, 3)).abs().max() < 1e-5


def test_sizes_that_cannot_be_painted_are_refused():
    wide = Batch(torch.rand(4, 3, 32, 18), torch.rand(4, 3, 32, 18), torch.tensor([0, 0, 1, 1]))
    with pytest.raises(RecipeError, match="32 x 18 pixels; a generator paints multiples of 4"):
        list(made().step(wide, EARLY))
