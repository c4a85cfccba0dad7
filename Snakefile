# From scenes.csv to a land-cover map: see README.md and docs/architecture.md.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.8")


configfile: Path(workflow.basedir) / "config" / "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/map.smk"
include: "workflow/rules/report.smk"


wildcard_constraints:
    scene="|".join(scene.scene for scene in SHEET),
    region="|".join(SHEET.regions),
    map="|".join(scene.scene for scene in SHEET) + "|" + "|".join(SHEET.regions),
    view="|".join(VIEWS),


# These take a moment and run where Snakemake does: as jobs of a cluster they would mostly wait.
localrules:
    all,
    collect_radiometry,
    check_radiometry,


rule all:
    default_target: True
    input:
        expand(f"{RESULTS}/{{region}}/report.html", region=SHEET.regions),
        expand(f"{RESULTS}/{{region}}/metrics.json", region=SHEET.regions),
        [
            expand(output, region=region, map=maps_of(region))
            for region in SHEET.regions
            for output in (*rules.mosaic_region.output, *rules.check_maps.output)
        ],


onstart:
    # On a cluster the machine that plans needs no GPU; in environments of their own the stages have another PyTorch.
    planned = {job.rule.name for job in workflow.dag.needrun_jobs()}
    on_gpus = {"train_model", "predict_scene"} | (
        {"explain_tiles"} if SETTINGS.explain.model else set()
    )
    if (
        SETTINGS.compute.device == "cuda"
        and workflow.local_exec
        and not workflow.deployment_settings.deployment_method
        and planned & on_gpus
    ):
        try:
            check_gpus(
                SETTINGS.compute.training_processes
                if "train_model" in planned
                else 1
            )
        except ClairemapError as error:
            fail(error)


onsuccess:
    logger.info(
        f"Maps, accuracy and report of each region: {RESULTS}/REGION/ (REGION: {', '.join(SHEET.regions)})"
    )


onerror:
    logger.error(
        f"A stage failed: its last lines are above, its whole log is under {WORK}/logs/. Mend it and run again."
    )
