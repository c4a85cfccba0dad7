# From scenes and model to the maps of a region and their accuracy.

# With a minimum mapping unit, the maps before post-processing are intermediate files.
DISSOLVES = SETTINGS.deliver.min_area_ha is not None
MOSAIC = MapFiles(Path(WORK) / "maps" / "{region}" / "{map}") if DISSOLVES else MAP


rule predict_scene:
    input:
        pair=ancient(SCENE.pair),
        pair_manifest=rules.tile_scene.output.manifest,
        weights=ancient(MODEL.weights),
        card=MODEL.card,
        check=ancient(SCENE.radiometry_check),
    output:
        probabilities=directory(SCENE.probabilities_of("{view}")),
        manifest=f"{SCENE.folder}/{{view}}/probabilities.json",
    log:
        f"{LOGS}/predict_scene/{{scene}}.{{view}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_scene/{{scene}}.{{view}}.tsv"
    group:
        group("map", "predict_scene", GPU)
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory("predict_scene"),
        runtime=minutes("predict_scene"),
        gpu=GPU,
    params:
        script=script("predict_scene"),
        code=code("predict_scene"),
        device=untracked(SETTINGS.compute.device),
        memory_mb=untracked(SETTINGS.compute.mapping_memory_mb),
        settings=passed(stages.PredictScene),
        relevant=relevant(stages.PredictScene),
    message:
        "{wildcards.scene}: predict class probabilities ({wildcards.view})"
    shell:
        f"{jobs.NETWORK_ENVIRONMENT} ZARR_THREADING__MAX_WORKERS={{threads}} {ATTEMPT}"
        " python {params.script:q} --pair {input.pair:q} --pair-manifest {input.pair_manifest:q}"
        " --weights {input.weights:q} --card {input.card:q} --view {wildcards.view}"
        " --probabilities {output.probabilities:q} --manifest {output.manifest:q}"
        " --fingerprint {params.code} --settings {params.settings:q}"
        " --device {params.device} --gpus {resources.gpu} --threads {threads} --memory-mb {params.memory_mb}"


rule mosaic_region:
    input:
        probabilities=ancient(of_scenes(SCENE.probabilities)),
        manifests=of_scenes(rules.predict_scene.output.manifest, "fused"),
        card=MODEL.card,
        origin=[MODEL.origin] if SETTINGS.model else [],
        radiometry=of_scenes(SCENE.radiometry_check),
        sources=of_resolved_scenes,
        accepted=accepted,
    output:
        landcover=MOSAIC.landcover,
        confidence=MOSAIC.confidence,
        optical_share=MOSAIC.optical_share,
        source_count=MOSAIC.source_count,
        categories=MOSAIC.categories,
        table=MOSAIC.table,
        encoding=MOSAIC.encoding,
        style=list(MOSAIC.styles.values()),
        item=MOSAIC.item,
        model=MOSAIC.model,
        kept=[directory(MOSAIC.probabilities), MOSAIC.probabilities_manifest] if DISSOLVES else [],
    log:
        f"{LOGS}/mosaic_region/{{region}}.{{map}}.log",
    benchmark:
        f"{BENCHMARKS}/mosaic_region/{{region}}.{{map}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=memory("mosaic_region"),
        runtime=minutes("mosaic_region"),
    params:
        script=script("mosaic_region"),
        code=code("mosaic_region"),
        settings=passed(stages.MosaicRegion),
        relevant=relevant(stages.MosaicRegion),
        files=each("probabilities", "radiometry", "sources", "accepted", "origin"),
        maps=lambda wildcards, output: output.landcover.removesuffix(".landcover.tif"),
        dates=lambda wildcards: [
            f"--dates={day}" for scene in PLAN.scenes_of(wildcards.region, wildcards.map) for day in scene.dates
        ],
        undated=lambda wildcards: [
            f"--undated={name}"
            for scene in PLAN.scenes_of(wildcards.region, wildcards.map)
            for name in SOURCES.undated(scene)
        ],
    message:
        "{wildcards.map}: merge scenes into Cloud-Optimized GeoTIFFs"
    # Without MALLOC_ARENA_MAX freed memory of the threads accumulates, up to a fifth of the peak.
    shell:
        f"MALLOC_ARENA_MAX=2 {ATTEMPT}"
        " python {params.script:q} --maps {params.maps:q} {params.files:q} {params.dates} {params.undated}"
        " --card {input.card:q} --settings {params.settings:q} --threads {threads}"


rule check_maps:
    input:
        probabilities=ancient(of_scenes(SCENE.probabilities)),
        manifests=of_scenes(rules.predict_scene.output.manifest, "fused"),
        landcover=MAP.landcover,
        confidence=MAP.confidence,
        optical_share=MAP.optical_share,
        source_count=MAP.source_count,
    output:
        check=MAP.check,
    log:
        f"{LOGS}/check_maps/{{region}}.{{map}}.log",
    benchmark:
        f"{BENCHMARKS}/check_maps/{{region}}.{{map}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("check_maps"),
        runtime=minutes("check_maps"),
    params:
        script=script("check_maps"),
        code=code("check_maps"),
        settings=passed(stages.MosaicRegion),
        relevant=relevant(stages.MosaicRegion),
        maps=lambda wildcards, input: input.landcover.removesuffix(".landcover.tif"),
        files=each("probabilities"),
    message:
        "{wildcards.map}: check the finished maps"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} {params.files:q} --maps {params.maps:q} --check {output.check:q}"
        " --settings {params.settings:q}"


rule score_tiles:
    input:
        pair=ancient(SCENE.pair),
        pair_manifest=rules.tile_scene.output.manifest,
        tiles=rules.tile_scene.output.tiles,
        probabilities=ancient(SCENE.probabilities_of("{view}")),
        manifest=rules.predict_scene.output.manifest,
    output:
        scores=f"{SCENE.folder}/{{view}}/scores.parquet",
    log:
        f"{LOGS}/score_tiles/{{scene}}.{{view}}.log",
    benchmark:
        f"{BENCHMARKS}/score_tiles/{{scene}}.{{view}}.tsv"
    group:
        group("map", "score_tiles")
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("score_tiles"),
        runtime=minutes("score_tiles"),
    params:
        script=script("score_tiles"),
        code=code("score_tiles"),
        settings=passed(stages.ScoreTiles),
        relevant=relevant(stages.ScoreTiles),
    message:
        "{wildcards.scene}: compare map and labels ({wildcards.view})"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --pair {input.pair:q} --probabilities {input.probabilities:q}"
        " --tiles {input.tiles:q} --scores {output.scores:q} --settings {params.settings:q}"


rule score_region:
    input:
        scores=of_scenes(rules.score_tiles.output.scores, "fused", chosen=is_labelled),
        compared=of_scenes(rules.score_tiles.output.scores, "optical", "sar", chosen=PLAN.is_compared),
        splits=MODEL.splits_of("{region}"),
        card=MODEL.card,
        radiometry=of_scenes(SCENE.radiometry_check),
        landcover=of_maps(MAP.landcover),
        pair=ancient(of_audit(SCENE.pair)),
        pair_manifests=of_audit(rules.tile_scene.output.manifest),
    output:
        metrics=report(
            f"{RESULTS}/{{region}}/metrics.json",
            caption="../report/metrics.rst",
            category="Regions",
            labels={"region": "{region}", "content": "metrics"},
        ),
    log:
        f"{LOGS}/score_region/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/score_region/{{region}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("score_region"),
        runtime=minutes("score_region"),
    params:
        script=script("score_region"),
        code=code("score_region"),
        settings=passed(stages.ScoreRegion),
        relevant=relevant(stages.ScoreRegion),
        files=each("scores", "compared", "radiometry", "landcover", "pair"),
    message:
        "{wildcards.region}: compute accuracy and areas"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --region {wildcards.region} {params.files:q}"
        " --splits {input.splits:q} --card {input.card:q} --metrics {output.metrics:q}"
        " --settings {params.settings:q}"
