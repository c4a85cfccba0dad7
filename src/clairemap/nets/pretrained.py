"""Initialise an encoder with the ImageNet weights of a ConvNeXt from a local file.

The file is one of torchvision or timm (`convnext.LAYOUTS`). The last norm and the classifier, which an encoder does
not have, are ignored.

The stem is the only layer whose shape depends on the image. Of an encoder's bands the first are the image's, C of
them; with N the bands of the file, 3 for ImageNet:

- C = N: the file's filters as they are, so bands should come in its order, which is red, green, blue.
- C ≠ N: each band gets the mean of the file's filters times N / C. An image of C equal bands then gives what the
  file's network gives for that image in grey.
- The encoder's further bands (weights; in an early fusion SAR too) begin with filters of 0.

The file's network was trained on bands of mean 0 and deviation 1, which is what `normalisation.normalise` gives.
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
from clairemap.nets.bodies import StackedEncoder
from clairemap.nets.claire import Claire
from clairemap.nets.convnext import LAYOUTS, STEM, Layout, Sizes
from clairemap.nets.encoder import Encoder
from clairemap.nets.sizes import SIZES, NetworkSize

log = logging.getLogger(__name__)

SHOWN = 10
"""An error names at most this many keys."""


def load_initial_weights(network: Claire, optical: Path | None, sar: Path | None) -> None:
    """Load files with ImageNet weights into the encoders of a network; None leaves an encoder as it is.

    The one encoder of an early fusion takes the optical file: optical bands get its filters, those of SAR begin at 0.

    Raises:
        SettingsError: a file for the SAR encoder of an early fusion, which has none.
        MissingFileError, UnreadableFileError, BundleError: see `load_encoder`.
    """
    optical_bands, sar_bands = network.bands
    body = network.body
    if isinstance(body, StackedEncoder):
        if sar is not None:
            raise SettingsError(
                f"training.initial_sar: {sar} has no place in network.fusion: early, which has one encoder for both "
                "sensors. Name the file as training.initial_optical, or choose another fusion."
            )
        encoders = [(body.encoder, optical, optical_bands)]
    else:
        encoders = [(body.optical_encoder, optical, optical_bands), (body.sar_encoder, sar, sar_bands)]
    for encoder, path, bands in encoders:
        if path is not None:
            load_encoder(encoder, path, bands)


def load_encoder(encoder: Encoder, path: Path, image_bands: int) -> None:
    """Give an encoder the weights of a ConvNeXt of the same size; nothing of the encoder is changed on an error.

    Args:
        encoder: of any number of bands, of which the first `image_bands` are the image's.
        path: .safetensors, or a state dictionary written by torch.save (.pth, .pt, .bin).
        image_bands: bands whose filters come from the file's stem; the others' begin at 0.

    Raises:
        MissingFileError: the file does not exist.
        UnreadableFileError: it can't be read, or holds other objects than weights.
        BundleError: it does not contain a ConvNeXt in a known layout, its size differs, or keys are missing.
    """
    state = _read(path)
    layout = _recognised(state, path)
    _check_sizes(layout.sizes(state), encoder.size, path)
    names = layout.names(encoder.size)
    if missing := [name for name in names.values() if name not in state]:
        raise BundleError(
            f"{path} lacks {len(missing)} of the {len(names)} weights that an encoder needs, by the names of "
            f"{layout.publisher}: {_listed(missing)}. Use a complete file."
        )
    own = encoder.state_dict()
    weights = {key: state[name] for key, name in names.items()}
    weights[STEM] = _inflated(weights[STEM], own[STEM], image_bands)
    encoder.load_state_dict({key: _fitted(weights[key], value, names[key], path) for key, value in own.items()})
    log.info("%s: ImageNet weights as of %s, %d tensors", path, layout.publisher, len(names))


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise MissingFileError(
            f"{path}: the file with initial weights does not exist. Check training.initial_optical and initial_sar."
        )
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except (safetensors.SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError) as e:
        # torch's own text is left out: it advises to read the file in a way that runs code from it.
        raise UnreadableFileError(
            f"{path} can't be read as weights ({type(e).__name__}): it is damaged, or holds more than tensors, which "
            "is not read because it can run code. Get it again, or save its weights alone as .safetensors."
        ) from None
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def _unpickled(path: Path) -> Mapping[str, Any]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, Mapping):
        raise ValueError("not a dictionary")
    return content


def _recognised(state: Mapping[str, Tensor], path: Path) -> Layout:
    """Return the layout of the file: the one in whose names it has blocks in every stage."""
    for layout in LAYOUTS:
        if all(layout.sizes(state).depths):
            return layout
    publishers = " or ".join(layout.publisher for layout in LAYOUTS)
    content = f"The first of its {len(state)} tensors: {_listed(list(state))}" if state else "It contains no tensor"
    raise BundleError(
        f"{path} does not contain a ConvNeXt with the weight names of {publishers}. {content}. Use the file of "
        "ConvNeXt-Tiny that torchvision or timm publishes; convert other layouts and checkpoints to one of these."
    )


def _check_sizes(of_file: Sizes, size: NetworkSize, path: Path) -> None:
    if of_file == (own := Sizes.of(size)):
        return
    fitting = [name for name, other in SIZES.items() if Sizes.of(other) == of_file]
    remedy = f"Set network.size: {fitting[0]}, or use" if fitting else "No network.size fits it: use"
    raise BundleError(
        f"{path} holds a ConvNeXt of widths {of_file.widths} and depths {of_file.depths}, but the network's encoder "
        f"has widths {own.widths} and depths {own.depths}. {remedy} another file."
    )


def _inflated(stem_DNHW: Tensor, own_DCHW: Tensor, image_bands: int) -> Tensor:
    """Return the file's stem for the encoder's bands: the rule stands at the top of the module."""
    file_bands = stem_DNHW.shape[1]
    stem = stem_DNHW.to(own_DCHW.dtype)
    if image_bands != file_bands:
        stem = (stem.mean(dim=1, keepdim=True) * file_bands / image_bands).expand(-1, image_bands, -1, -1)
    rest = own_DCHW.shape[1] - image_bands
    return torch.cat([stem, stem.new_zeros(len(stem), rest, *stem.shape[2:])], dim=1)


def _fitted(value: Tensor, own: Tensor, name: str, path: Path) -> Tensor:
    """Return a weight in the encoder's shape, from which publishers differ by sides of 1 only."""
    if [n for n in value.shape if n > 1] != [n for n in own.shape if n > 1]:
        raise BundleError(
            f"{path}: {name} has shape {tuple(value.shape)}, the encoder needs {tuple(own.shape)}. Use a ConvNeXt "
            "with kernels of 7 and patches of 4 px."
        )
    return value.reshape(own.shape)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
