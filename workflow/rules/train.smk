# From labelled scenes to a trained model, and the folder to share it.


# These rules take seconds: they run on the submitting machine, not as cluster jobs.
localrules:
    collect_radiometry,
    pack_bundle,


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
        training=MODEL.radiometry,
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


START = read_model(Path(SETTINGS.training.start_from), "training.start_from") if SETTINGS.training.start_from else None
START_OPTION = [f"--start-from={START.files.folder}"] if START else []
START_IDENTITY = START.identity if START else []


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
        start=untracked(START_OPTION),
        contents=START_IDENTITY,
    message:
        "{wildcards.region}: audit the splits for leakage"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} {params.files:q} {params.test:q} {params.start:q} --training-splits"
        " {input.splits:q} --audit {output.audit:q} --splits {output.splits:q} --settings {params.settings:q}"


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
        contents=lambda wildcards: [
            *SOURCES.identified(PLAN.initial_weights, MODEL.initial).of("optical", "sar"),
            *([START.card_identity] if START else []),
        ],
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


# Not in `rule all`: `make bundle`.
rule pack_bundle:
    input:
        weights=rules.train_model.output.weights,
        card=rules.train_model.output.card,
        statistics=rules.fit_statistics.output.statistics,
        splits=rules.fit_statistics.output.splits,
        radiometry=rules.collect_radiometry.output.training,
        pair=ancient(of_training(SCENE.pair)),
        pair_manifests=rules.fit_statistics.input.pair_manifests,
        metrics=of_labelled_regions(f"{RESULTS}/{{region}}/metrics.json"),
        audits=of_labelled_regions(MODEL.audit_of("{region}")),
    output:
        list(BUNDLE.files),
        [BUNDLE.zip_file] if SETTINGS.bundle.zip else [],
    log:
        f"{LOGS}/pack_bundle.log",
    benchmark:
        f"{BENCHMARKS}/pack_bundle.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=memory("pack_bundle"),
        runtime=minutes("pack_bundle"),
    params:
        script=script("pack_bundle"),
        code=code("pack_bundle"),
        settings=passed(stages.PackBundle),
        relevant=relevant(stages.PackBundle),
        files=each("pair", "metrics"),
        dates=lambda wildcards: [f"--dates={name}={day}" for name in PLAN.train_and_val for day in SHEET[name].dates],
        start=untracked(START_OPTION),
        contents=START_IDENTITY,
        model=MODEL.folder,
        bundle=BUNDLE.folder,
    message:
        "pack the model to share it"
    shell:
        f"{ATTEMPT}"
        " python {params.script:q} --model {params.model:q} {params.files:q} {params.dates} {params.start:q}"
        " --bundle {params.bundle:q} --settings {params.settings:q}"
