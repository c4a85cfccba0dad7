# Comparison of each scene with the training scenes.


rule check_radiometry:
    input:
        radiometry=rules.tile_scene.output.radiometry,
        training=MODEL.radiometry,
    output:
        check=SCENE.radiometry_check,
    log:
        f"{LOGS}/check_radiometry/{{scene}}.log",
    benchmark:
        f"{BENCHMARKS}/check_radiometry/{{scene}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("check_radiometry"),
        runtime=minutes("check_radiometry"),
    params:
        script=script("check_radiometry"),
        code=code("check_radiometry"),
        settings=passed(stages.CheckRadiometry),
        relevant=relevant(stages.CheckRadiometry),
    message:
        "{wildcards.scene}: compare radiometry with the training scenes"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --radiometry {input.radiometry:q} --training {input.training:q}"
        " --check {output.check:q} --settings {params.settings:q}"
