# A random sample of the map, and accuracy and areas from its interpretation.

SAMPLE = SampleFiles(Path(RESULTS), Path(WORK), "{region}")


def interpreted_file(region):
    """The interpreted sample of a region."""
    return SETTINGS.accuracy.interpreted.replace("{region}", region)


rule draw_sample:
    # A new map does not draw another sample, since people may be at work on it: the estimates allow for it.
    input:
        landcover=ancient(MapFiles(Path(RESULTS) / "{region}" / "{region}").landcover),
        metrics=ancient(f"{RESULTS}/{{region}}/metrics.json"),
    output:
        table=update(SAMPLE.table),
        geopackage=update(SAMPLE.geopackage),
        design=SAMPLE.design,
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


rule estimate_areas:
    input:
        answers=lambda wildcards: interpreted_file(wildcards.region),
        design=rules.draw_sample.output.design,
        landcover=MapFiles(Path(RESULTS) / "{region}" / "{region}").landcover,
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
        settings=passed(stages.EstimateAreas),
        relevant=relevant(stages.EstimateAreas),
    message:
        "{wildcards.region}: estimate accuracy and areas from the interpreted sample"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --region {wildcards.region} --answers {input.answers:q}"
        " --design {input.design:q} --landcover {input.landcover:q} --results {params.results:q}"
        " --settings {params.settings:q}"
