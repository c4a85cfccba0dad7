# The jobs, dependencies and logs of the workflow, without settings, checks, hashes, resources and benchmarks.
import csv
with open(config["scenes"]) as file:
    ROWS = {row["scene"]: row for row in csv.DictReader(file)}
REGIONS = {}
for name, row in ROWS.items():
    REGIONS.setdefault(row["region"], []).append(name)
FIT = [name for name, row in ROWS.items() if row["split"] in ("train", "val")]
S = "work/scenes/{scene}"
TOUCH = "for file in {output:q}; do mkdir -p $(dirname $file); case $file in *.zarr) mkdir -p $file;; *) touch $file;; esac; done"

def source(*roles):
    return lambda wildcards: [ROWS[wildcards.scene][role] for role in roles if ROWS[wildcards.scene][role]]

def scenes(pattern, chosen=lambda name: True):
    return lambda wildcards: [pattern.format(scene=name) for name in REGIONS[wildcards.region] if chosen(name)]

rule all:
    input: expand("results/{region}/report.html", region=REGIONS)
rule register_pair:
    input: source("optical", "sar")
    output: S + "/registration.json"
    log: "work/logs/register_pair/{scene}.log"
    shell: TOUCH
rule picture_registration:
    input: source("optical", "sar"), S + "/registration.json"
    output: S + "/registration.png"
    log: "work/logs/picture_registration/{scene}.log"
    shell: TOUCH
rule tile_scene:
    input: source("optical", "sar", "label"), S + "/registration.json"
    output: directory(S + "/pair.zarr"), S + "/pair.json", S + "/tiles.parquet", S + "/radiometry.json"
    log: "work/logs/tile_scene/{scene}.log"
    shell: TOUCH
rule fit_statistics:
    input: expand(S + "/{file}", scene=FIT, file=("pair.zarr", "pair.json", "tiles.parquet"))
    output: "work/model/statistics.json", "work/model/training_splits.parquet"
    shell: TOUCH
rule collect_radiometry:
    input: expand(S + "/radiometry.json", scene=FIT)
    output: "work/model/radiometry.json"
    shell: TOUCH
rule check_radiometry:
    input: S + "/radiometry.json", "work/model/radiometry.json"
    output: S + "/radiometry_check.json"
    log: "work/logs/check_radiometry/{scene}.log"
    shell: TOUCH
rule audit_splits:
    input:
        lambda wildcards: [
            S.format(scene=name) + file
            for name in FIT + [name for name in REGIONS[wildcards.region] if ROWS[name]["split"] == "test"]
            for file in ("/pair.zarr", "/pair.json", "/tiles.parquet")
        ],
        "work/model/training_splits.parquet",
    output: "work/model/audits/{region}.json", "work/model/audits/{region}.splits.parquet"
    shell: TOUCH
rule train_model:
    input: expand(S + "/{file}", scene=FIT, file=("pair.zarr", "pair.json", "radiometry_check.json")), "work/model/statistics.json", "work/model/training_splits.parquet"
    output: "work/model/model.safetensors", "work/model/model.json", "work/model/history.csv"
    shell: TOUCH
rule predict_scene:
    input: S + "/pair.zarr", S + "/pair.json", S + "/radiometry_check.json", "work/model/model.safetensors", "work/model/model.json"
    output: directory(S + "/{view}/probabilities.zarr"), S + "/{view}/probabilities.json"
    log: "work/logs/predict_scene/{scene}.{view}.log"
    shell: TOUCH
rule score_tiles:
    input: S + "/pair.zarr", S + "/pair.json", S + "/tiles.parquet", S + "/{view}/probabilities.zarr", S + "/{view}/probabilities.json"
    output: S + "/{view}/scores.parquet"
    log: "work/logs/score_tiles/{scene}.{view}.log"
    shell: TOUCH
rule explain_tiles:
    input:
        S + "/pair.zarr", S + "/pair.json", S + "/tiles.parquet", S + "/fused/probabilities.zarr", S + "/fused/probabilities.json", "work/model/model.json",
        lambda wildcards: [f"work/scenes/{wildcards.scene}/fused/scores.parquet"] if ROWS[wildcards.scene]["label"] else [],
    output: S + "/explanations.jsonl"
    log: "work/logs/explain_tiles/{scene}.log"
    shell: TOUCH
rule mosaic_region:
    input: scenes(S + "/fused/probabilities.zarr"), scenes(S + "/fused/probabilities.json"), scenes(S + "/radiometry_check.json"), "work/model/model.json"
    output: "results/{region}/{region}.landcover.tif"
    shell: TOUCH
rule check_maps:
    input: scenes(S + "/fused/probabilities.zarr"), scenes(S + "/fused/probabilities.json"), "results/{region}/{region}.landcover.tif"
    output: "results/{region}/{region}.check.json"
    shell: TOUCH
rule score_region:
    input:
        scenes(S + "/fused/scores.parquet", lambda name: ROWS[name]["label"]),
        scenes(S + "/optical/scores.parquet", lambda name: ROWS[name]["split"] == "test"),
        scenes(S + "/sar/scores.parquet", lambda name: ROWS[name]["split"] == "test"),
        scenes(S + "/radiometry_check.json"), "work/model/audits/{region}.splits.parquet", "results/{region}/{region}.landcover.tif"
    output: "results/{region}/metrics.json"
    shell: TOUCH
rule render_report:
    input:
        "results/{region}/metrics.json", "results/{region}/{region}.check.json",
        *(scenes(S + "/" + file) for file in ("registration.json", "registration.png", "tiles.parquet", "explanations.jsonl", "pair.zarr", "pair.json", "fused/probabilities.zarr", "fused/probabilities.json")),
        "work/model/audits/{region}.json", "work/model/history.csv"
    output: "results/{region}/report.html"
    shell: TOUCH
