# The maps with a minimum mapping unit; only if it is set.


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
