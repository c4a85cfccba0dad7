# The demo's interpreter, who knows the truth of the simulated region: for `make demo` (config/demo.yaml).

DEMO_ANSWERS = str(DEMO_DIR / "demo.points.csv")
DEMO_SAMPLE = SampleFiles(Path(RESULTS), Path(WORK), "demo")


def simulated_truth(wildcards):
    """Input function: true areas and number of wrong answers, if the region's answers are simulated."""
    simulated = SETTINGS.accuracy.interpreted_of(wildcards.region) == DEMO_ANSWERS
    return [rules.interpret_demo.output.truth] if simulated else []


rule interpret_demo:
    input:
        drawn=DEMO_SAMPLE.drawn,
        landcover=MapFiles(Path(RESULTS) / "demo" / "demo").landcover,
    output:
        answers=DEMO_ANSWERS,
        truth=str(DEMO_DIR / "demo.truth.json"),
    log:
        f"{LOGS}/interpret_demo/demo.log",
    benchmark:
        f"{BENCHMARKS}/interpret_demo/demo.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("interpret_demo"),
        runtime=minutes("interpret_demo"),
    params:
        script=script("interpret_demo"),
        code=code("interpret_demo"),
        sample=str(DEMO_SAMPLE.table),
    message:
        "demo: simulate the answers for the sample"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --sample {params.sample:q} --landcover {input.landcover:q}"
        " --answers {output.answers:q} --truth {output.truth:q}"
