# Explanations in words and the report page.


rule explain_tiles:
    input:
        pair=ancient(rules.tile_scene.output.pair),
        pair_manifest=rules.tile_scene.output.manifest,
        tiles=rules.tile_scene.output.tiles,
        probabilities=ancient(f"{SCENE}/fused/probabilities.zarr"),
        manifest=f"{SCENE}/fused/probabilities.json",
        scores=lambda wildcards: (
            f"{SCENE}/fused/scores.parquet" if SHEET[wildcards.scene].label else []
        ),
    output:
        explanations=f"{SCENE}/explanations.jsonl",
    log:
        f"{LOGS}/explain_tiles/{{scene}}.log",
    benchmark:
        f"{BENCHMARKS}/explain_tiles/{{scene}}.tsv"
    conda:
        "../../envs/explain.yaml"
    threads: 1
    resources:
        mem_mb=memory(16000 if SETTINGS.explain.model else 500),
        runtime=480 if SETTINGS.explain.model else 30,
        gpu=1 if SETTINGS.explain.model and SETTINGS.compute.device == "cuda" else 0,
    params:
        code=code("explain_tiles"),
        settings=only(sections.ExplainTiles),
        scores=lambda wildcards, input: (
            ["--scores", input.scores] if input.scores else []
        ),
        cache=f"{WORK}/explanations",
    message:
        "{wildcards.scene}: explain each tile in words"
    shell:
        "python {SCRIPTS}/explain_tiles.py --scene {wildcards.scene} --pair {input.pair:q}"
        " --probabilities {input.probabilities:q} --tiles {input.tiles:q} {params.scores:q}"
        " --explanations {output.explanations:q} --cache {params.cache:q} --settings {params.settings:q}"
        " --device {SETTINGS.compute.device} 2> {log}"


def of_scenes(pattern):
    """Input function: a file of each scene of the region."""
    return lambda wildcards: expand(pattern, scene=scenes_of(wildcards))


def of_maps(pattern):
    """Input function: a file of each map of the region."""
    return lambda wildcards: expand(
        pattern, region=wildcards.region, map=maps_of(wildcards.region)
    )


def repeated(*names):
    """Params function: --name once for each file of an input, for all the names."""
    return lambda wildcards, input: [
        word
        for name in names
        for path in input[name]
        for word in (f"--{name.replace('_', '-')}", path)
    ]


rule render_report:
    input:
        landcover=of_maps(rules.mosaic_region.output.landcover),
        confidence=of_maps(rules.mosaic_region.output.confidence),
        optical_share=of_maps(rules.mosaic_region.output.optical_share),
        metrics=rules.score_region.output.metrics,
        registration=of_scenes(rules.register_pair.output.registration),
        tiles=of_scenes(rules.tile_scene.output.tiles),
        explanations=of_scenes(rules.explain_tiles.output.explanations),
        pair=ancient(of_scenes(rules.tile_scene.output.pair)),
        pair_manifests=of_scenes(rules.tile_scene.output.manifest),
        probabilities=ancient(of_scenes(f"{SCENE}/fused/probabilities.zarr")),
        manifests=of_scenes(f"{SCENE}/fused/probabilities.json"),
        card=rules.train_model.output.card,
        history=rules.train_model.output.history,
        statistics=rules.fit_statistics.output.statistics,
    output:
        report=report(
            f"{RESULTS}/{{region}}/report.html",
            caption="../report/region.rst",
            category="Regions",
            labels={"region": "{region}"},
        ),
    log:
        f"{LOGS}/render_report/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/render_report/{{region}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=30,
    params:
        code=code("render_report"),
        settings=only(sections.RenderReport),
        files=repeated(
            "landcover",
            "confidence",
            "optical_share",
            "registration",
            "tiles",
            "explanations",
            "pair",
            "probabilities",
        ),
    message:
        "{wildcards.region}: report"
    shell:
        "python {SCRIPTS}/render_report.py --region {wildcards.region} {params.files:q} --metrics {input.metrics:q}"
        " --card {input.card:q} --history {input.history:q} --statistics {input.statistics:q}"
        " --report {output.report:q} --settings {params.settings:q} 2> {log}"
