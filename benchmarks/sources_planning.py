"""Part of sources.py: planning of scenes whose optical cells are products, against scenes of single files."""

from pathlib import Path
from typing import Any

from sources_made import make_empty_product
from workflow_made import make_folder, snakemake, workflow_without_work

DRY_RUN = ("--dry-run", "--quiet", "rules")


def planning_figures(folder: Path, scenes: int) -> dict[str, Any]:
    """Return the CPU seconds to plan scenes of single files, and of products with the same SAR files."""
    ours = workflow_without_work(folder / "workflow")
    single, products = folder / "single", folder / "products"
    for place in (single, products):
        make_folder(place, scenes)
    for number in range(scenes):
        make_empty_product(products / "data", f"s{number:05d}_optical")
    sheet = products / "scenes.csv"
    sheet.write_text(sheet.read_text(encoding="utf-8").replace("_optical.tif", "_optical.SAFE"), encoding="utf-8")
    snakemake(ours, single, DRY_RUN)  # keeps the hashes of the code
    of_single, of_products = (snakemake(ours, place, DRY_RUN) for place in (single, products))
    return {
        "scenes": scenes,
        "plan_vs_files": of_products.cpu_s / of_single.cpu_s,
        "plan_files_s": of_single.cpu_s,
        "plan_products_s": of_products.cpu_s,
    }
