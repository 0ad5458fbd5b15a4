"""cmPIG: published sizes, which term reaches which network, what is painted from what, and what its pictures hold."""

from __future__ import annotations

import copy

import pytest
import torch

import tapetum.methods.cmpig as module
from tapetum.core import Batch, Modality
from tapetum.errors import RecipeError
from tapetum.losses.reconstruction import reconstruction_loss
from tapetum.methods.cmpig import CmPig, CmPigSettings
from tapetum.methods.method import Generative, Pictures, Progress, reconstruct, swap
from tapetum.model_file import load_model, save_model

TINY = {
    "trunk": "resnet10", "weights": "none", "width": 8, "style": 6, "style_width": 2, "decoder_width": 8,
    "discriminator_width": 2, "scales": 1, "painted_persons": 2, "painted_crops": 1, "warmup": 0.5,
}  # fmt: skip
WEIGHTS = ("reconstruction", "cycle", "content", "style", "adversarial", "alignment", "identity", "metric")
LATE, EARLY = Progress(9, 10), Progress(0, 10)
PERSON = torch.tensor([0, 0, 2, 2, 4, 4])


def made(**settings) -> CmPig:
    torch.manual_seed(0)
    return CmPig(CmPigSettings.model_validate({**TINY, **settings}), 5)


def batch(height: int = 64, width: int = 32) -> Batch:
    generator = torch.Generator().manual_seed(1)
    rgb, ir = (torch.rand(6, 3, height, width, generator=generator) for _ in range(2))
    return Batch(rgb, ir, PERSON)


def one_step(method: CmPig, progress: Progress = LATE) -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(3)
    return {player: dict(terms) for player, terms in method.step(batch(), progress)}


def total(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


def count(*modules: torch.nn.Module) -> int:
    return sum(p.numel() for part in modules for p in part.parameters())


def test_published_sizes():
    # METHODS 6; E_sl: 9,408 + 128 of the stem and 215,808 of layer1; together with E_il a whole ResNet-50.
    with torch.device("meta"):
        method = CmPig(CmPigSettings(weights="none"), 395)
    assert count(method.E_sl) == 225_344
    assert count(method.E_sl, method.E_il) == 23_508_032
    assert count(method.neck) == 4_096 + 808_960
    for light in Modality:
        assert [count(part[light]) for part in (method.E_s, method.Dec, method.D)] == [709_824, 3_823_875, 1_380_802]
    assert not any(isinstance(layer, torch.nn.ReLU) for layer in method.E_sl[0])


def test_the_order_of_play():
    early, late = one_step(made(), EARLY), one_step(made())
    assert list(early) == list(late) == ["discriminator", "generator", "identity"]
    painting = ["adversarial", "reconstruction", "cycle", "content", "style"]
    assert list(early["generator"]) == painting
    assert list(late["generator"]) == [*painting, "identity", "triplet", "alignment"]
    assert set(made().players()) == set(late)
    assert set(one_step(made(adversarial_weight=0.0))) == {"generator", "identity"}


def test_identities_begin_when_painting_has_warmed_up():
    assert "identity" not in one_step(made(), Progress(4, 10))["generator"]
    assert "identity" in one_step(made(), Progress(5, 10))["generator"]
    assert CmPigSettings().warmup == pytest.approx(100 / 150)


GRADIENT_FLOW = {
    # term: player that it is yielded to -> the networks that its gradient reaches; all others get none
    "reconstruction": {"generator": {"E_s", "Dec"}, "identity": {"E_sl"}},
    "cycle": {"generator": {"E_s", "Dec"}, "identity": {"E_sl"}},
    "content": {"generator": {"E_s", "Dec"}, "identity": {"E_sl"}},  # through the picture, not through its target
    "style": {"generator": {"E_s", "Dec"}, "identity": {"E_sl"}},
    "adversarial": {"discriminator": {"D"}, "generator": {"E_s", "Dec"}, "identity": {"E_sl"}},
    "alignment": {"identity": {"E_sl", "E_il", "neck"}},
    "identity": {"identity": {"E_sl", "E_il", "neck"}},
    "metric": {"identity": {"E_sl", "E_il"}},
}


def reached(method: CmPig) -> set[str]:
    names = ("E_sl", "E_il", "neck", "E_s", "Dec", "D")
    return {
        name
        for name in names
        if any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in getattr(method, name).parameters())
    }


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    method = made(**{f"{name}_weight": float(name == term) for name in WEIGHTS}, margin=5.0)
    torch.nn.init.normal_(method.neck.classifier.weight)  # plain to see, where a fresh one is near zero
    found = {}
    for player, terms in one_step(method).items():
        method.zero_grad()
        total(terms).backward()
        if reached(method):
            found[player] = reached(method)
    assert found == GRADIENT_FLOW[term]


def test_no_network_is_copied_and_running_norms_see_real_pictures_only(monkeypatch):
    method = made()
    monkeypatch.setattr(copy, "deepcopy", lambda *_: pytest.fail("a network was copied"))
    one_step(method)
    norms = [layer for layer in method.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}
    assert all(p.requires_grad for name, p in method.named_parameters() if name != "neck.norm.bias")


def test_what_is_painted_from_what(monkeypatch):
    # Rows 1 and 4 (persons 0 and 4) are drawn. What must come out is known: the half-sized pictures of both lights.
    rows, seen, paintings, compared = torch.tensor([1, 4]), [], [], []
    monkeypatch.setattr(module, "draw_rows", lambda *_: rows)

    def recorded(made, target):
        paintings.append(made)
        seen.append(target)
        return reconstruction_loss(made, target)

    agreement = module.posterior_agreement
    monkeypatch.setattr(module, "reconstruction_loss", recorded)
    monkeypatch.setattr(module, "posterior_agreement", lambda *two: compared.append(two) or agreement(*two))
    method = made().eval()
    one_step(method)
    real = 2 * torch.cat([batch().rgb[rows], batch().ir[rows]]) - 1
    small = torch.nn.functional.avg_pool2d(real, 2)
    own, cycle, content, style = seen
    assert torch.equal(own, small)
    assert torch.equal(cycle, small)
    with torch.no_grad():
        c, s = (
            method._content(real),
            [method.E_s[light](half) for light, half in zip(Modality, small.chunk(2), strict=True)],
        )
        assert torch.allclose(content, c.roll(2, 0), atol=1e-5)  # a fake shows the content of its opposite
        assert torch.allclose(style, torch.cat(s), atol=1e-5)  # in its own light's style
        fake = method._painted(real, c).fake
        again = method._content(module.enlarged(fake))
        decoders, encoders = list(method.Dec.values()), list(method.E_s.values())
        back = torch.cat([decoders[0](again[2:], s[0]), decoders[1](again[:2], s[1])])  # through the other light
        styles = torch.cat([encoder(half) for encoder, half in zip(encoders, fake.chunk(2), strict=True)])
        whole = torch.cat([decoder(half, of) for decoder, half, of in zip(decoders, c.chunk(2), s, strict=True)])
        for found, expected in zip(paintings, (whole, back, again, styles), strict=True):
            assert torch.allclose(found, expected, atol=1e-5)
        logits = [method.neck(method._vectors(read))[1] for read in (c, again.roll(2, 0))]  # a picture and its fake
    for found, expected in zip(compared[0], logits, strict=True):
        assert torch.allclose(found, expected, atol=1e-5)


def test_a_fake_is_the_light_of_its_decoder():
    method = made().eval()
    x, n = torch.rand(4, 3, 64, 32) * 2 - 1, 2
    with torch.inference_mode():
        c = method._content(x)
        painted = method._painted(x, c)
        infrared = method.Dec[Modality.IR](c[:n], method.E_s[Modality.IR](painted.small[n:]))  # of RGB contents
        rgb = method.Dec[Modality.RGB](c[n:], method.E_s[Modality.RGB](painted.small[:n]))
    assert torch.allclose(painted.fake, torch.cat([rgb, infrared]), atol=1e-5)


def test_content_is_the_same_for_a_picture_and_its_grey_copy():
    method, x = made().eval(), torch.rand(2, 3, 64, 32) * 2 - 1
    with torch.inference_mode():
        assert torch.allclose(method._content(x), method._content(x.mean(1, keepdim=True).expand_as(x)), atol=1e-5)


def test_pictures_are_taken_apart_and_swapped():
    method = made().eval()
    rgb, ir = Pictures(batch().rgb, Modality.RGB), Pictures(batch().ir, Modality.IR)
    assert isinstance(method, Generative)
    with torch.inference_mode():
        structure, appearance = method.codes(rgb)
        assert (structure.shape, appearance.shape) == ((6, 8, 16, 8), (6, 6))
        own = reconstruct(method, rgb)
        assert own.shape == rgb.images.shape
        assert 0 <= own.min() <= own.max() <= 1
        assert torch.equal(swap(method, rgb, rgb), own)
        assert not torch.allclose(swap(method, rgb, ir), own, atol=1e-4)
        assert not torch.allclose(swap(method, ir, rgb), own, atol=1e-4)


def test_saved_and_loaded_it_paints_the_same_pictures(tmp_path):
    method = made().eval()
    save_model(tmp_path, method, {"method": "cmpig", "settings": TINY, "persons": 5, "height": 64, "width": 32})
    loaded, _ = load_model(tmp_path)
    pictures = Pictures(batch().ir, Modality.IR)
    with torch.inference_mode():
        assert torch.equal(reconstruct(method, pictures), reconstruct(loaded, pictures))


def test_edges_strips_and_mirror():
    method, images = made(edges=True, strips=2, embedding=10, mirror=True).eval(), batch().rgb
    with torch.inference_mode():
        vectors = method.embed(images, Modality.RGB)
        assert vectors.shape == (6, 10)
        assert torch.allclose(vectors, method.embed(images.flip(3), Modality.RGB), atol=1e-5)
    assert all(torch.isfinite(total(terms)) for terms in one_step(made(edges=True)).values())


def test_with_edges_painters_know_what_is_bright_and_identity_does_not():
    method, rgb = made(edges=True).eval(), batch().rgb
    negative = Pictures(1 - rgb, Modality.RGB)
    with torch.inference_mode():
        c, s = method.codes(Pictures(rgb, Modality.RGB))
        other, _ = method.codes(negative)
        assert c.shape == (6, 9, 16, 8)  # 8 channels that E_sl reads from edges, and the sketch
        assert torch.allclose(c[:, :-1], other[:, :-1], atol=1e-4)
        assert torch.allclose(c[:, -1], -other[:, -1], atol=1e-5)  # grey in [-1, 1]
        assert not torch.allclose(method.paint(c, s, Modality.RGB), method.paint(other, s, Modality.RGB), atol=1e-3)
        assert torch.allclose(method.embed(rgb, Modality.RGB), method.embed(1 - rgb, Modality.RGB), atol=1e-3)


def test_sizes_that_cannot_be_painted_are_refused():
    wide = Batch(torch.rand(4, 3, 64, 34), torch.rand(4, 3, 64, 34), torch.tensor([0, 0, 1, 1]))
    with pytest.raises(RecipeError, match="64 x 34 pixels; a generator paints multiples of 4"):
        list(made().step(wide, LATE))


def test_sizes_that_identity_cannot_read_are_refused_before_painting_warms_up():
    with pytest.raises(RecipeError, match="4 rows, too few for 8 strips"):
        one_step(made(strips=8), EARLY)
    one_step(readable := made(strips=4), EARLY)
    norms = [layer for layer in readable.E_il.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {0}  # looked at, not learnt from
