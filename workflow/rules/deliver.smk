# Post-processing of the finished maps: minimum mapping unit (only if it is set), polygons.

if DISSOLVES:

    rule dissolve_patches:
        input:
            probabilities=ancient(MOSAIC.probabilities),
            manifest=MOSAIC.probabilities_manifest,
            landcover=rules.mosaic_region.output.landcover,
            confidence=rules.mosaic_region.output.confidence,
            optical_share=rules.mosaic_region.output.optical_share,
            source_count=rules.mosaic_region.output.source_count,
            encoding=rules.mosaic_region.output.encoding,
            style=rules.mosaic_region.output.style,
            item=rules.mosaic_region.output.item,
            model=rules.mosaic_region.output.model,
        output:
            landcover=MAP.landcover,
            confidence=MAP.confidence,
            optical_share=MAP.optical_share,
            source_count=MAP.source_count,
            categories=MAP.categories,
            table=MAP.table,
            encoding=MAP.encoding,
            style=list(MAP.styles.values()),
            item=MAP.item,
            model=MAP.model,
        log:
            f"{LOGS}/dissolve_patches/{{region}}.{{map}}.log",
        benchmark:
            f"{BENCHMARKS}/dissolve_patches/{{region}}.{{map}}.tsv"
        conda:
            "../../envs/geo.yaml"
        threads: 2
        resources:
            mem_mb=memory("dissolve_patches"),
            runtime=minutes("dissolve_patches"),
        params:
            script=script("dissolve_patches"),
            code=code("dissolve_patches"),
            settings=passed(stages.DissolvePatches),
            relevant=relevant(stages.DissolvePatches),
            source=lambda wildcards, input: input.landcover.removesuffix(".landcover.tif"),
            maps=lambda wildcards, output: output.landcover.removesuffix(".landcover.tif"),
        message:
            "{wildcards.map}: dissolve small patches"
        shell:
            f"MALLOC_ARENA_MAX=2 {ATTEMPT}"
            " python {params.script:q} --source {params.source:q} --maps {params.maps:q}"
            " --settings {params.settings:q} --threads {threads}"


rule vectorize_map:
    input:
        landcover=MAP.landcover,
        confidence=MAP.confidence,
        optical_share=MAP.optical_share,
    output:
        polygons=MAP.polygons,
    log:
        f"{LOGS}/vectorize_map/{{region}}.{{map}}.log",
    benchmark:
        f"{BENCHMARKS}/vectorize_map/{{region}}.{{map}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("vectorize_map"),
        runtime=minutes("vectorize_map"),
    params:
        script=script("vectorize_map"),
        code=code("vectorize_map"),
        settings=passed(stages.VectorizeMap),
        relevant=relevant(stages.VectorizeMap),
        maps=lambda wildcards, output: output.polygons.removesuffix(".landcover.gpkg"),
    message:
        "{wildcards.map}: write the land-cover map as polygons"
    shell:
        f"{ATTEMPT}" " python {params.script:q} --maps {params.maps:q} --settings {params.settings:q}"


def polygons(wildcards):
    """Input function: the polygons of each map, if they are wanted."""
    maps = [(region, name) for region in SHEET.regions for name in PLAN.maps_of(region)]
    return [str(MAP.polygons).format(region=region, map=name) for region, name in maps if SETTINGS.deliver.vector]
