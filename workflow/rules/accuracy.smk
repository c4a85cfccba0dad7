# A random sample of the map, and accuracy and areas from its interpretation.
from clairemap.operations.interpreted import check_can_be_sampled, interpreted_regions

SAMPLE = SampleFiles(Path(RESULTS), Path(WORK), "{region}")
ZONES = [SETTINGS.accuracy.zones] if SETTINGS.accuracy.zones else []


def sampled_map(wildcards):
    """Input function: the land-cover map of the region."""
    try:
        check_can_be_sampled(PLAN)
    except ClairemapError as error:
        fail(error)
    PLAN.scenes_of(wildcards.region)  # checks that the region exists
    return MapFiles(Path(RESULTS) / wildcards.region / wildcards.region).landcover


def interpreted_file(wildcards):
    """Input function: the interpreted sample of the region."""
    if path := SETTINGS.accuracy.interpreted_of(wildcards.region):
        return path
    fail(SettingsError("accuracy.interpreted is null: set it to the interpreted sample (docs/areas.md)"))


def estimates(wildcards):
    """Input function: estimates and sample of each region whose interpreted sample exists.

    The sample is requested too, since Snakemake does not make a missing file again if only finished files need it: a
    second run after a failed `draw_sample` would end well.
    """
    try:
        regions = interpreted_regions(PLAN, warn)
    except ClairemapError as error:
        fail(error)
    return expand([rules.estimate_areas.output.estimates, rules.draw_sample.output.drawn], region=regions)


def samples(wildcards):
    """Input function: the sample of each region."""
    return expand(rules.draw_sample.output.drawn, region=SHEET.regions)


# A new map does not draw another sample, since people may be at work on it: the estimates allow for it. The sample's
# files are no outputs, not even with `update`: Snakemake would record the parameters of a failed job as theirs.
rule draw_sample:
    input:
        landcover=ancient(sampled_map),
        metrics=ancient(f"{RESULTS}/{{region}}/metrics.json"),
        zones=ancient(ZONES) if SETTINGS.accuracy.strata_by_zone else [],
    output:
        drawn=SAMPLE.drawn,
    log:
        f"{LOGS}/draw_sample/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/draw_sample/{{region}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("draw_sample"),
        runtime=minutes("draw_sample"),
    params:
        script=script("draw_sample"),
        code=code("draw_sample"),
        results=RESULTS,
        work=WORK,
        settings=passed(stages.DrawSample),
        relevant=relevant(stages.DrawSample),
    message:
        "{wildcards.region}: draw a random sample of the map"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --region {wildcards.region} --landcover {input.landcover:q}"
        " --metrics {input.metrics:q} --results {params.results:q} --work {params.work:q}"
        " --settings {params.settings:q}"


# The metrics are not read. Without this input, Snakemake overlooks new answers if score_region runs too: it leaves out
# all jobs after a job that runs, and then does not follow the ancient input of draw_sample.
rule estimate_areas:
    input:
        metrics=f"{RESULTS}/{{region}}/metrics.json",
        answers=interpreted_file,
        drawn=rules.draw_sample.output.drawn,
        landcover=sampled_map,
        zones=ZONES,
    output:
        estimates=SAMPLE.estimates,
        table=SAMPLE.estimates_table,
        design=SAMPLE.published_design,
    log:
        f"{LOGS}/estimate_areas/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/estimate_areas/{{region}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("estimate_areas"),
        runtime=minutes("estimate_areas"),
    params:
        script=script("estimate_areas"),
        code=code("estimate_areas"),
        results=RESULTS,
        work=WORK,
        settings=passed(stages.EstimateAreas),
        relevant=relevant(stages.EstimateAreas),
    message:
        "{wildcards.region}: estimate accuracy and areas from the interpreted sample"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --region {wildcards.region} --answers {input.answers:q}"
        " --landcover {input.landcover:q} --results {params.results:q} --work {params.work:q}"
        " --settings {params.settings:q}"
