"""Summarise a region in sentences that follow from its metrics and its tiles; a language model chooses them."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.explanations import Explanation, read_explanations
from clairemap.artefacts.metrics import read_metrics
from clairemap.artefacts.summary import write_summary
from clairemap.console import run
from clairemap.errors import SettingsError
from clairemap.explain.cache import CachedWriter
from clairemap.explain.explainer import texts
from clairemap.explain.language_model import LanguageModel
from clairemap.explain.region_topics import region_outline
from clairemap.inference.devices import choose_devices
from clairemap.provenance import stamp
from clairemap.stages import SummarizeRegion

log = logging.getLogger("clairemap.summarize_region")


def summarize_region(
    metrics: Annotated[Path, typer.Option(help="metrics.json of the region")],
    explanations: Annotated[list[Path], typer.Option(help="explanations.jsonl of each scene (repeat)")],
    summary: Annotated[Path, typer.Option(help="summaries/{region}.json to write")],
    cache: Annotated[Path, typer.Option(help="folder for the cached texts of the model")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Write the summary of a region; it has no sentences if nothing is mapped.

    Memory: facts and texts of one scene's tiles (a few kB each), the language model.

    Raises:
        ExplainerError: the language model cannot be loaded or run.
        SettingsError: `device` is cuda, but there is no GPU.
        StoreError: a file of explanations or the metrics are damaged.
    """
    chosen = SummarizeRegion.from_json(settings).explain
    tiles = (tile for path in explanations for tile in read_explanations(path))
    outline = region_outline(read_metrics(metrics), tiles)
    if outline is None:
        log.info("nothing is mapped: the summary is empty")
        write_summary(summary, Explanation(text="", source="template"), stamp("summarize_region", settings))
        return
    if chosen.model is None:
        raise SettingsError("explain.model is null: without a language model, render_report writes the summary itself")
    writer = CachedWriter(LanguageModel(chosen.model, chosen, str(choose_devices(device)[0])), cache)
    found = texts([outline], writer)[0]
    write_summary(summary, found, stamp("summarize_region", settings))
    log.info("summary of %d sentences, chosen by the %s", len(found.sentences), found.source)


if __name__ == "__main__":
    run(summarize_region)
