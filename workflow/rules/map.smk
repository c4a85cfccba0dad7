# From pairs and model to the region's maps and their accuracy.


rule predict_scene:
    input:
        pair=ancient(PAIR),
        pair_manifest=rules.tile_scene.output.manifest,
        weights=rules.train_model.output.weights,
        card=rules.train_model.output.card,
        check=ancient(RADIOMETRY_CHECK),
    output:
        probabilities=directory(PROBABILITIES),
        manifest=f"{SCENE}/{{view}}/probabilities.json",
    log:
        f"{LOGS}/predict_scene/{{scene}}.{{view}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_scene/{{scene}}.{{view}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(jobs.mapping_payload_mb(SETTINGS, GPU)),
        runtime=240,
        gpu=GPU,
    params:
        script=script("predict_scene"),
        code=code("predict_scene"),
        device=untracked(SETTINGS.compute.device),
        memory_mb=untracked(SETTINGS.compute.mapping_memory_mb),
        settings=only(stages.PredictScene),
    message:
        "{wildcards.scene}: class probabilities ({wildcards.view})"
    shell:
        f"{jobs.NETWORK_ENVIRONMENT} ZARR_THREADING__MAX_WORKERS={{threads}}"
        " python {params.script:q} --pair {input.pair:q} --pair-manifest {input.pair_manifest:q}"
        " --weights {input.weights:q} --card {input.card:q} --view {wildcards.view}"
        " --probabilities {output.probabilities:q} --manifest {output.manifest:q}"
        " --fingerprint {params.code} --settings {params.settings:q}"
        " --device {params.device} --gpus {resources.gpu} --threads {threads} --memory-mb {params.memory_mb} 2> {log:q}"


rule mosaic_region:
    input:
        probabilities=ancient(of_scenes(PROBABILITIES, "fused")),
        manifests=of_scenes(rules.predict_scene.output.manifest, "fused"),
        card=rules.train_model.output.card,
        radiometry=of_scenes(RADIOMETRY_CHECK),
    output:
        landcover=f"{MAP}.landcover.tif",
        confidence=f"{MAP}.confidence.tif",
        optical_share=f"{MAP}.optical_share.tif",
        source_count=f"{MAP}.source_count.tif",
        categories=f"{MAP}.landcover.tif.aux.xml",
        table=f"{MAP}.landcover.tif.vat.dbf",
        encoding=f"{MAP}.landcover.tif.vat.cpg",
        style=[
            f"{MAP}.landcover.qml",
            f"{MAP}.confidence.qml",
            f"{MAP}.optical_share.qml",
            f"{MAP}.source_count.qml",
        ],
        item=f"{MAP}.item.json",
        model=f"{MAP}.model.json",
    log:
        f"{LOGS}/mosaic_region/{{region}}.{{map}}.log",
    benchmark:
        f"{BENCHMARKS}/mosaic_region/{{region}}.{{map}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=memory(100),
        runtime=240,
    params:
        script=script("mosaic_region"),
        code=code("mosaic_region"),
        settings=only(stages.MosaicRegion),
        files=each("probabilities", "radiometry"),
        styles=lambda wildcards, output: [word for path in output.style for word in ("--style", path)],
        dates=lambda wildcards: [
            f"--dates={day}" for scene in PLAN.scenes_of(wildcards.region, wildcards.map) for day in scene.dates
        ],
    message:
        "{wildcards.map}: mosaic to Cloud-Optimized GeoTIFF"
    # Without MALLOC_ARENA_MAX the memory that threads give back piles up, to a fifth of the peak.
    shell:
        "MALLOC_ARENA_MAX=2"
        " python {params.script:q} --name {wildcards.map} {params.files:q} {params.dates}"
        " --landcover {output.landcover:q} --confidence {output.confidence:q}"
        " --optical-share {output.optical_share:q} --source-count {output.source_count:q}"
        " --categories {output.categories:q} --table {output.table:q} {params.styles:q}"
        " --card {input.card:q} --model {output.model:q} --item {output.item:q} --settings {params.settings:q}"
        " --threads {threads} 2> {log:q}"


rule check_maps:
    input:
        probabilities=ancient(of_scenes(PROBABILITIES, "fused")),
        manifests=of_scenes(rules.predict_scene.output.manifest, "fused"),
        landcover=rules.mosaic_region.output.landcover,
        confidence=rules.mosaic_region.output.confidence,
        optical_share=rules.mosaic_region.output.optical_share,
        source_count=rules.mosaic_region.output.source_count,
    output:
        check=f"{MAP}.check.json",
    log:
        f"{LOGS}/check_maps/{{region}}.{{map}}.log",
    benchmark:
        f"{BENCHMARKS}/check_maps/{{region}}.{{map}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(100),
        runtime=60,
    params:
        script=script("check_maps"),
        code=code("check_maps"),
        settings=only(stages.MosaicRegion),
        files=each("probabilities"),
    message:
        "{wildcards.map}: check the finished maps"
    shell:
        "python {params.script:q} {params.files:q} --landcover {input.landcover:q}"
        " --confidence {input.confidence:q} --optical-share {input.optical_share:q}"
        " --source-count {input.source_count:q} --check {output.check:q}"
        " --settings {params.settings:q} 2> {log:q}"


rule score_tiles:
    input:
        pair=ancient(PAIR),
        pair_manifest=rules.tile_scene.output.manifest,
        tiles=rules.tile_scene.output.tiles,
        probabilities=ancient(PROBABILITIES),
        manifest=rules.predict_scene.output.manifest,
    output:
        scores=f"{SCENE}/{{view}}/scores.parquet",
    log:
        f"{LOGS}/score_tiles/{{scene}}.{{view}}.log",
    benchmark:
        f"{BENCHMARKS}/score_tiles/{{scene}}.{{view}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=30,
    params:
        script=script("score_tiles"),
        code=code("score_tiles"),
        settings=only(stages.ScoreTiles),
    message:
        "{wildcards.scene}: confusion matrix of each tile ({wildcards.view})"
    shell:
        "python {params.script:q} --pair {input.pair:q} --probabilities {input.probabilities:q}"
        " --tiles {input.tiles:q} --scores {output.scores:q} --settings {params.settings:q} 2> {log:q}"


rule score_region:
    input:
        scores=of_scenes(rules.score_tiles.output.scores, "fused", chosen=is_labelled),
        compared=of_scenes(rules.score_tiles.output.scores, "optical", "sar", chosen=PLAN.is_compared),
        splits=rules.audit_splits.output.splits,
        card=rules.train_model.output.card,
        radiometry=of_scenes(RADIOMETRY_CHECK),
        landcover=of_maps(rules.mosaic_region.output.landcover),
    output:
        metrics=f"{RESULTS}/{{region}}/metrics.json",
    log:
        f"{LOGS}/score_region/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/score_region/{{region}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=30,
    params:
        script=script("score_region"),
        code=code("score_region"),
        settings=only(stages.ScoreTiles),
        files=each("scores", "compared", "radiometry", "landcover"),
    message:
        "{wildcards.region}: accuracy and areas"
    shell:
        "python {params.script:q} --region {wildcards.region} {params.files:q}"
        " --splits {input.splits:q} --card {input.card:q} --metrics {output.metrics:q}"
        " --settings {params.settings:q} 2> {log:q}"
