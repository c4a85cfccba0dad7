"""Synthetic data for gpu.py: scenes with labels, a training job on them, a bundle for mapping, and a small Phi-3.

Imports only packages that `make gpu-wheels` provides; not rasterio.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from affine import Affine
from explanations_made import facts_of, plain_tile
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy import ndimage
from torch import nn

from clairemap.artefacts.model_card import BandScale, ModelCard, TrainedOn
from clairemap.classes import IGNORE_INDEX
from clairemap.explain.outline import Outline
from clairemap.explain.prompt import SYSTEM, question
from clairemap.explain.tile_topics import tile_topics
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.nets.bundle import Bundle
from clairemap.nets.claire import Claire
from clairemap.nets.halo import measured_halo_px
from clairemap.nets.memory import working_memory
from clairemap.nets.rift import Rift
from clairemap.raster.pair_block import PairBlock
from clairemap.raster.store import GridStore, Layer, complete_store, create_store, open_store
from clairemap.scenes import Split
from clairemap.settings import LossSettings, NetworkSettings, Settings, TrainingSettings, load_settings
from clairemap.stages import TrainModel, stage_json
from clairemap.tiles.dataset import TrainingSample
from clairemap.tiles.index import tile_row
from clairemap.tiles.split_assignment import assign_splits
from clairemap.tiles.training_statistics import fit_statistics
from clairemap.training.job import TrainingJob

CLASS_PX = (34_640, 4_700, 5_850, 14_280, 37_850, 960, 1_720)  # of WHU-OPT-SAR, in proportion
SETTINGS = load_settings({})
OPTICAL, SAR = SETTINGS.sensors.optical.names, SETTINGS.sensors.sar.names
TILE_PX, SHARD_TILES = 512, 4
SAR_NODATA, CLOUD = 2, 4


def block(side_px: int, seed: int) -> PairBlock:
    """Return a synthetic square: smooth fields, classes by their level, noise, clouds and a nodata margin."""
    random = np.random.default_rng(seed)
    base = ndimage.zoom(random.standard_normal((side_px // 64, side_px // 64)), 64, order=1).astype(np.float32)
    label = np.digitize(base, np.quantile(base, np.cumsum(CLASS_PX)[:-1] / sum(CLASS_PX))).astype(np.uint8)
    label[random.random(label.shape) < 0.02] = IGNORE_INDEX

    def bands(count: int, mean: float, spread: float, noise: float) -> NDArray[np.float32]:
        return mean + spread * base + noise * random.standard_normal((count, *base.shape), np.float32)

    validity = np.where(base > 1.8, np.uint8(CLOUD), np.uint8(0))
    validity[:, :40] = SAR_NODATA
    optical, sar = bands(len(OPTICAL), 1500, 300, 60), bands(len(SAR), -12, 2, 1.5)
    return PairBlock(optical=optical.astype(np.uint16), sar=sar, label=label, validity=validity)


def made_pair(path: Path, side_px: int, seed: int, threads: int = 8) -> GridStore:
    """Return a complete square pair store with labels; it repeats one shard, mirrored every second time."""
    part = path.with_suffix(".part.zarr")
    store = create_store(
        part,
        GeoBox((side_px, side_px), Affine(10.0, 0, 500_000, 0, -10.0, 5_000_000), "EPSG:32633"),
        [
            Layer("optical", "uint16", OPTICAL),
            Layer("sar", "float32", SAR, fill=float("nan")),
            Layer("label", "uint8", fill=IGNORE_INDEX),
            Layer("validity", "uint8"),
        ],
        tile_px=TILE_PX,
        shard_tiles=SHARD_TILES,
        attributes={
            "scene": path.stem,
            "sar_scale": "db",
            "registration": "good",
            "sources": {},
            "georeferenced": True,
        },
    )
    layers = block(min(side_px, TILE_PX * SHARD_TILES), seed).layers

    def write(numbered: tuple[int, Window]) -> None:
        number, shard = numbered
        flipped = slice(None, None, -1 if number % 2 else 1)
        for name, values in layers.items():
            store.write(name, shard, np.ascontiguousarray(values[..., flipped, : shard.width][..., : shard.height, :]))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, enumerate(store.shards())))
    complete_store(part, path)
    return open_store(path)


def training_job(folder: Path, side_px: int, size: str, training: dict[str, Any]) -> TrainingJob:
    """Return a job with a training scene of `side_px` and a validation scene of one tile.

    Args:
        folder: folder for checkpoints and scenes; missing scenes are created.
        side_px: side of the training scene, pixels.
        size: size of the network.
        training: settings of section `training`.
    """
    sides = {"train": side_px, "val": TILE_PX}
    paths = {f"{split}-{side}": folder / f"{split}-{side}.zarr" for split, side in sides.items()}
    for seed, (name, path) in enumerate(paths.items()):
        if not path.exists():
            made_pair(path, sides[name.split("-")[0]], seed)
    index = pd.DataFrame([row for path in paths.values() for row in index_rows(path)])
    settings = job_settings(size, training)
    names = tuple(entry.name for entry in settings.legend.classes)
    roles: dict[str, Split] = {name: "train" if name.startswith("train-") else "val" for name in paths}
    splits = assign_splits(index, roles, settings.splits, settings.seed)
    is_training = index["scene"] == f"train-{side_px}"
    statistics = fit_statistics(paths, index[is_training], names, threads=4)
    chosen = TrainModel.model_validate_json(stage_json(settings, TrainModel))
    return TrainingJob(paths, statistics, splits, chosen, folder / "checkpoints", "benchmark")


def job_settings(size: str, training: dict[str, Any]) -> Settings:
    """Return the default settings with another network size and other values of section `training`."""
    return load_settings({"network": {"size": size}, "training": training, "splits": {"method": "scene"}})


def index_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a store's tile index."""
    store = open_store(path)
    for tile in tiles(store.shape, TILE_PX):
        layers = {field.name: store.read(field.name, tile.window) for field in fields(PairBlock)}
        yield asdict(tile_row(path.stem, tile, PairBlock(**layers), len(CLASS_PX)))


def network(size: str, seed: int = 0) -> Claire:
    """Return a network with random weights; the scaled head makes probabilities differ between classes."""
    torch.manual_seed(seed)
    made = Claire(len(OPTICAL), len(SAR), len(CLASS_PX), NetworkSettings.model_validate({"size": size}))
    with torch.no_grad():
        made.decoder.head.weight.mul_(8)
    return made


def rift() -> Rift:
    """Return RIFT with default settings."""
    return Rift(LossSettings(), CLASS_PX)


def batch(size: int, side_px: int, seed: int = 1) -> TrainingSample:
    """Return a normalised batch with clouds, a missing sensor in one crop of five, and pixels without labels."""
    random = torch.Generator().manual_seed(seed)
    shape = (size, 1, side_px, side_px)
    optical, sar = (torch.randn(size, len(names), side_px, side_px, generator=random) for names in (OPTICAL, SAR))
    optical_weight, sar_weight = torch.ones(shape), torch.ones(shape)
    optical_weight[..., : side_px // 4, : side_px // 3] = 0
    sar_weight[::5] = 0
    target = torch.randint(0, len(CLASS_PX), (size, side_px, side_px), generator=random)
    target[torch.rand(target.shape, generator=random) < 0.1] = IGNORE_INDEX
    misleading = torch.zeros(size, 2, side_px, side_px, dtype=torch.bool)
    misleading[1::3, 0] = True
    return TrainingSample(optical, sar, optical_weight, sar_weight, target, misleading)


def training_settings(**values: Any) -> TrainingSettings:  # noqa: ANN401 - values of any field
    """Return the default training settings with some values changed."""
    return TrainingSettings.model_validate(values)


def bundle(size: str, device: torch.device) -> Bundle:
    """Return a network for mapping the synthetic scenes, in evaluation mode, with its measured halo."""
    made = network(size).to(device).eval()
    halo_px, halo_sigma = measured_halo_px(made)
    memory = working_memory(made.settings.size, made.classes)
    card = ModelCard(
        stamp={},
        network=made.settings,
        classes=SETTINGS.legend.classes,
        optical_bands=BandScale(names=OPTICAL, mean=(1500,) * len(OPTICAL), std=(300,) * len(OPTICAL)),
        sar_bands=BandScale(names=SAR, mean=(-12,) * len(SAR), std=(3,) * len(SAR)),
        sar_scale="db",
        halo_px=halo_px,
        halo_sigma=halo_sigma,
        core_bytes_per_px=memory.core,
        halo_bytes_per_px=memory.halo,
        trained_on=TrainedOn(scenes=("made",), pixels=1),
        best_step=1,
    )
    return Bundle(made, card)


def on(device: torch.device, found: Bundle) -> Bundle:
    """Return a bundle with a copy of its network on a device."""
    copied = Claire(*found.network.bands, found.network.classes, found.network.settings)
    copied.load_state_dict(found.network.state_dict())
    return Bundle(copied.to(device).eval(), found.card)


CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
SPECIAL = ["<unk>", "<s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]


def made_phi(folder: Path, hidden: int, layers: int) -> int:
    """Write a random Phi-3 that never ends an answer, and its tokenizer; return its number of parameters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Phi3Config, Phi3ForCausalLM, PreTrainedTokenizerFast

    pairs = Tokenizer(models.BPE(unk_token="<unk>"))
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    pairs.train_from_iterator([SYSTEM, *(question(outline.topics) for outline in outlines(9))], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pairs, bos_token="<s>", eos_token="<|endoftext|>", unk_token="<unk>"
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    torch.manual_seed(0)
    heads = max(hidden // 64, 4)
    model = Phi3ForCausalLM(
        Phi3Config(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=3 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=4096,
            original_max_position_embeddings=4096,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
        )
    )
    model.lm_head = without_end(model.lm_head)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(weight.numel() for weight in model.parameters())


def without_end(head: nn.Linear) -> nn.Linear:
    """Return a language model's head whose logit of token 2, the end, is 0, so that it is never the largest."""
    with torch.no_grad():
        head.weight[2] = 0
    return head


def outlines(count: int) -> list[Outline]:
    """Return `count` times the outline of a made tile, whose prompt has a realistic length."""
    return [Outline(tile_topics(facts_of(plain_tile(cloud=4000, optical=12384))))] * count
