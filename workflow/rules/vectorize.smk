# The land-cover maps as polygons.

# Input function: the polygons of each map, if they are wanted.
polygons = lambda wildcards: [
    str(MAP.polygons).format(region=region, map=name)
    for region in SHEET.regions
    for name in PLAN.maps_of(region)
    if SETTINGS.deliver.vector
]


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
