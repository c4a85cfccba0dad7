"""Initialise an encoder with the ImageNet weights of a ConvNeXt from a local file.

The file is one of torchvision or timm (`convnext.KEY_LAYOUTS`). Its last norm and its classifier are ignored.

The stem's filters, for C image bands (the first ones of the encoder) and N bands in the file (3 for ImageNet):

- C = N: the file's filters, so the bands should be in its order: red, green, blue.
- C ≠ N: for each band the mean of the file's filters times N / C, so that an image of C equal bands gives the features
  of a grey image in the file's network.
- Other bands (weights; in early fusion also SAR): 0.
"""

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from clairemap.errors import BundleError, MissingFileError, SettingsError, UnreadableFileError
from clairemap.nets.backbones import StackedEncoder
from clairemap.nets.claire import Claire
from clairemap.nets.convnext import KEY_LAYOUTS, STEM, KeyLayout, StageSizes
from clairemap.nets.encoder import Encoder
from clairemap.nets.sizes import SIZES, NetworkSize
from clairemap.text import shortened

log = logging.getLogger(__name__)

KEYS_SHOWN = 10
"""Maximum number of keys in an error message."""


def load_initial_weights(network: Claire, optical: Path | None, sar: Path | None) -> None:
    """Load ImageNet weights from files into the encoders of a network; None leaves an encoder unchanged.

    The encoder of an early fusion uses the optical file for the optical bands; filters of the SAR bands are 0.

    Raises:
        SettingsError: a SAR file is given for an early fusion, which has no SAR encoder.
        MissingFileError, UnreadableFileError, BundleError: see `load_encoder`.
    """
    optical_bands, sar_bands = network.bands
    body = network.body
    if isinstance(body, StackedEncoder):
        if sar is not None:
            raise SettingsError(
                f"training.initial_sar: {sar} cannot be used with network.fusion: early, which has one encoder for "
                "both sensors. Set training.initial_optical instead, or choose another fusion."
            )
        encoders = [(body.encoder, optical, optical_bands)]
    else:
        encoders = [(body.optical_encoder, optical, optical_bands), (body.sar_encoder, sar, sar_bands)]
    for encoder, path, bands in encoders:
        if path is not None:
            load_encoder(encoder, path, bands)


def load_encoder(encoder: Encoder, path: Path, image_bands: int) -> None:
    """Load the weights of a ConvNeXt of the same size into an encoder; on an error the encoder stays unchanged.

    Args:
        encoder: its first `image_bands` bands are those of the image.
        path: .safetensors, or a state dictionary written by torch.save (.pth, .pt, .bin).
        image_bands: number of bands with filters from the file's stem.

    Raises:
        MissingFileError: the file does not exist.
        UnreadableFileError: the file cannot be read, or contains objects other than tensors.
        BundleError: the file has no ConvNeXt in a known layout, its size differs, or keys are missing.
    """
    state = _read_weights(path)
    layout = _detect_layout(state, path)
    _check_sizes(layout.sizes(state), encoder.size, path)
    names = layout.names(encoder.size)
    if missing := [name for name in names.values() if name not in state]:
        raise BundleError(
            f"{path}: {len(missing)} of the {len(names)} weights that an encoder needs are missing (names of "
            f"{layout.publisher}): {shortened(missing, KEYS_SHOWN)}; use a complete file"
        )
    own = encoder.state_dict()
    weights = {key: state[name] for key, name in names.items()}
    weights[STEM] = _inflate_stem(weights[STEM], own[STEM], image_bands)
    encoder.load_state_dict({key: _reshape_like(weights[key], value, names[key], path) for key, value in own.items()})
    log.info("%s: %d tensors of ImageNet weights loaded (%s)", path, len(names), layout.publisher)


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise MissingFileError(
            f"{path}: the file with initial weights does not exist; check training.initial_optical and "
            "training.initial_sar"
        )
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except (safetensors.SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError) as e:
        # torch's message is omitted: it suggests weights_only=False, which runs code from the file.
        raise UnreadableFileError(
            f"{path}: not a readable weights file ({type(e).__name__}): damaged, or with objects other than tensors, "
            "which could run code; download the file again, or save only its weights as .safetensors"
        ) from None
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def _read_pickle(path: Path) -> Mapping[str, Any]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, Mapping):
        raise ValueError("not a dictionary")
    return content


def _detect_layout(state: Mapping[str, Tensor], path: Path) -> KeyLayout:
    """Return the layout under whose names the file has blocks in every stage."""
    for layout in KEY_LAYOUTS:
        if all(layout.sizes(state).depths):
            return layout
    publishers = " or ".join(layout.publisher for layout in KEY_LAYOUTS)
    content = (
        f"The first of its {len(state)} tensors: {shortened(list(state), KEYS_SHOWN)}"
        if state
        else "It contains no tensors"
    )
    raise BundleError(
        f"{path}: not a ConvNeXt with the weight names of {publishers}. {content}. Use the file of ConvNeXt-Tiny that "
        "torchvision or timm publishes; convert other layouts and checkpoints to one of these."
    )


def _check_sizes(of_file: StageSizes, size: NetworkSize, path: Path) -> None:
    if of_file == (own := StageSizes.of(size)):
        return
    matching = [name for name, other in SIZES.items() if StageSizes.of(other) == of_file]
    remedy = f"Set network.size: {matching[0]}, or use" if matching else "No network.size matches it: use"
    raise BundleError(
        f"{path}: the ConvNeXt has widths {of_file.widths} and depths {of_file.depths}, but the network's encoder "
        f"has widths {own.widths} and depths {own.depths}. {remedy} another file."
    )


def _inflate_stem(stem_DNHW: Tensor, own_DCHW: Tensor, image_bands: int) -> Tensor:
    """Return the stem's weights for the encoder's bands; see the module docstring for the rule."""
    file_bands = stem_DNHW.shape[1]
    stem = stem_DNHW.to(own_DCHW.dtype)
    if image_bands != file_bands:
        stem = (stem.mean(dim=1, keepdim=True) * file_bands / image_bands).expand(-1, image_bands, -1, -1)
    rest = own_DCHW.shape[1] - image_bands
    return torch.cat([stem, stem.new_zeros(len(stem), rest, *stem.shape[2:])], dim=1)


def _reshape_like(value: Tensor, own: Tensor, name: str, path: Path) -> Tensor:
    """Return a weight in the encoder's shape; publishers' shapes differ only by axes of length 1."""
    if [n for n in value.shape if n > 1] != [n for n in own.shape if n > 1]:
        raise BundleError(
            f"{path}: {name} has shape {tuple(value.shape)}, the encoder needs {tuple(own.shape)}; use a ConvNeXt "
            "with kernels of 7 and patches of 4 px"
        )
    return value.reshape(own.shape)
