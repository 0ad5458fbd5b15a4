"""A model on disk comes back equal, and a file that is not what it says is refused in a sentence."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from small_model import FACTS, small_method, write_model
from tapetum.core import Modality
from tapetum.errors import RunError
from tapetum.model_file import DESCRIPTION, WEIGHTS, load_model, read_description, save_model


@pytest.fixture
def folder(tmp_path):
    write_model(tmp_path)
    return tmp_path


def describe(folder, **changes):
    """Change the description, with a fingerprint that fits: what a file of another program version looks like."""
    description = {**FACTS, **changes}
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes())
    digest.update(json.dumps(description, sort_keys=True).encode())
    (folder / DESCRIPTION).write_text(json.dumps({**description, "fingerprint": digest.hexdigest()[:16]}))


def test_weights_come_back_and_embed_the_same(folder):
    method, description = load_model(folder)
    images = torch.rand(2, 3, 32, 16)
    assert not method.training
    assert torch.equal(method.embed(images, Modality.IR), small_method().embed(images, Modality.IR))
    assert (description.method, description.persons, description.height, description.width) == ("two_stream", 8, 32, 16)


def test_the_fingerprint_is_of_weights_and_description(tmp_path):
    first = write_model(tmp_path / "a")
    assert len(first) == 16
    assert write_model(tmp_path / "b") == first
    assert write_model(tmp_path / "c", seed=1) != first
    assert save_model(tmp_path / "d", small_method(), {**FACTS, "height": 48}) != first
    describe(tmp_path / "a")
    assert read_description(tmp_path / "a").fingerprint == first


def test_a_folder_without_a_model_is_said(tmp_path):
    with pytest.raises(RunError, match="holds no model.json. Give the folder of a run that `tapetum train` has fini"):
        load_model(tmp_path)


def test_truncated_or_missing_weights_are_said(folder):
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunError, match=r"model.safetensors is not the file that model.json .* truncated or changed"):
        load_model(folder)
    path.unlink()
    with pytest.raises(RunError, match="model.safetensors does not exist. Train again, or restore the file"):
        load_model(folder)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", '"x"', '{"method": "two_stream"}', json.dumps({**FACTS, "fingerprint": "0", "more": 1}),
     json.dumps({**FACTS, "fingerprint": "0", "height": "32"}), json.dumps({**FACTS, "fingerprint": "0", "persons": 0}),
     json.dumps({**FACTS, "fingerprint": "0", "settings": None})],
)  # fmt: skip
def test_a_description_that_is_none_is_said(folder, text):
    (folder / DESCRIPTION).write_text(text)
    with pytest.raises(RunError, match="model.json is not the description of a model. Train again, or restore"):
        load_model(folder)


def test_weights_of_another_method_or_settings_are_said_with_the_file(folder):
    describe(folder, method="agw")
    with pytest.raises(RunError, match="model.json: no method is called 'agw'. Known: .*two_stream"):
        load_model(folder)
    describe(folder, settings={**FACTS["settings"], "wdth": 8})
    with pytest.raises(RunError, match="model.json: the setting 'wdth' does not fit this 'two_stream'"):
        load_model(folder)
    describe(folder, settings={**FACTS["settings"], "width": 16})
    with pytest.raises(RunError, match=r"does not hold the weights of this 'two_stream': size mismatch .* Train again"):
        load_model(folder)
    (folder / WEIGHTS).write_bytes(b"no tensors")
    describe(folder)
    with pytest.raises(RunError, match="does not hold the weights of this 'two_stream': "):
        load_model(folder)


def test_nothing_is_fetched_to_load(folder, monkeypatch):
    # A model that began from ImageNet is built without it.
    describe(folder, settings={**FACTS["settings"], "weights": "/nowhere/imagenet.pth"})
    assert load_model(folder)[0] is not None
