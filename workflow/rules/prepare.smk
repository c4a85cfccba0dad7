# From the files of a scene to a store with both sensors on one grid.


rule simulate_scene:
    output:
        optical=f"{DEMO_DIR}/{{scene}}/optical.tif",
        sar=f"{DEMO_DIR}/{{scene}}/sar.tif",
        label=f"{DEMO_DIR}/{{scene}}/label.tif",
        cloud=f"{DEMO_DIR}/{{scene}}/cloud.tif",
    log:
        f"{LOGS}/simulate_scene/{{scene}}.log",
    benchmark:
        f"{BENCHMARKS}/simulate_scene/{{scene}}.tsv"
    group:
        group("prepare", "simulate_scene")
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("simulate_scene"),
        runtime=minutes("simulate_scene"),
    params:
        script=script("simulate_scene"),
        code=code("simulate_scene"),
        directory=lambda wildcards, output: Path(output.label).parents[1],
    message:
        "{wildcards.scene}: simulate a demo scene"
    shell:
        f"{ATTEMPT}" " python {params.script:q} --scene {wildcards.scene} --directory {params.directory:q}"


# Only for scenes with products, band files or remote files; single rasters are opened as they are.
rule resolve_scene:
    output:
        sources=SCENE.sources,
    log:
        f"{LOGS}/resolve_scene/{{scene}}.log",
    benchmark:
        f"{BENCHMARKS}/resolve_scene/{{scene}}.tsv"
    group:
        group("prepare", "resolve_scene")
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("resolve_scene"),
        runtime=minutes("resolve_scene"),
    params:
        script=script("resolve_scene"),
        code=code("resolve_scene"),
        settings=passed(stages.ResolveScene),
        relevant=relevant(stages.ResolveScene),
        cells=cells("optical", "sar", "label", "cloud"),
        contents=with_parameters(lambda wildcards: SOURCES.resolved_contents(wildcards.scene)),
        record=record(),
    message:
        "{wildcards.scene}: identify files, bands and offsets of its cells"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --scene {wildcards.scene} {params.cells:q}"
        " --sources {output.sources:q} --settings {params.settings:q}"
        " --record {params.record:q}"


rule register_pair:
    input:
        made("optical", "sar"),
        sources,
    output:
        registration=SCENE.registration,
    log:
        f"{LOGS}/register_pair/{{scene}}.log",
    benchmark:
        f"{BENCHMARKS}/register_pair/{{scene}}.tsv"
    group:
        group("prepare", "register_pair")
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("register_pair"),
        runtime=minutes("register_pair"),
    params:
        script=script("register_pair"),
        code=code("register_pair"),
        settings=passed(stages.RegisterPair),
        relevant=relevant(stages.RegisterPair),
        sources=source_options("optical", "sar"),
        contents=contents("optical", "sar"),
        record=record(),
    message:
        "{wildcards.scene}: register SAR to optical"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --scene {wildcards.scene} {params.sources:q}"
        " --registration {output.registration:q} --settings {params.settings:q}"
        " --record {params.record:q}"


rule picture_registration:
    input:
        made("optical", "sar"),
        sources,
        registration=rules.register_pair.output.registration,
    output:
        picture=SCENE.registration_picture,
    log:
        f"{LOGS}/picture_registration/{{scene}}.log",
    benchmark:
        f"{BENCHMARKS}/picture_registration/{{scene}}.tsv"
    group:
        group("prepare", "picture_registration")
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("picture_registration"),
        runtime=minutes("picture_registration"),
    params:
        script=script("picture_registration"),
        code=code("picture_registration"),
        settings=passed(stages.PictureRegistration),
        relevant=relevant(stages.PictureRegistration),
        sources=source_options("optical", "sar"),
        contents=contents("optical", "sar"),
    message:
        "{wildcards.scene}: draw the registration"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --scene {wildcards.scene} {params.sources:q}"
        " --registration {input.registration:q} --picture {output.picture:q}"
        " --settings {params.settings:q}"


rule burn_labels:
    input:
        made("optical", "sar", "polygons"),
        sources,
    output:
        label=SCENE.label,
        counts=SCENE.label_counts,
    log:
        f"{LOGS}/burn_labels/{{scene}}.log",
    benchmark:
        f"{BENCHMARKS}/burn_labels/{{scene}}.tsv"
    group:
        group("prepare", "burn_labels")
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("burn_labels"),
        runtime=minutes("burn_labels"),
    params:
        script=script("burn_labels"),
        code=code("burn_labels"),
        settings=passed(stages.BurnLabels),
        relevant=relevant(stages.BurnLabels),
        sources=source_options("optical", "sar", "polygons"),
        contents=contents("optical", "sar", "polygons"),
        record=with_parameters(lambda wildcards, output: SOURCES.polygon_record(wildcards.scene)),
    message:
        "{wildcards.scene}: burn polygons into a label raster"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --scene {wildcards.scene} {params.sources:q}"
        " --label {output.label:q} --counts {output.counts:q} --settings {params.settings:q}"
        " --record {params.record:q} --threads {threads}"


rule tile_scene:
    input:
        made("optical", "sar", "label", "cloud"),
        sources,
        burnt_label=ancient(burnt(SCENE.label)),
        label_counts=burnt(SCENE.label_counts),
        registration=rules.register_pair.output.registration,
    output:
        pair=directory(SCENE.pair),
        manifest=f"{SCENE.folder}/pair.json",
        tiles=SCENE.tiles,
        radiometry=f"{SCENE.folder}/radiometry.json",
    log:
        f"{LOGS}/tile_scene/{{scene}}.log",
    benchmark:
        f"{BENCHMARKS}/tile_scene/{{scene}}.tsv"
    group:
        group("prepare", "tile_scene")
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("tile_scene"),
        runtime=minutes("tile_scene"),
    params:
        script=script("tile_scene"),
        code=code("tile_scene"),
        settings=passed(stages.TileScene),
        relevant=relevant(stages.TileScene),
        sources=source_options("optical", "sar", "label", "cloud"),
        contents=contents("optical", "sar", "label", "cloud"),
        files=each("burnt_label"),
        record=record(),
    message:
        "{wildcards.scene}: resample to the optical grid and store in tiles"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --scene {wildcards.scene} {params.sources:q} {params.files:q}"
        " --registration {input.registration:q} --pair {output.pair:q} --manifest {output.manifest:q}"
        " --tiles {output.tiles:q} --radiometry {output.radiometry:q} --settings {params.settings:q}"
        " --record {params.record:q}"
