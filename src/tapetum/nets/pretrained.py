"""ImageNet weights: from torchvision's store, from a file, or a sentence that says how to go on without."""

from __future__ import annotations

import socket
from http.client import HTTPException
from pathlib import Path

import safetensors.torch
import torch
import torchvision.models
from torch import Tensor, nn

from tapetum.errors import RecipeError

FROM_SCRATCH = "--set settings.weights=none trains from scratch"
SILENCE_SECONDS = 15.0  # how long the store may say nothing before we stop waiting

# The first generation (V1) of torchvision's weights is the one that the published results started from.
IMAGENET = {
    "resnet18": torchvision.models.ResNet18_Weights.IMAGENET1K_V1,
    "resnet34": torchvision.models.ResNet34_Weights.IMAGENET1K_V1,
    "resnet50": torchvision.models.ResNet50_Weights.IMAGENET1K_V1,
    "alexnet": torchvision.models.AlexNet_Weights.IMAGENET1K_V1,
}


def fetch_imagenet(name: str) -> dict[str, Tensor]:
    """ImageNet weights of a ResNet or of AlexNet from torch's cache (TORCH_HOME), else downloaded into it.

    Raises RecipeError where no such weights exist, when they cannot be fetched (at the latest after the store was
    silent for 15 seconds), and when the cached file is broken.
    """
    if name not in IMAGENET:
        raise RecipeError(
            f"there are no ImageNet weights of '{name}', only of {', '.join(IMAGENET)}, efficientnet_lite0."
            f" Choose one of these trunks; or {FROM_SCRATCH}."
        )
    url = IMAGENET[name].url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        try:
            _download(url, path)
        except (OSError, RuntimeError, HTTPException) as error:
            raise RecipeError(
                f"the ImageNet weights of {name} could not be fetched from {url} ({' '.join(str(error).split())})."
                f" Download that file elsewhere and give its path (--set settings.weights=FILE); or {FROM_SCRATCH}."
            ) from error
    return read_weights(path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file (.pth or .safetensors; a state dict, or one under "state_dict").

    Raises RecipeError for a file that is not there or holds something else.
    """
    if not path.is_file():
        raise RecipeError(
            f"there is no weights file {path}. Give 'imagenet', 'none' or the path of a .pth or .safetensors file."
        )
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file makes the unpickler raise nearly anything
        raise RecipeError(f"{path} cannot be read as weights. Get the file anew; or {FROM_SCRATCH}.") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise RecipeError(f"{path} holds no table of tensors. Expected the state dict of an ImageNet trunk.")
    return state


def load_weights(network: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Fill every parameter and statistic of `network` from `state`, by name; entries of `state` beyond it are ignored.

    source: where the weights came from, for the error. Raises RecipeError for a missing name or another shape.
    """
    for name, own in network.state_dict().items():
        # Files of old torch versions have no such counter; with a fixed momentum nothing reads it.
        if name.endswith("num_batches_tracked"):
            continue
        given = tuple(state[name].shape) if name in state else None
        if given != tuple(own.shape):
            found = "is missing" if given is None else f"has shape {given}"
            raise RecipeError(
                f"{source}: '{name}' {found}, expected shape {tuple(own.shape)}."
                f" Give the weights of the trunk that the settings name; or {FROM_SCRATCH}."
            )
    network.load_state_dict(state, strict=False)


def _download(url: str, path: Path) -> None:
    """Fetch a file whose name ends in its checksum, bounding every silence: torch itself would wait for ever."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=path.stem.rpartition("-")[2], progress=False)
    finally:
        socket.setdefaulttimeout(before)
