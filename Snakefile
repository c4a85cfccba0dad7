# From scenes.csv to a land-cover map: see README.md and docs/architecture.md.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.8")


configfile: Path(workflow.basedir) / "config" / "config.yaml"


include: "workflow/rules/common.smk"


# Used only with `--sdm apptainer`. Relative, so that a moved checkout reruns nothing.
container: jobs.IMAGE


include: "workflow/rules/prepare.smk"
include: f"workflow/rules/{'train' if SETTINGS.model is None else 'given'}.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/map.smk"


if DISSOLVES:

    include: "workflow/rules/dissolve.smk"


include: "workflow/rules/vectorize.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/accuracy.smk"
include: "workflow/rules/report.smk"


# Not the names of the sheet: matching 10,000 alternatives is slow. The input functions reject unknown names.
wildcard_constraints:
    scene=NAME_WILDCARD,
    region=NAME_WILDCARD,
    map=NAME_WILDCARD,
    view="|".join(VIEWS),


# These rules take seconds: they run on the submitting machine, not as cluster jobs.
localrules:
    all,
    draw_samples,
    check_radiometry,


# The rule that writes the maps.
DELIVERED = rules.dissolve_patches if DISSOLVES else rules.mosaic_region


rule all:
    default_target: True
    input:
        results(*DELIVERED.output, *rules.check_maps.output),
        polygons,
        OF_SAMPLES.estimates,


# The samples of all regions, for interpreters.
rule draw_samples:
    input:
        OF_SAMPLES.samples,


# The hooks run in the process that plans; cluster jobs do not import the record of the run.
onstart:
    from clairemap.operations import run_record

    try:
        startup.check_before_jobs(workflow, SETTINGS)
    except ClairemapError as error:
        fail(error)
    run_record.record_start(workflow, Path(WORK), code)


onsuccess:
    from clairemap.operations import run_record

    run_record.record_end(Path(WORK), failed=False)
    try:
        from clairemap.report.regions_index import write_index

        write_index(Path(RESULTS), {region: PLAN.maps_of(region) for region in SHEET.regions}, SETTINGS.legend)
    except (ClairemapError, ImportError, OSError) as error:
        logger.warning(f"{RESULTS}/index.html was not written: {error}")
    logger.info("Done. Maps, accuracy and report: " + ", ".join(f"{RESULTS}/{region}/" for region in SHEET.regions))


onerror:
    from clairemap.operations import run_record

    run_record.record_end(Path(WORK), failed=True)
    logger.error(startup.failure_text(workflow, PLAN, RUN))
