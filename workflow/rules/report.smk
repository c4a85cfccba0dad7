# Explanations of the tiles and the report page.

import json

from clairemap.requirements import sensor_tiles_mb
from clairemap.settings import changed_settings


rule explain_tiles:
    input:
        pair=ancient(SCENE.pair),
        pair_manifest=rules.tile_scene.output.manifest,
        tiles=rules.tile_scene.output.tiles,
        probabilities=ancient(SCENE.probabilities),
        manifest=f"{SCENE.folder}/fused/probabilities.json",
        weights=ancient(MODEL.weights),
        card=MODEL.card,
        scores=lambda wildcards: (
            [rules.score_tiles.output.scores.format(scene=wildcards.scene, view="fused")]
            if is_labelled(SHEET[wildcards.scene])
            else []
        ),
    output:
        explanations=SCENE.explanations,
    log:
        f"{LOGS}/explain_tiles/{{scene}}.log",
    benchmark:
        f"{BENCHMARKS}/explain_tiles/{{scene}}.tsv"
    group:
        group("map", "explain_tiles", SETTINGS.explain.model)
    conda:
        "../../envs/explain.yaml"
    threads: 1
    resources:
        mem_mb=memory("explain_tiles"),
        runtime=minutes("explain_tiles"),
        gpu=GPU if SETTINGS.explain.model else 0,
    params:
        script=script("explain_tiles"),
        code=code("explain_tiles"),
        # Without a language model the job has no GPU: the few tiles without a sensor are mapped on the CPU.
        device=untracked(SETTINGS.compute.device if SETTINGS.explain.model else "cpu"),
        memory_mb=untracked(sensor_tiles_mb(SETTINGS)),
        settings=passed(stages.ExplainTiles),
        relevant=relevant(stages.ExplainTiles),
        files=each("scores"),
        cache=f"{WORK}/explanations",
    message:
        "{wildcards.scene}: explain each tile in words"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --scene {wildcards.scene} --pair {input.pair:q}"
        " --probabilities {input.probabilities:q} --tiles {input.tiles:q} {params.files:q}"
        " --weights {input.weights:q} --card {input.card:q} --memory-mb {params.memory_mb}"
        " --explanations {output.explanations:q} --cache {params.cache:q}"
        " --settings {params.settings:q} --device {params.device}"


# Only with a language model: without one, render_report chooses the sentences itself.
rule summarize_region:
    input:
        metrics=rules.score_region.output.metrics,
        explanations=of_scenes(rules.explain_tiles.output.explanations),
    output:
        summary=f"{WORK}/summaries/{{region}}.json",
    log:
        f"{LOGS}/summarize_region/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/summarize_region/{{region}}.tsv"
    conda:
        "../../envs/explain.yaml"
    threads: 1
    resources:
        mem_mb=memory("summarize_region"),
        runtime=minutes("summarize_region"),
        gpu=GPU,
    params:
        script=script("summarize_region"),
        code=code("summarize_region"),
        device=untracked(SETTINGS.compute.device),
        settings=passed(stages.SummarizeRegion),
        relevant=relevant(stages.SummarizeRegion),
        files=each("explanations"),
        cache=f"{WORK}/explanations",
    message:
        "{wildcards.region}: summarise the region in words"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --metrics {input.metrics:q} {params.files:q} --summary {output.summary:q}"
        " --cache {params.cache:q} --settings {params.settings:q} --device {params.device}"


rule render_report:
    input:
        landcover=of_maps(MAP.landcover),
        confidence=of_maps(MAP.confidence),
        optical_share=of_maps(MAP.optical_share),
        source_count=of_maps(MAP.source_count),
        check=of_maps(rules.check_maps.output.check),
        metrics=rules.score_region.output.metrics,
        registration=of_scenes(rules.register_pair.output.registration),
        registration_picture=of_scenes(rules.picture_registration.output.picture, chosen=has_both_sensors),
        tiles=of_scenes(rules.tile_scene.output.tiles),
        label_counts=of_scenes(SCENE.label_counts, chosen=has_polygons),
        explanations=of_scenes(rules.explain_tiles.output.explanations),
        summary=[rules.summarize_region.output.summary] if SETTINGS.explain.model else [],
        pair=ancient(of_scenes(SCENE.pair)),
        pair_manifests=of_scenes(rules.tile_scene.output.manifest),
        probabilities=ancient(of_scenes(SCENE.probabilities)),
        manifests=of_scenes(f"{SCENE.folder}/fused/probabilities.json"),
        card=MODEL.card,
        history=[] if SETTINGS.model else MODEL.history,
        statistics=MODEL.statistics,
        audit=MODEL.audit_of("{region}"),
        splits=MODEL.splits_of("{region}"),
        origin=[MODEL.origin] if SETTINGS.model else [],
        sources=of_resolved_scenes,
        estimates=OF_SAMPLES.estimated,
        truth=OF_SAMPLES.truth,
        scores=of_scenes(rules.score_tiles.output.scores, "fused", chosen=is_labelled),
        answers=OF_SAMPLES.estimated_from,
        design=OF_SAMPLES.estimated_design,
        earlier=FILES.earlier_maps,
        polygons=ancient(of_maps(MAP.polygons)) if SETTINGS.deliver.vector else [],
        accepted=accepted,
    output:
        report=report(
            f"{RESULTS}/{{region}}/report.html",
            caption="../report/region.rst",
            category="Regions",
            labels={"region": "{region}", "content": "maps, accuracy, tiles"},
        ),
        project=f"{RESULTS}/{{region}}/{{region}}.qgs",
    log:
        f"{LOGS}/render_report/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/render_report/{{region}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("render_report"),
        runtime=minutes("render_report"),
    params:
        script=script("render_report"),
        code=code("render_report"),
        settings=passed(stages.RenderReport),
        changed=untracked(json.dumps(changed_settings(SETTINGS))),
        benchmarks=untracked(BENCHMARKS),
        relevant=relevant(stages.RenderReport),
        summary=each("summary"),
        files=lambda wildcards: jobs.options(
            {
                "maps": of_maps(MAP.prefix)(wildcards),
                "scene": of_scenes(SCENE.folder)(wildcards),
                "model": [MODEL.folder],
                "sources": of_resolved_scenes(wildcards),
                "estimates": OF_SAMPLES.estimated(wildcards),
                "truth": OF_SAMPLES.truth(wildcards),
                "scores": of_scenes(rules.score_tiles.output.scores, "fused", chosen=is_labelled)(wildcards),
                "answers": OF_SAMPLES.estimated_from(wildcards),
                "design": OF_SAMPLES.estimated_design(wildcards),
                "sample": OF_SAMPLES.estimated_sample(wildcards),
                "polygons": of_maps(MAP.polygons)(wildcards) if SETTINGS.deliver.vector else [],
                "earlier": FILES.earlier_maps(wildcards),
                "accepted": accepted(wildcards),
                "label_counts": of_scenes(SCENE.label_counts, chosen=has_polygons)(wildcards),
            }
        ),
    message:
        "{wildcards.region}: write the report and the QGIS project"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --region {wildcards.region} {params.files:q} --metrics {input.metrics:q}"
        " --report {output.report:q} --project {output.project:q} --settings {params.settings:q}"
        " --changed {params.changed:q} --benchmarks {params.benchmarks:q} {params.summary:q}"
