"""Explanations of tiles by a small language model: truth, variety and speed of texts.

The model is SmolLM2-135M-Instruct with 4-bit weights, computed in bfloat16 on CPUs with AMX, else in float32; the quick
run has a random Phi-3. Most figures are of made tiles.

- `grounded_share`: texts of model and template in which every number, class and level agrees with the pixel counts,
  read by code that shares nothing with the writer. `tiles`: number of tiles.
- `grounded_share_of_run`: the same for the texts that `explain_tiles` writes for a finished run (`--work`), recomputed
  from its stores and the model card; the network maps tiles without a sensor once more. `distinct_texts_of_run`: share
  of different texts.
- `fallback_share`: texts that the model should write and the template wrote.
- `distinct_share`: pairs of tiles of different kind (other topics can be said) whose texts differ in more than numbers
  and class names.
- `passes_per_text`, `tokens_per_text`: forward passes of the model, and tokens written.
- `speedup_vs_free`: time of 192 freely generated tokens, the previous limit, divided by that of a constrained text,
  both one by one. `batch_speedup`: time of 16 texts of one legend one by one divided by that in batches of eight.
  `bfloat16_speedup`: time of a batch of eight in float32 divided by that in bfloat16; null without AMX. All are CPU
  times of one thread; `batch_s`: seconds per text. Not measured on a GPU.
- `false_reason_rate`: share of changed facts, 16 kinds, after which the text of model or template is false, or that of
  the template was not made false by the change.

Prints each text and the sentences that are not true, and as its last line one JSON object.

    python benchmarks/explanations.py [--model FOLDER] [--work WORK_FOLDER] [--quick]
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import transformers
import zarr
from explanations_arrays import Arrays
from explanations_made import CHANGES, LEGENDS, facts_of, plain_tile, random_counts
from explanations_reading import Counts, faults
from smollm2 import missing, write_smollm2

from clairemap.artefacts.explanations import read_explanations
from clairemap.explain.explainer import explain
from clairemap.explain.language_model import LanguageModel
from clairemap.explain.outline import Outline
from clairemap.explain.tile_topics import tile_topics
from clairemap.grid.window import Window
from clairemap.inference.predict import Prediction
from clairemap.inference.tile_classes import TileMapper
from clairemap.nets.bundle import load_bundle
from clairemap.raster.store import check_store
from clairemap.settings import ExplainSettings, InferenceSettings, Sensor, load_settings
from clairemap.stages import ExplainTiles, stage_json

PROJECT = Path(__file__).parents[1]
FREE_TOKENS = 192
AXES = ("y0", "height"), ("x0", "width")
Figures = dict[str, Any]
Stores = tuple[Any, Any]
"""The arrays of a pair and of its probabilities."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, help="folder of a chat model (default: SmolLM2)")
    parser.add_argument("--work", type=Path, help="work folder of a finished run, for example of make demo")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or made_model(Path(folder), options.quick)
        found = figures(str(model), made_tiles(8 if options.quick else 48), quick=options.quick)
        texts = list(delivered(options.work, str(model), Path(folder))) if options.work else []
    found |= grounded_of_run(texts)
    versions = {"python": sys.version.split()[0], "torch": torch.__version__}
    print(json.dumps({"model": "random Phi-3" if options.quick else "SmolLM2-135M-Instruct", **found, **versions}))


def made_model(folder: Path, quick: bool) -> Path:
    """Write the model into a folder."""
    if quick:
        from gpu_made import made_phi

        made_phi(folder, 64, 2)
        return folder
    if missing():
        sys.exit(f"install {', '.join(missing())} (benchmarks/smollm2.py), or name a model by --model")
    return write_smollm2(folder)


def made_tiles(count: int) -> list[Counts]:
    """Return made tiles of several legends."""
    return [random_counts(np.random.default_rng(seed), LEGENDS[seed % len(LEGENDS)]) for seed in range(count)]


def delivered(work: Path, model: str, folder: Path) -> Iterator[tuple[str, Counts]]:
    """Explain the tiles of a run by `explain_tiles`; yield each text, and the tile's counts from the stores."""
    for scene in sorted(path.parent.parent for path in work.glob("scenes/*/fused/probabilities.json")):
        probabilities = scene / "fused" / "probabilities.zarr"
        stores: Stores = zarr.open(scene / "pair.zarr", mode="r"), zarr.open(probabilities, mode="r")
        names, codes = (stores[1].attrs[key] for key in ("class_names", "class_codes"))
        classes = [{"code": code, "name": name, "color": "#000000"} for code, name in zip(codes, names, strict=True)]
        settings = load_settings({"legend": {"classes": classes}, "explain": {"model": model}})
        scores, target = scene / "fused" / "scores.parquet", folder / f"{scene.name}.jsonl"
        command = [sys.executable, PROJECT / "workflow" / "scripts" / "explain_tiles.py", "--scene", scene.name]
        command += ["--pair", scene / "pair.zarr", "--probabilities", probabilities]
        command += ["--tiles", scene / "tiles.parquet", "--explanations", target, "--cache", folder / "cache"]
        command += ["--weights", work / "model" / "model.safetensors", "--card", work / "model" / "model.json"]
        command += ["--settings", stage_json(settings, ExplainTiles)]
        command += ["--device", "cpu", *(["--scores", scores] if scores.exists() else [])]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
        index = pd.read_parquet(scene / "tiles.parquet").set_index(["row", "col"])
        for tile in read_explanations(target):
            place: Any = index.loc[(tile.row, tile.col)]
            rows, cols = (slice(place[start], place[start] + place[size]) for start, size in AXES)
            counts = counted(stores, rows, cols, tuple(names), labelled=scores.exists())
            compared = any(c.without for c in tile.facts.reasons.classes)
            arrays = arrays_of_run(stores, rows, cols, work, mappers(work, scene) if compared else {})
            yield tile.text, replace(counts, arrays=arrays)


@lru_cache(maxsize=1)
def mappers(work: Path, scene: Path) -> dict[str, TileMapper]:
    """Return what maps tiles of a scene without a sensor, by this sensor."""
    device = torch.device("cpu")
    bundle = load_bundle(work / "model" / "model.safetensors", work / "model" / "model.json", device)
    pair = check_store(scene / "pair.zarr")
    views: dict[str, Sensor] = {"optical": "sar", "sar": "optical"}
    return {
        left_out: TileMapper(pair, Prediction(bundle, view, InferenceSettings(), 3000, [device]))
        for left_out, view in views.items()
    }


def arrays_of_run(stores: Stores, rows: slice, cols: slice, work: Path, without: dict[str, TileMapper]) -> Arrays:
    """Return the arrays of a tile of a run; `without` maps it without each sensor."""
    pair, probabilities = stores
    flags = pair["validity"][rows, cols]
    window = Window(rows.start, cols.start, *flags.shape)
    return Arrays(
        probabilities["probability"][:, rows, cols],
        probabilities["optical_share"][rows, cols],
        {sensor: pair[sensor][:, rows, cols] for sensor in ("optical", "sar")},
        {"optical": flags & 5 == 0, "sar": flags & 2 == 0},
        json.loads((work / "model" / "model.json").read_text(encoding="utf-8")),
        {sensor: mapper.classes(window) for sensor, mapper in without.items()},
    )


def counted(stores: Stores, rows: slice, cols: slice, names: tuple[str, ...], *, labelled: bool) -> Counts:
    """Return the pixel counts of a tile from its arrays."""
    pair, probabilities = stores
    p, share = probabilities["probability"][:, rows, cols].astype(float), probabilities["optical_share"][rows, cols]
    flags, truth = pair["validity"][rows, cols], pair["label"][rows, cols]
    best, mapped, classes = p.argmax(0), p.sum(0) > 0, range(len(names))
    known = mapped & (truth < len(names)) & (flags & 8 == 0) & labelled
    valid = flags & 1 == 0
    return Counts(
        names=names,
        px=np.array([int((best[mapped] == at).sum()) for at in classes]),
        confidence_sum=np.array([p.max(0)[mapped & (best == at)].sum() / 255 for at in classes]),
        optical_pct_sum=float(share[share <= 100].sum()),
        pixels=flags.size,
        optical=int((valid & (flags & 4 == 0)).sum()),
        sar=int((flags & 2 == 0).sum()),
        cloud=int((flags & 4 != 0).sum()),
        cloud_unknown=int((valid & (flags & 32 != 0)).sum()),
        confusion=np.array([[int((known & (truth == t) & (best == m)).sum()) for m in classes] for t in classes]),
        registration=str(pair.attrs["registration"]),
    )


def figures(model: str, tiles: Sequence[Counts], *, quick: bool) -> Figures:
    """Return all figures."""
    facts = [facts_of(tile) for tile in tiles]
    writer = LanguageModel(model, ExplainSettings(batch_size=8), "cpu")
    by_model, by_template = explain(facts, writer), explain(facts)
    for one, tile in zip(by_model, tiles, strict=True):
        print(f"{one.source}: {one.text} {faults(one.text, tile) or ''}")
    checks = [not faults(one.text, tile) for one, tile in zip([*by_model, *by_template], [*tiles, *tiles], strict=True)]
    tokenizer = writer._load()[0]
    return {
        "tiles": len(tiles),
        "grounded_share": sum(checks) / len(checks),
        "fallback_share": sum(one.source != "model" for one in by_model) / len(tiles),
        "distinct_share": distinct_share([one.text for one in by_model], tiles),
        "passes_per_text": writer.passes / len(tiles),
        "tokens_per_text": sum(len(tokenizer(one.text)["input_ids"]) for one in by_model) / len(tiles),
        **speeds(model, quick=quick),
        "false_reason_rate": false_reason_rate(writer),
    }


def grounded_of_run(texts: Sequence[tuple[str, Counts]]) -> Figures:
    """Return the figures of the delivered texts of a run; None without one."""
    for text, tile in texts:
        print(f"run: {text} {faults(text, tile) or ''}")
    if not texts:
        return {"tiles_of_run": None, "grounded_share_of_run": None, "distinct_texts_of_run": None}
    true = [not faults(text, tile) for text, tile in texts]
    return {
        "tiles_of_run": len(texts),
        "grounded_share_of_run": sum(true) / len(texts),
        "distinct_texts_of_run": len({text for text, _ in texts}) / len(texts),
    }


def distinct_share(texts: Sequence[str], tiles: Sequence[Counts]) -> float:
    """Return the share of pairs of tiles of different kind whose texts differ in more than numbers and classes."""
    kinds = [frozenset(topic.key for topic in tile_topics(facts_of(tile))) for tile in tiles]
    plain = []
    for text, tile in zip(texts, tiles, strict=True):
        names = sorted(tile.names, key=len, reverse=True)
        plain.append(re.sub(r"\d+", "0", re.sub("|".join(f"“?{re.escape(name)}”?" for name in names), "X", text)))
    pairs = [(a, b) for a, b in itertools.combinations(range(len(texts)), 2) if kinds[a] != kinds[b]]
    return sum(plain[a] != plain[b] for a, b in pairs) / max(len(pairs), 1)


def speeds(model: str, *, quick: bool) -> Figures:
    """Return the speed-ups over free generation, of batches over one by one, and of bfloat16."""
    tiles = [random_counts(np.random.default_rng(seed), LEGENDS[0]) for seed in range(4 if quick else 16)]
    outlines = [Outline(tile_topics(facts_of(tile))) for tile in tiles]
    writer, float32 = (LanguageModel(model, ExplainSettings(dtype=dtype), "cpu") for dtype in ("auto", "float32"))
    for each in (writer, float32):
        list(each.write(outlines[:1]))  # the first call is slower
    alone = seconds(lambda: [list(writer.write([outline])) for outline in outlines]) / len(outlines)
    batch = seconds(lambda: list(writer.write(outlines))) / len(outlines)
    once, once_32 = (seconds(partial(list, each.write(outlines[:8]))) for each in (writer, float32))
    has_amx = writer.identity != float32.identity  # the identity contains the number format
    return {
        "speedup_vs_free": free_seconds(writer, outlines[0], FREE_TOKENS // 8 if quick else FREE_TOKENS) / alone,
        "batch_speedup": alone / batch,
        "bfloat16_speedup": once_32 / once if has_amx else None,
        "batch_s": batch,
    }


def free_seconds(writer: LanguageModel, outline: Outline, tokens: int) -> float:
    """Return the CPU time of freely generated tokens, seconds."""
    tokenizer, model = writer._load()
    prompt = transformers_prompt(tokenizer, outline)
    limits = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False, "pad_token_id": 0}
    return seconds(lambda: model.generate(prompt, attention_mask=torch.ones_like(prompt), **limits))


def transformers_prompt(tokenizer: Any, outline: Outline) -> torch.Tensor:  # noqa: ANN401 - transformers is untyped
    """Return the tokens of an outline's prompt, (1, length)."""
    from clairemap.explain.language_model import _prompt
    from clairemap.explain.prompt import question

    return torch.tensor([_prompt(tokenizer, question(outline.topics), "model")])


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of a call, seconds."""
    started = time.process_time()
    work()
    return time.process_time() - started


def false_reason_rate(writer: LanguageModel) -> float:
    """Return the share of changed facts that texts do not follow: see the module's text."""
    changed = [plain_tile(**{"arrays": {}, **values}) for values, _ in CHANGES.values()]
    facts = [facts_of(tile) for tile in changed]
    by_model, by_template = explain(facts, writer), explain(facts)
    before = plain_tile(arrays={})
    wrong = [
        bool(faults(one.text, tile) or faults(other.text, tile)) or not faults(other.text, before)
        for one, other, tile in zip(by_model, by_template, changed, strict=True)
    ]
    return sum(wrong) / len(wrong)


if __name__ == "__main__":
    main()
