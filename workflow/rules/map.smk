# From pairs and model to the region's maps and their accuracy.
MAP = f"{RESULTS}/{{region}}/{{map}}"
VIEW = f"{SCENE}/{{view}}"


rule predict_scene:
    input:
        pair=ancient(rules.tile_scene.output.pair),
        pair_manifest=rules.tile_scene.output.manifest,
        weights=rules.train_model.output.weights,
        card=rules.train_model.output.card,
    output:
        probabilities=directory(f"{VIEW}/probabilities.zarr"),
        manifest=f"{VIEW}/probabilities.json",
    log:
        f"{LOGS}/predict_scene/{{scene}}.{{view}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_scene/{{scene}}.{{view}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=240,
        gpu=1 if SETTINGS.compute.device == "cuda" else 0,
    params:
        code=code("predict_scene"),
        settings=only(sections.PredictScene),
    message:
        "{wildcards.scene}: class probabilities ({wildcards.view})"
    shell:
        "python {SCRIPTS}/predict_scene.py --pair {input.pair:q} --pair-manifest {input.pair_manifest:q}"
        " --weights {input.weights:q} --card {input.card:q} --view {wildcards.view}"
        " --probabilities {output.probabilities:q} --manifest {output.manifest:q}"
        " --settings {params.settings:q} --device {SETTINGS.compute.device} 2> {log}"


rule mosaic_region:
    input:
        probabilities=lambda wildcards: ancient(
            expand(
                rules.predict_scene.output.probabilities,
                scene=scenes_of(wildcards),
                view="fused",
            )
        ),
        manifests=lambda wildcards: expand(
            rules.predict_scene.output.manifest,
            scene=scenes_of(wildcards),
            view="fused",
        ),
    output:
        landcover=f"{MAP}.landcover.tif",
        confidence=f"{MAP}.confidence.tif",
        optical_share=f"{MAP}.optical_share.tif",
        categories=f"{MAP}.landcover.tif.aux.xml",
        style=f"{MAP}.landcover.qml",
        item=f"{MAP}.item.json",
    log:
        f"{LOGS}/mosaic_region/{{region}}.{{map}}.log",
    benchmark:
        f"{BENCHMARKS}/mosaic_region/{{region}}.{{map}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=memory(1500),
        runtime=240,
    params:
        code=code("mosaic_region"),
        settings=only(sections.MosaicRegion),
        probabilities=lambda wildcards: options(
            "probabilities",
            f"{WORK}/scenes/{{scene}}/fused/probabilities.zarr",
            scenes_of(wildcards),
        ),
    message:
        "{wildcards.map}: mosaic to Cloud-Optimized GeoTIFF"
    shell:
        "python {SCRIPTS}/mosaic_region.py --name {wildcards.map} {params.probabilities:q}"
        " --landcover {output.landcover:q} --confidence {output.confidence:q}"
        " --optical-share {output.optical_share:q} --categories {output.categories:q} --style {output.style:q}"
        " --item {output.item:q} --settings {params.settings:q} 2> {log}"


rule score_tiles:
    input:
        pair=ancient(rules.tile_scene.output.pair),
        pair_manifest=rules.tile_scene.output.manifest,
        tiles=rules.tile_scene.output.tiles,
        probabilities=ancient(rules.predict_scene.output.probabilities),
        manifest=rules.predict_scene.output.manifest,
    output:
        scores=f"{VIEW}/scores.parquet",
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
        code=code("score_tiles"),
        settings=only(sections.ScoreTiles),
    message:
        "{wildcards.scene}: confusion matrix of each tile ({wildcards.view})"
    shell:
        "python {SCRIPTS}/score_tiles.py --pair {input.pair:q} --probabilities {input.probabilities:q}"
        " --tiles {input.tiles:q} --scores {output.scores:q} --settings {params.settings:q} 2> {log}"


def scored(wildcards):
    """Labelled scenes of a region, those to predict included if they have labels."""
    return [scene.scene for scene in SHEET.in_region(wildcards.region) if scene.label]


def compared(wildcards):
    """Scores of the region's test scenes with one sensor masked out."""
    scenes = [name for name in scored(wildcards) if name in COMPARED]
    return expand(
        rules.score_tiles.output.scores, scene=scenes, view=("optical", "sar")
    )


rule score_region:
    input:
        scores=lambda wildcards: expand(
            rules.score_tiles.output.scores, scene=scored(wildcards), view="fused"
        ),
        compared=compared,
        splits=rules.fit_statistics.output.splits,
        landcover=lambda wildcards: expand(
            rules.mosaic_region.output.landcover,
            map=maps_of(wildcards.region),
            region=wildcards.region,
        ),
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
        code=code("score_region"),
        settings=only(sections.ScoreTiles),
        scores=lambda wildcards, input: [
            word for path in input.scores for word in ("--scores", path)
        ],
        compared=lambda wildcards, input: [
            word for path in input.compared for word in ("--compared", path)
        ],
        landcover=lambda wildcards, input: [
            word for path in input.landcover for word in ("--landcover", path)
        ],
    message:
        "{wildcards.region}: accuracy and areas"
    shell:
        "python {SCRIPTS}/score_region.py --region {wildcards.region} {params.scores:q} {params.compared:q}"
        " {params.landcover:q} --splits {input.splits:q} --metrics {output.metrics:q}"
        " --settings {params.settings:q} 2> {log}"
