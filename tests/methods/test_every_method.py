"""What every method must hold; a new file in tapetum.methods is tested by being there.

Each one learns a tiny set in a few steps, embeds both modalities with unit length, whatever the batch, embeds the same
after save and load, and sends the gradient of each player's terms to that player.
"""

from __future__ import annotations

import math

import pytest
import torch

from tapetum.chained import Chained
from tapetum.core import Batch, Modality
from tapetum.methods.method import Embedder, Method, Progress, find_method, method_names
from tapetum.model_file import load_model, save_model

SMALL = {
    "bdtr": {"trunk": "resnet10", "weights": "none", "width": 8, "embedding": 16},
    "caj": {"trunk": "resnet10", "weights": "none", "width": 8, "non_local_channels": 0, "embedding": 16},
    "case_net": {
        "trunk": "resnet10",
        "weights": "none",
        "width": 8,
        "code_width": 2,
        "style_width": 16,
        "dilations": (1, 2, 3),
        "discriminator_width": 4,
        "scales": 2,
        "domain_widths": (8,),
        "strips": 8,
        "embedding": 16,
    },
    "cmpig": {
        "trunk": "resnet10",
        "weights": "none",
        "width": 8,
        "style": 8,
        "style_width": 4,
        "style_halvings": 3,
        "decoder_width": 16,
        "adversarial_weight": 0.0,
        "warmup": 0.0,
    },
    "deen": {"trunk": "resnet10", "weights": "none", "width": 8, "fusion": False},
    "dgnet": {
        "trunk": "resnet10",
        "weights": "none",
        "width": 8,
        "code_width": 2,
        "style_width": 16,
        "dilations": (1, 2, 3),
        "discriminator_width": 4,
        "scales": 2,
        "embedding": 16,
        "dropout": 0.0,
        "erasing": 0.0,
        "teacher_weight": 0.0,
        "fine_dropout": 0.0,
    },
    "embedding_disentangling": {
        "vector_length": 32,
        "encoder_layers": (128, 32),
        "decoder_layers": (128,),
        "classifier_layer": 32,
        "classifier": "joint",
    },
    "hc_tri": {"trunk": "resnet10", "weights": "none", "width": 8, "strips": 2, "embedding": 64},
    "hi_cmd": {
        "trunk": "resnet10",
        "weights": "none",
        "width": 8,
        "code_width": 2,
        "style_width": 16,
        "dilations": (1, 2, 3),
        "discriminator_width": 4,
        "scales": 2,
        "embedding": 32,
        "metric_embedding": 16,
        "dropout": 0.0,
        "erasing": 0.0,
    },
    "sdl": {"trunk": "resnet10", "weights": "none", "width": 8, "embedding": 64, "dropout": 0.0},
    "structure_identity": {
        "trunk": "resnet10",
        "structure_trunk": "resnet10",
        "structure_weights": "none",
        "weights": "none",
        "width": 8,
        "code_width": 2,
        "style_width": 16,
        "dilations": (1, 2, 3),
        "discriminator_width": 4,
        "scales": 2,
        "embedding": 16,
        "dropout": 0.0,
        "erasing": 0.0,
        "teacher_weight": 0.0,
    },
    "two_stream": {"pooling": "average", "trunk": "resnet10", "weights": "none", "width": 8, "embedding": 16},
    "unet_disentangling": {"widths": (8, 16, 32), "embedding": 16},
    "zero_padding": {"trunk": "resnet10", "weights": "none", "width": 8},
}
"""Settings that make each method small enough for a test; a method on vectors reads 32 numbers."""

GAMES = {
    "case_net": ("generator", "shape"),
    "cmpig": ("generator", "identity"),
    "dgnet": ("appearance", "identity"),
    "hi_cmd": ("generator", "identity"),
    "structure_identity": ("generator", "identity_structure"),
}
"""Methods whose players play against each other, so that no loss need fall; and the player and term that must."""

PERSONS, CROPS, SIZE = 4, 2, (32, 16)


def made(name: str) -> Method:
    torch.manual_seed(0)
    kind = find_method(name)
    return kind(kind.Settings.model_validate(SMALL[name]), PERSONS)


def as_read(method: Method, images: torch.Tensor) -> torch.Tensor:
    """Pictures, or for a method on vectors the mean of each of their 32 lines of pixels."""
    return images if method.vector_length is None else (images.mean(dim=(1, 3)) - 0.5) / 0.3


def batch_for(method: Method, batch: Batch) -> Batch:
    return Batch(as_read(method, batch.rgb), as_read(method, batch.ir), batch.person)


def model_of(name: str) -> tuple[Embedder, dict[str, object]]:
    """What a run of the method saves, and its description: with the run that a method on vectors goes on from."""
    facts: dict[str, object] = {"persons": PERSONS, "height": SIZE[0], "width": SIZE[1]}
    described = {"method": name, "settings": SMALL[name], **facts}
    method = made(name)
    if method.vector_length is None:
        return method.eval(), described
    settings = {**SMALL["two_stream"], "embedding": method.vector_length}
    base = find_method("two_stream")(find_method("two_stream").Settings.model_validate(settings), PERSONS)
    origin = {"method": "two_stream", "settings": settings, **facts, "fingerprint": "0" * 16, "base": None}
    return Chained(base, method).eval(), {**described, "base": origin}


@pytest.fixture
def batch() -> Batch:
    """Each person a pattern of stripes, the same in both modalities, with a little noise."""
    generator = torch.Generator().manual_seed(1)
    stripes = torch.randint(0, 2, (PERSONS, 8), generator=generator).float().repeat_interleave(4, dim=1)
    person = torch.arange(PERSONS).repeat_interleave(CROPS)

    def pictures() -> torch.Tensor:
        clean = 0.2 + 0.6 * stripes[person][:, None, :, None].expand(-1, 3, *SIZE)
        return (clean + 0.05 * torch.randn(clean.shape, generator=generator)).clamp(0, 1)

    return Batch(pictures(), pictures(), person)


def test_small_settings_are_given_for_every_method():
    assert sorted(SMALL) == method_names()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_it_learns_a_fixed_batch(name, batch):
    method = made(name)
    optimisers = {player: torch.optim.Adam(module.parameters(), 3e-3) for player, module in method.players().items()}
    totals: dict[str, list[float]] = {player: [] for player in optimisers}
    for step in range(15):
        for player, terms in method.step(batch_for(method, batch), Progress(step, 15)):
            loss = torch.stack(list(terms.values())).sum()
            optimisers[player].zero_grad()
            loss.backward()
            optimisers[player].step()
            of_game = name in GAMES and player == GAMES[name][0]
            totals[player].append(terms[GAMES[name][1]].item() if of_game else loss.item())
    assert all(len(values) == 15 for values in totals.values()), "each player moves once a step"
    for player, values in totals.items():
        assert all(math.isfinite(value) for value in values)
        if name not in GAMES or player == GAMES[name][0]:
            assert values[-1] < 0.7 * values[0]


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.parametrize("modality", Modality)
def test_embeddings_have_unit_length_whatever_the_batch(name, modality, batch):
    method = made(name).eval()
    with torch.inference_mode():
        given = as_read(method, batch.rgb)
        together = method.embed(given, modality)
        alone = torch.cat([method.embed(one[None], modality) for one in given])
    assert together.ndim == 2
    assert torch.allclose(together.norm(dim=1), torch.ones(len(together)), atol=1e-5)
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_save_and_load_give_the_same_embeddings(name, batch, tmp_path):
    model, description = model_of(name)
    save_model(tmp_path, model, description)
    loaded, _ = load_model(tmp_path)
    with torch.inference_mode():
        for modality in Modality:
            assert torch.equal(model.embed(batch.ir, modality), loaded.embed(batch.ir, modality))


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_terms_reach_their_player(name, batch):
    method = made(name)
    for player, terms in method.step(batch_for(method, batch), Progress(9, 10)):  # when every term has begun
        module = method.players()[player]
        module.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        moved = [p for p in module.parameters() if p.requires_grad]
        assert moved
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in moved)
