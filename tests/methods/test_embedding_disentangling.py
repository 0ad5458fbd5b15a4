"""Embedding disentangling: published sizes, the equations by a slow twin, which term reaches which part, collapse."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.evaluation.spread import COLLAPSED, spread
from tapetum.methods.embedding_disentangling import EmbeddingDisentangling, EmbeddingDisentanglingSettings
from tapetum.methods.method import Progress
from tapetum.recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "recipes" / "embedding_disentangling"
TINY = {"vector_length": 6, "encoder_layers": (8, 4), "decoder_layers": (8,), "classifier_layer": 5}
PERSONS = 4


def made(persons: int = PERSONS, **settings) -> EmbeddingDisentangling:
    torch.manual_seed(0)
    return EmbeddingDisentangling(EmbeddingDisentanglingSettings.model_validate({**TINY, **settings}), persons)


def batch(persons: int = PERSONS, crops: int = 2, length: int = 6) -> Batch:
    rgb, ir = torch.randn(2, persons * crops, length, generator=torch.Generator().manual_seed(1))
    return Batch(rgb, ir, torch.arange(persons).repeat_interleave(crops))


def terms(method: EmbeddingDisentangling, given: Batch, fraction: float = 0.75) -> dict[str, torch.Tensor]:
    torch.manual_seed(2)  # draws the third rows
    ((player, found),) = method.step(given, Progress(int(100 * fraction), 100))
    assert player == "model"
    return dict(found)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_sizes():
    # METHODS 4.1: four encoders, four decoder halves and the classifier of 395 persons; with all shared, two and two.
    method = EmbeddingDisentangling(EmbeddingDisentanglingSettings(), 395)
    assert count(method) == 24_610_187 == 4 * 3_804_928 + 4 * 2_231_296 + 465_291
    assert (count(method.E_s), count(method.E_m), count(method.D)) == (7_609_856, 7_609_856, 4 * 2_231_296)
    assert method.embed(torch.randn(3, 512), Modality.IR).shape == (3, 256)
    assert count(EmbeddingDisentangling(EmbeddingDisentanglingSettings(shared=True), 395)) == 12_537_739


@pytest.mark.parametrize("shared", [False, True])
def test_the_equations_one_triplet_at_a_time(shared):
    method = made(classifier="joint", triplet="random", symmetric_triplet=False, shared=shared, norm="raw", margin=0.4)
    given = batch()
    found = terms(method, given)
    torch.manual_seed(2)
    others = (given.person[:, None] != given.person[None, :]).float()
    third = torch.multinomial(others, 1)[:, 0]
    E_s, E_m, D = ({m: part["both" if shared else m] for m in Modality} for part in (method.E_s, method.E_m, method.D))
    rgb, ir = Modality

    def absolute(a, b):
        return (a - b).abs().mean().item()

    expected = {"simple": 0.0, "cross": 0.0, "dis": 0.0, "triplet": 0.0, "classifier": 0.0}
    for i, j in enumerate(third.tolist()):
        x1, x2, x3 = given.rgb[i], given.ir[i], given.ir[j]
        y1, y3 = given.person[i], given.person[j]
        assert y1 != y3
        (m1, s1), (m2, s2), (m3, s3) = [(E_m[k](x), E_s[k](x)) for k, x in ((rgb, x1), (ir, x2), (ir, x3))]
        expected["simple"] += absolute(x1, D[rgb](m=m1, s=s1)) + absolute(x2, D[ir](m=m2, s=s2))
        expected["simple"] += absolute(x3, D[ir](m=m3, s=s3))
        expected["cross"] += absolute(x1, D[rgb](m=m1, s=s2)) + absolute(x2, D[ir](m=m2, s=s1))
        expected["dis"] += F.cross_entropy(method.C(D[rgb](m=m1, s=s3)), y3).item()
        expected["dis"] += F.cross_entropy(method.C(D[ir](m=m3, s=s1)), y1).item()
        expected["triplet"] += max(0.0, 0.4 + absolute(s1, s2) - absolute(s1, s3))
        expected["classifier"] += F.cross_entropy(method.C(torch.stack([x1, x2])), y1.repeat(2)).item()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value / len(third), rel=1e-4), name


GRADIENT_FLOW = {
    # term: which parts its gradient reaches: E_s of RGB and infrared, E_m, identity halves of D, rest halves, C
    "simple": (True, True, True, True, True, False),
    "cross": (True, True, True, True, True, False),
    "dis": (True, True, True, True, True, True),
    "triplet": (True, True, False, False, False, False),
    "classifier": (False, False, False, False, False, True),
}


def reached(method: EmbeddingDisentangling) -> tuple[bool, ...]:
    halves = [[getattr(decoder, name) for decoder in method.D.values()] for name in ("identity", "rest")]
    parts = [method.E_s["rgb"], method.E_s["ir"], method.E_m, *map(nn.ModuleList, halves), method.C]
    return tuple(any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters()) for part in parts)


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    method = made(classifier="joint", margin=50.0)
    terms(method, batch())[term].backward()
    assert reached(method) == GRADIENT_FLOW[term]


def test_what_the_classifier_learns_on():
    # generated: from L_dis alone. frozen: first from real vectors alone, then from nothing, but L_dis runs through it.
    generated = made(classifier="generated")
    found = terms(generated, batch(), fraction=0.0)
    assert "classifier" not in found
    found["dis"].backward()
    assert reached(generated)[-1]
    first = terms(made(classifier="frozen"), batch(), fraction=0.05)
    assert set(first) == {"classifier"}
    frozen = made(classifier="frozen")
    found = terms(frozen, batch(), fraction=0.1)
    assert set(found) == {"simple", "cross", "dis", "triplet"}
    found["dis"].backward()
    assert reached(frozen) == (True, True, True, True, True, False)


def test_terms_can_be_left_out_and_weighed():
    assert set(terms(made(cross=False, triplet="none"), batch())) == {"simple", "dis"}
    assert set(terms(made(dis_weight=0.0, triplet="none"), batch())) == {"simple", "cross"}
    once = terms(made(), batch())
    twice = terms(made(reconstruction_weight=2.0, dis_weight=3.0, triplet_weight=4.0), batch())
    for name, weight in (("simple", 2), ("cross", 2), ("dis", 3), ("triplet", 4)):
        assert twice[name].item() == pytest.approx(weight * once[name].item(), rel=1e-5)


def test_triplets_are_hard_after_a_share_of_training():
    settings = {"margin": 50.0, "hard_after": 0.5}
    random = terms(made(triplet="random", **settings), batch(crops=4))["triplet"]
    early, late = (terms(made(**settings), batch(crops=4), fraction)["triplet"] for fraction in (0.4, 0.5))
    assert early.item() == random.item()
    assert late.item() > random.item() + 0.1, "the hardest pairs lie further from what is wanted than drawn ones"


def test_both_directions_are_averaged():
    given = batch()
    swapped = Batch(given.ir, given.rgb, given.person)
    wide = {"shared": True, "margin": 50.0, "triplet": "random"}
    one, other = (terms(made(symmetric_triplet=False, **wide), of)["triplet"].item() for of in (given, swapped))
    assert one != other
    assert terms(made(**wide), given)["triplet"].item() == pytest.approx((one + other) / 2, rel=1e-5)


def test_each_light_has_encoders_of_its_own_unless_shared():
    vectors = batch().rgb
    own, shared = made(), made(shared=True)
    assert not torch.allclose(own.embed(vectors, Modality.RGB), own.embed(vectors, Modality.IR))
    assert torch.equal(shared.embed(vectors, Modality.RGB), shared.embed(vectors, Modality.IR))


def test_last_relus():
    vectors = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    assert made().embed(vectors, Modality.RGB).min() >= 0
    assert made(encoder_last_relu=False).embed(vectors, Modality.RGB).min() < 0
    # A decoder that ends in ReLUs makes no negative number: 0 is the best guess at one, and its error is all of it.
    down = Batch(-vectors.abs(), -vectors.abs(), torch.arange(40) // 10)
    error = terms(made(decoder_last_relu=True, triplet="none"), down)["simple"].item()
    assert error >= 3 * vectors.abs().mean().item()


def made_vectors(persons: int) -> Batch:
    """Eight vectors of each person and light: code times a map that the lights share in part, and as much noise."""
    generator = torch.Generator().manual_seed(0)
    code = torch.randn(persons, 8, generator=generator).repeat_interleave(8, dim=0)
    common, of_rgb, of_ir, noise = torch.randn(4, 8, 32, generator=generator) / 3
    lights = [
        code @ (common + 0.3 * own) + 0.7 * torch.randn(len(code), 8, generator=generator) @ noise
        for own in (of_rgb, of_ir)
    ]
    return Batch(lights[0], lights[1], torch.arange(persons).repeat_interleave(8))


def trained_spread(hard_after: float) -> float:
    """The spread of s after 100 steps of 32 triplets."""
    layers = {"vector_length": 32, "encoder_layers": (64, 128, 32, 16), "decoder_layers": (32, 128)}
    method = made(120, **{**layers, "classifier": "generated", "hard_after": hard_after})
    vectors = made_vectors(120)
    optimiser = torch.optim.Adam(method.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(1)
    for step in range(100):
        person = torch.randperm(120, generator=generator)[:16].repeat_interleave(2)
        rows, rows_ir = 8 * person + torch.randint(0, 8, (2, 32), generator=generator)
        for _, found in method.step(Batch(vectors.rgb[rows], vectors.ir[rows_ir], person), Progress(step, 100)):
            optimiser.zero_grad()
            torch.stack(list(found.values())).sum().backward()
            optimiser.step()
    with torch.inference_mode():
        s = [method.embed(vectors.rgb, Modality.RGB), method.embed(vectors.ir, Modality.IR)]
    lights = [light for light in Modality for _ in range(len(vectors.rgb))]
    return spread(torch.cat(s).numpy(), lights)


def test_hard_triplets_from_the_first_step_collapse_and_it_is_detected():
    # METHODS 4.5 (ii): all s go to one point, and only a start with random triplets keeps them apart.
    assert trained_spread(hard_after=0.0) < COLLAPSED < trained_spread(hard_after=1.0)


def test_the_recipes_hold_the_decks_layers_and_weights():
    # METHODS 4.1 and 4.2: 512 numbers, all weights 1, Adam 1e-4, 64 pairs; hard triplets after half of the training.
    recipes = {name: read_recipe(RECIPES / f"{name}.yaml") for name in ("synthetic", "sysu_mm01")}
    for recipe in recipes.values():
        assert recipe.batch.persons * recipe.batch.crops == 64
        model = recipe.optimisers["model"]
        assert (model.kind, model.learning_rate, model.weight_decay) == ("adam", 1e-4, 0)
        settings = EmbeddingDisentanglingSettings.model_validate(recipe.settings)
        assert settings == EmbeddingDisentanglingSettings()
    assert (settings.vector_length, settings.encoder_layers, settings.decoder_layers) == (
        512,
        (1024, 2048, 512, 256),
        (512, 2048),
    )
    assert (settings.reconstruction_weight, settings.dis_weight, settings.triplet_weight) == (1, 1, 1)
    assert (settings.classifier, settings.triplet, settings.hard_after, settings.margin) == ("frozen", "hard", 0.5, 0.3)
    # The run that the full-size one goes on from has learnt the same 395 persons.
    assert recipes["sysu_mm01"].data == read_recipe(RECIPES.parent / "bdtr" / "resnet50_sysu_mm01.yaml").data
