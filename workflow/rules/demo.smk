# The demo's interpreter, who knows the truth of the simulated region: for `make demo` (config/demo.yaml).

DEMO_ANSWERS = str(DEMO_DIR / "demo.points.csv")
DEMO_TRUTH = str(DEMO_DIR / "demo.truth.json")
DEMO_SAMPLE = SampleFiles(Path(RESULTS), Path(WORK), "demo")


rule interpret_demo:
    input:
        drawn=DEMO_SAMPLE.drawn,
        landcover=MapFiles(Path(RESULTS) / "demo" / "demo").landcover,
    output:
        answers=DEMO_ANSWERS,
        truth=DEMO_TRUTH,
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
