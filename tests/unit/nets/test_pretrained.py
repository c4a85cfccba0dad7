"""Comparison with the ConvNeXt of transformers: with its weights loaded, an encoder must give the same features."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import ConvNextConfig, ConvNextModel

from clairemap.errors import BundleError, MissingFileError, SettingsError, UnreadableFileError
from clairemap.nets.claire import Claire
from clairemap.nets.encoder import Encoder
from clairemap.nets.pretrained import load_encoder, load_initial_weights
from clairemap.nets.sizes import SIZES, NetworkSize, Stage
from clairemap.settings import NetworkSettings

State = dict[str, Tensor]

SMALL = NetworkSize((Stage(4, 8, 1), Stage(8, 12, 2), Stage(16, 16, 3), Stage(32, 20, 1)), decoder_width=8)


def convnext(size: NetworkSize = SMALL) -> ConvNextModel:
    """Return a ConvNeXt in which every weight has an effect; by default layer scales are 1e-6 and biases 0."""
    torch.manual_seed(0)
    config = ConvNextConfig(
        hidden_sizes=[stage.width for stage in size.stages], depths=[stage.depth for stage in size.stages]
    )
    model = ConvNextModel(config).eval()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=0.0 if name.endswith("bias") else 1.0, std=0.3)
    return model


def saved(model: ConvNextModel, folder: Path) -> Path:
    path = folder / "model.safetensors"
    save_file(as_timm(model.state_dict()), path)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(convnext(), tmp_path_factory.mktemp("small"))


def image(bands: int = 3, side: int = 64) -> Tensor:
    return torch.randn(2, bands, side, side, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def features_of(encoder: Encoder, bands: Tensor, weight: float = 1.0) -> list[Tensor]:
    joined = torch.cat([bands, torch.full_like(bands[:, :1], weight)], dim=1)
    return [x.permute(0, 3, 1, 2) for x in encoder(joined.permute(0, 2, 3, 1))]


@torch.inference_mode()
def features_of_truth(model: ConvNextModel, bands: Tensor) -> list[Tensor]:
    return list(model(bands, output_hidden_states=True).hidden_states[1:])


def timm(name: str) -> str:
    for pattern, new in (
        (r"embeddings\.patch_embeddings", "stem.0"),
        (r"embeddings\.layernorm", "stem.1"),
        (r"encoder\.stages\.(\d)\.downsampling_layer", r"stages.\1.downsample"),
        (r"encoder\.stages\.(\d)\.layers", r"stages.\1.blocks"),
        ("layer_scale_parameter", "gamma"),
        ("dwconv", "conv_dw"),
        ("pwconv", "mlp.fc"),
        (r"^layernorm", "head.norm"),
        ("layernorm", "norm"),
    ):
        name = re.sub(pattern, new, name)
    return name


def torchvision(name: str) -> str:
    for pattern, new in (
        (r"embeddings\.patch_embeddings", "features.0.0"),
        (r"embeddings\.layernorm", "features.0.1"),
        (r"encoder\.stages\.(\d)\.downsampling_layer", lambda m: f"features.{2 * int(m[1])}"),
        (r"encoder\.stages\.(\d)\.layers", lambda m: f"features.{2 * int(m[1]) + 1}"),
        ("dwconv", "block.0"),
        (r"^layernorm", "classifier.0"),
        ("layernorm", "block.2"),
        ("pwconv1", "block.3"),
        ("pwconv2", "block.5"),
        ("layer_scale_parameter", "layer_scale"),
    ):
        name = re.sub(pattern, new, name)
    return name


def as_timm(state: State) -> State:
    return {timm(name): value for name, value in state.items()}


def as_torchvision(state: State) -> State:
    renamed = {torchvision(name): value for name, value in state.items()}
    return {name: value[:, None, None] if "layer_scale" in name else value for name, value in renamed.items()}


def test_the_names_are_those_of_the_publishers():
    """Weight names in ConvNeXt-T of timm 1.0.31 and torchvision 0.29.1, whose files (178 tensors) were loaded once."""
    state = convnext().state_dict()
    assert {
        "stem.1.weight",
        "stages.1.downsample.0.weight",
        "stages.2.blocks.1.gamma",
        "stages.2.blocks.2.mlp.fc2.weight",
        "head.norm.bias",
    } <= set(as_timm(state))
    assert {"features.0.1.bias", "features.2.1.weight", "features.7.0.block.5.bias", "classifier.0.weight"} <= set(
        as_torchvision(state)
    )


def test_a_file_gives_the_features_of_its_network_at_every_stage(file: Path):
    encoder = Encoder(4, SMALL)
    load_encoder(encoder, file, 3)
    torch.testing.assert_close(
        features_of(encoder, image()), features_of_truth(convnext(), image()), rtol=1e-5, atol=1e-5
    )


def test_size_base_is_convnext_t(tmp_path: Path):
    model = convnext(SIZES["base"])
    encoder = Encoder(4, SIZES["base"])
    load_encoder(encoder, saved(model, tmp_path), 3)
    for got, expected in zip(features_of(encoder, image()), features_of_truth(model, image()), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * float(expected.std()))


@pytest.mark.parametrize("renamed", [as_timm, as_torchvision])
def test_files_of_both_publishers_give_the_same_weights(tmp_path: Path, file: Path, renamed: Callable[[State], State]):
    expected, got = Encoder(4, SMALL), Encoder(4, SMALL)
    load_encoder(expected, file, 3)
    classifier = {"head.fc.weight": torch.ones(5, 20), "classifier.2.weight": torch.ones(5, 20)}
    torch.save(renamed(convnext().state_dict()) | classifier, tmp_path / "weights.pth")
    load_encoder(got, tmp_path / "weights.pth", 3)
    torch.testing.assert_close(got.state_dict(), expected.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("bands", [1, 2, 4, 13])
def test_equal_bands_give_the_features_of_a_grey_image(file: Path, bands: int):
    encoder = Encoder(bands + 1, SMALL)
    load_encoder(encoder, file, bands)
    grey = image(1)
    expected = features_of_truth(convnext(), grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(features_of(encoder, grey.expand(-1, bands, -1, -1)), expected, rtol=1e-4, atol=1e-4)


def test_the_weight_band_starts_without_influence_and_can_learn(file: Path):
    encoder = Encoder(4, SMALL)
    load_encoder(encoder, file, 3)
    torch.testing.assert_close(features_of(encoder, image(), 0.3), features_of(encoder, image()), rtol=0, atol=0)
    torch.stack([x.square().mean() for x in encoder(torch.rand(1, 64, 64, 4))]).sum().backward()
    slope = encoder.stages[0][0].conv.weight.grad
    assert torch.all(slope[:, 3] != 0)


def network(**settings: str) -> Claire:
    torch.manual_seed(3)
    return Claire(3, 2, 4, NetworkSettings.model_validate(settings))


def stem(encoder: Encoder) -> Tensor:
    return encoder.stages[0][0].conv.weight.detach()


def test_each_encoder_loads_its_file(tmp_path: Path):
    model = convnext(SIZES["tiny"])
    path = saved(model, tmp_path)
    filters = model.state_dict()["embeddings.patch_embeddings.weight"]
    before, optical, sar = network(), network(), network()
    load_initial_weights(optical, path, None)
    load_initial_weights(sar, None, path)
    torch.testing.assert_close(stem(optical.body.optical_encoder)[:, :3], filters, rtol=0, atol=0)
    torch.testing.assert_close(stem(sar.body.sar_encoder)[:, 1], filters.mean(1) * 1.5)
    for changed, untouched in ((optical, "sar_encoder"), (sar, "optical_encoder")):
        own, old = (getattr(net.body, untouched).state_dict() for net in (changed, before))
        torch.testing.assert_close(own, old, rtol=0, atol=0)


def test_early_fusion_loads_the_optical_file_for_its_optical_bands(tmp_path: Path):
    model = convnext(SIZES["tiny"])
    path = saved(model, tmp_path)
    early = network(fusion="early")
    load_initial_weights(early, path, None)
    filters = stem(early.body.encoder)
    torch.testing.assert_close(filters[:, :3], model.state_dict()["embeddings.patch_embeddings.weight"], rtol=0, atol=0)
    assert torch.all(filters[:, 3:] == 0)
    with pytest.raises(SettingsError, match="training.initial_sar"):
        load_initial_weights(early, None, path)


def faulty(file: Path, change: Callable[[State], State]) -> Path:
    path = file.with_name("faulty.safetensors")  # overwritten by each test
    save_file({name: value.contiguous() for name, value in change(load_file(file)).items()}, path)
    return path


def rejection(path: Path, size: NetworkSize = SMALL) -> str:
    """Return the error message, and check that the encoder is unchanged."""
    encoder = Encoder(4, size)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with pytest.raises(BundleError) as raised:
        load_encoder(encoder, path, 3)
    torch.testing.assert_close(dict(encoder.state_dict()), before, rtol=0, atol=0)
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_missing_keys_are_named_in_the_files_own_names(file: Path):
    lacking = ("stem.0.weight", "stages.1.blocks.1.gamma", "stages.2.blocks.0.mlp.fc1.bias")
    path = faulty(file, lambda s: {name: value for name, value in s.items() if name not in lacking})
    text = rejection(path)
    assert all(name in text for name in lacking)
    assert "3 of the 79 weights" in text and "are missing" in text and "timm" in text


def test_of_many_missing_keys_ten_are_named_and_all_are_counted(file: Path):
    text = rejection(faulty(file, lambda s: {name: s[name] for name in s if ".fc" not in name}))
    assert "28 of the 79 weights" in text
    assert text.count(".mlp.fc") == 10 and "and 18 more" in text


def test_the_error_for_another_size_names_both_sizes_and_the_setting(tmp_path: Path):
    text = rejection(saved(convnext(SIZES["small"]), tmp_path), SIZES["tiny"])
    assert "widths (64, 128, 256, 512) and depths (2, 2, 6, 2)" in text
    assert "widths (24, 48, 96, 160) and depths (1, 1, 2, 1)" in text
    assert "Set network.size: small" in text


def test_a_deeper_file_of_the_same_widths_is_rejected(tmp_path: Path):
    deeper = NetworkSize((*SMALL.stages[:2], Stage(16, 16, 4), SMALL.stages[3]), decoder_width=8)
    text = rejection(saved(convnext(deeper), tmp_path))
    assert "depths (1, 2, 4, 1)" in text and "No network.size matches it" in text


def test_another_network_is_rejected_by_its_first_keys(file: Path):
    text = rejection(faulty(file, lambda _: {f"layer{n}.conv1.weight": torch.ones(2) for n in range(12)}))
    assert "not a ConvNeXt with the weight names of timm or torchvision" in text
    assert "first of its 12 tensors: layer0.conv1.weight" in text and "and 2 more" in text


@pytest.mark.parametrize("nested", [lambda s: {"model": as_timm(s)}, lambda s: {"epoch": 3, "state_dict": as_timm(s)}])
def test_checkpoints_with_more_than_weights_are_rejected(tmp_path: Path, nested: Callable[[State], object]):
    torch.save(nested(convnext().state_dict()), tmp_path / "weights.pth")
    assert "contains no tensors" in rejection(tmp_path / "weights.pth")


def test_the_layout_of_transformers_is_rejected(tmp_path: Path):
    convnext().save_pretrained(tmp_path)
    text = rejection(tmp_path / "model.safetensors")
    assert "embeddings.layernorm" in text and "Use the file of ConvNeXt-Tiny that torchvision or timm publishes" in text


def test_kernels_of_another_side_are_rejected(file: Path):
    name = "stages.1.blocks.0.conv_dw.weight"
    text = rejection(faulty(file, lambda s: s | {name: s[name][..., 1:-1, 1:-1]}))
    assert f"{name} has shape (12, 1, 5, 5), the encoder needs (12, 1, 7, 7)" in text


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MissingFileError, match="nowhere.pth"):
        load_encoder(Encoder(4, SMALL), tmp_path / "nowhere.pth", 3)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"PK\x03\x04cut off", b"some text of no meaning"])
def test_damaged_files_are_rejected(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFileError, match=name):
        load_encoder(Encoder(4, SMALL), tmp_path / name, 3)


@pytest.mark.parametrize("content", [{"args": argparse.Namespace(lr=1.0)}, [torch.ones(2)]])
def test_pickles_of_other_things_than_weights_are_rejected(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(UnreadableFileError, match="only its weights"):
        load_encoder(Encoder(4, SMALL), tmp_path / "weights.pth", 3)
