#!/usr/bin/env bash
# Run benchmarks/gpu.py on a bare machine with a GPU: only Python 3.12 with PyTorch and the wheels in .gpu-wheels are
# needed, no network and no .venv. Options are those of gpu.py. PYTHON names the interpreter.
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
wheels=${GPU_WHEELS:-$project/.gpu-wheels}
compgen -G "$wheels/*.whl" >/dev/null || { echo "$wheels: no wheels; run make gpu-wheels on a machine with network" >&2; exit 1; }
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
"$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --target "$packages" "$wheels"/*.whl
PYTHONPATH="$packages:$project/src" "$python" "$project/benchmarks/gpu.py" "$@"
