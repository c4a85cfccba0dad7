# From labelled scenes to a trained model.


rule fit_statistics:
    input:
        pair=ancient(of_training(SCENE.pair)),
        pair_manifests=of_training(rules.tile_scene.output.manifest),
        tiles=of_training(rules.tile_scene.output.tiles),
    output:
        statistics=MODEL.statistics,
        splits=MODEL.training_splits,
    log:
        f"{LOGS}/fit_statistics.log",
    benchmark:
        f"{BENCHMARKS}/fit_statistics.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=memory("fit_statistics"),
        runtime=minutes("fit_statistics"),
    params:
        script=script("fit_statistics"),
        code=code("fit_statistics"),
        settings=passed(stages.FitStatistics),
        relevant=relevant(stages.FitStatistics),
        files=each("pair", "tiles"),
        split=lambda wildcards: [f"--split={name}={SHEET[name].split}" for name in PLAN.train_and_val],
    message:
        "split the tiles and compute band statistics"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} {params.files:q} {params.split:q}"
        " --statistics {output.statistics:q} --splits {output.splits:q} --settings {params.settings:q}"
        " --threads {threads}"


rule collect_radiometry:
    input:
        radiometry=of_training(rules.tile_scene.output.radiometry, lambda plan: plan.train),
    output:
        training=f"{MODEL.folder}/radiometry.json",
    log:
        f"{LOGS}/collect_radiometry.log",
    benchmark:
        f"{BENCHMARKS}/collect_radiometry.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("collect_radiometry"),
        runtime=minutes("collect_radiometry"),
    params:
        script=script("collect_radiometry"),
        code=code("collect_radiometry"),
        files=each("radiometry"),
    message:
        "collect the radiometry of the training scenes"
    shell:
        f"{ATTEMPT}" " python {params.script:q} {params.files:q} --training {output.training:q}"


rule check_radiometry:
    input:
        radiometry=rules.tile_scene.output.radiometry,
        training=rules.collect_radiometry.output.training,
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


rule audit_splits:
    input:
        pair=ancient(of_audit(SCENE.pair)),
        pair_manifests=of_audit(rules.tile_scene.output.manifest),
        tiles=of_audit(rules.tile_scene.output.tiles),
        splits=rules.fit_statistics.output.splits,
    output:
        audit=MODEL.audit_of("{region}"),
        splits=MODEL.splits_of("{region}"),
    log:
        f"{LOGS}/audit_splits/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/audit_splits/{{region}}.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("audit_splits"),
        runtime=minutes("audit_splits"),
    params:
        script=script("audit_splits"),
        code=code("audit_splits"),
        settings=passed(stages.FitStatistics),
        relevant=relevant(stages.FitStatistics),
        files=each("pair", "tiles"),
        test=lambda wildcards: [f"--test={name}" for name in PLAN.test_of(wildcards.region)],
    message:
        "{wildcards.region}: audit the splits for leakage"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} {params.files:q} {params.test:q} --training-splits {input.splits:q}"
        " --audit {output.audit:q} --splits {output.splits:q} --settings {params.settings:q}"


TRAIN_MINUTES = f"--minutes {SETTINGS.compute.training_minutes}" if SETTINGS.compute.training_minutes else ""
TRAIN_CURVES = ["--tensorboard", f"{WORK}/tensorboard"]


# Checkpoints are not outputs: Snakemake deletes the outputs of failed jobs, and a retried job resumes from them.
# The number of processes is not tracked: it does not change the result.
rule train_model:
    input:
        pair=ancient(of_training(SCENE.pair)),
        pair_manifests=of_training(rules.tile_scene.output.manifest),
        statistics=rules.fit_statistics.output.statistics,
        splits=rules.fit_statistics.output.splits,
        checks=ancient(of_training(SCENE.radiometry_check)),
    output:
        weights=MODEL.weights,
        card=MODEL.card,
        history=MODEL.history,
    log:
        f"{LOGS}/train_model.log",
    benchmark:
        f"{BENCHMARKS}/train_model.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: jobs.TRAINING_THREADS * SETTINGS.compute.training_processes
    resources:
        mem_mb=memory("train_model"),
        runtime=minutes("train_model"),
        gpu=0 if OVER_NODES else GPU * SETTINGS.compute.training_processes,
        nodes=SETTINGS.compute.training_nodes,
        mpi=over_nodes("srun"),
        tasks_per_node=over_nodes(jobs.tasks_per_node(SETTINGS)),
        cpus_per_task=lambda wildcards, threads: jobs.cpus_per_task(SETTINGS, threads),
        gres=over_nodes(f"gpu:{SETTINGS.compute.training_processes}" if GPU else None),
    params:
        script=script("train_model"),
        code=code("train_model"),
        launcher=lambda wildcards, resources, threads: jobs.training_launcher(
            SETTINGS.compute.training_processes,
            resources.get("mpi"),
            resources.get("nodes", 1),
            threads,
        ),
        minutes=untracked(TRAIN_MINUTES),
        curves=untracked(TRAIN_CURVES if SETTINGS.compute.tensorboard else []),
        device=untracked(SETTINGS.compute.device),
        settings=passed(stages.TrainModel),
        relevant=relevant(stages.TrainModel),
        files=each("pair"),
        contents=lambda wildcards: list(SOURCES.identified(PLAN.initial_weights, MODEL.initial).of("optical", "sar")),
        record=untracked(MODEL.initial),
        checkpoints=f"{WORK}/checkpoints",
    message:
        "train the network"
    shell:
        f"{jobs.NETWORK_ENVIRONMENT} {ATTEMPT}"
        " {params.launcher} {params.script:q} {params.files:q} --statistics {input.statistics:q}"
        " --splits {input.splits:q} --weights {output.weights:q} --card {output.card:q} --history {output.history:q}"
        " --checkpoints {params.checkpoints:q} --fingerprint {params.code} --settings {params.settings:q}"
        " --record {params.record:q} --device {params.device} {params.minutes} {params.curves:q}"
