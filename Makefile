# Targets for a checkout. `make` without a target lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
CORES ?= all
# pip builds clairemap itself with these.
BUILD_PACKAGES := 'setuptools>=77' wheel
# The environment comes first in PATH, so that `python` in the rules is its Python.
demo dataset scenes bundle sample plan recover accept status test lint format config docs: export PATH := $(BIN):$(PATH)

.PHONY: help
help:  ## list all targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.ready: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) not found: install Python 3.11 or later (or: make PYTHON=/path/to/python3)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$$($(PYTHON) --version) is too old: install Python 3.11 or later (make PYTHON=/path/to/python3)"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) || \
	  { echo "Python's venv module is missing: run apt-get install python3-venv, then run make again"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,planetary-computer,slurm,stac,tensorboard]'
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready  ## create .venv and install the pinned dependencies

# For machines without internet (docs/offline.md): with PIP_NO_INDEX=1 and PIP_FIND_LINKS=wheelhouse, `make setup`
# installs from this folder. The wheels fit this machine's Python version, processor and operating system.
.PHONY: wheelhouse
wheelhouse:  ## download all wheels into wheelhouse/, to set up a machine without internet (docs/offline.md)
	$(PYTHON) -m pip download --quiet --disable-pip-version-check -c constraints.txt -d wheelhouse \
	  torch==2.13.0 '.[dev,planetary-computer,slurm,stac,tensorboard]' $(BUILD_PACKAGES)
	@echo "$$(ls wheelhouse | wc -l) wheels, $$(du -sh wheelhouse | cut -f1), in $(CURDIR)/wheelhouse"

.PHONY: image
image:  ## build the container image envs/clairemap.sif (needs Apptainer and internet; docs/offline.md)
	apptainer build envs/clairemap.sif envs/clairemap.def

# Without ARGS, the targets below are those of the demo.
DEMO := --configfile config/demo.yaml
.PHONY: demo
demo: setup  ## map the simulated demo region and estimate its areas (results in results/demo)
	snakemake --cores $(CORES) $(DEMO)
	@echo; echo "Maps (Cloud-Optimized GeoTIFF):"; ls -1 $(CURDIR)/results/demo/*.tif
	@echo "Accuracy and report:"; ls -1 $(CURDIR)/results/demo/metrics.json $(CURDIR)/results/demo/report.html

.PHONY: dataset
dataset: setup  ## map a published data set: make dataset NAME=whu_opt_sar DATA=/path (docs/datasets.md)
	@test -f "config/datasets/$(NAME).yaml" || \
	  { echo "NAME=$(NAME) is unknown; choose one of" $(basename $(notdir $(wildcard config/datasets/*.yaml))); exit 1; }
	@test -d "$(DATA)" || \
	  { echo "DATA=$(DATA) is not a folder; run make dataset NAME=$(NAME) DATA=/path/to/data"; exit 1; }
	python workflow/scripts/list_dataset.py --dataset $(NAME) --folder "$(DATA)" --sheet data/$(NAME)/scenes.csv
	snakemake --cores $(CORES) --configfile config/datasets/$(NAME).yaml

# Options of list_stac, such as ARGS="--bbox 10 46 11 47 --dates 2024-06-01/2024-08-31"
.PHONY: scenes
scenes: setup  ## pair STAC items in a sample sheet: make scenes ITEMS=search.json SHEET=scenes.csv (docs/data.md)
	@test -n "$(ITEMS)" || { echo "ITEMS= is missing: files or addresses of STAC items, catalogues or an API"; exit 1; }
	@test -n "$(SHEET)" || { echo "SHEET= is missing: the sample sheet to write"; exit 1; }
	python workflow/scripts/list_stac.py $(foreach item,$(ITEMS),--items "$(item)") --sheet "$(SHEET)" $(ARGS)

# The tracked profile stays as it is; git ignores profiles/my-*.
SLURM_PROFILE ?= profiles/my-slurm
.PHONY: slurm-profile
slurm-profile:  ## write your SLURM profile (docs/hpc.md): make slurm-profile CPU=short [GPU=a100] [ACCOUNT=name]
	@test -n "$(CPU)" || { echo "CPU= is missing: the partition of jobs without a GPU (sinfo -s lists them)"; exit 1; }
	@test ! -e "$(SLURM_PROFILE)" || { echo "$(SLURM_PROFILE) exists: edit its config.yaml, or remove it"; exit 1; }
	@mkdir -p "$(SLURM_PROFILE)"
	@sed -e '1,2c # Your SLURM profile; edit it as you like. docs/hpc.md explains each line.' \
	  -e 's|slurm_partition=cpu|slurm_partition=$(CPU)|; s|slurm_partition=gpu|slurm_partition=$(or $(GPU),$(CPU))|' \
	  $(if $(GPU),,-e '/predict_scene:slurm_partition/d') \
	  $(if $(ACCOUNT),-e 's|^default-resources:|&\n  - slurm_account=$(ACCOUNT)|') \
	  profiles/slurm/config.yaml > "$(SLURM_PROFILE)/config.yaml"
	@echo "$(SLURM_PROFILE)/config.yaml written. Next: snakemake --profile $(SLURM_PROFILE) --configfile my.yaml"

.PHONY: bundle
bundle: setup  ## pack the trained model to share it: make bundle ARGS="--configfile my.yaml" (docs/models.md)
	snakemake --cores $(CORES) $(or $(ARGS),$(DEMO)) -- pack_bundle

.PHONY: sample
sample: setup  ## draw random samples of the finished maps for interpreters: make sample ARGS="--configfile my.yaml" (docs/areas.md)
	snakemake --cores $(CORES) $(or $(ARGS),$(DEMO)) --forcerun draw_sample -- draw_samples

# Options of snakemake, such as ARGS="--configfile my.yaml --profile profiles/my-slurm"
.PHONY: plan
plan: setup  ## print what would run, why, and what it costs: make plan ARGS="--configfile my.yaml" (docs/operations.md)
	@python workflow/scripts/plan_run.py -- $(if $(filter-out all,$(CORES)),--cores $(CORES)) $(or $(ARGS),$(DEMO))

.PHONY: status
status: setup  ## print the progress of the run and its expected end: make status ARGS="--configfile my.yaml"
	@python workflow/scripts/show_status.py -- $(or $(ARGS),$(DEMO))

.PHONY: accept
accept: setup  ## keep results after a change of the code: make accept STAGE=train_model ARGS="--configfile my.yaml"
	@python workflow/scripts/accept_stage.py --stage "$(STAGE)" $(if $(YES),--yes) -- $(or $(ARGS),$(DEMO))

# FOLDER is where Snakemake runs (its --directory). Without .venv, `python` is that of the user's environment.
FOLDER ?= .
.PHONY: recover
recover:  ## clean up after Snakemake was killed (docs/hpc.md); DRY_RUN=yes only lists what it would do
	python workflow/scripts/recover.py --folder "$(FOLDER)" $(if $(DRY_RUN),--dry-run) \
	  $(if $(UNRECORDED),--unrecorded "$(UNRECORDED)") $(if $(TAKE_OVER),--take-over "$(TAKE_OVER)")

# Three processes keep two cores busy: tests on SLURM mostly wait.
.PHONY: test
test: setup  ## run all tests
	pytest -n 3 --dist worksteal tests

.PHONY: lint
lint: setup  ## check the code: ruff, mypy, import-linter, snakefmt, codespell, snakemake --lint
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	snakefmt --check Snakefile workflow
	codespell
	snakemake --lint

.PHONY: format
format: setup  ## format Python and Snakemake files
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

.PHONY: config
config: setup  ## write config/config.yaml and workflow/schemas/
	python workflow/scripts/write_config.py

.PHONY: docs
docs: setup  ## write docs/benchmarks.md; draw the figures in docs/ from the demo's results (needs graphviz)
	snakemake --rulegraph --forceall | dot -Tsvg > docs/rulegraph.svg
	python docs/draw_readme_pictures.py
	python docs/write_benchmarks.py

# Other tools for benchmarks/registration_peers.py. They are not in .venv, because AROSICS needs numpy<2. Without
# libgdal, AROSICS is left out and .ready is not written, so that the next run tries again.
PEERS := .venv-peers
PEERS_PIP := $(CURDIR)/$(PEERS)/bin/pip --quiet --disable-pip-version-check
PEERS_PINS := benchmarks/peers-requirements.txt
$(PEERS)/.ready: $(PEERS_PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in {(3, 11), (3, 12)})' || \
	  { echo "the other tools need Python 3.11 or 3.12 (make peers PYTHON=/path/to/python3)"; exit 1; }
	@test -x $(PEERS)/bin/pip || $(PYTHON) -m venv --clear $(PEERS) || \
	  { echo "Python's venv module is missing: run apt-get install python3-venv, then run make again"; exit 1; }
	$(PEERS_PIP) install -c $(PEERS_PINS) numpy setuptools wheel simpleitk itk-elastix scikit-image imagecodecs
	$(PEERS_PIP) download --no-deps --dest $(PEERS)/wheels terratorch==1.2.13  # for benchmarks/inference.py
	@missing=; command -v gdal-config >/dev/null || missing=" libgdal-dev"; command -v g++ >/dev/null || missing="$$missing g++"; \
	test -f "$$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" || missing="$$missing python3-dev"; \
	if [ -n "$$missing" ]; then \
	  echo "AROSICS is left out: GDAL's bindings cannot be built. Run apt-get install$$missing, then make peers again"; \
	elif $(PEERS_PIP) install --no-cache-dir --no-deps --no-build-isolation "gdal==$$(gdal-config --version)" \
	  && $(PEERS_PIP) install --no-deps -r $(PEERS_PINS) \
	  && $(PEERS)/bin/python benchmarks/registration_peers.py --method arosics --check; then touch $@; \
	else \
	  echo "AROSICS is left out: it does not install or run with GDAL $$(gdal-config --version) (pinned for GDAL 3.6)."; \
	  echo "The other tools are ready."; fi

.PHONY: peers
peers: $(PEERS)/.ready  ## create .venv-peers: other registration tools, for benchmarks

# benchmarks/gpu.py on a machine with a GPU but without .venv: .gpu-wheels contains the wheels that it lacks, pinned as
# in constraints.txt.
GPU_WHEELS := .gpu-wheels
GPU_WHEELS_MB := 40
GPU_PLATFORM := --only-binary :all: --implementation cp --python-version 3.12 --abi cp312 --abi abi3 --abi none \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform any
.PHONY: gpu-wheels
gpu-wheels:  ## download the wheels that gpu-check needs (Python 3.12, Linux x86-64)
	rm -rf $(GPU_WHEELS)
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps -c constraints.txt $(GPU_PLATFORM) \
	  --dest $(GPU_WHEELS) -r benchmarks/gpu-wheels.txt
	@bytes=$$(cat $(GPU_WHEELS)/*.whl | wc -c); \
	echo "$(GPU_WHEELS): $$(ls $(GPU_WHEELS) | wc -l) wheels, $$((bytes / 1000000)) MB"; \
	test $$bytes -le $(GPU_WHEELS_MB)000000 || { echo "more than $(GPU_WHEELS_MB) MB"; exit 1; }

.PHONY: gpu-check
gpu-check:  ## compare a GPU with the CPU; needs gpu-wheels, but neither .venv nor network (ARGS="--minutes 8")
	PYTHON=$(PYTHON) GPU_WHEELS=$(CURDIR)/$(GPU_WHEELS) bash benchmarks/gpu_check.sh $(ARGS)

.PHONY: clean
clean:  ## remove caches; keep maps and work folders
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
