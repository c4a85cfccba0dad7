# A random sample of the map, and accuracy and areas from its interpretation.
from clairemap.operations.interpreted import SampleInputs

SAMPLE = SampleFiles(Path(RESULTS), Path(WORK), "{region}")
OF_SAMPLES = SampleInputs(PLAN, warn, {DEMO_ANSWERS: DEMO_TRUTH})


# A new map does not draw another sample, since people may be at work on it: the estimates allow for it. The sample's
# files are no outputs, not even with `update`: Snakemake would record the parameters of a failed job as theirs.
rule draw_sample:
    input:
        landcover=ancient(OF_SAMPLES.landcover),
        metrics=ancient(f"{RESULTS}/{{region}}/metrics.json"),
        zones=ancient(OF_SAMPLES.strata_zones),
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
        results=untracked(RESULTS),
        work=untracked(WORK),
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
        answers=OF_SAMPLES.answers,
        drawn=rules.draw_sample.output.drawn,
        landcover=OF_SAMPLES.landcover,
        zones=OF_SAMPLES.zones,
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
        results=untracked(RESULTS),
        work=untracked(WORK),
        settings=passed(stages.EstimateAreas),
        relevant=relevant(stages.EstimateAreas),
    message:
        "{wildcards.region}: estimate accuracy and areas from the interpreted sample"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --region {wildcards.region} --answers {input.answers:q}"
        " --landcover {input.landcover:q} --results {params.results:q} --work {params.work:q}"
        " --settings {params.settings:q}"
