"""ImageNet weights: the cache, files, and a clear sentence within bounded time where neither helps."""

import hashlib
import socket
import time
from dataclasses import dataclass

import pytest
import safetensors.torch
import torch
import torchvision
from torch import nn

from tapetum.errors import RecipeError
from tapetum.nets import pretrained
from tapetum.nets.pretrained import fetch_imagenet, load_weights, read_weights


@dataclass
class Entry:
    """What of torchvision's entries matters here."""

    url: str


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub" / "checkpoints"


def test_weights_in_the_cache_need_no_network(cache):
    state = torchvision.models.resnet18().state_dict()
    cache.mkdir(parents=True)
    torch.save(state, cache / "resnet18-f37072fd.pth")
    found = fetch_imagenet("resnet18")
    assert torch.equal(found["layer3.0.conv1.weight"], state["layer3.0.conv1.weight"])


def test_weights_are_downloaded_into_the_cache_and_checked(cache, tmp_path, monkeypatch):
    torch.save({"weight": torch.ones(2)}, tmp_path / "w.pth")
    checksum = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()[:8]
    good = (tmp_path / "w.pth").rename(tmp_path / f"good-{checksum}.pth")
    (tmp_path / "bad-00000000.pth").write_bytes(good.read_bytes())
    entries = {"good": Entry(good.as_uri()), "bad": Entry((tmp_path / "bad-00000000.pth").as_uri())}
    monkeypatch.setattr(pretrained, "IMAGENET", entries)
    assert fetch_imagenet("good")["weight"].tolist() == [1, 1]
    assert (cache / good.name).is_file()
    with pytest.raises(RecipeError, match=r"could not be fetched.*invalid hash"):
        fetch_imagenet("bad")
    assert sorted(path.name for path in cache.iterdir()) == [good.name]


def test_a_silent_store_is_given_up_soon(cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never says a word
        url = f"http://127.0.0.1:{server.getsockname()[1]}/resnet18-f37072fd.pth"
        monkeypatch.setattr(pretrained, "IMAGENET", {"resnet18": Entry(url)})
        monkeypatch.setattr(pretrained, "SILENCE_SECONDS", 0.3)
        start = time.monotonic()
        with pytest.raises(RecipeError) as caught:
            fetch_imagenet("resnet18")
    assert time.monotonic() - start < 5
    sentence = str(caught.value)
    assert f"ImageNet weights of resnet18 could not be fetched from {url} (" in sentence
    assert "timed out" in sentence
    assert "--set settings.weights=FILE" in sentence
    assert "--set settings.weights=none" in sentence
    assert "\n" not in sentence
    assert socket.getdefaulttimeout() is None


def test_an_unreachable_store(cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(pretrained, "IMAGENET", {"r": Entry(f"http://127.0.0.1:{port}/r-0.pth")})
    with pytest.raises(RecipeError, match="could not be fetched"):
        fetch_imagenet("r")


def test_a_broken_cache_is_named(cache):
    cache.mkdir(parents=True)
    (cache / "resnet50-0676ba61.pth").write_bytes(b"half a download")
    with pytest.raises(RecipeError, match=r"resnet50-0676ba61\.pth cannot be read as weights"):
        fetch_imagenet("resnet50")


def test_trunks_without_imagenet_weights_are_named():
    with pytest.raises(RecipeError, match="no ImageNet weights of 'resnet10', only of resnet18"):
        fetch_imagenet("resnet10")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "nested.pth"])
def test_files_are_read(tmp_path, name):
    state = {"weight": torch.arange(6.0).view(2, 3), "bias": torch.ones(2), "fc.weight": torch.ones(1)}
    if name == "w.safetensors":
        safetensors.torch.save_file(state, tmp_path / name)
    else:
        torch.save({"state_dict": state} if name == "nested.pth" else state, tmp_path / name)
    layer = nn.Linear(3, 2)
    load_weights(layer, read_weights(tmp_path / name), name)
    assert layer.weight.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert layer.bias.tolist() == [1, 1]


def test_files_that_are_no_weights(tmp_path):
    with pytest.raises(RecipeError, match=r"no weights file .*gone\.pth"):
        read_weights(tmp_path / "gone.pth")
    for name in ("bad.pth", "bad.safetensors"):
        (tmp_path / name).write_bytes(b"not weights at all")
        with pytest.raises(RecipeError, match=f"{name} cannot be read as weights"):
            read_weights(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(RecipeError, match=r"list\.pth holds no table of tensors"):
        read_weights(tmp_path / "list.pth")


def test_weights_of_another_network_are_refused():
    with pytest.raises(RecipeError, match=r"w\.pth: 'bias' is missing, expected shape \(2,\)"):
        load_weights(nn.Linear(3, 2), {"weight": torch.ones(2, 3)}, "w.pth")
    with pytest.raises(RecipeError, match=r"'weight' has shape \(3, 3\), expected shape \(2, 3\)"):
        load_weights(nn.Linear(3, 2), {"weight": torch.ones(3, 3), "bias": torch.ones(2)}, "w.pth")


def test_old_files_without_counters_are_accepted():
    state = {name: value for name, value in nn.BatchNorm2d(2).state_dict().items() if "tracked" not in name}
    load_weights(nn.BatchNorm2d(2), state, "old.pth")
