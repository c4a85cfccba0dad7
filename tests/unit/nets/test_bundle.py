import json
from pathlib import Path
from typing import Any

import pytest
import torch

from clairemap.artefacts.model_card import BandScale, ModelCard, TrainedOn
from clairemap.classes import LandCoverClass
from clairemap.errors import BundleError, MissingFileError
from clairemap.nets import bundle
from clairemap.nets.bundle import build_network, load_bundle, save_bundle
from clairemap.nets.normalisation import normalise
from clairemap.settings import DEMO_CLASSES, NetworkSettings


def card(**changed: Any) -> ModelCard:  # noqa: ANN401
    facts = {
        "stamp": {"clairemap_stage": "train_model"},
        "network": NetworkSettings(),
        "classes": [LandCoverClass(code=c.code, name=c.name) for c in DEMO_CLASSES[:3]],
        "optical_bands": BandScale(names=("red", "nir"), mean=(100, 200), std=(10, 20)),
        "sar_bands": BandScale(names=("VV",), mean=(-11,), std=(4,)),
        "sar_scale": "db",
        "halo_px": 256,
        "halo_sigma": 3e-6,
        "core_bytes_per_px": 69,
        "halo_bytes_per_px": 36,
        "trained_on": TrainedOn(scenes=("a", "b"), pixels=12345),
        "best_step": 600,
    }
    return ModelCard(**facts | changed)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Path]:
    torch.manual_seed(0)
    paths = tmp_path / "model" / "model.safetensors", tmp_path / "model" / "model.json"
    save_bundle(build_network(card()), card(), *paths)
    return paths


def rewrite(path: Path, **changed: Any) -> None:  # noqa: ANN401
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


@torch.inference_mode()
def test_a_saved_bundle_loads_unchanged(tmp_path: Path):
    torch.manual_seed(3)
    network = build_network(card()).eval()
    written = save_bundle(network, card(temperature=1.25), tmp_path / "w", tmp_path / "c")
    loaded = load_bundle(tmp_path / "w", tmp_path / "c")
    assert loaded.card == written
    assert loaded.card.temperature == 1.25
    assert loaded.card.legend.names == ("water", "forest", "grassland")
    assert not loaded.network.training
    one = torch.ones(1, 1, 128, 128)
    batch = (torch.randn(1, 2, 128, 128), torch.randn(1, 1, 128, 128), one, one)
    torch.testing.assert_close(loaded.network(*batch), network(*batch), rtol=0, atol=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "w"]


def test_equal_networks_give_equal_files(tmp_path: Path):
    for name in ("one", "two"):
        torch.manual_seed(0)
        save_bundle(build_network(card()), card(), tmp_path / f"{name}.w", tmp_path / f"{name}.c")
    assert (tmp_path / "one.w").read_bytes() == (tmp_path / "two.w").read_bytes()
    assert (tmp_path / "one.c").read_bytes() == (tmp_path / "two.c").read_bytes()


def test_a_kill_between_weights_and_card_leaves_no_loadable_bundle(
    saved: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
):
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bundle, "write_model_card", die)
    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt):
        save_bundle(build_network(card()), card(), *saved)
    with pytest.raises(BundleError, match="SHA-256"):
        load_bundle(*saved)


@pytest.mark.parametrize("index", [0, 1])
def test_a_missing_file_is_named(saved: tuple[Path, Path], index: int):
    saved[index].unlink()
    with pytest.raises(MissingFileError, match=saved[index].name):
        load_bundle(*saved)


def test_damaged_weights_are_rejected(saved: tuple[Path, Path]):
    content = bytearray(saved[0].read_bytes())
    content[-1] ^= 1
    saved[0].write_bytes(content)
    with pytest.raises(BundleError, match="model.safetensors: SHA-256"):
        load_bundle(*saved)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_card_is_rejected(saved: tuple[Path, Path], text: str):
    saved[1].write_text(text)
    with pytest.raises(BundleError, match="model.json: not a valid model card"):
        load_bundle(*saved)


def test_a_card_of_another_network_is_rejected(saved: tuple[Path, Path]):
    rewrite(saved[1], network={"size": "tiny", "fusion": "sum", "sensors": "fused"})
    with pytest.raises(BundleError, match="not the weights of the network on its card"):
        load_bundle(*saved)


def test_other_content_is_rejected_even_with_the_right_hash(saved: tuple[Path, Path]):
    saved[0].write_bytes(b"no weights")
    rewrite(saved[1], weights_sha256=bundle.file_digest(saved[0]))
    with pytest.raises(BundleError, match="not the weights"):
        load_bundle(*saved)


def test_input_like_the_training_data_passes(saved: tuple[Path, Path]):
    load_bundle(*saved).check_input(["red", "nir"], ["VV"], "db", "scene a")


def test_all_differences_of_the_input_are_listed(saved: tuple[Path, Path]):
    with pytest.raises(BundleError) as raised:
        load_bundle(*saved).check_input(("nir", "red"), ("VV", "VH"), "digital", "scene x")
    text = str(raised.value)
    assert text.startswith("scene x")
    assert all(part in text for part in ("('red', 'nir')", "('nir', 'red')", "('VV', 'VH')", "db", "digital"))


def test_band_scales_normalise_their_bands():
    got = normalise(torch.tensor([[[[90.0]], [[240.0]]]]), card().optical_bands)
    assert got.flatten().tolist() == [-1, 2]
