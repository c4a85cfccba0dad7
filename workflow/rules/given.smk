# A model from another project (setting `model`), in place of train.smk.


# Takes seconds: runs on the submitting machine, not as a cluster job.
localrules:
    copy_model,


GIVEN = read_model(Path(SETTINGS.model), "model")


# The folder is no input, since Snakemake would compare paths and dates: `contents` has the hashes of its files.
rule copy_model:
    output:
        weights=MODEL.weights,
        card=MODEL.card,
        radiometry=MODEL.radiometry,
        statistics=MODEL.statistics,
        origin=MODEL.origin,
    log:
        f"{LOGS}/copy_model.log",
    benchmark:
        f"{BENCHMARKS}/copy_model.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("copy_model"),
        runtime=minutes("copy_model"),
    params:
        script=script("copy_model"),
        code=code("copy_model"),
        given=untracked(GIVEN.files.folder),
        contents=GIVEN.identity,
        model=MODEL.folder,
    message:
        "copy and check the model"
    shell:
        f"{ATTEMPT}" " python {params.script:q} --given {params.given:q} --model {params.model:q}"


rule audit_places:
    input:
        origin=rules.copy_model.output.origin,
        pair=ancient(of_scenes(SCENE.pair, chosen=PLAN.is_tested)),
        pair_manifests=of_scenes(rules.tile_scene.output.manifest, chosen=PLAN.is_tested),
        tiles=of_scenes(rules.tile_scene.output.tiles, chosen=PLAN.is_tested),
    output:
        audit=MODEL.audit_of("{region}"),
        splits=MODEL.splits_of("{region}"),
    log:
        f"{LOGS}/audit_places/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/audit_places/{{region}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("audit_places"),
        runtime=minutes("audit_places"),
    params:
        script=script("audit_places"),
        code=code("audit_places"),
        files=each("pair", "tiles"),
    message:
        "{wildcards.region}: compare the test scenes with the places of the training"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} {params.files:q} --origin {input.origin:q}"
        " --audit {output.audit:q} --splits {output.splits:q}"
