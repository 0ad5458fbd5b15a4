"""Structure identity: one setting decides heads, labels and vector; which term reaches which network; every switch."""

from __future__ import annotations

import copy

import pytest
import torch
from pydantic import ValidationError

import tapetum.methods.structure_identity as module
from tapetum.core import Batch, Modality
from tapetum.data.pairing import Pairs
from tapetum.errors import RecipeError
from tapetum.losses.identity import identity_loss
from tapetum.methods.method import Generative, Pictures, Progress, reconstruct, swap
from tapetum.methods.structure_identity import StructureIdentity, StructureIdentitySettings
from tapetum.model_file import load_model, save_model

TINY = {
    "trunk": "resnet10", "weights": "none", "structure_weights": "none", "width": 8, "code_width": 2,
    "style_width": 16, "dilations": (1, 2, 3), "discriminator_width": 4, "scales": 2, "embedding": 16, "dropout": 0.0,
    "erasing": 0.0,
}  # fmt: skip
WEIGHTS = ("reconstruction", "cross", "identity", "generated", "adversarial", "structure", "appearance", "cycle",
           "teacher", "edge", "metric", "alignment", "reversal", "attribute")  # fmt: skip
LATE = Progress(9, 10)
ROW, OTHER = torch.tensor([0, 4, 8, 7]), torch.tensor([2, 3, 0, 1])


def made(**settings) -> StructureIdentity:
    torch.manual_seed(0)
    return StructureIdentity(StructureIdentitySettings.model_validate({**TINY, **settings}), 5)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    rgb, ir = (torch.rand(6, 3, 32, 16, generator=generator) for _ in range(2))
    bag = torch.tensor([0, 0, 1, 1, -1, -1])
    return Batch(rgb, ir, torch.tensor([0, 0, 2, 2, 4, 4]), {"bag": bag, "type": bag})


def one_step(method: StructureIdentity, progress: Progress = LATE) -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(3)
    return {player: dict(terms) for player, terms in method.step(batch(), progress)}


def total(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


def test_published_sizes():
    with torch.device("meta"):
        method = StructureIdentity(StructureIdentitySettings(weights="none", teacher_weight=0.0), 395)
    found = [sum(p.numel() for p in part.parameters()) for part in (method.E_s, method.G, method.D, method.E_a)]
    assert found == [380_544, 13_000_131, 1_025_571, 23_508_032]
    # Linear 128 -> 512, BN, Linear 512 -> 395: 66,048 + 1,024 + 202,635.
    assert sum(p.numel() for p in method.heads.parameters()) == 269_707


@pytest.mark.parametrize("space", ["structure", "appearance", "both"])
def test_the_identity_space_decides_heads_labels_and_vector_together(space, monkeypatch):
    # Rows 0 ... 5 RGB, 6 ... 11 infrared, persons 0 0 2 2 4 4. Pairs: (0, 8): 0 and 2; (4, 7): 4 and 0.
    monkeypatch.setattr(module, "draw_pairs", lambda *_: Pairs(ROW, ROW, OTHER))
    seen = []

    def recorded(logits, person, *given):
        seen.append(person.tolist())
        return identity_loss(logits, person, *given)

    monkeypatch.setattr(module, "identity_loss", recorded)
    method = made(identity_space=space)
    terms = one_step(method)["generator"]
    spaces = ["structure", "appearance"] if space == "both" else [space]
    everybody = [0, 0, 2, 2, 4, 4, 0, 0, 2, 2, 4, 4]
    donors = {"structure": [0, 4, 2, 0], "appearance": [2, 0, 0, 4]}
    assert seen == len(spaces) * [everybody] + [donors[each] for each in spaces]
    assert list(method.heads) == spaces
    assert [name for name in terms if name.startswith("identity_")] == [f"identity_{each}" for each in spaces]
    method.eval()
    x = batch().rgb
    with torch.inference_mode():
        vectors = method.embed(x, Modality.RGB)
        assert vectors.shape == (6, 16 * len(spaces))
        # Only structure is read from the mean of the normalised channels: turned colours leave it as it is.
        turned = module.normalise(x).roll(1, dims=1)
        same = torch.allclose(vectors, method.embed(module.denormalise(turned), Modality.RGB), atol=1e-3)
    assert same == (space == "structure")


GRADIENT_FLOW = {
    # term: which networks its gradient reaches, player by player; all others get none
    "reconstruction": {"E_s", "G", "E_a"},
    "cross": {"E_s", "G", "E_a"},
    "identity": {"E_s", "heads"},
    "generated": {"E_s", "G", "E_a"},
    "adversarial": {"D", "E_s", "G", "E_a"},
    "structure": {"E_s", "G", "E_a"},
    "appearance": {"E_s", "G", "E_a"},
    "cycle": {"E_s", "G", "E_a"},
    "teacher": {"E_s", "heads"},
    "edge": {"E_s", "G", "E_a"},
    "metric": {"E_s", "heads"},
    "alignment": {"E_s", "light"},
    "reversal": {"E_a", "unknown"},
    "attribute": {"E_s", "heads", "traits"},
}
OWNERS = {"generator": ["G"], "structure": ["E_s", "heads", "light", "traits"], "appearance": ["E_a", "unknown"],
          "discriminator": ["D"]}  # fmt: skip


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    weights = {f"{name}_weight": float(name == term) for name in WEIGHTS}
    switched = {"metric": "batch_hard"} if term == "metric" else {}
    if term == "attribute":
        switched = {"attributes": {"bag": 2}}
    method = made(**weights, **switched, reencode_detached=0.0)
    for head in method.heads.values():  # a fresh classifier's weights are near zero
        torch.nn.init.normal_(head.classifier.weight)
    reached = set()
    for player, terms in one_step(method).items():
        method.zero_grad()
        if total(terms).requires_grad:
            total(terms).backward()
        for name in dict(method.named_children()):
            part = getattr(method, name)
            if any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters()):
                assert name in OWNERS[player], f"{player}'s terms move {name}"
                reached.add(name)
    assert reached == GRADIENT_FLOW[term]


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


def test_a_joint_step_gives_each_player_the_gradient_of_the_plain_sum(monkeypatch):
    found = {}
    for name in ("early", "plain"):
        method = made()
        if name == "plain":
            monkeypatch.setattr(module, "early", lambda make, inputs, modules=(): dict(make(*inputs)))
            monkeypatch.setattr(module, "shared", lambda terms, *players: [terms, {}, {}])
        for player, terms in one_step(method).items():
            if name == "early":
                method.zero_grad()
            if terms and player != "discriminator":
                total(terms).backward()
            if name == "early" and player != "discriminator":
                own = method.players()[player].named_parameters()
                found |= {(player, n): p.grad.clone() for n, p in own if p.grad is not None}
    for player in ("generator", "structure", "appearance"):
        for n, p in method.players()[player].named_parameters():
            if p.grad is not None:
                assert torch.allclose(found[player, n], p.grad, atol=1e-5, rtol=1e-3), n


SWITCHES = [
    {"branch": True, "attached": False},
    {"norm": "batch", "pooling": "average"},
    {"norm": "ibn", "strips": 2, "pooling": "gem"},
    {"structure_trunk": "resnet10"},
    {"structure_trunk": "resnet10", "edges": "input", "metric": "hetero_centre"},
    {"edges": "branch", "edge_weight": 1.0, "metric": "weighted"},
    {"alignment_weight": 1.0, "reversal_weight": 1.0, "metric": "batch_hard"},
    {"attributes": {"bag": 2}, "erasing": 1.0},
    {"adversarial_weight": 0.0, "teacher_weight": 0.0, "gan_loss": "log"},
]


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: " ".join(switch))
def test_every_switch_takes_a_step_and_embeds(switch):
    method = made(**switch)
    players = method.players()
    for player, terms in one_step(method).items():
        assert all(torch.isfinite(value) for value in terms.values()), terms
        total(terms).backward()
        moved = [p for p in players[player].parameters() if p.grad is not None and p.grad.abs().sum() > 0]
        assert len(moved) > 0.9 * len(list(players[player].parameters()))
    with torch.inference_mode():
        vectors = method.eval().embed(batch().ir, Modality.IR)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(6), atol=1e-5)


def test_the_teacher_reads_what_the_structure_head_reads():
    method = made(edges="input", strips=2, exchanged=2)
    assert method.C is not None
    assert method.C.front is not None
    assert method.C.pool.project.in_features == 2 * method.C.trunk.channels
    painted = []
    method.G.register_forward_hook(lambda network, given, made: painted.append(len(made)))
    one_step(method)
    assert painted == [4, 8, 4]  # two pairs: swaps, own and partner's, cycle


@pytest.mark.parametrize("space", ["structure", "appearance", "both"])
def test_the_teacher_says_what_the_head_that_it_teaches_can_see(space, monkeypatch):
    method = made(identity_space=space, edges="input")
    assert (method.C.front is None) == (space == "appearance")
    seen, taught = [], []
    soft = method.C.soft_labels
    monkeypatch.setattr(method.C, "soft_labels", lambda x: seen.append(x) or soft(x))
    loss = module.soft_label_loss
    monkeypatch.setattr(module, "soft_label_loss", lambda logits, *given: taught.append(logits) or loss(logits, *given))
    one_step(method)
    ((x,), (logits,)) = seen, taught
    assert torch.allclose(x[:, 0], x[:, 1], atol=1e-6) == (space != "appearance"), "grey, but of colours in colour"
    assert logits.shape == (len(x), 5)


def test_real_pictures_are_erased_for_every_head():
    for space in ("structure", "appearance", "both"):
        whole, erased = (one_step(made(identity_space=space, erasing=share))["generator"] for share in (0.0, 1.0))
        for name in (name for name in whole if name.startswith("identity_")):
            assert whole[name] != erased[name], f"{name} of {space}"


def test_swaps_keep_the_edges_of_their_structure(monkeypatch):
    compared, painted = [], []
    method = made(edge_weight=1.0, adversarial_weight=0.0)
    loss = module.reconstruction_loss
    monkeypatch.setattr(module, "reconstruction_loss", lambda *two: compared.append(two) or loss(*two))
    monkeypatch.setattr(module, "draw_pairs", lambda *_: Pairs(ROW, ROW, OTHER))
    method.G.register_forward_hook(lambda network, given, made: painted.append(made))
    one_step(method)
    x = module.normalise(torch.cat([batch().rgb, batch().ir]))[ROW]
    edges = [two for two in compared if two[0].shape[1] == method.E_s.front.channels]
    ((of_swaps, of_donors),) = edges
    assert torch.equal(of_swaps, method.E_s.front(painted[0]))
    assert torch.equal(of_donors, method.E_s.front(x)), "the structure's donors, not the appearance's"


def test_attributes_may_be_called_as_modules_members_are():
    terms = one_step(made(attributes={"type": 2, "bag": 2}))["generator"]
    assert "attributes" in terms
    for name, kinds in (("upper.type", 2), ("bag", 1)):
        with pytest.raises(ValidationError, match="expected 2 or more, and a name without dots"):
            made(attributes={name: kinds})


def test_a_teacher_needs_time_to_learn():
    with pytest.raises(RecipeError, match="one that has learnt nothing spoils the run"):
        made(warmup=0.0)
    made(warmup=0.0, teacher_weight=0.0)


def test_no_network_is_copied_and_running_norms_see_real_pictures_only(monkeypatch):
    method = made(norm="batch")
    monkeypatch.setattr(copy, "deepcopy", lambda *_: pytest.fail("a network was copied"))
    one_step(method)
    norms = [m for part in (method.E_a, method.E_s) for m in part.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}


def test_pictures_are_taken_apart_swapped_saved_and_loaded(tmp_path):
    method = made(structure_trunk="resnet10").eval()
    rgb, ir = Pictures(batch().rgb, Modality.RGB), Pictures(batch().ir, Modality.IR)
    settings = {**TINY, "structure_trunk": "resnet10"}
    save_model(tmp_path, method, {"method": "structure_identity", "settings": settings, "persons": 5, "height": 32,
                                  "width": 16})  # fmt: skip
    loaded, _ = load_model(tmp_path)
    assert isinstance(loaded, Generative)
    with torch.inference_mode():
        own = reconstruct(method, rgb)
        assert torch.equal(own, reconstruct(loaded, rgb))
        assert not torch.allclose(swap(method, rgb, ir), own, atol=1e-4)
        assert not torch.allclose(swap(method, ir, rgb), own, atol=1e-4)


def test_sizes_that_cannot_be_painted_are_refused():
    wide = Batch(torch.rand(4, 3, 32, 18), torch.rand(4, 3, 32, 18), torch.tensor([0, 0, 1, 1]))
    with pytest.raises(RecipeError, match="32 x 18 pixels; a generator paints multiples of 4"):
        list(made().step(wide, LATE))
