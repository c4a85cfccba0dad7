# From labelled pairs to a trained model.


rule fit_statistics:
    input:
        pair=ancient(expand(PAIR, scene=LABELLED)),
        pair_manifests=expand(rules.tile_scene.output.manifest, scene=LABELLED),
        tiles=expand(rules.tile_scene.output.tiles, scene=LABELLED),
    output:
        statistics=f"{MODEL}/statistics.json",
        splits=f"{MODEL}/splits.parquet",
    log:
        f"{LOGS}/fit_statistics.log",
    benchmark:
        f"{BENCHMARKS}/fit_statistics.tsv"
    conda:
        "../../envs/geo.yaml"
    threads: 2
    resources:
        mem_mb=memory(1000),
        runtime=60,
    params:
        script=script("fit_statistics"),
        code=code("fit_statistics"),
        settings=only(stages.FitStatistics),
        files=each("pair", "tiles"),
        split=[f"--split={name}={SHEET[name].split}" for name in LABELLED],
    message:
        "band statistics and splits"
    shell:
        "python {params.script:q} {params.files:q} {params.split:q}"
        " --statistics {output.statistics:q} --splits {output.splits:q} --settings {params.settings:q}"
        " --threads {threads} 2> {log:q}"


# Checkpoints are no output, since Snakemake deletes the outputs of failed jobs: a retried job goes on from them.
# With several processes the launcher is torchrun; its number of processes changes no result and reruns nothing.
TRAIN_LAUNCHER = (
    f"python -m torch.distributed.run --standalone --nproc-per-node {SETTINGS.compute.training_processes}"
    if SETTINGS.compute.training_processes > 1
    else "python"
)
TRAIN_MINUTES = (
    f"--minutes {SETTINGS.compute.training_minutes}"
    if SETTINGS.compute.training_minutes
    else ""
)


rule train_model:
    input:
        pair=ancient(expand(PAIR, scene=LABELLED)),
        pair_manifests=rules.fit_statistics.input.pair_manifests,
        statistics=rules.fit_statistics.output.statistics,
        splits=rules.fit_statistics.output.splits,
    output:
        weights=f"{MODEL}/model.safetensors",
        card=f"{MODEL}/model.json",
        history=f"{MODEL}/history.csv",
    log:
        f"{LOGS}/train_model.log",
    benchmark:
        f"{BENCHMARKS}/train_model.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=memory(6000),
        runtime=1440,
        gpu=GPU * SETTINGS.compute.training_processes,
    params:
        script=script("train_model"),
        code=code("train_model"),
        launcher=untracked(TRAIN_LAUNCHER),
        minutes=untracked(TRAIN_MINUTES),
        device=untracked(SETTINGS.compute.device),
        settings=only(stages.TrainModel),
        files=each("pair"),
        checkpoints=f"{WORK}/checkpoints",
        fingerprint=code("train_model"),
    message:
        "train the network"
    shell:
        "{params.launcher} {params.script:q} {params.files:q} --statistics {input.statistics:q}"
        " --splits {input.splits:q} --weights {output.weights:q} --card {output.card:q} --history {output.history:q}"
        " --checkpoints {params.checkpoints:q} --fingerprint {params.fingerprint} --settings {params.settings:q}"
        " --device {params.device} {params.minutes} 2> {log:q}"
